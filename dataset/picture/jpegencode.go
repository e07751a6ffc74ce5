package picture

import (
	"bytes"
	"image"
	"math"
	"math/bits"
)

// jpegEncoder writes the JPEG variants that image/jpeg cannot: colour without subsampling (4:4:4), sequential or
// progressive. A block of eight by eight pixels stands for itself there, so what is put side by side at multiples of eight
// does not bleed. The tables are those of ITU T.81 Annex K; progressive files use spectral selection only.
type jpegEncoder struct {
	out   bytes.Buffer
	acc   uint32
	nbits uint
	quant [2][64]int     // zigzag order, luma and chroma
	div   [2][64]float32 // natural order: reciprocal of quant, with the scale of fdct taken out
	huff  [4][256]code   // DC luma, AC luma, DC chroma, AC chroma
}

type code struct {
	bits uint32
	n    uint8
}

// EncodeJPEG returns img as a JPEG of the given quality (1 to 100, the scale of libjpeg) with full-size chroma. Alpha is not
// looked at.
func EncodeJPEG(img *image.NRGBA, quality int, progressive bool) []byte {
	e := &jpegEncoder{}
	e.tables(quality)
	blocks := e.blocks(img)
	e.header(img.Rect.Dx(), img.Rect.Dy(), progressive)
	all := []int{0, 1, 2}
	if !progressive {
		e.scan(blocks, all, 0, 63)
	} else {
		e.scan(blocks, all, 0, 0)
		for _, band := range [][2]int{{1, 5}, {6, 63}} {
			for _, c := range all {
				e.scan(blocks, []int{c}, band[0], band[1])
			}
		}
	}
	e.out.Write([]byte{0xff, markEOI})
	return e.out.Bytes()
}

// EncodeScan returns what a sequential [EncodeJPEG] has between the header of its scan and its end mark. All else follows
// from size and quality: T.81 knows an abbreviated format that leaves the tables out, and this leaves the headers out too,
// 625 bytes in all, which is more than a small picture's content.
func EncodeScan(img *image.NRGBA, quality int) []byte {
	e := &jpegEncoder{}
	e.tables(quality)
	e.data(e.blocks(img), []int{0, 1, 2}, 0, 63)
	return e.out.Bytes()
}

// DecodeScan decodes what [EncodeScan] made of a picture of w by h pixels: the same levels as of the whole file.
func DecodeScan(scan []byte, w, h, quality int) (*image.NRGBA, error) {
	if w < 1 || h < 1 || w >= MaxSide || h >= MaxSide {
		return nil, refuse("a JPEG cannot be %d by %d pixels", w, h)
	}
	e := &jpegEncoder{}
	e.tables(quality)
	e.header(w, h, false)
	e.scanHeader([]int{0, 1, 2}, 0, 63)
	e.out.Write(scan)
	e.out.Write([]byte{0xff, markEOI})
	img, err := Decode(e.out.Bytes())
	if err != nil {
		return nil, err
	}
	rgb, ok := img.(*image.NRGBA)
	if !ok || rgb.Rect != image.Rect(0, 0, w, h) {
		return nil, refuse("the picture is damaged: a scan of colours decodes to %T of %v", img, img.Bounds())
	}
	return rgb, nil
}

// header writes what stands before the first scan.
func (e *jpegEncoder) header(w, h int, progressive bool) {
	e.out.Write([]byte{0xff, markSOI})
	e.segment(markAPP0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"))
	for t := range 2 {
		b := []byte{byte(t)}
		for _, q := range e.quant[t] {
			b = append(b, byte(q))
		}
		e.segment(markDQT, b)
	}
	sof := byte(markSOF0)
	if progressive {
		sof = markSOF2
	}
	e.segment(sof, []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1})
	specs := huffmanSpecs()
	for i, s := range specs {
		class := byte(i%2)<<4 | byte(i/2)
		e.segment(markDHT, append(append([]byte{class}, s.count[:]...), s.value...))
	}
}

func (e *jpegEncoder) segment(marker byte, body []byte) {
	n := len(body) + 2
	e.out.Write([]byte{0xff, marker, byte(n >> 8), byte(n)})
	e.out.Write(body)
}

// blocks returns the quantised coefficients in zigzag order: [component][block]. With 4:4:4 every component has the
// same blocks in the same order, which is what makes interleaved and single scans alike.
func (e *jpegEncoder) blocks(img *image.NRGBA) [3][][64]int16 {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	bw, bh := (w+7)/8, (h+7)/8
	var out [3][][64]int16
	for c := range out {
		out[c] = make([][64]int16, bw*bh)
	}
	var s [3][64]float32
	for by := range bh {
		for bx := range bw {
			for i := range 64 {
				x, y := min(bx*8+i%8, w-1), min(by*8+i/8, h-1)
				q := img.Pix[y*img.Stride+4*x:]
				r, g, b := float32(q[0]), float32(q[1]), float32(q[2])
				s[0][i] = 0.299*r + 0.587*g + 0.114*b - 128
				s[1][i] = -0.168736*r - 0.331264*g + 0.5*b
				s[2][i] = 0.5*r - 0.418688*g - 0.081312*b
			}
			for c := range 3 {
				fdct(&s[c])
				div := &e.div[min(c, 1)]
				dst := &out[c][by*bw+bx]
				for k, n := range zigzag {
					v := s[c][n] * div[n]
					if v < 0 {
						dst[k] = int16(v - 0.5)
					} else {
						dst[k] = int16(v + 0.5)
					}
				}
			}
		}
	}
	return out
}

