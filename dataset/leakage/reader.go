package leakage

// wordReader reads the captions of a data set: the names in them, and their words by number. Its memory serves many
// captions, one after the other.
type wordReader struct {
	names         *Names
	naming        map[Text]naming // of captions read so far
	numbers       numbers
	caption       reading
	words, masked []int32
}

// named is how a caption names classes.
func (w *wordReader) named(t Text) naming {
	if known, ok := w.naming[t]; ok {
		return known
	}
	w.find(t)
	return w.naming[t]
}

// read returns the words of a caption, and those with the names of its class masked, until it is called again.
func (w *wordReader) read(t Text) (words, masked []int32) {
	hits := w.find(t)
	w.words = w.numbers.of(w.words[:0], &w.caption.words)
	without, replaced := w.caption.mask(hits, t.Label)
	if replaced == 0 {
		return w.words, w.words
	}
	w.caption.read(without)
	w.masked = w.numbers.of(w.masked[:0], &w.caption.words)
	return w.words, w.masked
}

func (w *wordReader) find(t Text) []hit {
	hits := w.names.find(w.caption.read(t.Caption))
	w.naming[t] = namingOf(hits, t.Label)
	return hits
}

// numbers gives each word a number, from 0.
type numbers map[string]int32

// of appends the numbers of words.
func (n numbers) of(dst []int32, words *wordList) []int32 {
	for i := range words.places {
		w := words.at(i)
		id, ok := n[string(w)]
		if !ok {
			id = int32(len(n))
			n[string(w)] = id
		}
		dst = append(dst, id)
	}
	return dst
}
