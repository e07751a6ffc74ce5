package openai_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/builtin"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/caption/openai"
	"github.com/mcil/mcil/caption/pool"
	"github.com/mcil/mcil/schemas"
)

// dial serves h and returns a client of it.
func dial(t testing.TB, h http.Handler) *openai.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := openai.New(openai.Options{BaseURL: server.URL + "/v1", APIKey: "sesame"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createStore(t testing.TB, dir string) *caption.Store {
	t.Helper()
	s, err := caption.CreateStore(dir, caption.Recipe{Model: builtin.Model}, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestCaptioner(t *testing.T) {
	captiontest.Run(t, builtin.Model, func(t *testing.T) caption.Captioner {
		return dial(t, builtin.Handler(builtin.Options{APIKey: "sesame"}))
	})
}

func TestPoolOfClients(t *testing.T) {
	captiontest.Run(t, builtin.Model, func(t *testing.T) caption.Captioner {
		h := builtin.Handler(builtin.Options{APIKey: "sesame"})
		return pool.New([]pool.Member{{Name: "a", Captioner: dial(t, h)}, {Name: "b", Captioner: dial(t, h), Weight: 2}}, pool.Options{})
	})
}

// Clients of endpoints elsewhere, with other keys, send the same bytes for the same request.
func TestFingerprintDoesNotDependOnTheEndpoint(t *testing.T) {
	r := captiontest.Request(t, 1)
	r.Model = "m"
	seen := map[string]bool{}
	for _, o := range []openai.Options{{BaseURL: "http://a/v1"}, {BaseURL: "https://b:8443/openai/", APIKey: "key", Connections: 2}} {
		c, err := openai.New(o)
		if err != nil {
			t.Fatal(err)
		}
		f, err := c.Fingerprint(r)
		if err != nil {
			t.Fatal(err)
		}
		seen[f] = true
	}
	if len(seen) != 1 {
		t.Errorf("fingerprints %v", seen)
	}
}

func TestCheckBuiltin(t *testing.T) {
	if _, err := dial(t, builtin.Handler(builtin.Options{APIKey: "sesame"})).Check(t.Context(), builtin.Model); err != nil {
		t.Error(err)
	}
	if _, err := dial(t, builtin.Handler(builtin.Options{APIKey: "other"})).Check(t.Context(), builtin.Model); !errors.Is(err, caption.ErrEndpoint) {
		t.Errorf("with a wrong key: %v", err)
	}
}

// The embedded endpoint's captions come whole through faults, and a second run asks nothing.
func TestBuiltinThroughFaults(t *testing.T) {
	f := &captiontest.Faults{Share: 0.3, Seed: 1, Next: builtin.Handler(builtin.Options{}), HangLimit: 5 * time.Second}
	source, store := captiontest.Pictures(t, 300), createStore(t, t.TempDir())
	o := caption.Options{
		Source: source, Captioner: dial(t, f), Store: store, Workers: 16, Attempts: 12,
		AttemptTimeout: 500 * time.Millisecond, Backoff: 2 * time.Millisecond, BackoffLimit: 40 * time.Millisecond,
	}
	r, err := caption.Run(t.Context(), o)
	if err != nil || r.Asked != 300 || r.Failed != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	n := 0
	for c, err := range store.Captions() {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if flags := caption.Check(caption.Clean(c.Raw, caption.DefaultPrompt), c.Raw, c.FinishReason, caption.DefaultPrompt); len(flags) > 0 {
			t.Errorf("%s: %v: %s", c.ID, flags, c.Raw)
		}
	}
	if n != 300 || r.Retries < 60 || r.Retries+300 != f.Requests() {
		t.Errorf("%d captions, %d retries, %d requests", n, r.Retries, f.Requests())
	}
	before := f.Requests()
	if r, err := caption.Run(t.Context(), o); err != nil || r.Cached != 300 || f.Requests() != before {
		t.Errorf("second run: %+v, %v, %d requests", r, err, f.Requests()-before)
	}
}

func TestRunWithNobodyThere(t *testing.T) {
	c, err := openai.New(openai.Options{BaseURL: "http://127.0.0.1:1/v1"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := caption.Run(t.Context(), caption.Options{
		Source: captiontest.Pictures(t, 1000), Captioner: c, Store: createStore(t, t.TempDir()), Attempts: 2, Backoff: time.Millisecond,
	})
	if !errors.Is(err, caption.ErrEndpoint) || r.Done > 20 {
		t.Errorf("%+v, %v", r, err)
	}
}

// BenchmarkRun is the whole loop: read, prepare, ask the embedded endpoint over HTTP, append. Pictures of 300 by 300.
func BenchmarkRun(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	source := captiontest.Pictures(b, 64)
	for _, e := range source.Entries() {
		captiontest.Spoil(source, e, photograph(b, r))
	}
	client := dial(b, builtin.Handler(builtin.Options{}))
	n := 0
	for b.Loop() {
		res, err := caption.Run(b.Context(), caption.Options{Source: source, Captioner: client, Store: createStore(b, b.TempDir())})
		if err != nil || res.Asked != 64 {
			b.Fatal(res, err)
		}
		n += res.Asked
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "captions/s")
}

// photograph is a JPEG of blobs and a little noise: about as many bytes as a photograph of its size.
func photograph(tb testing.TB, r *rand.Rand) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 300, 300))
	type blob struct{ x, y, r, c int }
	blobs := make([]blob, 12)
	for i := range blobs {
		blobs[i] = blob{r.IntN(300), r.IntN(300), 10 + r.IntN(50), r.IntN(256)}
	}
	for y := range 300 {
		for x := range 300 {
			c := [3]int{200, 210, 190}
			for _, o := range blobs {
				if (x-o.x)*(x-o.x)+(y-o.y)*(y-o.y) < o.r*o.r {
					c = [3]int{o.c, 255 - o.c, o.c * 7 % 256}
				}
			}
			noise := r.IntN(17) - 8
			img.SetRGBA(x, y, color.RGBA{uint8(max(0, min(255, c[0]+noise))), uint8(max(0, min(255, c[1]+noise))), uint8(max(0, min(255, c[2]+noise))), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
