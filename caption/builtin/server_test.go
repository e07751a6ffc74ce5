package builtin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func encoded(t testing.TB, kind string, img image.Image) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "png":
		err = png.Encode(&b, img)
	case "gif":
		err = gif.Encode(&b, img, nil)
	default:
		err = jpeg.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// body is a request about a picture, with more fields, such as `,"max_tokens":5`.
func body(url, more string) string {
	return `{"model":"` + Model + `","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + url +
		`"}},{"type":"text","text":"Write a detailed description."}]}],"temperature":0,"num_beams":5` + more + `}`
}

func post(t testing.TB, h http.Handler, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, v
}

// disc is a red disc on white.
func disc() image.Image {
	return paint(120, 90, color.White, color.RGBA{210, 30, 30, 255}, func(x, y float64) bool { return (x-60)*(x-60)+(y-45)*(y-45) < 900 })
}

func paint(w, h int, behind, front color.Color, in func(x, y float64) bool) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if in(float64(x)+0.5, float64(y)+0.5) {
				img.Set(x, y, front)
			} else {
				img.Set(x, y, behind)
			}
		}
	}
	return img
}

func TestCompletion(t *testing.T) {
	h := Handler(Options{})
	status, v := post(t, h, body(encoded(t, "png", disc()), ""))
	if status != http.StatusOK {
		t.Fatalf("%d: %v", status, v)
	}
	text := Describe(disc())
	n := float64(countTokens(text))
	want := map[string]any{
		"id": v["id"], "object": "chat.completion", "created": 0.0, "model": Model,
		"choices": []any{map[string]any{
			"index": 0.0, "message": map[string]any{"role": "assistant", "content": text}, "finish_reason": "stop",
		}},
		"usage": map[string]any{"prompt_tokens": 5.0, "completion_tokens": n, "total_tokens": n + 5},
	}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("got %v\nwant %v", v, want)
	}
	if _, again := post(t, h, body(encoded(t, "png", disc()), "")); !reflect.DeepEqual(v, again) {
		t.Error("the same request has two answers")
	}
	for _, kind := range []string{"jpeg", "gif"} {
		if status, v := post(t, h, body(encoded(t, kind, disc()), "")); status != http.StatusOK {
			t.Errorf("%s: %d %v", kind, status, v)
		}
	}
}

func TestMaxTokens(t *testing.T) {
	h := Handler(Options{})
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		_, v := post(t, h, body(encoded(t, "png", disc()), `,"`+name+`":7`))
		choice := v["choices"].([]any)[0].(map[string]any)
		text := choice["message"].(map[string]any)["content"].(string)
		if choice["finish_reason"] != "length" || len(strings.Fields(text)) != 7 || !strings.HasPrefix(Describe(disc()), text) {
			t.Errorf("%s: %v", name, choice)
		}
		if got := v["usage"].(map[string]any)["completion_tokens"]; got != 7.0 {
			t.Errorf("%s: %v tokens", name, got)
		}
	}
}

func TestCutTokens(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
		cut   bool
	}{
		{"One two, three.", 0, "One two, three.", false},
		{"One two, three.", 5, "One two, three.", false},
		{"One two, three.", 4, "One two, three", true},
		{"One two, three.", 3, "One two,", true},
		{"One two, three.", 2, "One two", true},
		{"rod-like \xff", 1, "rod-like", true},
		{"", 1, "", false},
	} {
		if got, cut := cutTokens(c.in, c.limit); got != c.want || cut != c.cut {
			t.Errorf("cutTokens(%q, %d) = %q, %v", c.in, c.limit, got, cut)
		}
	}
}

