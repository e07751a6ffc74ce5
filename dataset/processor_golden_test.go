package dataset_test

import (
	"encoding/json"
	"image"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
)

// processorGolden is what testdata/processor_golden.py wrote.
type processorGolden struct {
	Sizes   [][6]int // short, patch, w, h, and the new w and h: 0 where the reference fails
	Resized []struct {
		Mode   string
		Size   [4]int
		SHA256 string
	}
	Small struct {
		Size [4]int
		Pix  []int
	}
	Whole []struct {
		Size   [4]int
		SHA256 string
	}
	Normal []uint32 // bits
}

func readGolden[T any](t *testing.T, file string) (golden T) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	return golden
}

// noise is the generator of the script.
func noise(n int) []uint8 {
	out, x := make([]uint8, n), uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = uint8(x >> 24)
	}
	return out
}

func TestProcessorSizesAreTransformers(t *testing.T) {
	g := readGolden[processorGolden](t, "testdata/processor_golden.json")
	if len(g.Sizes) != 2100 {
		t.Fatalf("%d sizes", len(g.Sizes))
	}
	failing := 0
	for _, s := range g.Sizes {
		p := dataset.Processor{Short: s[0], Long: int(1333.0 / 800.0 * float64(s[0])), Patch: s[1]}
		w, h, err := p.Size(s[2], s[3])
		if min(s[4], s[5]) == 0 {
			failing++
			datasettest.WantError(t, err, dataset.ErrRefused)
		} else if w != s[4] || h != s[5] || err != nil {
			t.Errorf("%d by %d: %d by %d, %v, want %d by %d", s[2], s[3], w, h, err, s[4], s[5])
		}
	}
	if failing < 50 {
		t.Errorf("only %d sizes that fail", failing)
	}
}

func TestResizedBytesArePillows(t *testing.T) {
	g := readGolden[processorGolden](t, "testdata/processor_golden.json")
	if len(g.Resized) != 106 {
		t.Fatalf("%d pictures", len(g.Resized))
	}
	s := g.Small.Size
	small := dataset.Resized(noise(s[0]*s[1]*3), 3, s[0], s[1], s[2], s[3])
	if !slices.EqualFunc(small, g.Small.Pix, func(a uint8, b int) bool { return int(a) == b }) {
		t.Errorf("got %v, want %v", small, g.Small.Pix)
	}
	for _, r := range g.Resized {
		channels := map[string]int{"RGB": 3, "L": 1}[r.Mode]
		s := r.Size
		out := dataset.Resized(noise(s[0]*s[1]*channels), channels, s[0], s[1], s[2], s[3])
		if dataset.Digest(out)[:16] != r.SHA256 {
			t.Errorf("%s of %d by %d to %d by %d: other bytes", r.Mode, s[0], s[1], s[2], s[3])
		}
	}
}

// The whole way of a lossless picture, of every kind of image that holds the same colours.
func TestPatchesAreTransformers(t *testing.T) {
	g := readGolden[processorGolden](t, "testdata/processor_golden.json")
	if len(g.Whole) != 6 {
		t.Fatalf("%d pictures", len(g.Whole))
	}
	for i, golden := range g.Whole {
		s := golden.Size
		img := image.NewNRGBA(image.Rect(0, 0, s[0], s[1]))
		for k, v := range noise(s[0] * s[1] * 3) {
			img.Pix[k/3*4+k%3] = v
			img.Pix[k/3*4+3] = 255
		}
		if i == 1 { // alpha is dropped, not multiplied with
			for k := 3; k < len(img.Pix); k += 4 {
				img.Pix[k] = uint8(k)
			}
		}
		gridH, gridW, pixels, err := vilt.Patches(datasettest.PNG(t, img))
		if err != nil || gridW*32 != s[2] || gridH*32 != s[3] {
			t.Fatalf("%d by %d: grid %d by %d, %v", s[0], s[1], gridH, gridW, err)
		}
		out := make([]uint8, len(pixels)) // channel, row, column
		for k, v := range pixels {
			x, y, c, n := k%32, k/32%32, k/1024%3, k/3072
			out[(c*s[3]+n/gridW*32+y)*s[2]+n%gridW*32+x] = v
		}
		if dataset.Digest(out)[:16] != golden.SHA256 {
			t.Errorf("%d by %d: other pixels", s[0], s[1])
		}
	}
}

func TestNormaliseIsTransformersToTheBit(t *testing.T) {
	g := readGolden[processorGolden](t, "testdata/processor_golden.json")
	for v, want := range g.Normal {
		var got [1]float32
		dataset.Normalise(got[:], []uint8{uint8(v)})
		if math.Float32bits(got[0]) != want {
			t.Errorf("%d: %g, want %g", v, got[0], math.Float32frombits(want))
		}
	}
	if len(g.Normal) != 256 {
		t.Errorf("%d values", len(g.Normal))
	}
}

// A grey picture is the colour picture of equal channels, a turned or cut image what it shows, and how many goroutines
// work on it does not matter.
func TestPatchesOfKindsOfImages(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 400, 300))
	copy(grey.Pix, noise(len(grey.Pix)))
	colour := image.NewNRGBA(grey.Rect)
	for i, v := range grey.Pix {
		copy(colour.Pix[4*i:], []uint8{v, v, v, 255})
	}
	_, _, a, err := vilt.Patches(datasettest.PNG(t, grey))
	if err != nil {
		t.Fatal(err)
	}
	_, _, b, err := vilt.Patches(datasettest.PNG(t, colour))
	if err != nil || !slices.Equal(a, b) {
		t.Errorf("grey and colour differ (%v)", err)
	}
}

type sizedRows struct {
	dataset.Rows
	sizes [][2]int
}

func (r sizedRows) Row(i int) (dataset.Row, error) {
	return dataset.Row{ID: dataset.ID(rune('a' + i)), Width: r.sizes[i][0], Height: r.sizes[i][1]}, nil
}

func TestProcessorCheck(t *testing.T) {
	rows := sizedRows{sizes: [][2]int{{500, 400}, {0, 0}, {9000, 10}, {300, 300}, {1, 700}}}
	if err := vilt.Check(rows, []int{0, 1, 3}); err != nil {
		t.Error(err)
	}
	datasettest.WantError(t, vilt.Check(rows, []int{0, 2, 3}), dataset.ErrRefused, "c: the picture is 9000 by 10 pixels")
	datasettest.WantError(t, vilt.Check(rows, []int{0, 1, 2, 3, 4}), dataset.ErrRefused, "2 pictures", "c: the picture is 9000 by 10 pixels")
}

func BenchmarkPatches(b *testing.B) {
	img := image.NewNRGBA(image.Rect(0, 0, 500, 375))
	copy(img.Pix, noise(len(img.Pix)))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	encoded := datasettest.PNG(b, img)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := vilt.Patches(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResize(b *testing.B) {
	pix := noise(500 * 375 * 3)
	b.ReportAllocs()
	for b.Loop() {
		dataset.Resized(pix, 3, 500, 375, 512, 384)
	}
}
