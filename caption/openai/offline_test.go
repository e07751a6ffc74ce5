package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
)

// What is sent later, by others, is what the client would send: its digest is the fingerprint.
func TestBodyIsWhatIsFingerprinted(t *testing.T) {
	c, err := New(Options{BaseURL: "http://127.0.0.1:1/v1"})
	if err != nil {
		t.Fatal(err)
	}
	r := captiontest.Request(t, 3)
	r.Model = "m"
	b, err := c.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if got, err := c.Fingerprint(r); err != nil || got != hex.EncodeToString(sum[:]) {
		t.Errorf("fingerprint %s, %v, want the body's digest %x", got, err, sum)
	}
}

// An answer that came by file is classed as one that came by HTTP.
func TestAnswerIsClassed(t *testing.T) {
	c, err := New(Options{BaseURL: "http://127.0.0.1:1/v1", APIKey: "sk-0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Answer(200, []byte(`{"model":"m-1","choices":[{"message":{"role":"assistant","content":"a ball"},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":5}}`))
	if want := (caption.Answer{Raw: "a ball", Model: "m-1", FinishReason: "length", PromptTokens: 3, CompletionTokens: 5}); err != nil || a != want {
		t.Errorf("%+v, %v, want %+v", a, err, want)
	}
	for _, w := range []struct {
		status int
		body   string
		class  caption.Class
		retry  bool
	}{
		{429, `{"error":{"message":"slow down"}}`, caption.Rate, true},
		{500, "", caption.Server, true},
		{400, `{"error":{"message":"sk-0123456789abcdef is not welcome"}}`, caption.Refused, false},
		{200, `{"error":{"message":"busy","code":503}}`, caption.Server, true},
		{200, `{"choices":[{"message":{"content":" "}}]}`, caption.Empty, true},
		{200, `{"choices":[]}`, caption.Malformed, true},
		{200, "", caption.Malformed, true},
		{200, "<html>", caption.Malformed, true},
	} {
		_, err := c.Answer(w.status, []byte(w.body))
		var e *caption.Error
		if !errors.As(err, &e) || e.Class != w.class || e.Retry != w.retry || e.Status != w.status || e.Endpoint != "" {
			t.Errorf("%d %s: %#v, want class %s, retry %v", w.status, w.body, e, w.class, w.retry)
		}
	}
}
