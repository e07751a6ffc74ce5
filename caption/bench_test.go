package caption_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// photographs is a source of n pictures of 500 by 375 pixels, about as large as photographs of that size. No two are the
// same, but they differ in their last bytes only.
func photographs(tb testing.TB, n int) dataset.Source {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	img := image.NewRGBA(image.Rect(0, 0, 500, 375))
	for y := range 375 {
		for x := range 500 {
			noise := random.IntN(25)
			img.SetRGBA(x, y, color.RGBA{uint8(x/3 + noise), uint8(y/2 + noise), uint8((x+y)/5 + noise), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		tb.Fatal(err)
	}
	source := captiontest.Pictures(tb, n)
	for i, e := range source.Entries() {
		captiontest.Spoil(source, e, fmt.Appendf(bytes.Clone(b.Bytes()), "%08d", i))
	}
	return source
}

// BenchmarkRun is the whole loop over an endpoint that costs nothing, beside preparation alone on as many goroutines as
// there are processors.
func BenchmarkRun(b *testing.B) {
	const n = 400
	source := photographs(b, n)
	run := func(b *testing.B, p caption.Picture) {
		b.ReportAllocs()
		asked := 0
		for b.Loop() {
			store, err := caption.CreateStore(b.TempDir(), caption.Recipe{Model: "m", Picture: p}, "memory", schemas.Program{})
			if err != nil {
				b.Fatal(err)
			}
			r, err := caption.Run(b.Context(), caption.Options{Source: source, Captioner: &fake{}, Store: store})
			if err != nil || r.Asked != n {
				b.Fatal(r, err)
			}
			asked += r.Asked
			store.Close()
		}
		b.ReportMetric(float64(asked)/b.Elapsed().Seconds(), "captions/s")
	}
	b.Run("Original", func(b *testing.B) { run(b, caption.Picture{Original: true}) })
	b.Run("Resized", func(b *testing.B) { run(b, caption.Picture{}) })
	b.Run("PrepareAlone", func(b *testing.B) {
		b.ReportAllocs()
		done := 0
		for b.Loop() {
			queue := make(chan dataset.Entry)
			var wait sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				wait.Go(func() {
					for e := range queue {
						content, err := source.Read(b.Context(), e)
						if err == nil {
							_, _, err = caption.Picture{}.Prepare(content)
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for _, e := range source.Entries() {
				queue <- e
			}
			close(queue)
			wait.Wait()
			done += n
		}
		b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "pictures/s")
	})
}
