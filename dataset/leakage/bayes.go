package leakage

import (
	"cmp"
	"math"
	"slices"

	"github.com/mcil/mcil/schemas"
)

const classifierName = "multinomial naive Bayes on word counts, add-one smoothing"

func (w *wordReader) bagOfWords(train, validation []Text) *schemas.BagOfWords {
	if len(train) == 0 || len(validation) == 0 {
		return nil
	}
	var plain, masked bayes
	for _, t := range train {
		words, without := w.read(t)
		plain.learn(t.Label, words)
		masked.learn(t.Label, without)
	}
	plain.finish()
	masked.finish()
	b := &schemas.BagOfWords{
		Classifier: classifierName, Vocabulary: plain.vocabulary,
		Train: len(train), Validation: len(validation),
	}
	majority := plain.majority()
	right, rightMasked, rightMajority := 0, 0, 0
	for _, t := range validation {
		words, without := w.read(t)
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

// bayes is a multinomial naive Bayes classifier: the score of class c for a text is
//
//	log(texts of c / texts) + sum over the text's words of log((count of the word in c + 1) / (words of c + vocabulary))
//
// It counts words as often as they occur. Classes without texts are never chosen.
type bayes struct {
	classes    []class   // by label
	vocabulary int       // words that any class has, counted by finish
	entries    [][]entry // by word's number, made by finish
	scores     []float64 // scratch of classify
}

type class struct {
	label, texts int
	words        []int32 // numbers, as often as they occur
	prior        float64 // log
	absent       float64 // log score of a word that the class has not
}

// entry is a class that has a word.
type entry struct {
	class int     // index
	score float64 // log(count+1): what the word adds beyond one that the class has not
}

func (b *bayes) learn(label int, words []int32) {
	i, found := slices.BinarySearchFunc(b.classes, label, func(c class, label int) int { return cmp.Compare(c.label, label) })
	if !found {
		b.classes = slices.Insert(b.classes, i, class{label: label})
	}
	c := &b.classes[i]
	c.texts++
	c.words = append(c.words, words...)
}

// finish ends learning.
func (b *bayes) finish() {
	total := 0
	for _, c := range b.classes {
		total += c.texts
	}
	b.entries, b.scores = make([][]entry, b.numbers()), make([]float64, len(b.classes))
	counts := make([]int, len(b.entries))
	for i := range b.classes {
		c := &b.classes[i]
		c.prior = math.Log(float64(c.texts) / float64(total))
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
	for _, of := range b.entries {
		if len(of) > 0 {
			b.vocabulary++
		}
	}
	for i := range b.classes {
		c := &b.classes[i]
		c.absent = -math.Log(float64(len(c.words) + b.vocabulary))
	}
}

// numbers is how many numbers words have, in this classifier or another.
func (b *bayes) numbers() int {
	n := 0
	for _, c := range b.classes {
		if len(c.words) > 0 {
			n = max(n, int(slices.Max(c.words))+1)
		}
	}
	return n
}

// tie is the relative difference of scores below which they are equal: sums of the same terms in another order differ by
// about 1e-15 a term.
const tie = 1e-11

// classify returns the most probable label, of equals the lowest. Words that no text had in training are ignored.
func (b *bayes) classify(words []int32) int {
	for i, c := range b.classes {
		b.scores[i] = c.prior
	}
	known := 0
	for _, id := range words {
		if int(id) >= len(b.entries) || len(b.entries[id]) == 0 {
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
