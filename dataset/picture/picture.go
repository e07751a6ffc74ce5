// Package picture looks into encoded pictures: what they are, whether they are whole, and how they decode.
//
// # Inspecting
//
// [Inspect] goes by content, never by a file's name, and reads headers only: a data set of gigabytes is inspected about as
// fast as it is read. It refuses what is no picture, what would take too much memory to decode, and what was cut off:
//
//   - JPEG: there must be an end mark (FF D9) behind the first scan. It is looked for from the end, so bytes behind it, which
//     some cameras and writers add, cost little.
//   - PNG: the chunks must lead to IEND. GIF: the blocks must lead to the trailer.
//   - WebP: the RIFF container must fit into the file. BMP: all rows must.
//
// A JPEG, PNG or GIF without its end is one that the decoders refuse too. A WebP or BMP that fails may still hold the whole
// picture, so a full decode decides. A picture that passes can still be damaged inside: [Decode] finds that.
//
// # Modes
//
// [Info.Mode] is one of grey, grey16, grey-alpha, grey-alpha16, rgb, rgb16, rgba, rgba16, palette, palette-alpha and cmyk.
// The number is bits a channel where they are more than eight. Alpha is named where the header announces it (a tRNS chunk, a
// transparent palette entry), whether or not any pixel uses it. An RGB JPEG and a YCbCr one are both rgb, and CMYK and
// Adobe's YCCK are both cmyk.
//
// # Where it differs from Pillow
//
// A grey PNG of 16 bits keeps its high byte, where Pillow's convert("RGB") clips.
//
// A JPEG decodes to Pillow's convert("RGB") to the last bit: the decoder here does libjpeg-turbo's arithmetic, which the
// standard leaves open, and image/jpeg's differs from by up to 60 levels. What libjpeg only warns of (data cut off, bad codes,
// lost restarts) is damage here, of a progressive picture whose scans leave coefficients out nothing is guessed, and a frame
// of Motion JPEG, which has no Huffman tables of its own, is refused. testdata/jpeg_golden.py makes the pictures that show it.
//
// # Bytes stay as they are
//
// Nothing here rewrites a picture. EXIF's orientation is reported, and applied only by those who call [Orient].
package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"unicode/utf8"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/mcil/mcil/schemas"
)

// Bounds on pictures. ImageNet-R's largest file is a few megabytes; these only stop what would exhaust memory.
const (
	MaxBytes  = 64 << 20  // encoded
	MaxPixels = 100 << 20 // decoded, width times height
	MaxSide   = 1 << 16
)

// Info is what the header of an encoded picture says.
type Info struct {
	Format        string // jpeg, png, gif, webp, bmp
	Mode          string // see the package comment
	Width, Height int    // pixels, before any orientation; of a GIF its canvas
	Orientation   int    // EXIF's, 1 to 8; 1 where the picture says nothing
}

// Inspect reads a picture's headers and sees whether its end is there. The error is a refusal's reason. It is safe for
// concurrent use, and keeps nothing of encoded.
func Inspect(encoded []byte) (info Info, err error) {
	defer func() { // the decoders that settle doubts were not written for hostile input
		if r := recover(); r != nil {
			err = refuse("the picture is damaged: %v", r)
		}
	}()
	h, err := read(encoded)
	if err != nil {
		return Info{}, err
	}
	info = h.Info
	switch {
	case info.Width <= 0 || info.Height <= 0:
		return info, refuse("the picture is %d by %d pixels", info.Width, info.Height)
	case info.Width > MaxSide || info.Height > MaxSide || info.Width*info.Height > MaxPixels:
		return info, refuse("the picture is %d by %d pixels, more than %d in all", info.Width, info.Height, MaxPixels)
	case h.doubt == "":
		info.Orientation = Orientation(encoded)
		return info, nil
	case h.settled:
		return info, refuse("the picture is damaged: %s", h.doubt)
	}
	if _, err := h.decode(encoded); err != nil {
		return info, refuse("the picture is damaged: %s", h.doubt)
	}
	info.Orientation = Orientation(encoded)
	return info, nil
}

// Decode decodes a picture after [Inspect] has passed it. Of an animation it is the first frame. A decoder's panic becomes
// an error.
func Decode(encoded []byte) (img image.Image, err error) {
	if _, err := Inspect(encoded); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			img, err = nil, refuse("the picture is damaged: decoder: %v", r)
		}
	}()
	h, err := read(encoded)
	if err != nil {
		return nil, err
	}
	img, err = h.decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w: %w", err, schemas.ErrRefused)
	}
	return img, nil
}

// header is what reading a format's headers gives.
type header struct {
	Info
	doubt   string // why the picture may not be whole; empty where its end was found
	settled bool   // the doubt is certain: the decoder needs the same end

	gif gifHeader
}

// read reads the headers of any format.
func read(encoded []byte) (header, error) {
	has := func(at int, magic string) bool {
		return len(encoded) >= at && bytes.HasPrefix(encoded[at:], []byte(magic))
	}
	switch {
	case len(encoded) == 0:
		return header{}, refuse("not a picture that can be read: it is empty")
	case has(0, "\xFF\xD8\xFF"):
		return readJPEG(encoded)
	case has(0, pngMagic):
		return readPNG(encoded)
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return readGIF(encoded)
	case has(0, "RIFF") && has(8, "WEBP"):
		return readWebP(encoded)
	case has(0, "BM"):
		return readBMP(encoded)
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return header{}, refuse("not a picture that can be read: a TIFF; make it a PNG or JPEG")
	case has(4, "ftyp"):
		return header{}, refuse("not a picture that can be read: HEIC, AVIF or a video; make it a PNG or JPEG")
	case looksLikeText(encoded):
		return header{}, refuse("not a picture that can be read: it is text, such as a server's answer")
	}
	return header{}, refuse("not a picture that can be read: neither JPEG, PNG, GIF, WebP nor BMP")
}

// decode decodes all of a picture with the decoder of its format.
func (h *header) decode(encoded []byte) (image.Image, error) {
	switch h.Format {
	case "jpeg":
		return decodeJPEG(encoded)
	case "png":
		return png.Decode(bytes.NewReader(encoded))
	case "gif":
		frame, err := gif.Decode(bytes.NewReader(encoded))
		if err != nil {
			return nil, err
		}
		return h.gif.onCanvas(frame, h.Width, h.Height), nil
	case "webp":
		img, err := webp.Decode(bytes.NewReader(encoded))
		if err != nil {
			return nil, err
		}
		return studio(img), nil
	default:
		return bmp.Decode(bytes.NewReader(encoded))
	}
}

func refuse(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, schemas.ErrRefused)...)
}

// looksLikeText tells HTML, JSON and the like by their first bytes.
func looksLikeText(b []byte) bool {
	cut := len(b) > 256
	b = b[:min(len(b), 256)]
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			return cut && len(b) < utf8.UTFMax // the last rune may be cut by us
		case r < ' ' && r != '\n' && r != '\r' && r != '\t':
			return false
		}
		b = b[size:]
	}
	return true
}
