package caption

// Bounds of repetition that are no matter of taste; those that are stand in [Thresholds].
const (
	longestGram    = 12 // words in a piece that counts as a loop from LoopPieces times on
	scatteredGram  = 4  // words in an n-gram that may recur with other words between
	scatteredWords = 16 // in a text at least

	mostWords = 1 << 12 // that are looked at: the time is their square, and an endpoint may ignore its limit of tokens
)

// repeats finds the loops that a language model without a repetition penalty falls into. share is that of the words which
// only repeat: those of the longest loop less its first piece, or of the n-grams that occurred before.
func (t Thresholds) repeats(w []string) (found bool, share float64) {
	w = w[:min(len(w), mostWords)]
	hashes, distinct := hash(w)
	looping := 0 // words of the longest loop that say a piece again
	for n := 1; n <= len(w)/2; n++ {
		need := t.LoopPieces
		switch {
		case n == 1:
			need = t.LoopWords
		case n >= t.LoopTwice:
			need = 2
		case n > longestGram:
			continue
		}
		if n*(need-1) > len(w)-distinct { // so many words would have been said before
			continue
		}
		same := 0 // words in a row that equal the word n before
		for i := n; i < len(w); i++ {
			if hashes[i] != hashes[i-n] || w[i] != w[i-n] {
				same = 0
				continue
			}
			if same++; same >= n*(need-1) {
				looping = max(looping, same)
			}
		}
	}
	if looping > 0 {
		found, share = true, float64(looping)/float64(len(w))
	}
	if len(w) < scatteredWords {
		return found, share
	}
	total := len(w) - scatteredGram + 1
	enough := func(again int) bool { return float64(again) >= t.RepeatedShare*float64(total) }
	// An n-gram that begins with a word's first occurrence did not occur before.
	if !enough(len(w) - distinct) {
		return found, share
	}
	seen := make(map[[scatteredGram]string]bool, total)
	for i := range total {
		seen[[scatteredGram]string(w[i:])] = true
	}
	if again := total - len(seen); enough(again) {
		found, share = true, max(share, float64(again)/float64(total))
	}
	return found, share
}

// hash returns a hash of each word, and at least how many distinct words there are: all, but for the few whose hashes
// agree.
func hash(w []string) (hashes []uint32, distinct int) {
	hashes = make([]uint32, len(w))
	var seen [1 << 10 / 64]uint64 // by the upper bits
	for i, word := range w {
		h := uint32(len(word))
		for _, c := range []byte(word) {
			h = (h ^ uint32(c)) * 0x9e3779b1
		}
		hashes[i] = h
		if at, bit := h>>28, uint64(1)<<(h>>22&63); seen[at]&bit == 0 {
			seen[at] |= bit
			distinct++
		}
	}
	return hashes, distinct
}
