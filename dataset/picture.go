package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	_ "image/gif" // decoders are found by content, whatever the file is called
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"
)

// Bounds on pictures. ImageNet-R's largest file is a few megabytes; these only stop what would exhaust memory.
const (
	MaxPictureBytes  = 64 << 20  // encoded
	MaxPicturePixels = 100 << 20 // decoded, width times height
	MaxPictureSide   = 1 << 16
)

// PictureInfo is what the header of an encoded picture says.
type PictureInfo struct {
	Format        string // jpeg, png, gif, webp, bmp
	Width, Height int    // pixels
}

// Inspect reads a picture's header without decoding it. The error is a refusal's reason.
func Inspect(encoded []byte) (PictureInfo, error) {
	c, format, err := image.DecodeConfig(bytes.NewReader(encoded))
	if err != nil {
		return PictureInfo{}, fmt.Errorf("not a picture that can be read: %w: %w", err, ErrRefused)
	}
	info := PictureInfo{Format: format, Width: c.Width, Height: c.Height}
	switch {
	case c.Width <= 0 || c.Height <= 0:
		return info, fmt.Errorf("the picture is %d by %d pixels: %w", c.Width, c.Height, ErrRefused)
	case c.Width > MaxPictureSide || c.Height > MaxPictureSide || c.Width*c.Height > MaxPicturePixels:
		return info, fmt.Errorf("the picture is %d by %d pixels, more than %d in all: %w", c.Width, c.Height, MaxPicturePixels, ErrRefused)
	}
	return info, nil
}

// Decode decodes a picture after [Inspect] has passed it. A decoder's panic becomes an error.
func Decode(encoded []byte) (img image.Image, err error) {
	if _, err := Inspect(encoded); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the picture is damaged: decoder: %v: %w", r, ErrRefused)
		}
	}()
	img, _, err = image.Decode(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w: %w", err, ErrRefused)
	}
	return img, nil
}

// Digest is the hexadecimal SHA-256 of b.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
