package picture

// zigzag is where the k-th coefficient of a scan stands in a block (T.81, figure A.6).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// block is eight rows of eight coefficients.
type block [64]int16

// difference reads what a DC coefficient has more than the one before it.
func (r *bitReader) difference(h *huffman) (int32, error) {
	size, err := r.symbol(h)
	switch {
	case err != nil:
		return 0, err
	case size == 0:
		return 0, nil
	case size > 15:
		return 0, errCode
	}
	return extend(r.bits(int(size)), int(size)), nil
}

// sequential reads the AC coefficients of a block (T.81, F.2.2.2), which must be clear, and tells the last one's number.
func (r *bitReader) sequential(b *block, h *huffman) (last int, err error) {
	acc, n := r.acc, r.n // in registers
	for k := 1; k < 64; k++ {
		if n < 32 { // a code and its value have at most 31
			r.acc, r.n = acc, n
			r.fill()
			acc, n = r.acc, r.n
		}
		top := acc >> (64 - lookupBits)
		if d := h.direct[top]; d != 0 {
			acc <<= d & 0xFF
			n -= int(d & 0xFF)
			k += int(d >> 8 & 0xFF)
			if k > 63 {
				return 0, errCoefs
			}
			b[zigzag[k]&63] = int16(d >> 16)
			last = k
			continue
		}
		e := h.lookup[top]
		symbol, length := uint8(e>>8), int(e&0xFF)
		if e == 0 {
			if symbol, length = h.long(acc); length == 0 {
				return 0, errCode
			}
		}
		acc <<= length
		n -= length
		run, size := int(symbol>>4), int(symbol&15)
		if size == 0 {
			if run < 15 {
				break // the block's end
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return 0, errCoefs
		}
		b[zigzag[k]&63] = int16(extend(acc>>(64-size), size))
		last = k
		acc <<= size
		n -= size
	}
	r.acc, r.n = acc, n
	return last, nil
}

// band is the part of the coefficients that a progressive scan brings (T.81, G.1.1.1).
type band struct {
	from, to int // numbers in zigzag order
	high     int // the bit before; 0 in the first scan of these coefficients
	low      int // the lowest bit of this scan
	run      int // blocks still to come without anything new, this one included
}

// first reads the high bits of a block's AC coefficients (T.81, G.1.2.2).
func (r *bitReader) first(b *block, h *huffman, s *band) error {
	if s.run > 0 {
		s.run--
		return nil
	}
	for k := s.from; k <= s.to; k++ {
		symbol, err := r.symbol(h)
		if err != nil {
			return err
		}
		run, size := int(symbol>>4), int(symbol&15)
		if size == 0 {
			if run < 15 {
				s.run = 1<<run + int(r.bits(run)) - 1
				return nil
			}
			k += 15
			continue
		}
		if k += run; k > s.to {
			return errCoefs
		}
		b[zigzag[k]] = int16(extend(r.bits(size), size) << s.low)
	}
	return nil
}

// refine reads one more bit of a block's AC coefficients (T.81, G.1.2.3).
func (r *bitReader) refine(b *block, h *huffman, s *band) error {
	k := s.from
	for s.run == 0 && k <= s.to {
		symbol, err := r.symbol(h)
		if err != nil {
			return err
		}
		run, size := int(symbol>>4), int(symbol&15)
		var fresh int16
		switch {
		case size > 1:
			return errCode
		case size == 1:
			fresh = int16(-1) << s.low
			if r.bits(1) == 1 {
				fresh = 1 << s.low
			}
		case run < 15:
			s.run = 1<<run + int(r.bits(run))
			continue
		}
		k = r.correct(b, k, run, s)
		if fresh != 0 {
			if k > s.to {
				return errCoefs
			}
			b[zigzag[k]] = fresh
		}
		k++
	}
	if s.run > 0 {
		r.correct(b, k, 64, s)
		s.run--
	}
	return nil
}

// correct gives the coefficients from k on that are not zero their next bit, and stops at the zero behind the given number of
// zeros, or behind the band.
func (r *bitReader) correct(b *block, k, zeros int, s *band) int {
	one := int16(1) << s.low
	for ; k <= s.to; k++ {
		c := &b[zigzag[k]]
		switch {
		case *c == 0:
			if zeros == 0 {
				return k
			}
			zeros--
		case r.bits(1) == 0 || *c&one != 0: // a bit that is there already comes from a repeated scan
		case *c > 0:
			*c += one
		default:
			*c -= one
		}
	}
	return k
}
