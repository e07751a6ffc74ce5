package leakage

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

func TestMeasure(t *testing.T) {
	n := NewNames([]Class{{"n01443537", "goldfish"}, {"n02012849", "crane"}, {"n03126707", "crane"}, {"n02129604", "tiger"}})
	all := []Text{
		{0, "a goldfish and goldfishes"},         // exact before inflected
		{0, "goldfishes, Carassius auratus"},     // inflected before synonym
		{0, "Carassius auratus and a tiger"},     // synonym; not other
		{0, "a tiger"},                           // other
		{0, "nothing" /* to see */},              // none
		{0, "a fish in gold"},                    // none
		{1, "two cranes"},                        // own and another's: own
		{2, "a crane"},                           // likewise
		{2, "a crane driver's goldfish, a tree"}, // own
	}
	got := Measure(n, all, nil, nil)
	want := schemas.Leakage{
		All: schemas.Mentions{Captions: 9, Named: 0.666667, Exact: 0.333333, Inflected: 0.222222, Synonym: 0.111111, Other: 0.111111},
		Classes: []schemas.ClassLeakage{
			{Label: 0, WNID: "n01443537", Mentions: schemas.Mentions{Captions: 6, Named: 0.5, Exact: 0.166667, Inflected: 0.166667, Synonym: 0.166667, Other: 0.166667}},
			{Label: 1, WNID: "n02012849", Mentions: schemas.Mentions{Captions: 1, Named: 1, Inflected: 1}},
			{Label: 2, WNID: "n03126707", Mentions: schemas.Mentions{Captions: 2, Named: 1, Exact: 1}},
			{Label: 3, WNID: "n02129604"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Measure = %+v\nwant %+v", got, want)
	}
	if l := Measure(NewNames(nil), []Text{{5, "a tiger"}}, all, nil); l.BagOfWords != nil || l.Classes == nil || l.All.Captions != 1 {
		t.Errorf("Measure = %+v", l)
	}
}

// Two classes, vocabulary {red, fish, big, cat}: class 0 has 3 texts of "red fish", class 1 one of "big cat cat".
// P(red|0) = (3+1)/(6+4) = 0.4, P(red|1) = 1/7; P(cat|1) = 3/7, P(cat|0) = 0.1; P(big|1) = 2/7.
func TestBayes(t *testing.T) {
	b := newBayes()
	for range 3 {
		b.learn(0, []string{"red", "fish"})
	}
	b.learn(1, []string{"big", "cat", "cat"})
	b.finish()
	for _, c := range []struct {
		words []string
		want  int
	}{
		{nil, 0},                                    // 3/4 against 1/4
		{[]string{"cat"}, 1},                        // 3/4*0.1 = 0.075 against 1/4*3/7 = 0.107
		{[]string{"big"}, 0},                        // 0.075 against 1/4*2/7 = 0.0714
		{[]string{"big", "big"}, 1},                 // 0.0075 against 0.0204: counts, not presence
		{[]string{"red", "cat"}, 0},                 // 0.03 against 0.0153
		{[]string{"unseen", "cat", "unseen"}, 1},    // as cat
		{[]string{"unseen", "unseen", "cats"}, 0},   // as nothing
		{[]string{"red", "cat", "cat", "cat"}, 1},   // 3/4*0.4*0.001 = 0.0003 against 1/4*1/7*(3/7)^3 = 0.0028
		{[]string{"fish", "fish", "cat", "cat"}, 0}, // 0.0012 against 1/4*1/49*9/49 = 0.00094
	} {
		if got := b.classify(c.words); got != c.want {
			t.Errorf("classify(%q) = %d, want %d", c.words, got, c.want)
		}
	}
	if b.majority() != 0 {
		t.Errorf("majority = %d", b.majority())
	}
}

func TestBayesTies(t *testing.T) {
	b := newBayes()
	b.learn(7, []string{"a", "b"})
	b.learn(3, []string{"b", "a"})
	b.learn(5, []string{"c", "d"})
	b.finish()
	for _, words := range [][]string{nil, {"a"}, {"a", "b", "a"}, {"a", "c"}, {"c", "a"}, {"z"}} {
		if got := b.classify(words); got != 3 {
			t.Errorf("classify(%q) = %d, want 3", words, got)
		}
	}
	if b.majority() != 3 {
		t.Errorf("majority = %d, want 3", b.majority())
	}
}

// Unmasked, the name tells the class. Masked, the only word left is the same in both.
func TestBagOfWords(t *testing.T) {
	n := NewNames([]Class{{"", "lion"}, {"", "tiger"}, {"", "wolf"}})
	train := []Text{{0, "a lion"}, {0, "lions"}, {1, "a tiger"}, {1, "the tiger"}, {1, "a tiger"}, {2, "a wolf"}}
	validation := []Text{{0, "Lions"}, {1, "tiger"}, {0, "a lion"}, {2, "a wolf"}}
	got := Measure(n, nil, train, validation).BagOfWords
	// "a wolf" is a tie of 1 (3/6*3/12*1/12) and 2 (1/6*2/8*2/8) at 1/96: the lower is wrong.
	// masked, train: 0 "an object", "objects"; 1 "an object", "the object", "an object"; 2 "an object".
	// validation: "objects" is 0's word: right; "object": 1; "an object" of 0: 1, wrong; of 2: 1, wrong
	want := &schemas.BagOfWords{Classifier: classifierName, Vocabulary: 6, Train: 6, Validation: 4, Accuracy: 0.75, AccuracyMasked: 0.5, Majority: 0.25}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("BagOfWords = %+v, want %+v", got, want)
	}
	for _, b := range []*schemas.BagOfWords{Measure(n, nil, nil, validation).BagOfWords, Measure(n, nil, train, nil).BagOfWords} {
		if b != nil {
			t.Errorf("BagOfWords = %+v, want none", b)
		}
	}
}

// testdata/bayes.py says what scikit-learn answers.
func TestBayesAgainstScikitLearn(t *testing.T) {
	raw, err := os.ReadFile("testdata/bayes.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Train, Validation  []Text
		Vocabulary         int
		Predictions        []int
		Accuracy, Majority float64
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	b := newBayes()
	for _, text := range golden.Train {
		b.learn(text.Label, Words(text.Caption))
	}
	b.finish()
	var got []int
	for _, text := range golden.Validation {
		got = append(got, b.classify(Words(text.Caption)))
	}
	if len(got) != 50 || !slices.Equal(got, golden.Predictions) {
		t.Errorf("predictions %v\nwant        %v", got, golden.Predictions)
	}
	l := Measure(NewNames(nil), nil, golden.Train, golden.Validation).BagOfWords
	if l.Accuracy != golden.Accuracy || l.AccuracyMasked != golden.Accuracy || l.Majority != golden.Majority || l.Vocabulary != golden.Vocabulary {
		t.Errorf("BagOfWords = %+v, want accuracy %v, majority %v, vocabulary %d", l, golden.Accuracy, golden.Majority, golden.Vocabulary)
	}
}

func TestStatistics(t *testing.T) {
	captions := []string{"a fish", "A fish", "a fish", "", "b", "b", "b", "a fish's fish, naïve", strings.Repeat("x ", 150), "c", "c", "d", "d", "e", "e", "f", "f"}
	got := Statistics(slices.Values(captions))
	// words: 0, 1 eleven times, 2 three times, 4, 150: sum 171 of 17
	if got.Captions != 17 || got.Vocabulary != 10 || got.Distinct != 10 || got.Duplicated != 13 {
		t.Errorf("Statistics = %+v", got)
	}
	words := schemas.Lengths{Mean: 10.06, SD: 35, Min: 0, P5: 0, P50: 1, P95: 150, Max: 150}
	squares := 0.0
	for _, w := range append(append(slices.Repeat([]float64{1}, 11), slices.Repeat([]float64{2}, 3)...), 0, 4, 150) {
		squares += (w - 171.0/17) * (w - 171.0/17)
	}
	words.SD = math.Round(100*math.Sqrt(squares/17)) / 100
	if got.Words != words {
		t.Errorf("words = %+v, want %+v", got.Words, words)
	}
	if got.Characters.Max != 300 || got.Characters.Min != 0 || got.Characters.P50 != 1 {
		t.Errorf("characters = %+v", got.Characters)
	}
	by := make([]int, 101)
	by[0], by[1], by[2], by[4], by[100] = 1, 11, 3, 1, 1
	if !slices.Equal(got.ByWords, by) {
		t.Errorf("by words = %v", got.ByWords)
	}
	common := []schemas.TextCount{{Text: "b", Count: 3}, {Text: "a fish", Count: 2}, {Text: "c", Count: 2}, {Text: "d", Count: 2}, {Text: "e", Count: 2}}
	if !slices.Equal(got.MostCommon, common) {
		t.Errorf("most common = %v", got.MostCommon)
	}
}

func TestStatisticsOfNothing(t *testing.T) {
	got, err := json.Marshal(Statistics(slices.Values([]string(nil))))
	const zero = `{"mean":0,"sd":0,"min":0,"p5":0,"p50":0,"p95":0,"max":0}`
	want := `{"captions":0,"words":` + zero + `,"characters":` + zero + `,"by_words":[],"vocabulary":0,"distinct":0,"duplicated":0,"most_common":[]}`
	if err != nil || string(got) != want {
		t.Errorf("Statistics of nothing = %s, %v", got, err)
	}
}

// Nearest rank: of 1 to 20 the 5th percentile is the 1st, the 50th the 10th, the 95th the 19th.
func TestPercentiles(t *testing.T) {
	var twenty []int
	for i := range 20 {
		twenty = append(twenty, 20-i)
	}
	if got, want := describe(twenty), (schemas.Lengths{Mean: 10.5, SD: 5.77, Min: 1, P5: 1, P50: 10, P95: 19, Max: 20}); got != want {
		t.Errorf("describe = %+v, want %+v", got, want)
	}
	if got, want := describe([]int{3}), (schemas.Lengths{Mean: 3, Min: 3, P5: 3, P50: 3, P95: 3, Max: 3}); got != want {
		t.Errorf("describe = %+v, want %+v", got, want)
	}
}

// bigCorpus is of ImageNet-R's size: 200 classes, 30,000 captions of 60 words, one in two with a name.
func bigCorpus() (*Names, []Text) {
	var classes []Class
	for l := range strings.Lines(synsets) {
		if wnid, list, ok := strings.Cut(l, "\t"); ok && !strings.HasPrefix(l, "#") && len(classes) < 200 {
			name, _, _ := strings.Cut(strings.TrimSpace(list), ", ")
			classes = append(classes, Class{wnid, strings.ReplaceAll(name, " ", "_")})
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	texts := make([]Text, 30000)
	for i := range texts {
		label := i % len(classes)
		words := make([]string, 60)
		for j := range words {
			words[j] = fmt.Sprintf("w%d", int(math.Exp(9*r.Float64()))) // Zipf's law, about 8,000 words
		}
		if r.IntN(2) == 0 {
			words[r.IntN(60)] = strings.ReplaceAll(classes[label].Name, "_", " ")
		}
		texts[i] = Text{label, "The image features " + strings.Join(words, " ") + "."}
	}
	return NewNames(classes), texts
}

// Half of 30,000 captions name their class, in the midst of the words of a large vocabulary.
func TestMeasureAtSize(t *testing.T) {
	n, texts := bigCorpus()
	l := Measure(n, texts, texts[6000:27000], texts[27000:])
	if l.All.Named < 0.45 || l.All.Named > 0.55 || l.BagOfWords.Train != 21000 {
		t.Errorf("%+v, %+v", l.All, l.BagOfWords)
	}
}
