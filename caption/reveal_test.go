package caption_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/caption/openai"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// wire is an endpoint that keeps what it was sent, without the pictures' data.
type wire struct {
	mu   sync.Mutex
	sent []string
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	var request struct {
		Messages []struct {
			Content []struct {
				Text     string
				ImageURL struct{ URL string } `json:"image_url"`
			}
		}
	}
	if err := json.Unmarshal(body, &request); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	s := string(body)
	for _, m := range request.Messages {
		for _, part := range m.Content {
			if _, data, ok := strings.Cut(part.ImageURL.URL, "base64,"); ok {
				s = strings.ReplaceAll(s, data, "")
			}
		}
	}
	var header strings.Builder
	r.Header.Write(&header)
	w.mu.Lock()
	w.sent = append(w.sent, r.URL.String()+"\n"+header.String()+"\n"+s)
	w.mu.Unlock()
	io.WriteString(rw, `{"choices":[{"message":{"role":"assistant","content":"text"},"finish_reason":"stop"}]}`)
}

// What goes over the wire, headers and all, tells neither class nor folder nor file, unless the prompt may.
func TestTheWireNeverTellsTheClass(t *testing.T) {
	for _, c := range []struct {
		name, prompt string
		original     bool
		told         []string
	}{
		{"prepared", "", false, nil},
		{"as found", "Describe it.", true, nil},
		{"revealed", "A {{style}} of a {{class}}: describe it.", false, []string{"sketch of a goldfish", "sketch of a great white shark"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{}
			server := httptest.NewServer(w)
			t.Cleanup(server.Close)
			client, err := openai.New(openai.Options{BaseURL: server.URL + "/v1"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			store, err := caption.CreateStore(t.TempDir(), caption.Recipe{
				Model: "m", Prompt: c.prompt, Picture: caption.Picture{Original: c.original}, AllowReveal: c.told != nil,
			}, "memory", schemas.Program{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			source := captiontest.Pictures(t, 6)
			if r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: client, Store: store}); err != nil || r.Asked != 6 {
				t.Fatalf("%+v, %v", r, err)
			}
			if len(w.sent) != 6 {
				t.Errorf("%d requests", len(w.sent))
			}
			secret := []string{"goldfish", "shark", "n01443537", "n01484850", "sketch", ".jpg", "memory"}
			for _, e := range source.Entries() {
				secret = append(secret, string(e.ID))
			}
			for _, s := range w.sent {
				told := c.told != nil && slices.ContainsFunc(c.told, func(t string) bool { return strings.Contains(s, t) })
				if told != (c.told != nil) {
					t.Errorf("does not tell what it is to: %s", s)
				}
				for _, word := range secret {
					if c.told == nil && strings.Contains(s, word) {
						t.Errorf("%q is in %s", word, s)
					}
				}
			}
			if got, want := store.Manifest().Reveals, caption.Reveals(c.prompt); !slices.Equal(got, want) || (got == nil) != (c.told == nil) {
				t.Errorf("the manifest says that the prompt reveals %q", got)
			}
		})
	}
}

// Without leave, a prompt that tells is refused before anything is sent.
func TestRunRefusesToReveal(t *testing.T) {
	store, err := caption.CreateStore(t.TempDir(), caption.Recipe{Model: "m", Prompt: "A {{class}}."}, "memory", schemas.Program{})
	if err == nil {
		defer store.Close()
		var f fake
		if _, err = caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 2), Captioner: &f, Store: store}); f.calls.Load() != 0 {
			t.Error("it was sent")
		}
	}
	if !errors.Is(err, dataset.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// A prompt with variables makes another request of the same bytes under another name: that is asked for.
func TestRunAsksForATwinThatThePromptTellsApart(t *testing.T) {
	source := captiontest.Pictures(t, 4)
	entries := source.Entries()
	first, err := source.Read(t.Context(), entries[0])
	if err != nil {
		t.Fatal(err)
	}
	captiontest.Spoil(source, entries[3], first)
	store, err := caption.CreateStore(t.TempDir(), caption.Recipe{Model: "m", Prompt: "{{class}}", AllowReveal: true}, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o := caption.Options{Source: source, Captioner: &fake{}, Store: store, Limit: 3}
	if _, err := caption.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Limit = 0
	if r, err := caption.Run(t.Context(), o); err != nil || r.Cached != 3 || r.Asked != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
