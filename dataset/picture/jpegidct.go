package picture

// The cosines of libjpeg's accurate integer transform ("islow"), which is the algorithm of Loeffler, Ligtenberg and Moschytz
// (ICASSP 1989) with 13 bits behind the point: sums of √2·cos(kπ/16), rounded.
const (
	cos0298631336 = 2446
	cos0390180644 = 3196
	cos0541196100 = 4433
	cos0765366865 = 6270
	cos0899976223 = 7373
	cos1175875602 = 9633
	cos1501321110 = 12299
	cos1847759065 = 15137
	cos1961570560 = 16069
	cos2053119869 = 16819
	cos2562915447 = 20995
	cos3072711026 = 25172
)

const (
	cosBits  = 13
	keepBits = 2 // kept between the passes
)

// eight transforms eight numbers; what comes out has cosBits more.
func eight(s0, s1, s2, s3, s4, s5, s6, s7 int) (o0, o1, o2, o3, o4, o5, o6, o7 int) {
	z := (s2 + s6) * cos0541196100
	low, high := z-s6*cos1847759065, z+s2*cos0765366865
	sum, diff := (s0+s4)<<cosBits, (s0-s4)<<cosBits
	e0, e3, e1, e2 := sum+high, sum-high, diff+low, diff-low

	za, zb := s7+s3, s5+s1
	z = (za + zb) * cos1175875602
	za, zb = z-za*cos1961570560, z-zb*cos0390180644
	zc, zd := (s7+s1)*cos0899976223, (s5+s3)*cos2562915447
	d3 := s7*cos0298631336 - zc + za
	d2 := s5*cos2053119869 - zd + zb
	d1 := s3*cos3072711026 - zd + za
	d0 := s1*cos1501321110 - zc + zb
	return e0 + d0, e1 + d1, e2 + d2, e3 + d3, e3 - d3, e2 - d2, e1 - d1, e0 - d0
}

// inverse writes the samples of a block: first its columns are transformed, then its rows, each rounded half up. Quantised
// values are scaled in 16 bits, as libjpeg-turbo's vector code does.
func inverse(dst []uint8, stride int, b *block, quant *[64]uint16) {
	var work [64]int32
	at := func(i int) int { return int(b[i] * int16(quant[i])) }
	for x := range 8 {
		if b[8+x]|b[16+x]|b[24+x]|b[32+x]|b[40+x]|b[48+x]|b[56+x] == 0 {
			dc := int32(at(x)) << keepBits
			for i := x; i < 64; i += 8 {
				work[i] = dc
			}
			continue
		}
		o0, o1, o2, o3, o4, o5, o6, o7 := eight(at(x), at(x+8), at(x+16), at(x+24), at(x+32), at(x+40), at(x+48), at(x+56))
		const shift, half = cosBits - keepBits, 1 << (cosBits - keepBits - 1)
		work[x] = int32((o0 + half) >> shift)
		work[x+8] = int32((o1 + half) >> shift)
		work[x+16] = int32((o2 + half) >> shift)
		work[x+24] = int32((o3 + half) >> shift)
		work[x+32] = int32((o4 + half) >> shift)
		work[x+40] = int32((o5 + half) >> shift)
		work[x+48] = int32((o6 + half) >> shift)
		work[x+56] = int32((o7 + half) >> shift)
	}
	const shift, half = cosBits + keepBits + 3, 1<<(cosBits+keepBits+2) + 128<<(cosBits+keepBits+3)
	for y := range 8 {
		w := work[8*y : 8*y+8 : 8*y+8]
		out := dst[y*stride : y*stride+8 : y*stride+8]
		if w[1]|w[2]|w[3]|w[4]|w[5]|w[6]|w[7] == 0 {
			fill8(out, clip((int(w[0])<<cosBits+half)>>shift))
			continue
		}
		o0, o1, o2, o3, o4, o5, o6, o7 := eight(int(w[0]), int(w[1]), int(w[2]), int(w[3]), int(w[4]), int(w[5]), int(w[6]), int(w[7]))
		out[0] = clip((o0 + half) >> shift)
		out[1] = clip((o1 + half) >> shift)
		out[2] = clip((o2 + half) >> shift)
		out[3] = clip((o3 + half) >> shift)
		out[4] = clip((o4 + half) >> shift)
		out[5] = clip((o5 + half) >> shift)
		out[6] = clip((o6 + half) >> shift)
		out[7] = clip((o7 + half) >> shift)
	}
}

// inverseDC is inverse for a block of which all but the first coefficient is zero.
func inverseDC(dst []uint8, stride int, dc int16, quant uint16) {
	v := clip((int(dc*int16(quant))+4)>>3 + 128)
	for y := range 8 {
		fill8(dst[y*stride:y*stride+8], v)
	}
}

func fill8(dst []uint8, v uint8) {
	_ = dst[7]
	for i := range 8 {
		dst[i] = v
	}
}

func clip(v int) uint8 {
	if uint(v) > 255 {
		return uint8(^(v >> 63)) // 0 below, 255 above
	}
	return uint8(v)
}
