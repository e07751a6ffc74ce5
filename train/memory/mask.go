package memory

// Mask says which parts of an example are kept. Nil means all.
type Mask struct {
	Patches []bool // [P]
	Tokens  []bool // [T], with [CLS] first and [SEP] last
}

// Attention is one sequence's attention: Probs is [S, S], the softmax weights of token i (row) on token j (column), with
// rows and columns [ Text tokens | image class token | patches ].
type Attention struct {
	Probs []float32
	Text  int // T
}

func (a Attention) size() int {
	s := 1
	for s*s < len(a.Probs) {
		s++
	}
	return s
}

// Image is the attention of the text's [CLS] to each patch.
func (a Attention) Image() []float32 { return a.Probs[a.Text+1 : a.size()] }

// Context scores each token by the mean attention that it gets from the patches that are not kept.
func (a Attention) Context(kept []bool) []float32 {
	s, scores, discarded := a.size(), make([]float32, a.Text), 0
	for i, keep := range kept {
		if keep {
			continue
		}
		discarded++
		row := a.Probs[(a.Text+1+i)*s:]
		for t := range scores {
			scores[t] += row[t]
		}
	}
	for t := range scores {
		scores[t] /= float32(max(1, discarded))
	}
	return scores
}

// Masks computes both masks of one example. At least one patch is kept; where no patch is discarded the whole text is
// kept; [CLS] and [SEP] always are.
func Masks(a Attention) Mask {
	m := Mask{Patches: aboveMean(a.Image())}
	discarded := false
	for _, keep := range m.Patches {
		discarded = discarded || !keep
	}
	if !discarded {
		m.Tokens = make([]bool, a.Text)
		for t := range m.Tokens {
			m.Tokens[t] = true
		}
		return m
	}
	scores := a.Context(m.Patches)
	m.Tokens = make([]bool, a.Text)
	m.Tokens[0], m.Tokens[a.Text-1] = true, true
	if a.Text > 2 {
		copy(m.Tokens[1:], aboveMean(scores[1:a.Text-1]))
	}
	return m
}

// aboveMean marks the values strictly above the mean; the largest one where, all being equal, there is none.
func aboveMean(v []float32) []bool {
	keep := make([]bool, len(v))
	if len(v) == 0 {
		return keep
	}
	var sum float64
	top := 0
	for i, x := range v {
		sum += float64(x)
		if x > v[top] {
			top = i
		}
	}
	any := false
	for i, x := range v {
		keep[i] = float64(x) > sum/float64(len(v))
		any = any || keep[i]
	}
	if !any {
		keep[top] = true
	}
	return keep
}
