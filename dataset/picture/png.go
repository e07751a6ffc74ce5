package picture

import "encoding/binary"

const pngMagic = "\x89PNG\r\n\x1a\n"

// pngChunks walks over the chunks and says whether it came to IEND. Chunks are not checked against their sums: [Decode] does.
func pngChunks(encoded []byte, visit func(name string, body []byte)) (whole bool) {
	for b := encoded[len(pngMagic):]; len(b) >= 12; {
		size := int64(binary.BigEndian.Uint32(b))
		if size > int64(len(b))-12 { // length, name and sum
			return false
		}
		name := string(b[4:8])
		visit(name, b[8:8+size])
		if name == "IEND" {
			return true
		}
		b = b[12+size:]
	}
	return false
}

func readPNG(encoded []byte) (header, error) {
	h := header{Info: Info{Format: "png"}, settled: true}
	first, pixels, see := true, false, false
	var depth, kind byte
	whole := pngChunks(encoded, func(name string, body []byte) {
		switch {
		case first && name == "IHDR" && len(body) == 13:
			h.Width, h.Height = int(binary.BigEndian.Uint32(body)), int(binary.BigEndian.Uint32(body[4:]))
			depth, kind = body[8], body[9]
			h.Mode = map[byte]string{0: "grey", 2: "rgb", 3: "palette", 4: "grey-alpha", 6: "rgba"}[kind]
		case name == "tRNS" && !pixels:
			see = true
		case name == "IDAT":
			pixels = true
		}
		first = false
	})
	switch {
	case h.Mode == "":
		return h, refuse("not a picture that can be read: the PNG ends, or is damaged, in its header")
	case see && kind == 2:
		h.Mode = "rgba"
	case see && kind != 4 && kind != 6:
		h.Mode += "-alpha"
	}
	if depth == 16 && kind != 3 {
		h.Mode += "16"
	}
	switch {
	case !whole:
		h.doubt = "truncated: the PNG's chunks do not lead to its end"
	case !pixels:
		h.doubt = "the PNG has no pixels"
	}
	return h, nil
}
