package picture

import (
	"bytes"
	"encoding/binary"
)

// Orientation is EXIF's orientation (1 to 8) of an encoded picture, from a JPEG's APP1, a PNG's eXIf or a WebP's EXIF, and 1
// where there is none or it is not sound. TIFF 6.0 section 2 and EXIF 2.32 section 4.6.4 give the layout.
func Orientation(encoded []byte) int {
	o := 0
	switch {
	case bytes.HasPrefix(encoded, []byte{0xFF, 0xD8}):
		for s := range segments(encoded) {
			if exif, ok := bytes.CutPrefix(s.body, []byte("Exif\x00\x00")); ok && s.mark == markAPP1 {
				return tiffOrientation(exif)
			}
		}
	case bytes.HasPrefix(encoded, []byte(pngMagic)):
		pngChunks(encoded, func(name string, body []byte) {
			if name == "eXIf" && o == 0 {
				o = tiffOrientation(body)
			}
		})
	case len(encoded) >= 12 && string(encoded[:4]) == "RIFF" && string(encoded[8:12]) == "WEBP":
		webpChunks(encoded, func(name string, body []byte, whole bool) {
			if name == "EXIF" && whole && o == 0 {
				body, _ = bytes.CutPrefix(body, []byte("Exif\x00\x00")) // some writers keep JPEG's prefix
				o = tiffOrientation(body)
			}
		})
	}
	return max(o, 1)
}

func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at < 8 || at+2 > int64(len(b)) {
		return 1
	}
	count, fields := int(order.Uint16(b[at:])), b[at+2:]
	for ; count > 0 && len(fields) >= 12; count, fields = count-1, fields[12:] {
		const tagOrientation, typeShort = 0x0112, 3
		if order.Uint16(fields) != tagOrientation {
			continue
		}
		o := int(order.Uint16(fields[8:]))
		if order.Uint16(fields[2:]) != typeShort || o < 1 || o > 8 {
			return 1
		}
		return o
	}
	return 1
}
