package builtin

import (
	"io"
	"net/http"
)

const pageText = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>mcil: embedded caption endpoint</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}code{background:#eee;padding:0 .2em}</style></head>
<body>
<h1>mcil: embedded caption endpoint</h1>
<p><strong>This is a stand-in without a language model</strong>, for trying and testing. It measures the pixels of a picture
(regions, outlines, colours, textures) and writes sentences about what it measured. It does not know what a picture shows.</p>
<p>For captions as in the paper, serve InstructBLIP behind the same API and give its URL to <code>mcil caption --endpoint</code>.</p>
<ul>
<li><code>POST /v1/chat/completions</code>: OpenAI's chat completions, model <code>` + Model + `</code>, one picture as a data URL</li>
<li><code>GET /v1/models</code></li>
<li><code>GET /healthz</code></li>
</ul>
</body>
</html>
`

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = io.WriteString(w, pageText)
}
