package openai

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		say    string // "" for no error

		revision string
	}{
		{"served", 200, `{"object":"list","data":[{"id":"other"},{"id":"blip"}]}`, "", ""},
		{"revision", 200, `{"object":"list","data":[{"id":"other","revision":"r1"},{"id":"blip","revision":"52f1b8c"}]}`, "", "52f1b8c"},
		{"revision of another type", 200, `{"object":"list","data":[{"id":"other","revision":"r1"},{"id":"blip","revision":7}]}`, "", ""},
		{"revision null", 200, `{"object":"list","data":[{"id":"blip","revision":null}]}`, "", ""},
		{"revision of another", 200, `{"object":"list","data":[{"id":"other","revision":"r1"},{"id":"blip"}]}`, "", ""},
		{"not served", 200, `{"object":"list","data":[{"id":"other"}]}`, `does not serve the model "blip": it serves other`, ""},
		{"no list", 404, `{"detail":"Not Found"}`, "", ""},
		{"a page", 200, `<html>`, "", ""},
		{"empty list", 200, `{"object":"list","data":[]}`, "", ""},
		{"key", 401, `{}`, "OPENAI_API_KEY", ""},
		{"broken", 500, ``, "", ""},
	} {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/models" {
				t.Errorf("path %s", r.URL.Path)
			}
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		revision, err := client.Check(t.Context(), "blip")
		if revision != c.revision {
			t.Errorf("%s: revision %q, want %q", c.name, revision, c.revision)
		}
		if c.say == "" && err != nil || c.say != "" && (!errors.Is(err, caption.ErrEndpoint) || !strings.Contains(err.Error(), c.say)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.say)
		}
	}
	dead := client(t, Options{BaseURL: "http://127.0.0.1:1/v1"})
	if _, err := dead.Check(t.Context(), "blip"); !errors.Is(err, caption.ErrEndpoint) || !strings.Contains(err.Error(), "http://127.0.0.1:1/v1") {
		t.Errorf("nobody there: %v", err)
	}
}

func FuzzModels(f *testing.F) {
	for _, s := range []string{
		`{"object":"list","data":[{"id":"blip","revision":"52f1b8c"}]}`, `{"data":[{"id":"blip","revision":[]}]}`,
		`{"data":null}`, `[]`, ``, `<html>`, `{"data":[{"id":"other"}]}`, `{"error":"no"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := client(t, Options{BaseURL: "http://host/v1"})
		c.doer.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
		})
		revision, err := c.Check(t.Context(), "blip")
		if err != nil && (revision != "" || !errors.Is(err, caption.ErrEndpoint)) {
			t.Errorf("%q, %v", revision, err)
		}
		if revision != "" && !json.Valid(body) {
			t.Errorf("revision %q out of %q", revision, body)
		}
	})
}
