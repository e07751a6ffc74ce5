//go:build unix

package openai

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
)

// BenchmarkCaption is what a picture sent as it is costs: its own digest, the fingerprint and the call, with an endpoint
// that reads and answers at once on the same cores.
func BenchmarkCaption(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	r := testRequest
	r.Image = make([]byte, 75<<10)
	for i := range r.Image {
		r.Image[i] = byte(random.Uint32())
	}
	server := httptest.NewServer(atOnce{})
	defer server.Close()
	c, err := New(Options{BaseURL: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.Run("digest of the picture", func(b *testing.B) {
		for b.Loop() {
			dataset.Digest(r.Image)
		}
	})
	b.Run("fingerprint", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Fingerprint(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("call", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Caption(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	const workers = 8
	b.Run("all, by "+strconv.Itoa(workers), func(b *testing.B) {
		b.ReportAllocs()
		work := make(chan struct{}, workers)
		var wait sync.WaitGroup
		for range workers {
			wait.Go(func() {
				for range work {
					dataset.Digest(r.Image)
					_, err := c.Fingerprint(r)
					if err == nil {
						_, err = c.Caption(b.Context(), r)
					}
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
		n, cpu := 0, cpuTime(b)
		for b.Loop() {
			work <- struct{}{}
			n++
		}
		close(work)
		wait.Wait()
		cpu = cpuTime(b) - cpu
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pictures/s")
		b.ReportMetric(float64(2*n)/cpu.Seconds(), "pictures/s-on-2-cores") // by processor time: other work on the machine does not count
	})
}

// atOnce reads a request and answers.
type atOnce struct{}

func (atOnce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buffer := make([]byte, 32<<10)
	_, _ = io.CopyBuffer(onlyWriter{io.Discard}, r.Body, buffer)
	_, _ = io.Copy(w, bytes.NewReader([]byte(goodBody)))
}

// onlyWriter hides ReadFrom, which would read in small pieces.
type onlyWriter struct{ io.Writer }

// cpuTime is what this process, client and endpoint, has taken.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
