package picture

import (
	"bytes"
	"encoding/binary"
	"image/color"

	"golang.org/x/image/bmp"
)

// readBMP leaves the header's many kinds to the decoder, which reads no further for them.
func readBMP(encoded []byte) (header, error) {
	h := header{Info: Info{Format: "bmp", Mode: "rgb"}}
	c, err := bmp.DecodeConfig(bytes.NewReader(encoded[:min(len(encoded), 4096)]))
	if err != nil {
		return h, refuse("not a picture that can be read: a BMP that is compressed, of a rare kind, or cut off in its header")
	}
	h.Width, h.Height = c.Width, c.Height
	bits := int64(binary.LittleEndian.Uint16(encoded[28:]))
	if _, ok := c.ColorModel.(color.Palette); ok {
		h.Mode = "palette"
	}
	if headerBytes := binary.LittleEndian.Uint32(encoded[14:]); bits == 32 && headerBytes > 40 { // from version 4 on they have alpha
		h.Mode = "rgba"
	}
	// Rows are padded to four bytes. The size in the file's header is often wrong, and nobody reads it.
	row := (int64(h.Width)*bits + 31) / 32 * 4
	if start := int64(binary.LittleEndian.Uint32(encoded[10:])); start+row*int64(h.Height) > int64(len(encoded)) {
		h.doubt = "truncated: the BMP lacks rows"
	}
	return h, nil
}
