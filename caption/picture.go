package caption

import (
	"bytes"
	"fmt"
	"go/version"
	"image"
	"image/jpeg"
	"runtime"

	"github.com/disintegration/imaging"

	"github.com/mcil/mcil/dataset/picture"
)

// Picture says how pictures are prepared before they are sent. Smaller pictures cost the endpoint less in transfer and
// in its own resizing; InstructBLIP sees 224 by 224 pixels in the end.
//
// The zero value: turned upright as EXIF says, at most 336 pixels on the longer side by CatmullRom (never enlarged),
// transparency on white, JPEG of quality 90 with 4:2:0 chroma.
type Picture struct {
	Original bool // send the file as found, metadata and all
	MaxSide  int  // longer side in pixels; default 336
}

const (
	defaultMaxSide = 336
	jpegQuality    = 90
	pictureVersion = 2 // goes up when the bytes made from the same picture change
)

func (p Picture) maxSide() int {
	if p.MaxSide <= 0 {
		return defaultMaxSide
	}
	return p.MaxSide
}

// Version names everything that decides which bytes are made of a picture. It holds the Go release, without the patch
// level, because image/jpeg's arithmetic changes between releases.
func (p Picture) Version() string {
	if p.Original {
		return "original"
	}
	release := version.Lang(runtime.Version())
	if release == "" { // a development version
		release = runtime.Version()
	}
	return fmt.Sprintf("v%d exif-oriented, longer side at most %d by catmull-rom, on white, jpeg %d 4:2:0, %s",
		pictureVersion, p.maxSide(), jpegQuality, release)
}

// Prepare makes the bytes to send of an encoded picture. The error is of class [BadImage].
func (p Picture) Prepare(encoded []byte) (sent []byte, mediaType string, err error) {
	if p.Original {
		info, err := picture.Inspect(encoded)
		if err != nil {
			return nil, "", &Error{Class: BadImage, Err: err}
		}
		return encoded, "image/" + info.Format, nil
	}
	defer func() { // imaging was not written for hostile input
		if r := recover(); r != nil {
			sent, err = nil, &Error{Class: BadImage, Err: fmt.Errorf("preparing the picture: %v", r)}
		}
	}()
	img, err := picture.Decode(encoded)
	if err != nil {
		return nil, "", &Error{Class: BadImage, Err: err}
	}
	size := img.Bounds().Size()
	if longer, limit := max(size.X, size.Y), p.maxSide(); longer > limit {
		w := max(1, (size.X*limit+longer/2)/longer)
		h := max(1, (size.Y*limit+longer/2)/longer)
		img = imaging.Resize(img, w, h, imaging.CatmullRom)
	}
	img = opaque(picture.Orient(img, picture.Orientation(encoded)))
	var b bytes.Buffer
	b.Grow(img.Bounds().Dx()*img.Bounds().Dy()/4 + 1<<10) // most photographs take less
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return nil, "", &Error{Class: BadImage, Err: err}
	}
	return b.Bytes(), "image/jpeg", nil
}

// opaque lays img on white, in a type that image/jpeg encodes fast.
func opaque(img image.Image) image.Image {
	switch img.(type) {
	case *image.YCbCr, *image.Gray:
		return img
	}
	n, ok := img.(*image.NRGBA)
	if !ok || n.Rect.Min != (image.Point{}) {
		n = imaging.Clone(img)
	}
	if n.Opaque() { // the bytes mean the same
		return &image.RGBA{Pix: n.Pix, Stride: n.Stride, Rect: n.Rect}
	}
	out := &image.RGBA{Pix: make([]byte, len(n.Pix)), Stride: n.Stride, Rect: n.Rect}
	for i := 0; i+3 < len(n.Pix); i += 4 {
		a := uint32(n.Pix[i+3])
		for c := range 3 {
			out.Pix[i+c] = byte((uint32(n.Pix[i+c])*a + 255*(255-a) + 127) / 255)
		}
		out.Pix[i+3] = 255
	}
	return out
}
