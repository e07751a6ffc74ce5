package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// maxScans bounds the time that a small file can take: each scan visits every block. Encoders write about ten.
const maxScans = 256

// channel is one component of a JPEG.
type channel struct {
	id    uint8
	h, v  int         // samples for each of the least sampled channel's: 1 to 4
	table int         // number of its quantisation table
	quant *[64]uint16 // that table at the channel's first scan (in rows of eight); nil before it

	width, height    int // samples
	blocksX, blocksY int // of eight by eight, that hold them
	paddedX, paddedY int // blocks up to the last whole group
	stride           int // of pix
	pix              []uint8
	blocks           []block // of a progressive picture, paddedX by paddedY
	dc               int32   // of the block before
	codesDC, codesAC *huffman
}

// jpegDecoder decodes one JPEG of eight bits with Huffman codes, sequential or progressive, to what libjpeg-turbo (as Pillow
// uses it) makes of it: bit for bit, but for one thing. Of a progressive picture whose scans leave coefficients out libjpeg
// guesses them; here they are zero.
type jpegDecoder struct {
	bitReader
	w, h        int
	progressive bool
	channels    []channel
	maxH, maxV  int
	groupsX     int // of maxH by maxV blocks
	groupsY     int
	quant       [4]*[64]uint16
	codes       [2][4]*huffman // of DC, of AC
	interval    int            // groups between restarts; 0 for none
	scans       int
	jfif        bool
	adobe       int // its transform; -1 without Adobe's mark
	colours     colours
	work        block // of a sequential picture
}

func decodeJPEG(encoded []byte) (image.Image, error) {
	d := &jpegDecoder{bitReader: bitReader{data: encoded, at: 2}, adobe: -1}
	for {
		mark, body, err := d.next()
		if err != nil {
			return nil, err
		}
		switch {
		case mark == markEOI:
			return d.finish()
		case mark == markDQT:
			err = d.readQuant(body)
		case mark == markDHT:
			err = d.readCodes(body)
		case mark == markDRI:
			if len(body) < 2 {
				return nil, errSegment
			}
			d.interval = int(binary.BigEndian.Uint16(body))
		case mark == markAPP0:
			d.jfif = d.jfif || len(body) >= 14 && bytes.HasPrefix(body, []byte("JFIF\x00"))
		case mark == markAPP14:
			if len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")) {
				d.adobe = int(body[11])
			}
		case mark >= markSOF0 && mark <= markSOF2:
			d.progressive = mark == markSOF2
			err = d.readFrame(body)
		case mark == markSOS:
			err = d.readScan(body)
		case mark < markSOF0 || mark > markSOF2 && mark <= markSOF15 || mark == markSOI:
			return nil, fmt.Errorf("the JPEG has the unknown or misplaced mark FF %02X", mark)
		}
		if err != nil {
			return nil, err
		}
	}
}

var errSegment = errors.New("the JPEG has a segment that is cut off")

// next finds the next marker, over stray bytes and the restarts that some encoders write behind a scan, and its segment.
func (d *jpegDecoder) next() (mark byte, body []byte, err error) {
	mark, at := nextMark(d.data, d.at)
	for mark >= markRST0 && mark <= markRST7 || mark == markTEM {
		mark, at = nextMark(d.data, at)
	}
	d.at = at
	switch {
	case mark == 0:
		return 0, nil, errShort
	case mark == markEOI:
		return mark, nil, nil
	case at+2 > len(d.data):
		return 0, nil, errSegment
	}
	size := int(binary.BigEndian.Uint16(d.data[at:]))
	if size < 2 || at+size > len(d.data) {
		return 0, nil, errSegment
	}
	d.at = at + size
	return mark, d.data[at+2 : d.at], nil
}

// nextMark finds the first marker from at on, and where it ends; 0 where there is none.
func nextMark(data []byte, at int) (mark byte, end int) {
	for {
		found := bytes.IndexByte(data[min(at, len(data)):], 0xFF)
		if at += found; found < 0 || at+1 >= len(data) {
			return 0, len(data)
		}
		if at++; data[at] != 0 && data[at] != 0xFF {
			return data[at], at + 1
		}
	}
}

func (d *jpegDecoder) readQuant(body []byte) error {
	for len(body) > 0 {
		number, size := body[0]&15, 1+int(body[0]>>4)
		if number > 3 || size > 2 || len(body) < 1+64*size {
			return errors.New("the JPEG has a bad quantisation table")
		}
		table := new([64]uint16)
		for k, i := range zigzag {
			if size == 1 {
				table[i] = uint16(body[1+k])
			} else {
				table[i] = binary.BigEndian.Uint16(body[1+2*k:])
			}
		}
		d.quant[number] = table
		body = body[1+64*size:]
	}
	return nil
}

