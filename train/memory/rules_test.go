package memory

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func flags(s string) []bool {
	var out []bool
	for _, c := range s {
		out = append(out, c == '#')
	}
	return out
}

func TestRulesByHand(t *testing.T) {
	scores := []float32{1, 8, 2, 6, 3} // mean 4; from the largest 8, 14, 17, 19, 20
	for spec, want := range map[string]string{
		"mean": ".#.#.", "ratio:0.2": ".#...", "ratio:0.5": ".#.##", "ratio:0.49": ".#.#.", "ratio:0.01": ".#...", "ratio:0.99": "#####",
		"mass:0.4": ".#...", "mass:0.41": ".#.#.", "mass:0.7": ".#.#.", "mass:0.8": ".#.##", "mass:0.9": ".####", "mass:0.96": "#####",
	} {
		r, err := parseRule(spec, Mean, ruleRatio, ruleMass, ruleAll)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.keep(scores); !slices.Equal(got, flags(want)) {
			t.Errorf("%s keeps %v, not %s", spec, got, want)
		}
		if got := r.keep(nil); len(got) != 0 {
			t.Errorf("%s keeps %v of nothing", spec, got)
		}
	}
	if got := (rule{ruleRatio, 0.5}).keep([]float32{1, 1, 1, 1}); !slices.Equal(got, flags("##..")) {
		t.Errorf("of equal scores %v are kept, not the first", got)
	}
}

// TestMaskOptionsByHand: [CLS] looks at patches with .1 .5 .2 .4 and at the pieces between itself and [SEP] with .5 .1 .1; the
// image's token at patches with .4 .1 .1 .1 and pieces with .1 .1 .7. Patches look at the pieces as the rows say.
func TestMaskOptionsByHand(t *testing.T) {
	const text, s = 5, 10
	a := Attention{Probs: make([]float32, s*s), Text: text}
	row := func(i int, values ...float32) { copy(a.Probs[i*s:], values) }
	row(0, 9, .5, .1, .1, 9, 9, .1, .5, .2, .4)
	row(5, 9, .1, .1, .7, 9, 9, .4, .1, .1, .1)
	row(6, 9, .1, .6, .3, 9) // patches
	row(7, 9, .9, .0, .0, 9)
	row(8, 9, .3, .4, .1, 9)
	row(9, 9, .9, .0, .1, 9)
	for _, c := range []struct {
		name            string
		o               MaskOptions
		patches, tokens string // empty: all
	}{
		{"default", MaskOptions{}, ".#.#", "#.#.#"},                                                         // discarded 0 and 2: .2 .5 .2
		{"the image's token", MaskOptions{Token: TokenImage}, "#...", "##..#"},                              // discarded 1, 2, 3: .7 .13 .07
		{"union with the image's token", MaskOptions{Token: TokenImage, Text: "union"}, "#...", "##.##"},    // and .7 above .3
		{"union", MaskOptions{Text: "union"}, ".#.#", "###.#"},                                              // and .5 above .23
		{"two thirds of the text", MaskOptions{Text: "ratio:0.67"}, ".#.#", "###.#"},                        // .2 .5 .2: ties to the first
		{"one patch", MaskOptions{Image: "ratio:0.25"}, ".#..", "###.#"},                                    // discarded 0, 2, 3: .43 .33 .17
		{"half of the attention", MaskOptions{Image: "mass:0.5"}, ".#.#", "#.#.#"},                          // .5 + .4 of 1.2
		{"image only", MaskOptions{Text: All}, ".#.#", ""},                                                  //
		{"text only, by all patches", MaskOptions{Image: All}, "", "##..#"},                                 // .55 .25 .125, mean .308
		{"inverse", MaskOptions{Score: ScoreInverse}, "#.#.", "##..#"},                                      // .1 and .2; .2 before .2
		{"inverse of one patch", MaskOptions{Score: ScoreInverse, Image: "ratio:0.25"}, "#...", "#.###"},    // the pieces of .17 and .33
		{"inverse, image only", MaskOptions{Score: ScoreInverse, Text: All}, "#.#.", ""},                    //
		{"nothing discarded keeps the text", MaskOptions{Image: "ratio:0.99", Text: Mean}, "####", "#####"}, //
	} {
		if err := c.o.Validate(); err != nil {
			t.Fatal(err)
		}
		m := c.o.Mask(a, nil)
		if !slices.Equal(m.Patches, flags(c.patches)) || !slices.Equal(m.Tokens, flags(c.tokens)) {
			t.Errorf("%s: patches %v and tokens %v are kept, not %s and %s", c.name, m.Patches, m.Tokens, c.patches, c.tokens)
		}
		if (m.Patches == nil) != (c.patches == "") || (m.Tokens == nil) != (c.tokens == "") {
			t.Errorf("%s: bitmaps where nothing is left out, or none", c.name)
		}
	}
}

func randomAttention(rng *rand.Rand) Attention {
	text, patches := 1+rng.IntN(12), 1+rng.IntN(30)
	s := text + 1 + patches
	a := Attention{Probs: make([]float32, s*s), Text: text}
	for i := range a.Probs {
		a.Probs[i] = rng.Float32() * rng.Float32()
	}
	return a
}

