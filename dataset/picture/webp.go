package picture

import "encoding/binary"

// webpChunks walks over the chunks up to the container's end or the file's; the last one may be cut off.
func webpChunks(encoded []byte, visit func(name string, body []byte, whole bool)) {
	end := min(int64(len(encoded)), int64(binary.LittleEndian.Uint32(encoded[4:]))+8)
	for b := encoded[12:max(12, end)]; len(b) >= 8; {
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		there := min(size, int64(len(b))-8)
		visit(string(b[:4]), b[8:8+there], there == size)
		b = b[min(8+size+size&1, int64(len(b))):]
	}
}

// readWebP reads the container (RFC 9649 section 2) and the bitstream's own size: a small canvas may announce a huge one.
func readWebP(encoded []byte) (header, error) {
	h := header{Info: Info{Format: "webp"}}
	var canvasW, canvasH int
	var extended, alpha, moving, found, cut bool
	webpChunks(encoded, func(name string, b []byte, whole bool) {
		if found {
			return
		}
		switch {
		case name == "VP8X" && len(b) >= 10:
			extended = true
			alpha, moving = b[0]&0x10 != 0, b[0]&0x02 != 0
			canvasW, canvasH = 1+int(uint32(b[4])|uint32(b[5])<<8|uint32(b[6])<<16), 1+int(uint32(b[7])|uint32(b[8])<<8|uint32(b[9])<<16)
		case name == "VP8 " && len(b) >= 10 && string(b[3:6]) == "\x9d\x01\x2a":
			found, cut, h.Mode = true, !whole, "rgb"
			h.Width, h.Height = int(binary.LittleEndian.Uint16(b[6:])&0x3FFF), int(binary.LittleEndian.Uint16(b[8:])&0x3FFF)
		case name == "VP8L" && len(b) >= 5 && b[0] == 0x2F:
			bits := binary.LittleEndian.Uint32(b[1:])
			found, cut, h.Mode = true, !whole, "rgb"
			h.Width, h.Height = 1+int(bits&0x3FFF), 1+int(bits>>14&0x3FFF)
			alpha = alpha || bits>>28&1 != 0
		}
	})
	if alpha {
		h.Mode = "rgba"
	}
	size := int64(binary.LittleEndian.Uint32(encoded[4:])) + 8
	switch {
	case moving:
		return h, refuse("not a picture that can be read: an animated WebP; take out one frame")
	case extended && !found && size > int64(len(encoded)):
		h.Width, h.Height, h.settled = canvasW, canvasH, true
		h.doubt = "truncated: the WebP ends before its pixels"
	case !found:
		return h, refuse("not a picture that can be read: the WebP ends, or is damaged, in its header")
	case extended && (canvasW != h.Width || canvasH != h.Height):
		return h, refuse("the picture is damaged: the WebP's canvas is %d by %d pixels and its bitstream %d by %d", canvasW, canvasH, h.Width, h.Height)
	case cut || size > int64(len(encoded)):
		h.doubt = "truncated: the WebP is shorter than its header says"
	}
	return h, nil
}
