package picture

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// Markers of ITU-T T.81, table B.1.
const (
	markTEM   = 0x01
	markSOF0  = 0xC0 // baseline
	markSOF1  = 0xC1 // extended sequential
	markSOF2  = 0xC2 // progressive
	markDHT   = 0xC4
	markJPG   = 0xC8
	markDAC   = 0xCC
	markSOF15 = 0xCF
	markRST0  = 0xD0
	markRST7  = 0xD7
	markSOI   = 0xD8
	markEOI   = 0xD9
	markSOS   = 0xDA
	markDQT   = 0xDB
	markDRI   = 0xDD
	markAPP0  = 0xE0
	markAPP1  = 0xE1
	markAPP14 = 0xEE
)

// segment is one of a JPEG's header segments.
type segment struct {
	mark byte
	body []byte
	end  int // offset of what follows it
}

// segments yields the whole segments up to the first scan, which is the last one yielded. It steps over stray bytes as the
// decoder does.
func segments(encoded []byte) iter.Seq[segment] {
	return func(yield func(segment) bool) {
		for at := 2; ; {
			for at+1 < len(encoded) && (encoded[at] != 0xFF || encoded[at+1] == 0 || encoded[at+1] == 0xFF) {
				at++
			}
			if at+1 >= len(encoded) {
				return
			}
			mark := encoded[at+1]
			at += 2
			if mark >= markRST0 && mark <= markRST7 {
				continue
			}
			if mark == markEOI || at+2 > len(encoded) {
				return
			}
			size := int(binary.BigEndian.Uint16(encoded[at:]))
			if size < 2 || at+size > len(encoded) {
				return
			}
			if !yield(segment{mark, encoded[at+2 : at+size], at + size}) || mark == markSOS {
				return
			}
			at += size
		}
	}
}

func readJPEG(encoded []byte) (header, error) {
	h := header{Info: Info{Format: "jpeg"}, settled: true}
	scan := 0
	for s := range segments(encoded) {
		switch {
		case s.mark == markSOS:
			scan = s.end
		case s.mark < markSOF0 || s.mark > markSOF15 || s.mark == markDHT || s.mark == markJPG || s.mark == markDAC:
		case s.mark > markSOF2:
			return h, refuse("not a picture that can be read: a JPEG of a rare kind (lossless, hierarchical or arithmetic); make it an ordinary one")
		case h.Mode != "":
			return h, refuse("the picture is damaged: the JPEG has two frame headers")
		case len(s.body) < 6:
			return h, refuse("the picture is damaged: the JPEG's frame header is cut off")
		case s.body[0] != 8:
			return h, refuse("not a picture that can be read: a JPEG of %d bits a channel; make it one of 8", s.body[0])
		default:
			h.Height, h.Width = int(binary.BigEndian.Uint16(s.body[1:])), int(binary.BigEndian.Uint16(s.body[3:]))
			channels := int(s.body[5])
			h.Mode = map[int]string{1: "grey", 3: "rgb", 4: "cmyk"}[channels]
			if h.Mode == "" {
				return h, refuse("not a picture that can be read: a JPEG of %d channels", channels)
			}
		}
	}
	switch {
	case h.Mode == "":
		return h, refuse("not a picture that can be read: the JPEG ends, or is damaged, in its header")
	case scan == 0:
		h.doubt = "truncated: the JPEG ends, or is damaged, before its pixels"
	case bytes.LastIndex(encoded[scan:], []byte{0xFF, markEOI}) < 0: // in a scan's data every FF is followed by 0 or RST
		h.doubt = "truncated: the JPEG has no end mark"
	}
	return h, nil
}
