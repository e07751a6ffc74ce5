package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

const goodBody = `{"id":"x","object":"chat.completion","created":1,"model":"blip-v1","choices":[{"index":0,"message":` +
	`{"role":"assistant","content":" A fish. "},"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":3,"total_tokens":43}}`

var testRequest = caption.Request{Model: "blip", Prompt: "Describe <it> & more.", Image: []byte("\xff\xd8picture+/"), MediaType: "image/jpeg"}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return client(t, Options{BaseURL: server.URL + "/v1/", APIKey: "sk-secret"})
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRequestOnTheWire(t *testing.T) {
	var body []byte
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, " "), "sk-secret") != (name == "Authorization") {
				t.Errorf("header %s: %q", name, values)
			}
		}
		if got := r.Header.Get("Authorization"); got != "Bearer sk-secret" {
			t.Errorf("Authorization: %q", got)
		}
		body, _ = io.ReadAll(r.Body)
		if r.ContentLength != int64(len(body)) {
			t.Errorf("Content-Length %d of %d", r.ContentLength, len(body))
		}
		io.WriteString(w, goodBody)
	})
	a, err := c.Caption(t.Context(), testRequest)
	if err != nil {
		t.Fatal(err)
	}
	want := caption.Answer{Raw: " A fish. ", Model: "blip-v1", FinishReason: "stop", PromptTokens: 40, CompletionTokens: 3, Endpoint: c.Endpoint()}
	if a != want {
		t.Errorf("answer %+v, want %+v", a, want)
	}
	url := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(testRequest.Image)
	wantBody := `{"length_penalty":1,"max_tokens":256,"messages":[{"role":"user","content":[` +
		`{"type":"image_url","image_url":{"url":"` + url + `"}},{"type":"text","text":"Describe \u003cit\u003e \u0026 more."}]}],` +
		`"model":"blip","num_beams":5,"repetition_penalty":1.5,"stream":false,"temperature":0}`
	if string(body) != wantBody {
		t.Errorf("body\n%s\nwant\n%s", body, wantBody)
	}
	if f, err := c.Fingerprint(testRequest); err != nil || f != dataset.Digest(body) {
		t.Errorf("fingerprint %s, %v, want the digest of the body", f, err)
	}
}