func TestRefusals(t *testing.T) {
	h := Handler(Options{MaxRequestBytes: 1 << 20, MaxPicturePixels: 100 * 100})
	good := encoded(t, "png", image.NewRGBA(image.Rect(0, 0, 9, 9)))
	for name, c := range map[string]struct {
		body   string
		status int
		say    string
	}{
		"not JSON":          {"<xml>", 400, "JSON"},
		"no model":          {`{"messages":[]}`, 400, "model"},
		"another model":     {strings.Replace(body(good, ""), Model, "gpt-4", 1), 404, "gpt-4"},
		"no messages":       {`{"model":"` + Model + `"}`, 400, "messages"},
		"text only":         {`{"model":"` + Model + `","messages":[{"role":"user","content":"hello"}]}`, 400, "no picture"},
		"parts of text":     {`{"model":"` + Model + `","messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}]}`, 400, "no picture"},
		"role":              {strings.Replace(body(good, ""), `"user"`, `"root"`, 1), 400, "root"},
		"assistant last":    {strings.Replace(body(good, ""), `"user"`, `"assistant"`, 1), 400, "last"},
		"stream":            {body(good, `,"stream":true`), 400, "stream"},
		"n":                 {body(good, `,"n":2`), 400, "n:"},
		"max_tokens":        {body(good, `,"max_tokens":0`), 400, "max_tokens"},
		"URL":               {body("http://example.org/a.png", ""), 400, "fetches nothing"},
		"file":              {body("file:///etc/passwd", ""), 400, "fetches nothing"},
		"not base64":        {body("data:image/png,abc", ""), 400, "base64"},
		"broken base64":     {body("data:image/png;base64,a*b", ""), 400, "base64"},
		"media type":        {body("data:image/svg+xml;base64,AAAA", ""), 400, "svg"},
		"not a picture":     {body("data:image/png;base64,AAAA", ""), 400, "not a picture"},
		"cut-off picture":   {body(good[:len(good)-20], ""), 400, "image_url"},
		"empty picture":     {body("data:image/png;base64,", ""), 400, "no picture"},
		"too many pixels":   {body(encoded(t, "png", image.NewRGBA(image.Rect(0, 0, 101, 100))), ""), 400, "pixels"},
		"too large":         {body(good, strings.Repeat(" ", 1<<20)), 413, "larger"},
		"two pictures":      {strings.Replace(body(good, ""), `{"type":"text"`, `{"type":"image_url","image_url":{"url":"`+good+`"}},{"type":"text"`, 1), 400, "one picture"},
		"unknown part":      {strings.Replace(body(good, ""), `"type":"text"`, `"type":"audio"`, 1), 400, "audio"},
		"content of a type": {`{"model":"` + Model + `","messages":[{"role":"user","content":5}]}`, 400, "content"},
	} {
		status, v := post(t, h, c.body)
		e, _ := v["error"].(map[string]any)
		message, _ := e["message"].(string)
		if status != c.status || !strings.Contains(message, c.say) || e["type"] != "invalid_request_error" || e["code"] == nil {
			t.Errorf("%s: %d %v, want %d and %q", name, status, v, c.status, c.say)
		}
	}
}

func TestRoutes(t *testing.T) {
	s, err := Listen("127.0.0.1:0", Options{APIKey: "sesame"})
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSuffix(s.URL(), "/v1")
	for _, c := range []struct {
		method, path, key string
		status            int
		say               string
	}{
		{"GET", "/", "", 200, "stand-in without a language model"},
		{"GET", "/healthz", "", 200, "ok"},
		{"GET", "/v1/models", "sesame", 200, Model},
		{"GET", "/v1/models", "", 401, "invalid_api_key"},
		{"GET", "/v1/models", "Sesame", 401, "invalid_api_key"},
		{"POST", "/v1/chat/completions", "", 401, "invalid_api_key"},
		{"POST", "/v1/completions", "sesame", 404, "no route"},
		{"GET", "/elsewhere", "", 404, "no route"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, root+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.key != "" {
			r.Header.Set("Authorization", "Bearer "+c.key)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(b), c.say) {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, b)
		}
	}
	if _, err := Listen(strings.TrimPrefix(root, "http://"), Options{}); err == nil || !strings.Contains(err.Error(), "another address") {
		t.Errorf("a port that is taken: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	waited := make(chan error)
	go func() { waited <- s.Wait() }()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-waited; err != nil {
		t.Errorf("Wait: %v", err)
	}
	if _, err := http.Get(root + "/healthz"); err == nil {
		t.Error("answers after Close")
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(body("data:image/png;base64,AAAA", `,"max_tokens":3`)))
	f.Add([]byte(`{"model":"` + Model + `","messages":[{"role":"user","content":null}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parseRequest(b)
		var fault fault
		switch {
		case err != nil && !errors.As(err, &fault):
			t.Errorf("an error that is no answer: %v", err)
		case err != nil && (fault.status < 400 || fault.status > 499):
			t.Errorf("status %d", fault.status)
		case err == nil && len(q.image) == 0:
			t.Error("passed without a picture")
		}
	})
}
