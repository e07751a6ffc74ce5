package leakage

import (
	"cmp"
	"math"
	"slices"

	"github.com/mcil/mcil/schemas"
)

const classifierName = "multinomial naive Bayes on word counts, add-one smoothing"

func (n *Names) bagOfWords(train, validation []Text) *schemas.BagOfWords {
	if len(train) == 0 || len(validation) == 0 {
		return nil
	}
	plain, masked := newBayes(), newBayes()
	for _, t := range train {
		words, without := n.bothWords(t)
		plain.learn(t.Label, words)
		masked.learn(t.Label, without)
	}
	plain.finish()
	masked.finish()
	b := &schemas.BagOfWords{
		Classifier: classifierName, Vocabulary: len(plain.ids),
		Train: len(train), Validation: len(validation),
	}
	majority := plain.majority()
	right, rightMasked, rightMajority := 0, 0, 0
	for _, t := range validation {
		words, without := n.bothWords(t)
		if plain.classify(words) == t.Label {
			right++
		}
		if masked.classify(without) == t.Label {
			rightMasked++
		}
		if majority == t.Label {
			rightMajority++
		}
	}
	b.Accuracy = share(right, len(validation))
	b.AccuracyMasked = share(rightMasked, len(validation))
	b.Majority = share(rightMajority, len(validation))
	return b
}

// bothWords are the words of a caption, and those with the names of its class masked.
func (n *Names) bothWords(t Text) (words, masked []string) {
	r := newReading(t.Caption)
	words = r.words()
	without, replaced := n.mask(r, t.Label)
	if replaced == 0 {
		return words, words
	}
	return words, Words(without)
}

// bayes is a multinomial naive Bayes classifier: the score of class c for a text is
//
//	log(texts of c / texts) + sum over the text's words of log((count of the word in c + 1) / (words of c + vocabulary))
//
// It counts words as often as they occur. Classes without texts are never chosen.
type bayes struct {
	ids     map[string]int // of words
	classes []class        // by label
	entries [][]entry      // by word, made by finish
	scores  []float64      // scratch of classify
}

type class struct {
	label, texts int
	words        []int   // ids, as often as they occur
	prior        float64 // log
	absent       float64 // log score of a word that the class has not
}

// entry is a class that has a word.
type entry struct {
	class int     // index
	score float64 // log(count+1): what the word adds beyond one that the class has not
}

func newBayes() *bayes { return &bayes{ids: map[string]int{}} }

func (b *bayes) learn(label int, words []string) {
	i, found := slices.BinarySearchFunc(b.classes, label, func(c class, label int) int { return cmp.Compare(c.label, label) })
	if !found {
		b.classes = slices.Insert(b.classes, i, class{label: label})
	}
	c := &b.classes[i]
	c.texts++
	for _, w := range words {
		id, ok := b.ids[w]
		if !ok {
			id = len(b.ids)
			b.ids[w] = id
		}
		c.words = append(c.words, id)
	}
}

// finish ends learning.
func (b *bayes) finish() {
	total := 0
	for _, c := range b.classes {
		total += c.texts
	}
	b.entries, b.scores = make([][]entry, len(b.ids)), make([]float64, len(b.classes))
	counts := make([]int, len(b.ids))
	for i := range b.classes {
		c := &b.classes[i]
		c.prior = math.Log(float64(c.texts) / float64(total))
		c.absent = -math.Log(float64(len(c.words) + len(b.ids)))
		for _, id := range c.words {
			counts[id]++
		}
		for _, id := range c.words {
			if n := counts[id]; n > 0 {
				b.entries[id] = append(b.entries[id], entry{i, math.Log(float64(n + 1))})
				counts[id] = 0
			}
		}
	}
}

// tie is the relative difference of scores below which they are equal: sums of the same terms in another order differ by
// about 1e-15 a term.
const tie = 1e-11

// classify returns the most probable label, of equals the lowest. Words that no text had in training are ignored.
func (b *bayes) classify(words []string) int {
	for i, c := range b.classes {
		b.scores[i] = c.prior
	}
	known := 0
	for _, w := range words {
		id, ok := b.ids[w]
		if !ok {
			continue
		}
		known++
		for _, e := range b.entries[id] {
			b.scores[e.class] += e.score
		}
	}
	best := 0
	for i, c := range b.classes {
		b.scores[i] += float64(known) * c.absent
		if b.scores[i]-b.scores[best] > tie*math.Abs(b.scores[best]) {
			best = i
		}
	}
	return b.classes[best].label
}

// majority is the most frequent label, of equals the lowest.
func (b *bayes) majority() int {
	return slices.MaxFunc(b.classes, func(x, y class) int { return cmp.Compare(x.texts, y.texts) }).label
}
