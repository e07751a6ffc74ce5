package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
)

func TestKeyIsNotRepeated(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(401)
		fmt.Fprintf(w, `{"error":{"message":"wrong key %s"}}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	})
	_, err := c.Caption(t.Context(), testRequest)
	if err == nil || strings.Contains(err.Error(), "sk-secret") || !strings.Contains(err.Error(), "wrong key [key]") {
		t.Errorf("error %v", err)
	}
}

// longKey has characters that JSON, HTML and URLs spell otherwise.
const longKey = `sk-proj+A&b<c>/"d'=0123456789`

// An endpoint that repeats the key, as it came or spelt otherwise, gives it to nobody.
func TestKeyIsHiddenInEverySpelling(t *testing.T) {
	quoted, err := json.Marshal(longKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, spelling := range map[string]string{
		"plain":            longKey,
		"header":           "Bearer " + longKey,
		"JSON":             string(quoted),
		"HTML":             html.EscapeString(longKey),
		"query":            url.QueryEscape(longKey),
		"path":             url.PathEscape(longKey),
		"hexadecimal":      hex.EncodeToString([]byte(longKey)),
		"HEXADECIMAL":      strings.ToUpper(hex.EncodeToString([]byte(longKey))),
		"base64":           base64.StdEncoding.EncodeToString([]byte(longKey)),
		"base64 of header": base64.StdEncoding.EncodeToString([]byte("Bearer " + longKey)),
		"basic":            base64.StdEncoding.EncodeToString([]byte("ab" + longKey + "x")),
		"base64 of a URL":  base64.RawURLEncoding.EncodeToString([]byte(longKey)),
	} {
		for _, before := range []int{0, excerptBytes - 8, 4*excerptBytes - 8} { // also where an excerpt is cut
			for _, status := range []int{200, 401, 302} {
				client := client(t, Options{BaseURL: "http://host/v1", APIKey: longKey})
				client.doer.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					return &http.Response{
						Status: "said " + spelling, StatusCode: status, Header: http.Header{"Location": {"/login/" + spelling}},
						Body: io.NopCloser(strings.NewReader(strings.Repeat("w", before) + " " + spelling)), Request: r,
					}, nil
				})
				_, err := client.Caption(t.Context(), testRequest)
				if err == nil {
					t.Fatal("no error")
				}
				said := fmt.Sprintf("%v %+v %#v", err, err, err)
				for inner := err; inner != nil; inner = errors.Unwrap(inner) {
					said += inner.Error()
				}
				for _, secret := range []string{spelling, longKey, spelling[:12], "Bearer"} {
					if secret == "Bearer" || name == "header" && secret == spelling[:12] { // the word is none
						continue
					}
					if name == "base64 of header" || name == "basic" {
						secret = spelling[14:26]
					}
					if strings.Contains(said, secret) {
						t.Errorf("%s, status %d, after %d bytes: %q in %s", name, status, before, secret, said)
					}
				}
			}
		}
	}
}

// An answer that breaks off within the key holds a part of it.
func TestKeyCutOffIsHidden(t *testing.T) {
	s := newSecret(longKey)
	for n := 4; n <= len(longKey); n++ {
		if got := s.hide("said " + longKey[:n]); got != "said [key]" {
			t.Errorf("%d bytes of the key: %q", n, got)
		}
	}
	if got := s.hide("a task"); got != "a task" {
		t.Errorf("%q", got)
	}
}

func TestKeyInAnAnswerIsHidden(t *testing.T) {
	for key, want := range map[string]string{
		longKey: "[key]",
		"a":     "a", // no key: a word of captions
		"EMPTY": "EMPTY",
		"":      "",
	} {
		body, err := json.Marshal(map[string]any{"model": "m " + key, "choices": []any{map[string]any{
			"message": map[string]any{"content": "A fish, " + key + "."}, "finish_reason": key,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		client := client(t, Options{BaseURL: "http://host/v1", APIKey: key})
		client.doer.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})
		a, err := client.Caption(t.Context(), testRequest)
		if err != nil || a.Raw != "A fish, "+want+"." || a.Model != "m "+want || a.FinishReason != want {
			t.Errorf("key %q: %+v, %v", key, a, err)
		}
	}
}

// Nothing that prints a client, its options or an error of a server that cannot be understood prints the key.
func TestKeyIsNotPrinted(t *testing.T) {
	o := Options{BaseURL: "http://host/v1", APIKey: longKey, Connections: 3}
	c := client(t, o)
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewJSONHandler(&log, nil)), slog.New(slog.NewTextHandler(&log, nil))} {
		logger.Info("options", "o", o, "pointer", &o, "client", c, "value", *c, "in a struct", struct{ O Options }{o})
	}
	marshalled, err := json.Marshal([]any{o, &o, c, struct{ O Options }{o}})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(marshalled)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{o, &o, c, *c, []Options{o}, struct{ O Options }{o}, map[string]*Client{"c": c}, struct{ C Client }{*c}} {
			shown += fmt.Sprintf(verb, v)
		}
	}
	for _, secret := range []string{longKey, "proj", hex.EncodeToString([]byte("sk-proj"))} {
		if i := strings.Index(shown, secret); i >= 0 {
			t.Errorf("the key is shown: ...%s", shown[max(0, i-200):i+len(secret)])
		}
	}
	if !strings.Contains(shown, "{BaseURL:http://host/v1 APIKey:[key] MaxAnswerBytes:0 Connections:3}") {
		t.Error("the options are not shown at all")
	}
	if s := fmt.Sprint(Options{BaseURL: "http://u:hunter2@host/v1?k=hunter2"}); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
	var _ caption.Captioner = c
}

func TestKeyIsOneWord(t *testing.T) {
	for _, key := range []string{"k3y\nb", "k3y\r", "k3y b", " k3y", "k3y\x00", "k3y\u00fc", "k3y\tb"} {
		if _, err := New(Options{BaseURL: "http://host/v1", APIKey: key}); err == nil || strings.Contains(err.Error(), "k3y") {
			t.Errorf("key %q: %v", key, err)
		}
	}
}
