package method

import (
	"testing"

	"github.com/mcil/mcil/train/vilt"
)

// TestPromptedFLOP holds the operations told of a step with prompts to a list of what its two passes multiply, worked out block
// by block: where prompts are rows, where prefixes are, from where on gradients flow back, and which rows of the last block
// there are.
func TestPromptedFLOP(t *testing.T) {
	c := smallConfig()
	c.Depth, c.ImageSize = 4, 20
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, h := float64(c.Width), float64(c.Hidden)
	batch := manySamples(c, 2, 2)
	sequences, _ := sequencesOf(batch)
	const classes = 4
	// products of so many rows and of sequences that look at so many more, forward; and how much of it the way back is
	maps := func(rows float64) (qkv, rest float64) { return 2 * rows * d * 3 * d, 2*rows*d*d + 2*2*rows*d*h }
	looks := func(beside int) (sum float64) {
		for _, s := range sequences {
			n := float64(s.Rows() + beside)
			sum += 2 * 2 * n * n * d
		}
		return sum
	}
	var rows, patches float64
	for _, s := range sequences {
		rows, patches = rows+float64(s.Rows()), patches+float64(s.Patches)
	}
	b := float64(len(batch))
	whole := func(prompts, prefix int, input bool) (forward, back float64) {
		qkv, rest := maps(rows + b*float64(prompts))
		if forward, back = qkv+rest+looks(prompts+prefix), rest+2*looks(prompts+prefix); input {
			back += qkv
		}
		return forward, back
	}

	// the first rows alone: query, through keys and values by heads, after attention, MLP; H queries as wide as the rows
	first := 2*b*d*d*2 + 2*2*b*d*d + 2*2*b*d*h + 2*2*rows*float64(c.Heads)*d
	firstBack := 2*b*d*d*2 + 2*2*b*d*d + 2*2*b*d*h + 2*2*2*rows*float64(c.Heads)*d
	embedding, pooler, head := 2*patches*float64(c.PatchSize())*d, 2*b*d*d, 2*b*d*classes
	block, blockBack := whole(0, 0, true)
	query := embedding + 3*block + first + pooler

	// in the last block every row is looked at, and the MLP is of those that are read
	last := func(prompts, prefix int, read float64) (forward, back float64) {
		forward, back = whole(prompts, prefix, true)
		skipped := 2 * 2 * (rows + b*float64(prompts) - read) * d * h
		return forward - skipped, back - skipped
	}
	l2pForward, l2pBack := whole(6, 0, true)
	l2pLast, l2pLastBack := last(6, 0, 6*b)
	prefixed, back := whole(0, 3, true)
	prefixedLast, backLast := last(0, 3, b)
	_, backFirst := whole(0, 3, false)
	five, _ := whole(0, 5, true)
	_, fiveFirst := whole(0, 5, false)
	// coda-prompt's sums of 2 components a phase, of 2·3·D values, in phase 1: of 4 forward, and 2 by components and weights each
	sums := 2 * b * 6 * d * (4 + 2*2)
	for _, x := range []struct {
		what, method string
		prompts      Prompts
		want         float64
	}{
		{"prompts as rows, which alone are read of the last block, and unpooled", "l2p", Prompts{Length: 2, Top: 3},
			embedding + 3*(l2pForward+l2pBack) + l2pLast + l2pLastBack + 3*head},
		{"general prefixes, expert ones, a last block of first rows", "dualprompt", Prompts{Length: 3, Blocks: "1-2"},
			embedding + five + fiveFirst + 2*(prefixed+back) + first + firstBack + 2*pooler + 3*head},
		{"prefixes of a middle block: no way back before it", "coda-prompt", Prompts{Length: 3, Pool: 6, Blocks: "2"},
			embedding + 2*block + prefixed + backFirst + first + firstBack + 2*pooler + 3*head + sums},
		{"prefixes to the last block, of whose MLP first rows are made", "coda-prompt", Prompts{Length: 3, Pool: 6, Blocks: "2-3"},
			embedding + 2*block + prefixed + backFirst + prefixedLast + backLast + 2*pooler + 3*head + 2*sums},
		{"prefixes of the first block alone", "coda-prompt", Prompts{Length: 3, Pool: 6, Blocks: "0"},
			embedding + prefixed + backFirst + 2*(block+blockBack) + first + firstBack + 2*pooler + 3*head + sums},
	} {
		l, err := New(x.method, w, classes, Options{Schedule: Schedule{BatchSize: 2, Epochs: 1}, Seed: 1, Prompts: x.prompts, Phases: 3})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range 2 {
			if err := l.Begin(Phase{Index: i, Old: 2 * i, Seen: 2*i + 2}); err != nil {
				t.Fatal(err)
			}
		}
		told := 0.0
		items := inMemory{batch[0], batch[1]}
		for i := range items {
			items[i].Label = 2 + i
		}
		if err := l.Fit(t.Context(), Lesson{Items: items, Progress: func(s Step) { told = s.FLOP }}); err != nil {
			t.Fatal(err)
		}
		if want := query + x.want; told != want {
			t.Errorf("%s: %s: %.0f, not %.0f", x.method, x.what, told, want)
		}
	}
}
