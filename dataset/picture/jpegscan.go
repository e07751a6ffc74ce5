package picture

import (
	"errors"
	"fmt"
)

// flat reports that a block has no AC coefficient.
func (b *block) flat() bool {
	for _, c := range b[1:] {
		if c != 0 {
			return false
		}
	}
	return true
}

// readScan reads a scan's header (T.81, B.2.3) and all of its blocks.
func (d *jpegDecoder) readScan(body []byte) error {
	if d.channels == nil {
		return errors.New("the JPEG has a scan before its frame header")
	}
	if len(body) < 1 || body[0] < 1 || body[0] > 4 || len(body) < 4+2*int(body[0]) {
		return errSegment
	}
	if d.scans++; d.scans > maxScans {
		return fmt.Errorf("the JPEG has more than %d scans", maxScans)
	}
	if d.scans == 1 {
		d.colours = d.meaning()
	}
	n := int(body[0])
	s := band{from: int(body[1+2*n]), to: int(body[2+2*n]), high: int(body[3+2*n] >> 4), low: int(body[3+2*n] & 15)}
	if !d.progressive {
		s = band{to: 63}
	}
	switch {
	case s.from > s.to || s.to > 63 || s.low > 13 || s.high > 0 && s.high != s.low+1,
		d.progressive && s.from == 0 && s.to != 0, s.from > 0 && n > 1:
		return errors.New("the JPEG has a scan of a kind that does not exist")
	}
	var in []*channel
	blocks := 0
	for i := range n {
		c, err := d.selectChannel(body[1+2*i], body[2+2*i], s)
		if err != nil {
			return err
		}
		for _, other := range in {
			if other == c {
				return errors.New("the JPEG has a scan with a channel twice")
			}
		}
		in = append(in, c)
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return errors.New("the JPEG has a scan of more than ten blocks a group")
	}
	d.restart()
	return d.groups(in, &s)
}

// selectChannel finds a scan's channel, and the tables that the scan needs.
func (d *jpegDecoder) selectChannel(id, codes uint8, s band) (*channel, error) {
	for i := range d.channels {
		c := &d.channels[i]
		if c.id != id {
			continue
		}
		if c.quant == nil {
			if c.quant = d.quant[c.table]; c.quant == nil {
				return nil, errors.New("the JPEG lacks a quantisation table")
			}
		}
		c.dc = 0
		for class, number := range [2]uint8{codes >> 4, codes & 15} {
			if class == 0 && (s.from > 0 || s.high > 0) || class == 1 && s.to == 0 {
				continue
			}
			if number > 3 || d.codes[class][number] == nil {
				return nil, errors.New("the JPEG lacks a table of Huffman codes")
			}
			h := d.codes[class][number]
			if err := h.build(); err != nil {
				return nil, err
			}
			if class == 0 {
				c.codesDC = h
			} else {
				c.codesAC = h
			}
		}
		return c, nil
	}
	return nil, errors.New("the JPEG has a scan of a channel that is not there")
}

// groups reads the blocks of a scan: those of one channel row by row, those of several in groups of one area.
func (d *jpegDecoder) groups(in []*channel, s *band) error {
	w, h := d.groupsX, d.groupsY
	if len(in) == 1 {
		w, h = in[0].blocksX, in[0].blocksY
	}
	left, restarts := d.interval, byte(0)
	for y := range h {
		for x := range w {
			if d.interval > 0 {
				if left == 0 {
					if err := d.passRestart(restarts); err != nil {
						return err
					}
					for _, c := range in {
						c.dc = 0
					}
					s.run = 0
					left, restarts = d.interval, (restarts+1)%8
				}
				left--
			}
			if len(in) == 1 {
				if err := d.block(in[0], x, y, s); err != nil {
					return err
				}
			} else {
				for _, c := range in {
					for by := range c.v {
						for bx := range c.h {
							if err := d.block(c, x*c.h+bx, y*c.v+by, s); err != nil {
								return err
							}
						}
					}
				}
			}
			if d.short() {
				return errShort
			}
		}
	}
	return nil
}

// passRestart goes behind the restart of that number, which is the next marker.
func (d *jpegDecoder) passRestart(number byte) error {
	mark, at := nextMark(d.data, d.at)
	if mark != markRST0+number {
		return errors.New("the JPEG lacks a restart mark")
	}
	d.at = at
	d.restart()
	return nil
}

// block reads what a scan has of one block.
func (d *jpegDecoder) block(c *channel, x, y int, s *band) error {
	var b *block
	if d.progressive {
		b = &c.blocks[y*c.paddedX+x]
		switch {
		case s.from > 0 && s.high > 0:
			return d.refine(b, c.codesAC, s)
		case s.from > 0:
			return d.first(b, c.codesAC, s)
		case s.high > 0:
			b[0] |= int16(d.bits(1)) << s.low
			return nil
		}
	} else {
		d.work = block{}
		b = &d.work
	}
	diff, err := d.difference(c.codesDC)
	if err != nil {
		return err
	}
	c.dc += diff
	b[0] = int16(c.dc << s.low)
	if d.progressive {
		return nil
	}
	last, err := d.sequential(b, c.codesAC)
	if err != nil {
		return err
	}
	dst := c.pix[8*(y*c.stride+x):]
	if last == 0 {
		inverseDC(dst, c.stride, b[0], c.quant[0])
	} else {
		inverse(dst, c.stride, b, c.quant)
	}
	return nil
}
