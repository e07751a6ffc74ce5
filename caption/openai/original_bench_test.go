//go:build unix

package openai_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/caption/openai"
	"github.com/mcil/mcil/caption/pool"
	"github.com/mcil/mcil/schemas"
)

// BenchmarkRunOriginal is the whole loop for pictures of 75 kB that are sent as they are, through a pool, to an endpoint
// that reads and answers at once on the same cores.
func BenchmarkRunOriginal(b *testing.B) {
	const pictures = 1000
	random := rand.New(rand.NewPCG(1, 1))
	filler := make([]byte, 74<<10)
	for i := range filler {
		filler[i] = byte(random.Uint32())
	}
	source := captiontest.Pictures(b, pictures)
	for _, e := range source.Entries() {
		small, err := source.Read(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		captiontest.Spoil(source, e, append(small, filler...))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 32<<10))
		_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"A drawing of a fish in clear water."},"finish_reason":"stop"}]}`)
	}))
	defer server.Close()
	c, err := openai.New(openai.Options{BaseURL: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	n, cpu := 0, time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		store, err := caption.CreateStore(b.TempDir(), caption.Recipe{Model: "m", Picture: caption.Picture{Original: true}}, "memory", schemas.Program{})
		if err != nil {
			b.Fatal(err)
		}
		before := cpuTime(b)
		b.StartTimer()
		r, err := caption.Run(b.Context(), caption.Options{Source: source, Store: store, Captioner: pool.New([]pool.Member{{Name: "a", Captioner: c}}, pool.Options{})})
		if err != nil || r.Asked != pictures {
			b.Fatal(r, err)
		}
		cpu += cpuTime(b) - before
		n += r.Asked
		store.Close()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pictures/s")
	b.ReportMetric(float64(2*n)/cpu.Seconds(), "pictures/s-on-2-cores")
}

// cpuTime is what this process, client and endpoint, has taken.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
