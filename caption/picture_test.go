package caption

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
)

// corner is a picture that is red in its upper left quarter and white elsewhere.
func corner(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.White)
			if x < w/2 && y < h/2 {
				img.Set(x, y, color.NRGBA{255, 0, 0, 255})
			}
		}
	}
	return img
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withOrientation puts an EXIF header into a JPEG.
func withOrientation(jpg []byte, order binary.AppendByteOrder, o uint16) []byte {
	exif := []byte("Exif\x00\x00")
	if order == binary.LittleEndian {
		exif = append(exif, "II*\x00"...)
	} else {
		exif = append(exif, "MM\x00*"...)
	}
	exif = order.AppendUint32(exif, 8)
	exif = order.AppendUint16(exif, 2)
	for _, f := range [][2]uint16{{0x0100, 7}, {0x0112, o}} { // image width, orientation
		exif = order.AppendUint16(exif, f[0])
		exif = order.AppendUint16(exif, 3)
		exif = order.AppendUint32(exif, 1)
		exif = order.AppendUint16(exif, f[1])
		exif = order.AppendUint16(exif, 0)
	}
	out := []byte{0xFF, 0xD8, 0xFF, 0xE1}
	out = binary.BigEndian.AppendUint16(out, uint16(len(exif)+2))
	return append(append(out, exif...), jpg[2:]...)
}

func TestOrientation(t *testing.T) {
	jpg := encodeJPEG(t, corner(64, 32))
	if got := picture.Orientation(jpg); got != 1 {
		t.Errorf("without EXIF: %d", got)
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for o := range uint16(10) {
			want := int(o)
			if o < 1 || o > 8 {
				want = 1
			}
			if got := picture.Orientation(withOrientation(jpg, order, o)); got != want {
				t.Errorf("%v %d: got %d", order, o, got)
			}
		}
	}
}

// Where the corner of a stored picture belongs for each orientation (EXIF 2.32, table 6): row 0 and column 0 are ...
func TestPrepareTurnsUpright(t *testing.T) {
	for o, want := range map[uint16][2]bool{ // right, bottom
		1: {false, false}, 2: {true, false}, 3: {true, true}, 4: {false, true},
		5: {false, false}, 6: {true, false}, 7: {true, true}, 8: {false, true},
	} {
		sent, _, err := Picture{}.Prepare(withOrientation(encodeJPEG(t, corner(64, 32)), binary.BigEndian, o))
		if err != nil {
			t.Fatal(err)
		}
		img, err := picture.Decode(sent)
		if err != nil {
			t.Fatal(err)
		}
		size := img.Bounds().Size()
		if wide := o < 5; wide != (size.X == 64) {
			t.Errorf("orientation %d: %v", o, size)
		}
		for _, right := range []bool{false, true} {
			for _, bottom := range []bool{false, true} {
				x, y := size.X/4, size.Y/4
				if right {
					x += size.X / 2
				}
				if bottom {
					y += size.Y / 2
				}
				_, g, _, _ := img.At(x, y).RGBA()
				if red := g < 0x8000; red != (want == [2]bool{right, bottom}) {
					t.Errorf("orientation %d: red %v at right %v bottom %v", o, red, right, bottom)
				}
			}
		}
	}
}

func TestPrepareSize(t *testing.T) {
	for _, c := range []struct {
		w, h, side   int
		wantW, wantH int
	}{
		{1000, 500, 0, 336, 168},
		{500, 1000, 0, 168, 336},
		{336, 300, 0, 336, 300},
		{40, 30, 0, 40, 30},
		{2000, 3, 0, 336, 1},
		{300, 200, 150, 150, 100},
	} {
		sent, kind, err := Picture{MaxSide: c.side}.Prepare(encodePNG(t, corner(c.w, c.h)))
		if err != nil {
			t.Fatal(err)
		}
		info, err := picture.Inspect(sent)
		if err != nil || kind != "image/jpeg" || info != (picture.Info{Format: "jpeg", Mode: "rgb", Width: c.wantW, Height: c.wantH, Orientation: 1}) {
			t.Errorf("%d by %d: %s, %+v, %v", c.w, c.h, kind, info, err)
		}
	}
}

func TestPrepareDeterministicAndClean(t *testing.T) {
	jpg := withOrientation(encodeJPEG(t, corner(400, 300)), binary.LittleEndian, 1)
	jpg = append(jpg[:2:2], append([]byte("\xFF\xFE\x00\x0Bgoldfish\x00"), jpg[2:]...)...) // a comment
	a, _, err := Picture{}.Prepare(jpg)
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := Picture{}.Prepare(jpg)
	if !bytes.Equal(a, b) {
		t.Error("the same picture was prepared in two ways")
	}
	if bytes.Contains(a, []byte("goldfish")) || bytes.Contains(a, []byte("Exif")) {
		t.Error("metadata is sent along")
	}
	if !bytes.Contains(a, []byte{0xFF, 0xC0, 0, 17, 8, 0, 252, 1, 80, 3, 1, 0x22, 0}) {
		t.Error("not a baseline JPEG of 252 by 336 with 4:2:0 chroma")
	}
}

func TestPrepareLaysOnWhite(t *testing.T) {
	sent, _, err := Picture{}.Prepare(encodePNG(t, image.NewNRGBA(image.Rect(0, 0, 20, 20))))
	if err != nil {
		t.Fatal(err)
	}
	img, _ := picture.Decode(sent)
	if r, g, b, _ := img.At(10, 10).RGBA(); min(r, g, b) < 0xFE00 {
		t.Errorf("a transparent picture became %x %x %x", r, g, b)
	}
}

func TestPrepareOriginal(t *testing.T) {
	in := encodePNG(t, corner(900, 9))
	sent, kind, err := Picture{Original: true}.Prepare(in)
	if err != nil || kind != "image/png" || !bytes.Equal(sent, in) {
		t.Errorf("got %d bytes of %s, %v", len(sent), kind, err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	jpg := encodeJPEG(t, corner(64, 64))
	for name, in := range map[string][]byte{"nothing": nil, "text": []byte("<svg/>"), "cut off": jpg[:len(jpg)/2]} {
		_, _, err := Picture{}.Prepare(in)
		var e *Error
		if !errors.As(err, &e) || e.Class != BadImage || e.Retry || !errors.Is(err, dataset.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPictureVersion(t *testing.T) {
	v := Picture{}.Version()
	if want := "v2 exif-oriented, longer side at most 336 by catmull-rom, on white, jpeg 90 4:2:0, go1."; !strings.HasPrefix(v, want) {
		t.Errorf("Version = %q", v)
	}
	if !strings.HasPrefix(runtime.Version(), v[strings.LastIndex(v, "go"):]) {
		t.Errorf("%q does not name the Go release of %q", v, runtime.Version())
	}
	if (Picture{MaxSide: 336}).Version() != v || (Picture{MaxSide: 224}).Version() == v || (Picture{Original: true}).Version() == v {
		t.Error("versions do not follow the settings")
	}
}

func FuzzOrientation(f *testing.F) {
	jpg := encodeJPEG(f, corner(8, 8))
	f.Add(jpg)
	f.Add(withOrientation(jpg, binary.LittleEndian, 6))
	f.Add(withOrientation(jpg, binary.BigEndian, 9)[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := picture.Orientation(b); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
