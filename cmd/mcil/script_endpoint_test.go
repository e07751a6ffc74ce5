package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const completion = `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a red shape on white"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}`

// say answers with a text.
func say(w http.ResponseWriter, text string) {
	quoted, _ := json.Marshal(text)
	io.WriteString(w, strings.Replace(completion, `"a red shape on white"`, string(quoted), 1))
}

// question is a request for a caption.
type question struct {
	header http.Header
	body   []byte
	fields map[string]any
	first  int // how many pictures were asked about up to this one; 0: it was asked about before
}

// headers are all of them in a line.
func (q question) headers() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q.header)) {
		parts = append(parts, name+" "+strings.Join(q.header[name], " "))
	}
	return strings.Join(parts, "; ")
}

// modes are the endpoints that scripts can start: what they answer to a request for a caption.
var modes = map[string]func(w http.ResponseWriter, q question){
	"slow": func(w http.ResponseWriter, q question) {
		time.Sleep(40 * time.Millisecond)
		io.WriteString(w, completion)
	},
	"401": func(w http.ResponseWriter, q question) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"message":"no key","type":"invalid_request_error","code":"invalid_api_key"}}`)
	},
	"404": func(w http.ResponseWriter, q question) { http.Error(w, "404 page not found", http.StatusNotFound) },
	"500": func(w http.ResponseWriter, q question) {
		http.Error(w, "out of\nmemory", http.StatusInternalServerError)
	},
	"garbage": func(w http.ResponseWriter, q question) {
		io.WriteString(w, "<html>\n<body>It works!\x1b[31m</body>\n</html>\n")
	},
	"empty": func(w http.ResponseWriter, q question) {},
	"models": func(w http.ResponseWriter, q question) {
		io.WriteString(w, `{"object":"list","data":[{"id":"other-model","object":"model"}]}`)
	},
	// revised serves one model and tells its revision.
	"revised": func(w http.ResponseWriter, q question) {
		if q.fields == nil {
			io.WriteString(w, `{"object":"list","data":[{"id":"Salesforce/instructblip-vicuna-7b","object":"model","revision":"abc123"}]}`)
			return
		}
		io.WriteString(w, completion)
	},
	// flaky fails once for every other picture.
	"flaky": func(w http.ResponseWriter, q question) {
		if q.first%2 == 1 {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		io.WriteString(w, completion)
	},
	// fussy refuses the first picture and captions the others.
	"fussy": func(w http.ResponseWriter, q question) {
		if q.first == 1 {
			http.Error(w, `{"error":{"message":"not this one"}}`, http.StatusBadRequest)
			return
		}
		io.WriteString(w, completion)
	},
	// mirror says what it was asked, but for the picture.
	"mirror": func(w http.ResponseWriter, q question) {
		parts := q.fields["messages"].([]any)[0].(map[string]any)["content"].([]any)
		q.fields["prompt"] = parts[1].(map[string]any)["text"]
		q.fields["form"], _, _ = strings.Cut(parts[0].(map[string]any)["image_url"].(map[string]any)["url"].(string), ";")
		delete(q.fields, "messages")
		said, _ := json.Marshal(q.fields)
		say(w, "asked "+strings.ReplaceAll(string(said), `"`, ""))
	},
	// echo says the prompt back before it answers.
	"echo": func(w http.ResponseWriter, q question) {
		parts := q.fields["messages"].([]any)[0].(map[string]any)["content"].([]any)
		say(w, parts[1].(map[string]any)["text"].(string)+" a red shape on white")
	},
	// loops repeats itself unless that is penalised.
	"loops": func(w http.ResponseWriter, q question) {
		if q.fields["repetition_penalty"] == 2.0 {
			io.WriteString(w, completion)
			return
		}
		say(w, strings.Repeat("a red shape ", 20))
	},
	// loopy repeats itself whatever it is asked.
	"loopy": func(w http.ResponseWriter, q question) { say(w, strings.Repeat("a red shape ", 20)) },
	// parrot fails and says back all that it was told, key and all.
	"parrot": func(w http.ResponseWriter, q question) {
		w.WriteHeader([]int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusTooManyRequests}[q.first%3])
		fmt.Fprintf(w, `{"error":{"message":"bad key %s, header %s"}}`, strings.TrimPrefix(q.header.Get("Authorization"), "Bearer "), q.headers())
	},
	// parrots says it back as captions.
	"parrots": func(w http.ResponseWriter, q question) { say(w, "your header is "+q.headers()) },
}

// listing are the modes that answer a request for the list of models; the others do not list theirs.
var listing = map[string]bool{"401": true, "404": true, "500": true, "garbage": true, "empty": true, "models": true, "revised": true}

func endpoint(ts *testscript.TestScript, neg bool, args []string) {
	name := "URL"
	if len(args) > 1 {
		name = args[1]
	}
	if args[0] == "closed" {
		s := httptest.NewServer(nil)
		s.Close()
		ts.Setenv(name, s.URL+"/v1")
		return
	}
	answer, ok := modes[args[0]]
	if !ok {
		ts.Fatalf("no endpoint of mode %s", args[0])
	}
	var mu sync.Mutex
	seen := map[[sha256.Size]byte]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !listing[args[0]] && r.Method == http.MethodGet {
			http.NotFound(w, r)
			return
		}
		q := question{header: r.Header}
		q.body, _ = io.ReadAll(r.Body)
		if r.Method == http.MethodPost {
			if err := json.Unmarshal(q.body, &q.fields); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			mu.Lock()
			if digest := sha256.Sum256(q.body); !seen[digest] {
				seen[digest] = true
				q.first = len(seen)
			}
			mu.Unlock()
		}
		answer(w, q)
	}))
	ts.Defer(s.Close)
	ts.Setenv(name, s.URL+"/v1")
}

// batchserver answers the requests of an export, the last one first: the first three fail, each in its way.
func batchserver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: batchserver DIR OUTPUT ERRORS")
	}
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "batch-*.jsonl"))
	ts.Check(err)
	var output, failed []string
	for _, name := range names {
		for line := range strings.Lines(ts.ReadFile(name)) {
			var r struct {
				ID string `json:"custom_id"`
			}
			ts.Check(json.Unmarshal([]byte(line), &r))
			result := func(status int, body string) string {
				return fmt.Sprintf(`{"id":"batch_req_%d","custom_id":%q,"response":{"status_code":%d,"request_id":"r","body":%s},"error":null}`, len(output), r.ID, status, body)
			}
			switch {
			case len(failed) == 0:
				failed = append(failed, fmt.Sprintf(`{"id":"batch_req_0","custom_id":%q,"response":null,"error":{"code":"batch_expired","message":"expired"}}`, r.ID))
			case len(failed) == 1:
				failed = append(failed, result(http.StatusTooManyRequests, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`))
			case len(output) == 0:
				output = append(output, result(http.StatusOK, strings.Replace(completion, "a red shape on white", "", 1)))
			default:
				output = append(output, result(http.StatusOK, completion))
			}
		}
	}
	slices.Reverse(output)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(output, "\n")+"\n"), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(failed, "\n")+"\n"), 0o644))
}