func count(flags []bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

// TestScoresKeepAsMany: random and inverse masks are of the size of attention's; random ones follow from seed and name.
func TestScoresKeepAsMany(t *testing.T) {
	options := []MaskOptions{{}, {Image: "ratio:0.3", Text: "ratio:0.4"}, {Image: "mass:0.6", Text: "union"}, {Image: All}, {Text: All}, {Token: TokenImage}}
	differ, others := 0, 0
	for seed := range uint64(100) {
		a := randomAttention(rand.New(rand.NewPCG(seed, 5)))
		for _, o := range options {
			want := o.Mask(a, nil)
			for _, score := range []string{ScoreRandom, ScoreInverse} {
				o.Score = score
				m := o.Mask(a, Generator(seed, "n1/a.jpg"))
				if count(m.Patches) != count(want.Patches) || count(m.Tokens) != count(want.Tokens) || len(m.Patches) != len(want.Patches) || len(m.Tokens) != len(want.Tokens) {
					t.Fatalf("%+v keeps %v and %v, attention %v and %v", o, m.Patches, m.Tokens, want.Patches, want.Tokens)
				}
				if m.Tokens != nil && (!m.Tokens[0] || !m.Tokens[a.Text-1]) {
					t.Fatalf("%+v drops [CLS] or [SEP]: %v", o, m.Tokens)
				}
				again, other := o.Mask(a, Generator(seed, "n1/a.jpg")), o.Mask(a, Generator(seed, "n1/b.jpg"))
				if !slices.Equal(again.Patches, m.Patches) || !slices.Equal(again.Tokens, m.Tokens) {
					t.Fatalf("%+v: the same example has another mask", o)
				}
				if score == ScoreRandom && !slices.Equal(m.Patches, want.Patches) {
					differ++
				}
				if score == ScoreRandom && !slices.Equal(m.Patches, other.Patches) {
					others++
				}
				if score == ScoreInverse && m.Patches != nil {
					image := a.Image(o.Token)
					for i, kept := range m.Patches {
						for j, too := range m.Patches {
							if kept && !too && image[i] > image[j] {
								t.Fatalf("patch %d of %g is kept and %d of %g is not", i, image[i], j, image[j])
							}
						}
					}
				}
			}
		}
	}
	if differ < 300 || others < 300 {
		t.Errorf("of 500 random masks %d are not attention's and %d not another example's", differ, others)
	}
}

// TestWhatMasksRead: where options say that attention or the class token is not read, changing it changes nothing; where they
// say that it is, it does.
func TestWhatMasksRead(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	for _, image := range []string{"mean", "ratio:0.3", "mass:0.5", "all"} {
		for _, text := range []string{"mean", "union", "ratio:0.3", "all"} {
			for _, score := range []string{ScoreAttention, ScoreRandom, ScoreInverse} {
				o := MaskOptions{Image: image, Text: text, Score: score}
				if o.Validate() != nil {
					continue
				}
				changed, token := false, false
				for range 200 {
					a := randomAttention(rng)
					b := Attention{Probs: slices.Clone(a.Probs), Text: a.Text}
					rng.Shuffle(len(b.Probs), func(i, j int) { b.Probs[i], b.Probs[j] = b.Probs[j], b.Probs[i] })
					seed := rng.Uint64()
					same := func(m, n Mask) bool { return slices.Equal(m.Patches, n.Patches) && slices.Equal(m.Tokens, n.Tokens) }
					m := o.Mask(a, Generator(seed, ""))
					changed = changed || !same(m, o.Mask(b, Generator(seed, "")))
					other := o
					other.Token = TokenImage
					token = token || !same(m, other.Mask(a, Generator(seed, "")))
				}
				if changed != o.ReadsAttention() || token != o.ReadsToken() {
					t.Errorf("%+v: attention changes masks %v and is said to %v; the class token %v and %v", o, changed, o.ReadsAttention(), token, o.ReadsToken())
				}
			}
		}
	}
}

func TestMaskOptionsRefuse(t *testing.T) {
	for words, o := range map[string]MaskOptions{
		`mask layer "first": use a number from 0, or last or mean`: {Layer: "first"},
		`mask layer "-1"`:                           {Layer: "-1"},
		`mask layer "01"`:                           {Layer: "01"},
		`mask heads "sum": use`:                     {Heads: "sum"},
		`mask token "cls"`:                          {Token: "cls"},
		`mask score "noise"`:                        {Score: "noise"},
		`"median": use one of mean, ratio:SHARE, m`: {Image: "median"},
		`mask image "union": use one of`:            {Image: "union"},
		`mask text "mass:0.5": use one of`:          {Text: "mass:0.5"},
		`take a share`:                              {Image: "ratio"},
		`"mean:0.3"`:                                {Text: "mean:0.3"},
		`above 0 and below 1`:                       {Image: "mass:1"},
		`"ratio:0"`:                                 {Text: "ratio:0"},
		`"ratio:x"`:                                 {Image: "ratio:x"},
		`"ratio:NaN"`:                               {Image: "ratio:NaN"},
		`choose raw exemplars`:                      {Image: All, Text: All},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v does not say %q", o, err, words)
		}
	}
	for _, o := range []MaskOptions{{}, {Layer: "0", Heads: "11"}, {Layer: "mean", Heads: "max"}, {Image: "ratio:0.3", Text: "union"}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