// scan writes the coefficients from..to of the given components, interleaved block by block.
func (e *jpegEncoder) scan(blocks [3][][64]int16, comps []int, from, to int) {
	e.scanHeader(comps, from, to)
	e.data(blocks, comps, from, to)
}

func (e *jpegEncoder) scanHeader(comps []int, from, to int) {
	head := []byte{byte(len(comps))}
	for _, c := range comps {
		t := byte(min(c, 1))
		head = append(head, byte(c+1), t<<4|t)
	}
	e.segment(markSOS, append(head, byte(from), byte(to), 0))
}

func (e *jpegEncoder) data(blocks [3][][64]int16, comps []int, from, to int) {
	var pred [3]int
	for i := range blocks[0] {
		for _, c := range comps {
			b := &blocks[c][i]
			t := min(c, 1) * 2
			if from == 0 {
				dc := int(b[0])
				e.number(t, 0, dc-pred[c])
				pred[c] = dc
			}
			run := 0
			for k := max(from, 1); k <= to; k++ {
				if b[k] == 0 {
					run++
					continue
				}
				for ; run > 15; run -= 16 {
					e.symbol(t+1, 0xf0)
				}
				e.number(t+1, run, int(b[k]))
				run = 0
			}
			if run > 0 {
				e.symbol(t+1, 0) // end of block
			}
		}
	}
	if e.nbits > 0 { // pad the last byte with ones
		n := 8 - e.nbits
		e.emit(1<<n-1, uint8(n))
	}
	e.acc, e.nbits = 0, 0
}

// number writes v after its run of zeros: the symbol run<<4|size, then size bits.
func (e *jpegEncoder) number(table, run, v int) {
	a := v
	if a < 0 {
		a, v = -a, v-1
	}
	n := bits.Len(uint(a))
	e.symbol(table, run<<4|n)
	if n > 0 {
		e.emit(uint32(v)&(1<<n-1), uint8(n))
	}
}

func (e *jpegEncoder) symbol(table, s int) {
	c := e.huff[table][s]
	e.emit(c.bits, c.n)
}

func (e *jpegEncoder) emit(v uint32, n uint8) {
	e.nbits += uint(n)
	e.acc |= v << (32 - e.nbits)
	for e.nbits >= 8 {
		b := byte(e.acc >> 24)
		e.out.WriteByte(b)
		if b == 0xff {
			e.out.WriteByte(0)
		}
		e.acc <<= 8
		e.nbits -= 8
	}
}

// tables fills quantisers and Huffman codes.
func (e *jpegEncoder) tables(quality int) {
	quality = min(max(quality, 1), 100)
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	zz := zigzag
	for t, base := range quantBase() {
		for k, n := range zz {
			q := min(max((int(base[k])*scale+50)/100, 1), 255)
			e.quant[t][k] = q
			e.div[t][n] = float32(1 / (float64(q) * aan(n%8) * aan(n/8) * 8))
		}
	}
	for i, s := range huffmanSpecs() {
		c, k := uint32(0), 0
		for n, count := range s.count {
			for range count {
				e.huff[i][s.value[k]] = code{c, uint8(n + 1)}
				c++
				k++
			}
			c <<= 1
		}
	}
}

// aan is the factor by which fdct's output of frequency k is too large in one direction.
func aan(k uint8) float64 {
	if k == 0 {
		return 1
	}
	return math.Sqrt2 * math.Cos(float64(k)*math.Pi/16)
}

// fdct is the 8x8 forward DCT of Arai, Agui and Nakajima (1988), without its final scaling.
func fdct(b *[64]float32) {
	for i := 0; i < 64; i += 8 {
		fdct8(b, i, 1)
	}
	for i := range 8 {
		fdct8(b, i, 8)
	}
}

func fdct8(b *[64]float32, o, s int) {
	t0, t7 := b[o]+b[o+7*s], b[o]-b[o+7*s]
	t1, t6 := b[o+s]+b[o+6*s], b[o+s]-b[o+6*s]
	t2, t5 := b[o+2*s]+b[o+5*s], b[o+2*s]-b[o+5*s]
	t3, t4 := b[o+3*s]+b[o+4*s], b[o+3*s]-b[o+4*s]
	t10, t13, t11, t12 := t0+t3, t0-t3, t1+t2, t1-t2
	b[o], b[o+4*s] = t10+t11, t10-t11
	z1 := (t12 + t13) * 0.707106781
	b[o+2*s], b[o+6*s] = t13+z1, t13-z1
	t10, t11, t12 = t4+t5, t5+t6, t6+t7
	z5 := (t10 - t12) * 0.382683433
	z2, z4, z3 := 0.541196100*t10+z5, 1.306562965*t12+z5, t11*0.707106781
	z11, z13 := t7+z3, t7-z3
	b[o+5*s], b[o+3*s] = z13+z2, z13-z2
	b[o+s], b[o+7*s] = z11+z4, z11-z4
}
