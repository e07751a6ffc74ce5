package openai

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	gpt "github.com/sashabaranov/go-openai"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

// The tests named TestTrap, here and in openai_test.go, are named after traps of go-openai v1.43.0 and net/http. Where the trap can be shown, the test shows it on go-openai
// alone first: once it is mended there, what we do about it can go. What its errors say of failed calls is the matter of
// [TestTrapErrorsLoseWhatTheAnswerSaid] and [TestClassification].

// sent is the body of a request as a server reads it, and what a server that answers well makes of it.
func sent(t *testing.T, r caption.Request) []byte {
	t.Helper()
	var body []byte
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		io.WriteString(w, goodBody)
	})
	if _, err := c.Caption(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return body
}

// bare is go-openai without anything of ours, on a server that answers so.
func bare(t *testing.T, h http.HandlerFunc) *gpt.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	config := gpt.DefaultConfig("sk-secret")
	config.BaseURL = server.URL
	return gpt.NewClientWithConfig(config)
}

func fieldsOf(t *testing.T, body []byte) map[string]json.RawMessage {
	t.Helper()
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// Text inside an image part is dropped by servers; content beside parts is refused by go-openai; an unset detail is not sent.
func TestTrapTextIsAPartOfItsOwn(t *testing.T) {
	var messages []struct {
		Content []map[string]json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(fieldsOf(t, sent(t, testRequest))["messages"], &messages); err != nil {
		t.Fatal(err)
	}
	if len(messages) != 1 || len(messages[0].Content) != 2 {
		t.Fatalf("%d messages", len(messages))
	}
	picture, text := messages[0].Content[0], messages[0].Content[1]
	if len(picture) != 2 || picture["text"] != nil || picture["image_url"] == nil || strings.Contains(string(picture["image_url"]), "detail") {
		t.Errorf("the picture's part: %.200s", picture)
	}
	if len(text) != 2 || text["image_url"] != nil || string(text["type"]) != `"text"` {
		t.Errorf("the text's part: %s", text)
	}
	_, err := json.Marshal(gpt.ChatCompletionMessage{Content: "a", MultiContent: []gpt.ChatMessagePart{{}}})
	if !errors.Is(err, gpt.ErrContentFieldsMisused) {
		t.Errorf("content beside parts: %v", err)
	}
}

// Go writes < as \u003c: the digest is that of the bytes, not of the string. Base64's own characters stay.
func TestTrapEscapesChangeTheBytes(t *testing.T) {
	r := testRequest
	r.Image = []byte{0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x00} // ++++////AA==
	body := sent(t, r)
	for _, want := range []string{`"data:image/jpeg;base64,++++////AA=="`, `Describe \u003cit\u003e \u0026 more.`} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if f, err := new(Client).Fingerprint(r); err != nil || f != dataset.Digest(body) {
		t.Errorf("fingerprint %s, %v", f, err)
	}
}

// go-openai holds the picture, its base64 and the body; we hold the picture.
func TestTrapMemoryOfACall(t *testing.T) {
	r := testRequest
	r.Image = make([]byte, 6<<20)
	c := client(t, Options{BaseURL: "http://host/v1"})
	var got int64
	c.doer.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		got, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(goodBody)), Request: r}, nil
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Fingerprint(r); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Caption(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 || got < 8<<20 {
		t.Errorf("%d bytes for a picture of %d, of which %d were sent", took, len(r.Image), got)
	}
}

// A temperature of 0 is omitted by go-openai; top_p and the decoding of local servers it omits or lacks.
func TestTrapDecodingIsNotSent(t *testing.T) {
	b, err := json.Marshal(gpt.ChatCompletionRequest{Temperature: 0})
	if err != nil || fieldsOf(t, b)["temperature"] != nil {
		t.Errorf("go-openai sends %s, %v", b, err)
	}
	fields := fieldsOf(t, sent(t, testRequest))
	for name, want := range map[string]string{
		"temperature": "0", "num_beams": "5", "repetition_penalty": "1.5", "length_penalty": "1", "max_tokens": "256",
		"top_p": "", "top_k": "", "min_p": "", "stream": "false",
	} {
		if got := string(fields[name]); got != want {
			t.Errorf("by default: %s is %q, want %q", name, got, want)
		}
	}
	r := testRequest
	r.Decoding = caption.Decoding{
		Beams: 1, MaxTokens: 64, Temperature: 0.7, RepetitionPenalty: 2, LengthPenalty: -0.5, TopP: 0.9, MinP: 0.05, TopK: 40,
	}
	fields = fieldsOf(t, sent(t, r))
	for name, want := range map[string]string{
		"temperature": "0.7", "num_beams": "1", "repetition_penalty": "2", "length_penalty": "-0.5", "max_tokens": "64",
		"top_p": "0.9", "top_k": "40", "min_p": "0.05",
	} {
		if got := string(fields[name]); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The revision is no field of the API: it decides the fingerprint and stays here.
func TestRevisionIsInTheFingerprintOnly(t *testing.T) {
	r := testRequest
	r.Revision = "52f1b8c"
	body := sent(t, r)
	if !bytes.Equal(body, sent(t, testRequest)) {
		t.Errorf("a revision changes the body: %s", body)
	}
	if f, err := new(Client).Fingerprint(r); err != nil || f != dataset.Digest(append(body, "\n52f1b8c"...)) {
		t.Errorf("fingerprint %s, %v", f, err)
	}
	r.Revision = ""
	if f, err := new(Client).Fingerprint(r); err != nil || f != dataset.Digest(body) {
		t.Errorf("fingerprint without a revision %s, %v", f, err)
	}
}

// What go-openai says of an answer, and what we do.
func TestTrapErrorsLoseWhatTheAnswerSaid(t *testing.T) {
	asAPI := func(err error) bool { return errors.As(err, new(*gpt.APIError)) }
	asRequest := func(err error) bool { return errors.As(err, new(*gpt.RequestError)) }
	for _, c := range []struct {
		name   string
		status int
		body   string
		trap   func(gpt.ChatCompletionResponse, error) bool // still there

		class caption.Class
		say   string // in our error
	}{
		{
			"an object error of older vLLM", 400, `{"object":"error","message":"too long"}`,
			func(_ gpt.ChatCompletionResponse, err error) bool {
				return asRequest(err) && strings.Contains(err.Error(), "%!s(<nil>)")
			},
			caption.Refused, `refused: status 400: {"object":"error","message":"too long"}`,
		},
		{
			"FastAPI's detail", 422, `{"detail":"no"}`,
			func(_ gpt.ChatCompletionResponse, err error) bool { return asRequest(err) },
			caption.Refused, `refused: status 422: {"detail":"no"}`,
		},
		{
			"a page", 502, `<html>Bad Gateway</html>`,
			func(_ gpt.ChatCompletionResponse, err error) bool {
				return asRequest(err) && strings.Contains(err.Error(), "invalid character")
			},
			caption.Server, "server: status 502: <html>Bad Gateway</html>",
		},
		{
			"an error as a string", 500, `{"error":"boom"}`,
			func(_ gpt.ChatCompletionResponse, err error) bool {
				var e *gpt.APIError
				return asRequest(err) && errors.As(err, &e) && e.HTTPStatusCode == 0
			},
			caption.Server, `server: status 500: {"error":"boom"}`,
		},
		{
			"a rate error", 429, `{"error":{"message":"slow down"}}`,
			func(_ gpt.ChatCompletionResponse, err error) bool { return asAPI(err) },
			caption.Rate, "rate: status 429",
		},
		{
			"not modified", 304, ``,
			func(_ gpt.ChatCompletionResponse, err error) bool { return errors.Is(err, io.EOF) },
			caption.Refused, "refused: status 304",
		},
		{
			"a page under 200", 200, `<html>Sign in</html>`,
			func(_ gpt.ChatCompletionResponse, err error) bool { return errors.As(err, new(*json.SyntaxError)) },
			caption.Malformed, "malformed: status 200: not JSON",
		},
		{
			"an error under 200", 200, `{"error":{"message":"engine died"}}`,
			func(r gpt.ChatCompletionResponse, err error) bool { return err == nil && len(r.Choices) == 0 },
			caption.Server, "engine died",
		},
		{
			"no choices", 200, `{"choices":[]}`,
			func(r gpt.ChatCompletionResponse, err error) bool { return err == nil && len(r.Choices) == 0 },
			caption.Malformed, "without choices",
		},
		{
			"null content", 200, `{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}`,
			func(r gpt.ChatCompletionResponse, err error) bool {
				return err == nil && len(r.Choices) == 1 && r.Choices[0].Message.Content == ""
			},
			caption.Empty, "without text (finish reason content_filter)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}
			resp, err := bare(t, answer).CreateChatCompletion(t.Context(), gpt.ChatCompletionRequest{Model: "blip"})
			if !c.trap(resp, err) {
				t.Errorf("go-openai has changed: %+v, %v", resp, err)
			}
			_, err = serve(t, answer).Caption(t.Context(), testRequest)
			var e *caption.Error
			if !errors.As(err, &e) || e.Class != c.class || e.Status != c.status || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "%!") {
				t.Errorf("%v, want class %s and %q", err, c.class, c.say)
			}
			if e != nil && e.RetryAfter != 7*time.Second { // lost above
				t.Errorf("Retry-After %v", e.RetryAfter)
			}
		})
	}
}

// go-openai does not ask again, and nothing below it may: calls are counted, paid for and paced above.
func TestTrapNoRetryIsHidden(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter){
		"500":   func(w http.ResponseWriter) { w.WriteHeader(500) },
		"429":   func(w http.ResponseWriter) { w.WriteHeader(429) },
		"reset": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		var calls atomic.Int64
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if calls.Add(1) > 1 { // on a connection that is kept, where net/http may try again
				fail(w)
				return
			}
			io.WriteString(w, goodBody)
		})
		if _, err := c.Caption(t.Context(), testRequest); err != nil {
			t.Fatal(err)
		}
		_, err := c.Caption(t.Context(), testRequest)
		if err == nil || calls.Load() != 2 {
			t.Errorf("%s: %v after %d calls, want a failure of the second", name, err, calls.Load())
		}
	}
}