func TestClassification(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		class  caption.Class
		retry  bool
	}{
		{"bad request", 400, `{"error":{"message":"unknown parameter num_beams","type":"invalid_request_error"}}`, caption.Refused, false},
		{"key", 401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`, caption.Refused, false},
		{"model", 404, `{"error":{"message":"no such model"}}`, caption.Refused, false},
		{"older vLLM", 400, `{"object":"error","message":"too long","code":400}`, caption.Refused, false},
		{"FastAPI", 422, `{"detail":[{"loc":["body"],"msg":"field required"}]}`, caption.Refused, false},
		{"too large", 413, ``, caption.Refused, false},
		{"request timeout", 408, ``, caption.Timeout, true},
		{"conflict", 409, `{}`, caption.Server, true},
		{"too early", 425, ``, caption.Server, true},
		{"rate", 429, `{"error":{"message":"slow down"}}`, caption.Rate, true},
		{"no credit", 429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, caption.Refused, false},
		{"server", 500, `{"error":{"message":"CUDA out of memory"}}`, caption.Server, true},
		{"error as a string", 500, `{"error":"boom"}`, caption.Server, true},
		{"not implemented", 501, ``, caption.Server, false},
		{"proxy's page", 502, `<html>Bad Gateway</html>`, caption.Server, true},
		{"unavailable", 503, ``, caption.Server, true},
		{"proxy's timeout", 504, ``, caption.Timeout, true},
		{"overloaded", 529, ``, caption.Rate, true},
		{"200 with an error", 200, `{"error":{"message":"engine died","code":null}}`, caption.Server, true},
		{"200 with an error as a string", 200, `{"error":"engine died"}`, caption.Server, true},
		{"200 with an error that names its status", 200, `{"error":{"message":"no","code":404}}`, caption.Refused, false},
		{"200 with a rate error", 200, `{"error":{"message":"no","code":"rate_limit_exceeded"}}`, caption.Rate, true},
		{"200 with an invalid request", 200, `{"error":{"message":"no","type":"invalid_request_error"}}`, caption.Refused, false},
		{"200 with older vLLM's error", 200, `{"object":"error","message":"no","code":503}`, caption.Server, true},
		{"200 with FastAPI's error", 200, `{"detail":"Not Found"}`, caption.Server, true},
		{"no choices", 200, `{"choices":[]}`, caption.Malformed, true},
		{"an object of something else", 200, `{}`, caption.Malformed, true},
		{"content null", 200, `{"choices":[{"message":{"role":"assistant","content":null},"finish_reason":"content_filter"}]}`, caption.Empty, true},
		{"given up in the middle", 200, `{"choices":[{"message":{"content":"A fish that"},"finish_reason":"error"}]}`, caption.Server, true},
		{"aborted in the middle", 200, `{"choices":[{"message":{"content":"A fish that"},"finish_reason":"abort"}]}`, caption.Server, true},
		{"white space", 200, `{"choices":[{"message":{"content":" \n"}}]}`, caption.Empty, true},
		{"login page, or a proxy's", 200, `<!doctype html><title>Sign in</title>`, caption.Malformed, true},
		{"nothing", 200, ``, caption.Malformed, true},
		{"broken off", 200, goodBody[:80], caption.Malformed, true},
		{"other types", 200, `{"choices":"none"}`, caption.Malformed, false},
		{"no content", 204, ``, caption.Malformed, true},
		{"not modified", 304, ``, caption.Refused, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := client.Caption(t.Context(), testRequest)
			var e *caption.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Class != c.class || e.Retry != c.retry || e.Status != c.status || e.Endpoint != client.Endpoint() {
				t.Errorf("%+v, want class %s, retry %v", e, c.class, c.retry)
			}
			if strings.Contains(err.Error(), "%!") || strings.Contains(err.Error(), "\n") {
				t.Errorf("message %q", err)
			}
			if e.Body != caption.Excerpt([]byte(c.body), excerptBytes) {
				t.Errorf("body %q", e.Body)
			}
		})
	}
}

func TestTrapRetryAfterIsKept(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "3", 3 * time.Second},
		{"Retry-After", "0.25", 250 * time.Millisecond},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:45 GMT", 40 * time.Second},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:00 GMT", 0},
		{"Retry-After", "1e300", time.Hour},
		{"Retry-After", "-4", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond},
		{"X-Other", "3", 0},
	} {
		if got := retryAfter(http.Header{c.name: {c.value}}, now); got != c.want {
			t.Errorf("%s: %s = %v, want %v", c.name, c.value, got, c.want)
		}
	}
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "12")
		w.WriteHeader(429)
	})
	_, err := client.Caption(t.Context(), testRequest)
	var e *caption.Error
	if !errors.As(err, &e) || e.RetryAfter != 12*time.Second {
		t.Errorf("over the wire: %+v", e)
	}
}

func TestTrapRedirectsAreRefused(t *testing.T) {
	var elsewhere atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer target.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL+"/v2?token=s", status) })
		_, err := c.Caption(t.Context(), testRequest)
		var e *caption.Error
		if !errors.As(err, &e) || e.Class != caption.Refused || e.Retry || !strings.Contains(err.Error(), target.URL+"/v2") {
			t.Errorf("%d: %v", status, err)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed, with the key")
	}
}

func TestAnswerSizeIsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 12 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	c := client(t, Options{BaseURL: server.URL, MaxAnswerBytes: 1 << 16})
	_, err := c.Caption(t.Context(), testRequest)
	var e *caption.Error
	if !errors.As(err, &e) || e.Class != caption.Malformed || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("%v", err)
	}
}

func TestNetworkFailures(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	release := make(chan struct{})
	hijack := func(write string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, write)
			conn.Close()
		}
	}
	for name, c := range map[string]struct {
		client *Client
		class  caption.Class
	}{
		"nobody there":        {client(t, Options{BaseURL: closed}), caption.Network},
		"closed at once":      {serve(t, hijack("")), caption.Network},
		"closed in an answer": {serve(t, hijack("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"choices\":")), caption.Network},
		"hangs":               {serve(t, func(w http.ResponseWriter, r *http.Request) { <-release }), caption.Timeout},
		"hangs in an answer": {serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			<-release
		}), caption.Timeout},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := c.client.Caption(ctx, testRequest)
		cancel()
		var e *caption.Error
		if !errors.As(err, &e) || e.Class != c.class || !e.Retry {
			t.Errorf("%s: %v, want class %s", name, err, c.class)
		}
	}
	close(release)
}

// net/http keeps 2 idle connections for each host: 32 workers open one for nearly every request.
func TestTrapConnectionsAreKept(t *testing.T) {
	var mu sync.Mutex
	opened := map[string]bool{}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		opened[r.RemoteAddr] = true
		mu.Unlock()
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, goodBody)
	})
	const workers = 16
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for range 20 {
				if _, err := c.Caption(t.Context(), testRequest); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if len(opened) > 2*workers {
		t.Errorf("%d connections for %d workers", len(opened), workers)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{
		{BaseURL: ""},
		{BaseURL: "localhost:8000"},
		{BaseURL: "ftp://host/v1"},
		{BaseURL: "http://user:hunter2@host/v1"},
		{BaseURL: "http://host/v1?key=hunter2"},
		{BaseURL: "http://host/v1", APIKey: "a\nb"},
		{BaseURL: "http://user:hunter2@host:port/v1"},
	} {
		_, err := New(o)
		if err == nil {
			t.Errorf("%+v passed", o)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{goodBody, `{"error":{"code":"429"}}`, `{"choices":[{}]}`, `<html>`, ``, `{"object":"error","code":1e9}`} {
		f.Add(200, []byte(s))
	}
	f.Add(304, []byte{})
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		c := client(t, Options{BaseURL: "http://host/v1"})
		c.doer.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				Status: http.StatusText(status), StatusCode: status, Header: http.Header{},
				Body: io.NopCloser(strings.NewReader(string(body))), Request: r,
			}, nil
		})
		a, err := c.Caption(t.Context(), testRequest)
		var e *caption.Error
		switch {
		case err == nil && strings.TrimSpace(a.Raw) == "":
			t.Error("an answer without text and without an error")
		case err == nil && !json.Valid(body) && !json.Valid([]byte(strings.TrimSpace(string(body)))):
			var v any // go-openai reads the first value and leaves what follows
			if json.NewDecoder(strings.NewReader(string(body))).Decode(&v) != nil {
				t.Error("an answer out of broken JSON")
			}
		case err != nil && (!errors.As(err, &e) || e.Class == "" || len(e.Body) > excerptBytes+4):
			t.Errorf("error %+v", err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
