// Package captiontest holds what tests of captioning share: what every [caption.Captioner] must do ([Run]), small pictures
// ([Pictures]), and an endpoint that fails in every way that endpoints have ([Faults]).
package captiontest

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
)

// Run tests the captioners that open returns: one for each test, on a working endpoint that serves model.
func Run(t *testing.T, model string, open func(t *testing.T) caption.Captioner) {
	t.Run("Answer", func(t *testing.T) { answer(t, model, open(t)) })
	t.Run("Fingerprint", func(t *testing.T) { fingerprint(t, model, open(t)) })
	t.Run("Cancel", func(t *testing.T) { cancel(t, model, open(t)) })
	t.Run("Deadline", func(t *testing.T) { deadline(t, model, open(t)) })
	t.Run("Concurrent", func(t *testing.T) { concurrent(t, model, open(t)) })
}

// Request is a sound request, but for the model, about a small picture that depends on n.
func Request(t testing.TB, n int) caption.Request {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 48, 32))
	for y := range 32 {
		for x := range 48 {
			c := color.RGBA{240 - uint8(5*((n>>8)%40)), 240, 240, 255} // colours and places repeat after 256
			if dx, dy := x-16-n%16, y-16; dx*dx+dy*dy < 100 {
				c = color.RGBA{200, uint8(31 * n), 30, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return caption.Request{Prompt: caption.DefaultPrompt, Image: b.Bytes(), MediaType: "image/jpeg"}
}

// request is [Request] for a model.
func request(t testing.TB, model string, n int) caption.Request {
	r := Request(t, n)
	r.Model = model
	return r
}

func answer(t *testing.T, model string, c caption.Captioner) {
	a, err := c.Caption(t.Context(), request(t, model, 0))
	if err != nil {
		t.Fatalf("Caption: %v", err)
	}
	if strings.TrimSpace(a.Raw) == "" {
		t.Error("Caption: an answer without text and without an error")
	}
	if a.Endpoint == "" {
		t.Error("Caption: the answer does not name its endpoint")
	}
	if a.PromptTokens < 0 || a.CompletionTokens < 0 {
		t.Errorf("Caption: %d prompt and %d completion tokens", a.PromptTokens, a.CompletionTokens)
	}
}

func fingerprint(t *testing.T, model string, c caption.Captioner) {
	of := func(r caption.Request) string {
		t.Helper()
		f, err := c.Fingerprint(r)
		if err != nil {
			t.Fatalf("Fingerprint: %v", err)
		}
		if len(f) != 64 || strings.Trim(f, "0123456789abcdef") != "" {
			t.Errorf("Fingerprint = %q, want 64 hexadecimal digits", f)
		}
		return f
	}
	base := request(t, model, 0)
	want := of(base)
	if again := of(request(t, model, 0)); again != want {
		t.Error("the same request has two fingerprints")
	}
	spelt := base
	spelt.Decoding = spelt.Decoding.WithDefaults()
	if of(spelt) != want {
		t.Error("the default decoding, spelt out, has another fingerprint")
	}
	seen := map[string]string{want: "the request"}
	for name, change := range map[string]func(*caption.Request){
		"model":              func(r *caption.Request) { r.Model += "-2" },
		"prompt":             func(r *caption.Request) { r.Prompt += " " },
		"picture":            func(r *caption.Request) { r.Image = request(t, model, 1).Image },
		"media type":         func(r *caption.Request) { r.MediaType = "image/png" },
		"beams":              func(r *caption.Request) { r.Decoding.Beams = 1 },
		"fields":             func(r *caption.Request) { r.Decoding.Fields = caption.OpenAIFields },
		"tokens":             func(r *caption.Request) { r.Decoding.MaxTokens = 64 },
		"temperature":        func(r *caption.Request) { r.Decoding.Temperature = 0.7 },
		"repetition penalty": func(r *caption.Request) { r.Decoding.RepetitionPenalty = 1.1 },
		"length penalty":     func(r *caption.Request) { r.Decoding.LengthPenalty = 2 },
		"top p":              func(r *caption.Request) { r.Decoding.TopP = 0.9 },
		"min p":              func(r *caption.Request) { r.Decoding.MinP = 0.9 },
		"top k":              func(r *caption.Request) { r.Decoding.TopK = 40 },
		"revision":           func(r *caption.Request) { r.Revision = "52f1b8c" },
	} {
		r := base
		change(&r)
		f := of(r)
		if other, ok := seen[f]; ok {
			t.Errorf("another %s has the fingerprint of %s", name, other)
		}
		seen[f] = "another " + name
	}
}

func cancel(t *testing.T, model string, c caption.Captioner) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Caption(ctx, request(t, model, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("Caption under a cancelled context: %v, want context.Canceled", err)
	}
}

func deadline(t *testing.T, model string, c caption.Captioner) {
	ctx, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	_, err := c.Caption(ctx, request(t, model, 0))
	var e *caption.Error
	if !errors.As(err, &e) || e.Class != caption.Timeout || !e.Retry {
		t.Errorf("Caption past its deadline: %v, want an error of class timeout that is worth retrying", err)
	}
}

func concurrent(t *testing.T, model string, c caption.Captioner) {
	const n = 16
	alone := make([]string, n)
	for i := range n {
		f, err := c.Fingerprint(request(t, model, i))
		if err != nil {
			t.Fatal(err)
		}
		alone[i] = f
	}
	var wait sync.WaitGroup
	for i := range n {
		r := request(t, model, i)
		wait.Go(func() {
			if f, err := c.Fingerprint(r); err != nil || f != alone[i] {
				t.Errorf("Fingerprint beside others: %q, %v, want %q", f, err, alone[i])
			}
			if a, err := c.Caption(t.Context(), r); err != nil || a.Raw == "" {
				t.Errorf("Caption beside others: %q, %v", a.Raw, err)
			}
		})
	}
	wait.Wait()
}