// go-openai has no time limit. A server that sends a byte now and then passes every limit between bytes; the attempt's ends it.
func TestTrapNoTimeoutSlowDrip(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for i := 0; r.Context().Err() == nil; i = (i + 1) % len(goodBody) {
			io.WriteString(w, goodBody[i:i+1])
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := serve(t, drip).Caption(ctx, testRequest)
	var e *caption.Error
	if !errors.As(err, &e) || e.Class != caption.Timeout || !e.Retry {
		t.Errorf("%v, want a timeout", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
}

// Request bodies must be there again for a connection that was closed while idle.
func TestTrapBodyIsReadTwice(t *testing.T) {
	c := client(t, Options{BaseURL: "http://host/v1"})
	c.doer.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		first, err := io.ReadAll(r.Body)
		if err != nil || int64(len(first)) != r.ContentLength {
			t.Errorf("%d bytes of %d, %v", len(first), r.ContentLength, err)
		}
		for range 2 {
			again, err := r.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(again); err != nil || !bytes.Equal(b, first) {
				t.Errorf("the body again: %s, %v", b, err)
			}
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(goodBody)), Request: r}, nil
	})
	if _, err := c.Caption(t.Context(), testRequest); err != nil {
		t.Error(err)
	}
}

// The stream of a body is the same whatever the sizes of reads, and equal to base64 made at once.
func TestWireReader(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 80 {
		w := wire{head: []byte("head,"), image: make([]byte, n), tail: []byte(`"}`)}
		if n%4 > 0 {
			w.table = newBase64Table()
		}
		for i := range w.image {
			w.image[i] = byte(random.Uint32())
		}
		want := "head," + base64.StdEncoding.EncodeToString(w.image) + `"}`
		if err := iotest.TestReader(w.reader(), []byte(want)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		for size := 1; size < 20; size++ {
			r, b := w.reader(), make([]byte, size)
			got := ""
			for {
				k, err := r.Read(b)
				got += string(b[:k])
				if err != nil {
					break
				}
			}
			if got != want || w.size() != int64(len(want)) {
				t.Errorf("%d bytes by %d: %q, want %q", n, size, got, want)
			}
		}
		if w.fingerprint("") != dataset.Digest([]byte(want)) {
			t.Errorf("%d bytes: fingerprint", n)
		}
	}
}
