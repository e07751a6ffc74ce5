package caption

import (
	"bytes"
	"encoding/binary"
)

// orientation is EXIF's orientation (1 to 8) of an encoded picture, and 1 for whatever is not a JPEG with a sound EXIF
// header. TIFF 6.0 section 2 and EXIF 2.32 section 4.6.4 give the layout.
func orientation(encoded []byte) int {
	if !bytes.HasPrefix(encoded, []byte{0xFF, 0xD8}) {
		return 1
	}
	for b := encoded[2:]; len(b) >= 4 && b[0] == 0xFF; {
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xDA || size < 2 || len(b) < 2+size { // start of scan: no header follows
			return 1
		}
		if exif, ok := bytes.CutPrefix(b[4:2+size], []byte("Exif\x00\x00")); ok && marker == 0xE1 {
			return tiffOrientation(exif)
		}
		b = b[2+size:]
	}
	return 1
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
