package openai_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/builtin"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/caption/openai"
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

func TestCheckBuiltin(t *testing.T) {
	if err := dial(t, builtin.Handler(builtin.Options{APIKey: "sesame"})).Check(t.Context(), builtin.Model); err != nil {
		t.Error(err)
	}
	if err := dial(t, builtin.Handler(builtin.Options{APIKey: "other"})).Check(t.Context(), builtin.Model); !errors.Is(err, caption.ErrEndpoint) {
		t.Errorf("with a wrong key: %v", err)
	}
}

// faulty answers three requests in ten wrongly, in six ways.
type faulty struct {
	next     http.Handler
	mu       sync.Mutex
	random   *rand.Rand
	requests atomic.Int64
	faults   [6]atomic.Int64
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	f.mu.Lock()
	kind := f.random.IntN(20)
	f.mu.Unlock()
	if kind >= len(f.faults) {
		f.next.ServeHTTP(w, r)
		return
	}
	io.Copy(io.Discard, r.Body)
	f.faults[kind].Add(1)
	switch kind {
	case 0:
		w.Header().Set("Retry-After", "0.02")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"error":{"message":"slow down"}}`)
	case 1:
		w.WriteHeader(http.StatusInternalServerError)
	case 2: // longer than an attempt may take
		select {
		case <-time.After(5 * time.Second):
		case <-r.Context().Done():
		}
	case 3:
		panic(http.ErrAbortHandler) // the connection is reset
	case 4:
		io.WriteString(w, `{"error":{"message":"engine died"}}`)
	case 5:
		io.WriteString(w, `{"choices":[{"message":{"content":null}}]}`)
	}
}

func TestRunThroughFaults(t *testing.T) {
	f := &faulty{next: builtin.Handler(builtin.Options{}), random: rand.New(rand.NewPCG(1, 2))}
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
	for id, c := range store.Captions() {
		n++
		if flags := caption.Check(caption.Clean(c.Raw, caption.DefaultPrompt), c.Raw, c.FinishReason, caption.DefaultPrompt); len(flags) > 0 {
			t.Errorf("%s: %q: %s", id, flags, c.Raw)
		}
	}
	if n != 300 || r.Retries < 60 || int64(r.Retries+300) != f.requests.Load() {
		t.Errorf("%d captions, %d retries, %d requests", n, r.Retries, f.requests.Load())
	}
	for i := range f.faults {
		if f.faults[i].Load() == 0 {
			t.Errorf("fault %d never happened: the test proves nothing of it", i)
		}
	}
	before := f.requests.Load()
	if r, err := caption.Run(t.Context(), o); err != nil || r.Cached != 300 || f.requests.Load() != before {
		t.Errorf("second run: %+v, %v, %d requests", r, err, f.requests.Load()-before)
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