func (d *jpegDecoder) readCodes(body []byte) error {
	for len(body) > 0 {
		class, number := body[0]>>4, body[0]&15
		if class > 1 || number > 3 || len(body) < 17 {
			return errors.New("the JPEG has a bad table of Huffman codes")
		}
		h, n := new(huffman), 0
		for length := 1; length <= 16; length++ {
			h.counts[length] = int(body[length])
			n += h.counts[length]
		}
		if n > 256 || len(body) < 17+n {
			return errors.New("the JPEG has a bad table of Huffman codes")
		}
		copy(h.symbols[:], body[17:17+n])
		d.codes[class][number] = h
		body = body[17+n:]
	}
	return nil
}

// readFrame reads the frame header (T.81, B.2.2). That there is one, of eight bits, 1, 3 or 4 channels and a size within
// bounds, is known.
func (d *jpegDecoder) readFrame(body []byte) error {
	if d.channels != nil {
		return errors.New("the JPEG has two frame headers")
	}
	if len(body) < 6 || len(body) < 6+3*int(body[5]) || body[0] != 8 {
		return errSegment
	}
	d.h, d.w = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	d.channels = make([]channel, body[5])
	for i := range d.channels {
		b := body[6+3*i:]
		c := channel{id: b[0], h: int(b[1] >> 4), v: int(b[1] & 15), table: int(b[2])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return errors.New("the JPEG's frame header is bad")
		}
		for _, other := range d.channels[:i] {
			if other.id == c.id {
				return errors.New("the JPEG has two channels of one name")
			}
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
		d.channels[i] = c
	}
	up := func(n, by int) int { return (n + by - 1) / by }
	d.groupsX, d.groupsY = up(d.w, 8*d.maxH), up(d.h, 8*d.maxV)
	blocks := 0
	for i := range d.channels {
		c := &d.channels[i]
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
			return fmt.Errorf("the JPEG has channels of %d by %d and of %d by %d samples", d.maxH, d.maxV, c.h, c.v)
		}
		c.width, c.height = up(d.w*c.h, d.maxH), up(d.h*c.v, d.maxV)
		c.blocksX, c.blocksY = up(c.width, 8), up(c.height, 8)
		c.paddedX, c.paddedY = d.groupsX*c.h, d.groupsY*c.v
		c.stride = 8 * c.paddedX
		blocks += c.blocksX * c.blocksY
	}
	if blocks > 8*len(d.data) { // each takes a bit at least: nothing is allocated for an empty promise
		return errShort
	}
	for i := range d.channels {
		c := &d.channels[i]
		if d.progressive {
			c.blocks = make([]block, c.paddedX*c.paddedY)
		} else {
			c.pix = make([]uint8, 64*c.paddedX*c.paddedY)
		}
	}
	return nil
}

// meaning decides what the channels mean, as libjpeg does when it meets the first scan.
func (d *jpegDecoder) meaning() colours {
	name := ""
	for _, c := range d.channels {
		name += string(rune(c.id))
	}
	switch {
	case len(d.channels) == 1:
		return grey
	case len(d.channels) == 4 && d.adobe <= 0:
		return cmyk
	case len(d.channels) == 4:
		return ycck
	case d.jfif:
		return ycc
	case d.adobe == 0, d.adobe < 0 && name == "RGB":
		return rgb
	}
	return ycc
}

// finish makes the picture when all scans are read.
func (d *jpegDecoder) finish() (image.Image, error) {
	if d.channels == nil {
		return nil, errShort
	}
	for i := range d.channels {
		c := &d.channels[i]
		if c.quant == nil {
			return nil, errors.New("the JPEG lacks one of its channels")
		}
		if !d.progressive {
			continue
		}
		c.pix = make([]uint8, 64*len(c.blocks))
		for at := range c.blocks {
			b := &c.blocks[at]
			dst := c.pix[at/c.paddedX*8*c.stride+at%c.paddedX*8:]
			if b.flat() {
				inverseDC(dst, c.stride, b[0], c.quant[0])
			} else {
				inverse(dst, c.stride, b, c.quant)
			}
		}
		c.blocks = nil
	}
	return paint(d.channels, d.maxH, d.maxV, d.w, d.h, d.colours), nil
}
