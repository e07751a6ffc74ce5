package memory

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

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

// classRow is the row of the class token: the text's [CLS], which the pooler reads, or the image's.
func (a Attention) classRow(token string) []float32 {
	s, row := a.size(), 0
	if token == TokenImage {
		row = a.Text
	}
	return a.Probs[row*s : (row+1)*s]
}

// Image is the attention of the class token to each patch.
func (a Attention) Image(token string) []float32 { return a.classRow(token)[a.Text+1:] }

// Context scores each token by the mean attention that it gets from the patches that are not kept; from all patches where
// kept is nil, which discards none.
func (a Attention) Context(kept []bool) []float32 {
	s, scores, n := a.size(), make([]float32, a.Text), 0
	for i := range s - a.Text - 1 {
		if kept != nil && kept[i] {
			continue
		}
		n++
		row := a.Probs[(a.Text+1+i)*s:]
		for t := range scores {
			scores[t] += row[t]
		}
	}
	for t := range scores {
		scores[t] /= float32(max(1, n))
	}
	return scores
}

// Mask computes both masks of one example. At least one patch is kept; where no patch is discarded, though some could have
// been, the whole text is kept; [CLS] and [SEP] always are. rng is read where o.Score is random.
func (o MaskOptions) Mask(a Attention, rng *rand.Rand) Mask {
	o = o.WithDefaults()
	m := o.byAttention(a)
	if o.Score == ScoreAttention {
		return m
	}
	scores := a.Context(m.Patches) // before the patches are chosen anew
	if m.Patches != nil {
		m.Patches = o.another(m.Patches, a.Image(o.Token), rng)
	}
	if m.Tokens != nil && a.Text > 2 {
		copy(m.Tokens[1:], o.another(m.Tokens[1:a.Text-1], scores[1:a.Text-1], rng))
	}
	return m
}

func (o MaskOptions) byAttention(a Attention) Mask {
	image, text := o.rules()
	var m Mask
	if image.name != ruleAll {
		m.Patches = image.keep(a.Image(o.Token))
	}
	if text.name == ruleAll {
		return m
	}
	m.Tokens = make([]bool, a.Text)
	if m.Patches != nil && !slices.Contains(m.Patches, false) {
		for t := range m.Tokens {
			m.Tokens[t] = true
		}
		return m
	}
	m.Tokens[0], m.Tokens[a.Text-1] = true, true
	if a.Text <= 2 {
		return m
	}
	copy(m.Tokens[1:], text.keep(a.Context(m.Patches)[1:a.Text-1]))
	if text.name == ruleUnion {
		for t, keep := range aboveMean(a.classRow(o.Token)[1 : a.Text-1]) {
			m.Tokens[1+t] = m.Tokens[1+t] || keep
		}
	}
	return m
}

// another keeps as many as kept does: any, or those of the lowest scores.
func (o MaskOptions) another(kept []bool, scores []float32, rng *rand.Rand) []bool {
	n := 0
	for _, keep := range kept {
		if keep {
			n++
		}
	}
	if o.Score == ScoreRandom {
		return marked(len(kept), rng.Perm(len(kept))[:n])
	}
	order := upTo(len(kept))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[i], scores[j]) })
	return marked(len(kept), order[:n])
}

func upTo(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

func marked(n int, at []int) []bool {
	keep := make([]bool, n)
	for _, i := range at {
		keep[i] = true
	}
	return keep
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
