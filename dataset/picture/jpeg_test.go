package picture

import (
	"archive/zip"
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// golden is testdata/jpeg_golden.zip, which testdata/jpeg_golden.py makes.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/jpeg_golden.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// levels is a picture's red, green and blue, in the order of Pillow's tobytes.
func levels(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out []byte
	r := img.Bounds()
	for y := range r.Dy() {
		for x := range r.Dx() {
			switch m := img.(type) {
			case *image.Gray:
				v := m.Pix[y*m.Stride+x]
				out = append(out, v, v, v)
			case *image.NRGBA:
				p := m.Pix[y*m.Stride+4*x:][:4]
				if p[3] != 255 {
					t.Fatalf("%d,%d: alpha %d", x, y, p[3])
				}
				out = append(out, p[:3]...)
			default:
				t.Fatalf("a %T", img)
			}
		}
	}
	return out
}

// Every kind of JPEG decodes to Pillow's levels, to the last bit.
func TestJPEGGolden(t *testing.T) {
	files, seen := golden(t), 0
	for _, file := range slices.Sorted(maps.Keys(files)) {
		name, is := strings.CutSuffix(file, ".jpg")
		if !is {
			continue
		}
		seen++
		img, err := Decode(files[file])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, want := levels(t, img), files[name+".rgb"]
		if len(got) != len(want) {
			t.Errorf("%s: %v, %d levels, want %d", name, img.Bounds(), len(got), len(want))
			continue
		}
		differ, most := 0, 0
		for i := range want {
			if d := max(int(got[i])-int(want[i]), int(want[i])-int(got[i])); d > 0 {
				differ, most = differ+1, max(most, d)
			}
		}
		if differ > 0 {
			t.Errorf("%s: %d of %d levels differ, by up to %d", name, differ, len(want), most)
		}
	}
	if seen != 133 {
		t.Errorf("%d pictures", seen)
	}
}

// Known answers: samples of half the size stand between those of full size.
func TestEnlarge(t *testing.T) {
	near, far := []uint8{0, 100, 200}, []uint8{40, 100, 0}
	for _, c := range []struct {
		name       string
		down, row  int
		across     int
		pix        []uint8
		width      int
		wantValues []uint8
	}{
		{"across", 1, 0, 2, near, 3, []uint8{0, 25, 75, 125, 175, 200}},
		{"across two", 1, 0, 2, near[:2], 2, []uint8{0, 0, 100, 100}},
		{"down, first row", 2, 0, 1, slices.Concat(near, far), 3, []uint8{0, 100, 200}},
		{"down, second row", 2, 1, 1, slices.Concat(near, far), 3, []uint8{10, 100, 150}},
		{"down, third row", 2, 2, 1, slices.Concat(near, far), 3, []uint8{30, 100, 50}},
		// columns 10, 100, 150 before rounding: 40/4, 400/4, 600/4
		{"both, second row", 2, 1, 2, slices.Concat(near, far), 3, []uint8{10, 32, 78, 112, 138, 150}},
		{"four times", 1, 0, 4, near[:2], 2, []uint8{0, 0, 0, 0, 100, 100, 100, 100}},
	} {
		p := &channel{width: c.width, height: len(c.pix) / c.width, stride: c.width, pix: c.pix}
		r := rows{channel: p, across: c.across, down: c.down, buf: make([]uint8, c.width*c.across)}
		if got := r.row(c.row); !slices.Equal(got, c.wantValues) {
			t.Errorf("%s: %v, want %v", c.name, got, c.wantValues)
		}
	}
}

// The integer transform is the cosine sum, rounded: a level may be off where that lies near a half.
func TestInverseConstant(t *testing.T) {
	quant := new([64]uint16)
	for i := range quant {
		quant[i] = 2
	}
	for dc, want := range map[int16]uint8{0: 128, 1: 128, 2: 129, -2: 128, -3: 127, 400: 228, 600: 255, -600: 0} {
		a, b := make([]uint8, 64), make([]uint8, 64)
		inverse(a, 8, &block{dc}, quant)
		inverseDC(b, 8, dc, 2)
		if !bytes.Equal(a, b) || !bytes.Equal(a, bytes.Repeat([]byte{want}, 64)) {
			t.Errorf("dc %d: %v, %v, want %d", dc, a, b, want)
		}
	}
}

// fourTwoZero is a picture of noise and edges that image/jpeg writes, 4:2:0.
func fourTwoZero(t testing.TB, w, h int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			n := rng.IntN(20)
			img.SetRGBA(x, y, color.RGBA{uint8(x*230/w + n), uint8(y*230/h + n), uint8(100 + (x/32+y/32)%2*100 + n), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// edit is b with the bytes behind the first place of what replaced.
func edit(b []byte, what string, skip int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[bytes.Index(b, []byte(what))+skip:], with)
	return b
}

func TestJPEGDamaged(t *testing.T) {
	files := golden(t)
	whole, moving := files["sampling-420-41x27.jpg"], files["restart-progressive.jpg"]
	scan := bytes.Index(moving, []byte("\xFF\xDA"))
	end := scan + bytes.Index(moving[scan:], []byte("\xFF\xC4"))
	for _, c := range []struct {
		name    string
		encoded []byte
		words   string
	}{
		{"empty promise", edit(fourTwoZero(t, 40, 30), "\xFF\xC0", 5, 0x20, 0, 0x20, 0), "end too early"},
		{"sampling 0", edit(whole, "\xFF\xC0", 11, 0x02), "frame header is bad"},
		{"sampling 5", edit(whole, "\xFF\xC0", 11, 0x52), "frame header is bad"},
		{"sampling 3 to 2", edit(whole, "\xFF\xC0", 11, 0x32, 0, 2, 0x22), "channels of 3 by 2 and"},
		{"no such table", edit(whole, "\xFF\xC0", 12, 3), "lacks a quantisation table"},
		{"twelve blocks", edit(whole, "\xFF\xC0", 11, 0x22, 0, 2, 0x22, 0, 3, 0x22), "more than ten blocks"},
		{"two names", edit(whole, "\xFF\xC0", 13, 1), "two channels of one name"},
		{"no such channel", edit(whole, "\xFF\xDA", 5, 9), "a channel that is not there"},
		{"channel twice", edit(whole, "\xFF\xDA", 7, 1), "a channel twice"},
		{"no such codes", edit(whole, "\xFF\xDA", 6, 0x22), "lacks a table of Huffman codes"},
		{"codes beyond", edit(whole, "\xFF\xDA", 6, 0xFF), "lacks a table of Huffman codes"},
		{"too many codes", edit(whole, "\xFF\xC4", 5, 3, 1), "bad table"},
		{"codes that do not fit", edit(whole, "\xFF\xC4", 5, 3, 0, 0, 9), "more Huffman codes than fit"},
		{"unknown mark", edit(whole, "\xFF\xC4", 0, 0xFF, 0x02), "mark FF 02"},
		{"two pictures", edit(whole, "\xFF\xDB", 0, 0xFF, 0xD8, 0, 67), "mark FF D8"},
		{"apart, one missing", edit(files["apart-420.jpg"], "\xFF\xDA\x00\x08\x01\x03", 5, 2), "lacks one of its channels"},
		{"scans", slices.Concat(moving[:scan], bytes.Repeat(moving[scan:end], 300), moving[end:]), "more than 256 scans"},
	} {
		_, err := Decode(c.encoded)
		if !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "decoder:") {
			t.Errorf("%s: %v, want %q", c.name, err, c.words)
		}
	}
}

// Bytes that are wrong anywhere end in an error or another picture. Decode would turn a panic into an error.
func TestJPEGFlipped(t *testing.T) {
	files := golden(t)
	for _, name := range []string{"sampling-420-41x27", "restart-progressive", "apart-411", "cmyk-adobe0", "size-9x13-sub2"} {
		whole, refused := files[name+".jpg"], 0
		if whole == nil {
			t.Fatalf("no %s", name)
		}
		for i := 2; i < len(whole); i++ {
			for _, mask := range []byte{0xFF, 1 << (i % 8)} {
				b := bytes.Clone(whole)
				b[i] ^= mask
				if info, err := Inspect(b); err != nil || info.Width*info.Height > 10_000 {
					continue
				}
				if _, err := decodeJPEG(b); err != nil {
					refused++
				}
			}
		}
		if refused < 50 {
			t.Errorf("%s: only %d changes are refused", name, refused)
		}
	}
}

// A frame that promises more than the bytes can hold takes no memory.
func TestJPEGPromiseTakesNoMemory(t *testing.T) {
	b := edit(fourTwoZero(t, 40, 30), "\xFF\xC0", 5, 0x20, 0, 0x20, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := decodeJPEG(b); !errors.Is(err, errShort) {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<17 {
		t.Errorf("%d bytes", got)
	}
}

// Whatever the bytes are: no panic, and a picture of the size that the header says.
func FuzzJPEG(f *testing.F) {
	for name, b := range golden(f) {
		if strings.HasSuffix(name, ".jpg") && len(b) < 2000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		info, err := Inspect(encoded)
		if err != nil || info.Format != "jpeg" || info.Width*info.Height > 100_000 {
			return
		}
		img, err := decodeJPEG(encoded)
		if err == nil && img.Bounds() != image.Rect(0, 0, info.Width, info.Height) {
			t.Errorf("%v, header %+v", img.Bounds(), info)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\r\n") || img != nil) {
			t.Errorf("error %q", err)
		}
	})
}

// Against image/jpeg, alone and with what its callers did next: have it as NRGBA.
func BenchmarkJPEG(b *testing.B) {
	encoded := fourTwoZero(b, 1024, 768)
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			decodeJPEG(encoded)
		}
	})
	b.Run("image/jpeg", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			jpeg.Decode(bytes.NewReader(encoded))
		}
	})
	b.Run("image/jpeg and NRGBA", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			img, _ := jpeg.Decode(bytes.NewReader(encoded))
			draw.Draw(image.NewNRGBA(img.Bounds()), img.Bounds(), img, image.Point{}, draw.Src)
		}
	})
}
