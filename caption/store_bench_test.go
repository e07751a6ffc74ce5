package caption

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// A store of a million captions of about 600 bytes: how long it takes to open and to walk through, and what it adds to the
// heap after each. It takes 600 MB of disk.
func BenchmarkStoreMillion(b *testing.B) {
	const n, files = 1_000_000, 4
	dir := b.TempDir()
	s, err := CreateStore(dir, testRecipe, "memory", schemas.Program{})
	if err != nil {
		b.Fatal(err)
	}
	s.Close()
	recipe, begin := testRecipe.Digest(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	make := func(i int) schemas.Caption {
		id := fmt.Sprintf("n%08d/sketch_%07d.jpg", i/5000, i)
		return schemas.Caption{
			Version: 1, ID: id, ImageSHA256: dataset.Digest([]byte(id)), Recipe: recipe, Fingerprint: recipe, Status: schemas.CaptionOK,
			Raw: strings.Repeat("a drawing of \"it\" ", 6), FinishReason: "stop", Model: "m", PromptTokens: 40, CompletionTokens: 40,
			Endpoint: "http://127.0.0.1:8089/v1", Attempts: 1, LatencyMS: 1234, Time: begin.Add(time.Duration(i) * time.Millisecond).Format(recordTime),
		}
	}
	size := 0
	for w := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("journal-%d.jsonl", w+1)))
		if err != nil {
			b.Fatal(err)
		}
		out := bufio.NewWriterSize(f, 1<<20)
		for i := w; i < n; i += files {
			line, err := recordLine(make(i))
			if err != nil {
				b.Fatal(err)
			}
			size += len(line)
			out.Write(line)
		}
		if err := out.Flush(); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	b.ReportMetric(float64(size)/n, "bytes/record")
	for b.Loop() {
		began := time.Now()
		s, err := OpenStore(dir)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/open")
		b.ReportMetric(float64(heap()-before)/1e6, "MB/open")
		began = time.Now()
		count, most := 0, uint64(0)
		for c, err := range s.Captions() {
			if err != nil {
				b.Fatal(err)
			}
			if count%250_000 == 125_000 {
				most = max(most, heap())
			}
			if want := fmt.Sprintf("n%08d/sketch_%07d.jpg", count/5000, count); c.ID != want {
				b.Fatalf("%s, want %s", c.ID, want)
			}
			count++
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/walk")
		b.ReportMetric(float64(most-before)/1e6, "MB/walk")
		began = time.Now()
		for i := 0; i < n; i += 10 {
			c := make(i)
			if got, found, err := s.Lookup(dataset.ID(c.ID), c.ImageSHA256); err != nil || !found || got != c {
				b.Fatalf("%+v, %v, %v", got, found, err)
			}
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/(n/10), "us/lookup")
		if count != n {
			b.Fatalf("%d captions", count)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
