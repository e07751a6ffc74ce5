package memory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// attention makes a map of t tokens and the given patches: cls is what [CLS] gives to each patch; toText[p] is what
// patch p gives to each token. Everything that must not be read holds a number that would decide every comparison.
func attention(t int, cls []float32, toText [][]float32) Attention {
	s := t + 1 + len(cls)
	a := Attention{Probs: make([]float32, s*s), Text: t}
	for i := range a.Probs {
		a.Probs[i] = 1e6 + float32(i%7)*1e5
	}
	copy(a.Probs[t+1:s], cls)
	for p, row := range toText {
		copy(a.Probs[(t+1+p)*s:], row)
	}
	return a
}

// TestMasksByHand: patches 0.1 0.5 0.2 0.4 have mean 0.3: 1 and 3 stay. 0 and 2 are discarded; the tokens between [CLS]
// and [SEP] get from them on average 0.2, 0.5, 0.2, so the mean is 0.3 and the middle one stays. The rows of the kept
// patches say otherwise, and [CLS] and [SEP] get more than all.
func TestMasksByHand(t *testing.T) {
	a := attention(5, []float32{0.1, 0.5, 0.2, 0.4}, [][]float32{
		{9, 0.1, 0.6, 0.3, 9}, {0, 50, 0, 70, 0}, {9, 0.3, 0.4, 0.1, 9}, {0, 90, 0, 80, 0},
	})
	if got, want := a.Image(TokenText), []float32{0.1, 0.5, 0.2, 0.4}; !slices.Equal(got, want) {
		t.Errorf("the image's attention is %v, not %v", got, want)
	}
	m := MaskOptions{}.Mask(a, nil)
	if want := []bool{false, true, false, true}; !slices.Equal(m.Patches, want) {
		t.Errorf("patches kept: %v, not %v", m.Patches, want)
	}
	for i, want := range []float32{9, 0.2, 0.5, 0.2, 9} {
		if got := a.Context(m.Patches)[i]; math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("the context score of token %d is %g, not %g", i, got, want)
		}
	}
	if want := []bool{true, false, true, false, true}; !slices.Equal(m.Tokens, want) {
		t.Errorf("tokens kept: %v, not %v", m.Tokens, want)
	}
}

func TestMasksEdges(t *testing.T) {
	row := func(v ...float32) []float32 { return v }
	for _, c := range []struct {
		name            string
		a               Attention
		patches, tokens []bool
	}{
		{"strictly above the mean: the middle value is not", attention(2, row(1, 2, 3), [][]float32{{0, 0}, {0, 0}, {0, 0}}), []bool{false, false, true}, []bool{true, true}},
		{"a uniform map keeps its first patch", attention(3, row(.25, .25, .25, .25), [][]float32{{0, 1, 0}, {0, 1, 0}, {0, 1, 0}, {0, 1, 0}}), []bool{true, false, false, false}, []bool{true, true, true}},
		{"one patch is kept, nothing is discarded, so the whole text is", attention(4, row(.5), [][]float32{{0, 0, 0, 0}}), []bool{true}, []bool{true, true, true, true}},
		{"a uniform text keeps its first piece", attention(5, row(1, 3), [][]float32{{0, 2, 2, 2, 0}, {0, 0, 0, 0, 0}}), []bool{false, true}, []bool{true, true, false, false, true}},
		{"a text of one token", attention(1, row(1, 3), [][]float32{{7}, {7}}), []bool{false, true}, []bool{true}},
		{"a text of two tokens", attention(2, row(1, 3), [][]float32{{0, 0}, {0, 0}}), []bool{false, true}, []bool{true, true}},
		{"a text of three tokens keeps its only piece", attention(3, row(1, 3), [][]float32{{5, 0, 5}, {0, 0, 0}}), []bool{false, true}, []bool{true, true, true}},
	} {
		m := MaskOptions{}.Mask(c.a, nil)
		if !slices.Equal(m.Patches, c.patches) || !slices.Equal(m.Tokens, c.tokens) {
			t.Errorf("%s: patches %v and tokens %v are kept, not %v and %v", c.name, m.Patches, m.Tokens, c.patches, c.tokens)
		}
	}
}

// TestMaskProperties: what the published maps show of the mean rule. Values are of 12 bits and factors powers of two, so
// that scaling rounds nothing.
func TestMaskProperties(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n, most := 1+rng.IntN(60), 1+rng.IntN(4096)
		values, v, scaled := make([]int, n), make([]float32, n), make([]float32, n)
		factor, shift := math.Ldexp(1, rng.IntN(9)-4), float64(rng.IntN(256))
		sum := 0
		for i := range values {
			values[i] = rng.IntN(most)
			v[i], scaled[i] = float32(values[i]), float32(float64(values[i])*factor+shift)
			sum += values[i]
		}
		keep := aboveMean(v)
		if !slices.Equal(keep, aboveMean(scaled)) {
			t.Fatalf("scaling by %g and shifting by %g changes what is kept of %v", factor, shift, values)
		}
		kept := 0
		for i, k := range keep {
			if k {
				kept++
			}
			if above := values[i]*n > sum; above != k && slices.Max(values) > slices.Min(values) {
				t.Fatalf("value %d of %v: kept %v, above the mean %v", i, values, k, above)
			}
		}
		if kept < 1 || kept == n && n > 1 {
			t.Fatalf("%d of %v are kept", kept, values)
		}
	}
}

// TestSkewedMap: on a skewed map such as attention is, the mean rule keeps a small part of the patches and most of the
// attention. An exponential map keeps 1/e of the patches and 2/e of the mass; the published ones, more skewed, 22 to 29 %
// and 84 to 89 %. Squared exponential quantiles are nearer to those.
func TestSkewedMap(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		name        string
		power       float64
		share, mass float64
	}{
		{"exponential", 1, 1 / math.E, 2 / math.E},
		// x = e², P(x > mean = 2) = exp(-√2); the mass above is exp(-√2)(2 + 2√2 + 2)/2
		{"squared exponential", 2, math.Exp(-math.Sqrt2), math.Exp(-math.Sqrt2) * (2 + math.Sqrt2)},
	} {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.Pow(-math.Log((float64(i)+0.5)/n), c.power))
		}
		var kept, mass, all float64
		for i, k := range aboveMean(v) {
			all += float64(v[i])
			if k {
				kept++
				mass += float64(v[i])
			}
		}
		if math.Abs(kept/n-c.share) > 0.01 || math.Abs(mass/all-c.mass) > 0.01 {
			t.Errorf("%s: %.3f of the patches with %.3f of the attention are kept, not %.3f and %.3f", c.name, kept/n, mass/all, c.share, c.mass)
		}
	}
}
