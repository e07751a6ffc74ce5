package caption

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/schemas"
)

func TestDuplicates(t *testing.T) {
	const long = "The image features a painting of a bright fish that swims among green plants in a bowl of glass on an old wooden " +
		"table near the window of a quiet room with white walls"
	type c = struct{ class, text, want string }
	var d Duplicates
	all := []c{
		{"fish", long, "near_duplicate 0.8286"},                                           // 29 of 35 runs: the word is in 3 of 32
		{"fish", strings.Replace(long, "wooden", "metal", 1), "near_duplicate 0.8286"},    // the same
		{"fish", strings.Replace(long, "painting of a bright", "photo of a dark", 1), ""}, // two words, 5 runs apart from both
		{"dog", "a drawing of a dog", "duplicate 2, near_duplicate 1"},                    //
		{"dog", "a drawing of a dog", "duplicate 2, near_duplicate 1"},                    //
		{"wolf", "A drawing of a dog.", "near_duplicate 1"},                               // the same words
		{"wolf", "a sketch of a wolf", "duplicate 3"},                                     //
		{"dog", "a sketch of a wolf", "duplicate 3"},                                      //
		{"dog", "a sketch of a wolf", "duplicate 3"},                                      //
		{"dog", "", ""},                                      // empty ones are no duplicates
		{"dog", "...", ""},                                   //
		{"cat", "cat", "near_duplicate 1"},                   // one shingle, shorter than three words
		{"cat", "Cat", "near_duplicate 1"},                   //
		{"cat", "cat cat", ""},                               //
		{"cat", "a cat that sleeps on a mat in the sun", ""}, // one word apart, of few: 0.45
		{"cat", "a cat that sleeps on a rug in the sun", ""}, //
		{"owl", "the sun in mat a on sleeps that cat a", ""}, // the same words in another order
	}
	for _, x := range all {
		d.Add(x.class, x.text)
	}
	f := d.Find(Thresholds{})
	for i, x := range all {
		if got := say(f.Flags(i)); got != x.want {
			t.Errorf("%d, %q: %s, want %s", i, x.text, got, x.want)
		}
	}
	want := schemas.DuplicatesSummary{
		Exact: schemas.DuplicateCounts{Captions: 5, Groups: 2, Largest: 3, WithinClass: 2, AcrossClasses: 3},
		Near:  schemas.DuplicateCounts{Captions: 7, Groups: 3, Largest: 3, WithinClass: 4, AcrossClasses: 3},
	}
	if got := f.Summary(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := say(d.Find(Thresholds{DuplicateGroup: 3, NearSimilarity: 0.9}).Flags(0)); got != "" {
		t.Errorf("at 0.9: %s", got)
	}
	if got := say(d.Find(Thresholds{DuplicateGroup: 3}).Flags(3)); got != "near_duplicate 1" {
		t.Errorf("groups of 3: %s", got)
	}
	if got := d.Find(Thresholds{NearSimilarity: 2}).Summary().Near; got != (schemas.DuplicateCounts{}) {
		t.Errorf("turned off: %+v", got)
	}
	if got := new(Duplicates).Find(Thresholds{}).Summary(); got != (schemas.DuplicatesSummary{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// shinglesOf are the runs of three words, as texts.
func shinglesOf(text string) map[string]bool {
	w, set := leakage.Words(text), map[string]bool{}
	for i := 0; i == 0 || i+3 <= len(w); i++ {
		set[strings.Join(w[i:min(i+3, len(w))], " ")] = true
	}
	return set
}

func similarityOf(a, b map[string]bool) float64 {
	both := 0
	for s := range a {
		if b[s] {
			both++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// Everything that comparing each with each finds is found, at any threshold, and nothing else.
func TestDuplicatesAgainstAllPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	word := func(n int) string { return fmt.Sprintf("w%d", r.IntN(n)) }
	var texts []string
	for range 400 {
		if len(texts) > 0 && r.IntN(2) == 0 { // another one with a few words changed
			w := strings.Fields(texts[r.IntN(len(texts))])
			if r.IntN(4) == 0 {
				w[0] = strings.ToUpper(w[0])
			}
			for range r.IntN(3) {
				w[r.IntN(len(w))] = word(50)
			}
			texts = append(texts, strings.Join(w, " "))
			continue
		}
		var w []string
		for range 1 + r.IntN(50) {
			w = append(w, word([]int{8, 50, 500}[r.IntN(3)]))
		}
		texts = append(texts, strings.Join(w, " "))
	}
	var d Duplicates
	sets := make([]map[string]bool, len(texts))
	for i, text := range texts {
		d.Add(fmt.Sprint(i%5), text)
		sets[i] = shinglesOf(text)
	}
	similarity := make([][]float64, len(texts))
	for i := range texts {
		similarity[i] = make([]float64, len(texts))
		for j := range i {
			similarity[i][j] = similarityOf(sets[i], sets[j])
			similarity[j][i] = similarity[i][j]
		}
	}
	for _, least := range []float64{0.3, 0.5, 2.0 / 3, 0.8, 0.9, 1} {
		f := d.Find(Thresholds{NearSimilarity: least})
		found, across := 0, 0
		for i, text := range texts {
			best, other := 0.0, false
			for j := range texts {
				if texts[j] == text {
					continue
				}
				if s := similarity[i][j]; s >= least {
					best, other = max(best, s), other || i%5 != j%5
				}
			}
			want := ""
			if best > 0 {
				found++
				want = fmt.Sprintf("near_duplicate %g", round(best))
			}
			if other {
				across++
			}
			flags := slices.DeleteFunc(f.Flags(i), func(x Flag) bool { return x.Name == FlagDuplicate })
			if got := say(flags); got != want {
				t.Errorf("at %g: %q: %s, want %s", least, text, got, want)
			}
		}
		if n := f.Summary().Near; n.Captions != found || n.AcrossClasses != across || n.WithinClass != found-across || found < 10 {
			t.Errorf("at %g: %+v, want %d captions, %d across classes", least, n, found, across)
		}
	}
}

// A set in which all captions are near duplicates of all others takes no longer than another, and each is found.
func TestDuplicatesAllAlike(t *testing.T) {
	var d Duplicates
	const n = 5000
	for i := range n {
		d.Add("c", fmt.Sprintf("the image shows a picture of a thing with number %d that is printed on white paper in black ink with a thin red line below it and a stamp in the corner above a name", i))
	}
	start := time.Now()
	f := d.Find(Thresholds{})
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	if got := f.Summary().Near; got != (schemas.DuplicateCounts{Captions: n, Groups: 1, Largest: n, WithinClass: n}) {
		t.Errorf("%+v", got)
	}
}

// described is a caption of about 55 words as a model that likes a few beginnings writes it.
func described(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString([]string{"The image features a painting of a", "The image shows a drawing of a", "A close-up of a"}[r.IntN(3)])
	for range 50 {
		n := r.IntN(3000)
		if r.IntN(2) == 0 {
			n %= 40 // half of all words are a few
		}
		fmt.Fprintf(&b, " w%d", n)
	}
	return b.String()
}

func TestDuplicatesRepeatable(t *testing.T) {
	run := func() (all []string, s schemas.DuplicatesSummary) {
		r := rand.New(rand.NewPCG(5, 6))
		var d Duplicates
		var texts []string
		for i := range 3000 {
			text := described(r)
			if i%10 == 9 {
				text = strings.Replace(texts[r.IntN(len(texts))], " w1 ", " ", 1)
			}
			texts = append(texts, text)
			d.Add(fmt.Sprint(i%200), text)
		}
		f := d.Find(Thresholds{})
		for i := range texts {
			all = append(all, say(f.Flags(i)))
		}
		return all, f.Summary()
	}
	a, sa := run()
	b, sb := run()
	if !reflect.DeepEqual(a, b) || sa != sb || sa.Near.Captions+sa.Exact.Captions < 300 {
		t.Errorf("%+v and %+v", sa, sb)
	}
}

// BenchmarkDuplicates looks for duplicates among 30,000 captions, of which a few are.
func BenchmarkDuplicates(b *testing.B) {
	const n = 30000
	r := rand.New(rand.NewPCG(7, 8))
	texts := make([]string, n)
	for i := range texts {
		texts[i] = described(r)
	}
	b.ReportAllocs()
	for b.Loop() {
		var d Duplicates
		for _, text := range texts {
			d.Add("c", text)
		}
		if s := d.Find(Thresholds{}).Summary(); s.Near.Captions > n/10 {
			b.Fatal(s)
		}
	}
}
