package memory

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// MaskOptions say how masks are made. The zero value is the default, which follows the paper where it says something.
type MaskOptions struct {
	// Layer is the block whose attention is read: last (the default), its number from 0, or mean over all.
	Layer string
	// Heads: mean over heads (the default), max, or a head's number from 0.
	Heads string
	// Token is the class token that looks: text (the default), whose [CLS] the pooler reads, or image, ViLT's own token of the
	// picture.
	Token string
	// Image says which patches are kept by the attention that the class token pays them: mean (the default), those above the
	// picture's mean; ratio:R, the share R that gets the most; mass:M, as few as hold the share M of the attention; or all,
	// without a mask. At least one is.
	Image string
	// Text says which word pieces are kept by the mean attention that the discarded patches pay them: mean (the default), those
	// above the text's mean; union, also those that the class token looks at more than at its mean piece; ratio:R; or all.
	// With all patches kept, all of them are asked. At least one piece is kept.
	Text string
	// Score: attention (the default); random, as many patches and pieces as by attention but any; or inverse, as many of the
	// lowest attention.
	Score string
}

// Values of [MaskOptions].
const (
	Last, Mean, Max, All        = "last", "mean", "max", "all"
	TokenText, TokenImage       = "text", "image"
	ScoreAttention, ScoreRandom = "attention", "random"
	ScoreInverse                = "inverse"
)

// WithDefaults returns o with empty fields at their defaults.
func (o MaskOptions) WithDefaults() MaskOptions {
	o.Layer, o.Heads = cmp.Or(o.Layer, Last), cmp.Or(o.Heads, Mean)
	o.Token, o.Score = cmp.Or(o.Token, TokenText), cmp.Or(o.Score, ScoreAttention)
	o.Image, o.Text = cmp.Or(o.Image, Mean), cmp.Or(o.Text, Mean)
	return o
}

// Validate refuses what cannot be. Numbers of blocks and heads are held to the model elsewhere.
func (o MaskOptions) Validate() error {
	o = o.WithDefaults()
	for _, c := range []struct{ name, value, words string }{{"layer", o.Layer, Last + " " + Mean}, {"heads", o.Heads, Mean + " " + Max}} {
		n, err := strconv.Atoi(c.value)
		if !slices.Contains(strings.Fields(c.words), c.value) && (err != nil || n < 0 || strconv.Itoa(n) != c.value) {
			return fmt.Errorf("mask %s %q: use a number from 0, or %s", c.name, c.value, strings.ReplaceAll(c.words, " ", " or "))
		}
	}
	if o.Token != TokenText && o.Token != TokenImage {
		return fmt.Errorf("mask token %q: use text or image", o.Token)
	}
	if o.Score != ScoreAttention && o.Score != ScoreRandom && o.Score != ScoreInverse {
		return fmt.Errorf("mask score %q: use attention, random or inverse", o.Score)
	}
	image, err := parseRule(o.Image, Mean, ruleRatio, ruleMass, ruleAll)
	if err != nil {
		return fmt.Errorf("mask image %w", err)
	}
	text, err := parseRule(o.Text, Mean, ruleUnion, ruleRatio, ruleAll)
	if err != nil {
		return fmt.Errorf("mask text %w", err)
	}
	if image.name == ruleAll && text.name == ruleAll {
		return fmt.Errorf("masks that keep all of picture and text are none: choose raw exemplars")
	}
	return nil
}

// ReadsAttention says whether what is kept depends on any attention: a random part of a given size does not.
func (o MaskOptions) ReadsAttention() bool {
	image, text := o.WithDefaults().rules()
	fixed := func(r rule) bool { return r.name == ruleRatio || r.name == ruleAll }
	return o.Score != ScoreRandom || !fixed(image) || !fixed(text)
}

// ReadsToken says whether what is kept depends on what the class token looks at.
func (o MaskOptions) ReadsToken() bool {
	image, text := o.WithDefaults().rules()
	if text.name == ruleUnion {
		return true
	}
	return image.name != ruleAll && (o.Score != ScoreRandom || image.name != ruleRatio || text.name == Mean)
}

// Generator is what a random mask of an example is drawn with: it depends on the run's seed and the example's name only.
func Generator(seed uint64, id string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(id))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

const (
	ruleRatio, ruleMass = "ratio", "mass"
	ruleUnion, ruleAll  = "union", All
)

// rule says how many of a list of scores are kept.
type rule struct {
	name  string
	share float64 // of ratio and mass
}

func parseRule(s string, names ...string) (rule, error) {
	name, number, has := strings.Cut(s, ":")
	share, err := strconv.ParseFloat(number, 64)
	takes := name == ruleRatio || name == ruleMass
	switch {
	case !slices.Contains(names, name):
		for i, n := range names {
			if n == ruleRatio || n == ruleMass {
				names[i] += ":SHARE"
			}
		}
		return rule{}, fmt.Errorf("%q: use one of %s", s, strings.Join(names, ", "))
	case takes != has:
		return rule{}, fmt.Errorf("%q: ratio and mass take a share, such as ratio:0.3, and nothing else does", s)
	case takes && (err != nil || !(share > 0 && share < 1)):
		return rule{}, fmt.Errorf("%q: the share must be above 0 and below 1", s)
	}
	return rule{name, share}, nil
}

// rules are those of valid options.
func (o MaskOptions) rules() (image, text rule) {
	image, _ = parseRule(o.Image, Mean, ruleRatio, ruleMass, ruleAll)
	text, _ = parseRule(o.Text, Mean, ruleUnion, ruleRatio, ruleAll)
	return image, text
}

// keep marks what the rule keeps of the scores: one of them at least. Ties go to the lower index.
func (r rule) keep(scores []float32) []bool {
	if r.name == Mean || r.name == ruleUnion || len(scores) == 0 {
		return aboveMean(scores)
	}
	order := upTo(len(scores))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	n := 1
	switch r.name {
	case ruleRatio:
		n = max(1, int(math.Round(r.share*float64(len(scores)))))
	case ruleMass:
		var all float64
		for _, v := range scores {
			all += float64(v)
		}
		held := float64(scores[order[0]])
		for held < r.share*all && n < len(order) {
			held += float64(scores[order[n]])
			n++
		}
	}
	return marked(len(scores), order[:n])
}
