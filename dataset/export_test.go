package dataset

// Words are the words that a text without special pieces is split into, normalised; of one over 100 characters what was kept
// of it, which may be nothing.
func Words(text string) []string {
	s := splitter{tables: loadBertTables(), text: text}
	var words []string
	for s.next() {
		words = append(words, string(s.word[:s.bytes]))
	}
	return words
}

// Resized resizes interleaved channels.
func Resized(pix []uint8, channels, w, h, outW, outH int) []uint8 {
	out := make([]uint8, outW*outH*channels)
	r := newResampler(w, h, outW, outH)
	for c := range channels {
		r.resize(plane{pix[c:], w * channels, channels}, func(y int, row []uint8) {
			for x, v := range row {
				out[(y*outW+x)*channels+c] = v
			}
		})
	}
	return out
}
