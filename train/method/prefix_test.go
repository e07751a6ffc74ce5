package method

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// partialNetwork is a network that is tuned from a block on, with no parameter left at a value that would hide its absence.
func partialNetwork(t testing.TB, block, classes, maxBatch int) *Network {
	c := referenceConfig()
	w := randomNetworkOf(t, c, false, classes, maxBatch).Weights
	n, err := NewNetwork(w, tune.NewSSFFrom(c, 4, block), classes, maxBatch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range n.Trained() {
		for i := range p.Data {
			p.Data[i] += float32(0.2 * rng.NormFloat64())
		}
	}
	return n
}

// TestPrefixAgainstReference holds a network that is tuned from a block on to the description without scale and shift below.
// What is left is half precision: 2^-12 of a value.
func TestPrefixAgainstReference(t *testing.T) {
	const classes, active, tolerance, step = 5, 4, 3e-3, 1e-5
	for block := 1; block < referenceConfig().Depth; block++ {
		n := partialNetwork(t, block, classes, 8)
		batch := randomSamples(n.Weights.Config, active)
		r := newReference(n)
		out, err := n.Infer(batch, &Attention{})
		if err != nil {
			t.Fatal(err)
		}
		off := 0.0
		for i, s := range batch {
			feature, logits, probs := r.run(s)
			off = max(off, farthest(out.Features[i*len(feature):], feature), farthest(out.Logits[i*classes:], logits), farthest(out.Probs[i], slices.Concat(probs...)))
		}
		if off > tolerance || off == 0 {
			t.Errorf("block %d: off by %.2g", block, off)
		}
		three := []dataset.Sample{batch[1], batch[3], batch[4]}
		var got gradients
		loss, err := n.Step(three, active, &got)
		if err != nil {
			t.Fatal(err)
		}
		if want := r.loss(three, active); math.Abs(loss-want) > tolerance {
			t.Errorf("block %d: the loss is %.6f, the reference says %.6f", block, loss, want)
		}
		worst := 0.0
		for k, p := range n.Trained() {
			at := largest(got[k])
			value := &r.ps[p.Name][at]
			before := *value
			*value = before + step
			up := r.loss(three, active)
			*value = before - step
			want := (up - r.loss(three, active)) / (2 * step)
			*value = before
			worst = max(worst, math.Abs(float64(got[k][at])-want)/max(1e-2, math.Abs(want)))
		}
		t.Logf("block %d: outputs off by %.2g, gradients by %.2g of their size", block, off, worst)
		if worst > 0.02 {
			t.Errorf("block %d: gradients are off by %.2g of their size", block, worst)
		}
	}
}

func farthest(got []float32, want []float64) (off float64) {
	for i, v := range want {
		off = max(off, math.Abs(float64(got[i])-v))
	}
	return off
}

// TestPrefixTrains: what is trained are the vectors of the blocks from K on and of the final norm, starting as without, and
// the model's order is theirs.
func TestPrefixTrains(t *testing.T) {
	c := referenceConfig()
	n := partialNetwork(t, 2, 3, 2)
	whole := tune.NewSSF(c, 4).Tensors()
	for i, x := range tune.NewSSFFrom(c, 4, 2).Tensors() {
		if y := whole[len(whole)-14+i]; x.Name != y.Name || !slices.Equal(x.Data, y.Data) {
			t.Errorf("%s starts as %s does not", x.Name, y.Name)
		}
	}
	var names []string
	for _, v := range n.train.model {
		names = append(names, v.(parameter).node.Name())
	}
	want := []string{"ssf.norm.gamma", "ssf.norm.beta", "head.weight", "head.bias"}
	for _, place := range []string{"fc2", "fc1", "norm2", "proj", "qkv", "norm1"} {
		want = append([]string{"ssf.block.2." + place + ".gamma", "ssf.block.2." + place + ".beta"}, want...)
	}
	if !slices.Equal(names, want) {
		t.Errorf("trained are %v, not %v", names, want)
	}
	if got, want := tune.NewSSFFrom(c, 4, 2).Count(), 2*(24+72+24+24+40+24+24); got != want {
		t.Errorf("%d values, not %d", got, want)
	}
}

// list is samples as items.
type list []dataset.Sample

func (l list) Len() int { return len(l) }

func (l list) Sample(_ context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	return l[i], nil
}

// prefixRun trains a learner for two phases with a cache and says what it ends with.
func prefixRun(t *testing.T, f *cache.Folder, between func()) (state []*vilt.Tensor, flop float64, found, computed int) {
	t.Helper()
	c := referenceConfig()
	w, err := vilt.Random(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New("ssf", w, 4, Options{Schedule: Schedule{Epochs: 3, BatchSize: 4, Workers: 2}, Seed: 1, TuneFromBlock: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.(Keeper).Keep(f); err != nil {
		t.Fatal(err)
	}
	items := list(randomSamples(c, 4))
	for phase := range 2 {
		lesson := Lesson{Items: items, Progress: func(s Step) { flop += s.FLOP }}
		if err := errors.Join(l.Begin(Phase{Index: phase, Seen: 4}), l.Fit(t.Context(), lesson)); err != nil {
			t.Fatal(err)
		}
		if between != nil {
			between()
		}
	}
	for _, x := range l.State() {
		state = append(state, &vilt.Tensor{Name: x.Name, Data: slices.Clone(x.Data)})
	}
	found, computed = l.(Keeper).Kept()
	return state, flop, found, computed
}

// TestPrefixCache: what is learned has the same bytes without a cache, with an empty, a full and a small one, with one that
// was read before, and with one whose entries are lost, cut short or changed on the way; and what was computed is counted.
func TestPrefixCache(t *testing.T) {
	open := func(dir string, bytes int64) *cache.Folder {
		t.Helper()
		f, err := cache.Open(dir, bytes)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	entries := func(dir string) (paths []string) {
		filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".entry") {
				paths = append(paths, path)
			}
			return err
		})
		return paths
	}
	const samples, steps = 6, 2 * 3 // phases of epochs
	want, most, found, computed := prefixRun(t, nil, nil)
	if found != 0 || computed != steps*samples {
		t.Errorf("without a cache %d found, %d computed", found, computed)
	}
	same := func(what string, f *cache.Folder, between func(), computedWant int) float64 {
		t.Helper()
		got, flop, found, computed := prefixRun(t, f, between)
		for i, x := range want {
			if got[i].Name != x.Name || !slices.Equal(got[i].Data, x.Data) {
				t.Errorf("%s: %s differs", what, x.Name)
			}
		}
		if computed != computedWant || found != steps*samples-computedWant {
			t.Errorf("%s: %d computed, not %d, and %d found", what, computed, computedWant, found)
		}
		return flop
	}
	dir := t.TempDir()
	kept := same("an empty cache", open(filepath.Join(dir, "c"), 1<<20), nil, samples)
	if n := len(entries(filepath.Join(dir, "c"))); n != samples {
		t.Fatalf("%d entries", n)
	}
	c, all := referenceConfig(), randomSamples(referenceConfig(), 4)
	sizes, _ := sequencesOf(all)
	if got, want := most-kept, 5*c.FLOPBelow(2, sizes); math.Abs(got-want) > 1 {
		t.Errorf("five epochs without the blocks save %g operations, not %g", got, want)
	}
	if none := same("a cache of another run", open(filepath.Join(dir, "c"), 1<<20), nil, 0); math.Abs(kept-none-c.FLOPBelow(2, sizes)) > 1 {
		t.Errorf("%g operations, %g in the first run", none, kept)
	}
	same("a cache without room", open(filepath.Join(dir, "none"), 1), nil, steps*samples)
	small := filepath.Join(dir, "small")
	same("a small cache", open(small, 4*4096), nil, samples+(samples-4)*(steps-1))
	lost := filepath.Join(dir, "lost")
	same("lost entries", open(lost, 1<<20), func() {
		for _, path := range entries(lost)[:2] {
			os.Remove(path)
		}
	}, samples+2)
	torn := filepath.Join(dir, "torn")
	f := open(torn, 1<<20)
	same("damaged entries", f, func() {
		for i, path := range entries(torn)[:3] {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)-9] ^= 1
			os.WriteFile(path, b[:len(b)-i*40], 0o666)
		}
	}, samples+3)
	if f.Stats().Damaged == 0 {
		t.Error("no damage was noticed")
	}
}

// TestPrefixTeacher: a batch goes through the blocks that are not tuned once, though its teacher and the step both go on from
// there, and what counts is this pass, the teacher's from the block on, and the step's.
func TestPrefixTeacher(t *testing.T) {
	const block, active, old = 2, 4, 2
	c := referenceConfig()
	w, err := vilt.Random(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNetworkWith(w, tune.NewSSFFrom(c, 4, block), active, 8, NetworkOptions{Distill: Distill{Weight: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	n.Freeze()
	items := list(randomSamples(c, active))
	sizes, tokens := sequencesOf(items)
	below, forward, step := c.FLOPBelow(block, sizes), c.FLOPFrom(block, sizes, active, vilt.LearnsNothing), c.FLOPFrom(block, sizes, active, vilt.LearnsTuned)
	fit := func(what string, o FitOptions, want ...float64) {
		t.Helper()
		o.Active, o.Progress = active, func(s Step) {
			if s.Tokens != tokens || math.Abs(s.FLOP-want[0]) > 1 {
				t.Errorf("%s, step %d: %d tokens and %g operations, not %d and %g", what, s.Done, s.Tokens, s.FLOP, tokens, want[0])
			}
			want = want[1:]
		}
		if err := n.Fit(t.Context(), Schedule{Epochs: 2, BatchSize: 8}, items, o); err != nil {
			t.Fatal(err)
		}
	}
	computed := func(what string, want, wantFound int) {
		t.Helper()
		if found, got := n.Kept(); got != want || found != wantFound {
			t.Errorf("%s: %d outputs were computed and %d found, not %d and %d", what, got, found, want, wantFound)
		}
	}
	fit("without a cache", FitOptions{Old: old}, below+forward+step, below+forward+step)
	computed("without a cache", 2*len(items), 0)
	fit("nothing to keep", FitOptions{}, below+step, below+step)
	computed("nothing to keep", 4*len(items), 0)
	f, err := cache.Open(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Keep(f); err != nil {
		t.Fatal(err)
	}
	fit("with a cache", FitOptions{Old: old}, below+forward+step, forward+step)
	computed("with a cache", 5*len(items), len(items))
	for i, s := range items {
		if s.Kept != nil {
			t.Errorf("sample %d holds its output", i)
		}
	}
}

// TestRemembered: what is on disk of a sample comes with it, so that it is read beside the step before.
func TestRemembered(t *testing.T) {
	n := partialNetwork(t, 2, 4, 8)
	f, err := cache.Open(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Keep(f); err != nil {
		t.Fatal(err)
	}
	batch := randomSamples(n.Weights.Config, 4)
	items := remembered{list(batch), n.prefix}
	if s, err := items.Sample(t.Context(), 1, nil); err != nil || s.Kept != nil {
		t.Errorf("%d bytes of what nobody computed, or %v", len(s.Kept), err)
	}
	want, err := n.prefix.rows(batch)
	if err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		if size := KeptBytes(n.Weights.Config, len(batch[i].Tokens), len(batch[i].PatchPos)); int64(len(want[i])) != size {
			t.Errorf("%d bytes are kept, not %d", len(want[i]), size)
		}
		if s, err := items.Sample(t.Context(), i, nil); err != nil || s.Kept == nil || !slices.Equal(s.Kept, want[i]) {
			t.Errorf("sample %d comes with %d bytes, not the %d that were kept, or %v", i, len(s.Kept), len(want[i]), err)
		}
	}
}

// TestPrefixPassing: what was changed at random is computed, to the same values, and takes no room on disk.
func TestPrefixPassing(t *testing.T) {
	n := partialNetwork(t, 2, 4, 8)
	f, err := cache.Open(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Keep(f); err != nil {
		t.Fatal(err)
	}
	batch := randomSamples(n.Weights.Config, 4)
	batch[1].Passing, batch[2].Passing = true, true
	for range 2 {
		if err := n.Fit(t.Context(), Schedule{Epochs: 1, BatchSize: 8}, list(batch), FitOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if s := f.Stats(); s.Added != len(batch)-2 || s.Found != len(batch)-2 {
		t.Errorf("%d outputs were kept and %d found, not %d each", s.Added, s.Found, len(batch)-2)
	}
	if found, computed := n.Kept(); found != len(batch)-2 || computed != len(batch)+2 {
		t.Errorf("%d found and %d computed", found, computed)
	}
}

// TestPrefixKey: a sequence's key is of all that its outputs depend on, and of nothing else.
func TestPrefixKey(t *testing.T) {
	n := partialNetwork(t, 1, 4, 8)
	f, err := cache.Open(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep := func(n *Network) *prefix {
		if err := n.Keep(f); err != nil {
			t.Fatal(err)
		}
		return n.prefix
	}
	p := keep(n)
	s := randomSamples(n.Weights.Config, 4)[2]
	key := p.key(s)
	same := s
	same.ID, same.Label, same.TextLen, same.Kept = "other", 3, 99, []byte{1}
	same.Passing = true
	if p.key(same) != key {
		t.Error("the label, the name or the length of the full text count")
	}
	seen := map[cache.Key]string{key: "none"}
	for what, change := range map[string]func(s *dataset.Sample){
		"a token":           func(s *dataset.Sample) { s.Tokens = slices.Clone(s.Tokens); s.Tokens[1]++ },
		"a token less":      func(s *dataset.Sample) { s.Tokens, s.TokenPos = s.Tokens[1:], s.TokenPos[1:] },
		"a token's place":   func(s *dataset.Sample) { s.TokenPos = slices.Clone(s.TokenPos); s.TokenPos[1]++ },
		"a patch's place":   func(s *dataset.Sample) { s.PatchPos = slices.Clone(s.PatchPos); s.PatchPos[1]++ },
		"the grid's height": func(s *dataset.Sample) { s.GridH++ },
		"the grid's width":  func(s *dataset.Sample) { s.GridW++ },
		"a pixel":           func(s *dataset.Sample) { s.Pixels = slices.Clone(s.Pixels); s.Pixels[len(s.Pixels)-1]++ },
		"a patch less":      func(s *dataset.Sample) { s.PatchPos = s.PatchPos[1:] },
	} {
		x := s
		change(&x)
		if other, ok := seen[p.key(x)]; ok {
			t.Errorf("%s changes the key as much as %s", what, other)
		}
		seen[p.key(x)] = what
	}
	if keep(partialNetwork(t, 2, 4, 8)).key(s) == key {
		t.Error("the block does not count")
	}
	if keep(partialNetwork(t, 1, 7, 3)).key(s) != key {
		t.Error("the classifier or the size of a batch counts")
	}
	w := n.Weights.Tensors()
	w[len(w)-1].Data[0]++ // the pooler's
	if err := p.identify(n.Weights); err != nil || p.key(s) != key {
		t.Errorf("weights above the block count, or %v", err)
	}
	w[2].Data[0]++ // a word's
	if err := p.identify(n.Weights); err != nil || p.key(s) == key {
		t.Errorf("weights below the block do not count, or %v", err)
	}
}

// TestPrefixNotFinite: outputs that half precision has no place for are refused, with the sample's name.
func TestPrefixNotFinite(t *testing.T) {
	n := partialNetwork(t, 1, 4, 8)
	n.Weights.Tensors()[8].Data[0] = float32(math.Inf(1)) // a patch's bias
	_, err := n.Infer(randomSamples(n.Weights.Config, 4), nil)
	if err == nil || !strings.Contains(err.Error(), "0: the encoder's blocks give values that are not finite") {
		t.Errorf("%v", err)
	}
}

// TestTuneFromBlockBounds: blocks that are not there are refused.
func TestTuneFromBlockBounds(t *testing.T) {
	w, err := vilt.Random(referenceConfig(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{-1, 3, 4} {
		_, err := New("ssf", w, 2, Options{Seed: 1, TuneFromBlock: k})
		if err == nil || !strings.Contains(err.Error(), "must be between 1 and 2, for the encoder has 3 blocks") {
			t.Errorf("block %d: %v", k, err)
		}
	}
}

// TestPrefixStops: a loader's error is the learner's.
func TestPrefixStops(t *testing.T) {
	n := partialNetwork(t, 1, 4, 8)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := n.Fit(ctx, Schedule{Epochs: 1, BatchSize: 2}, list(randomSamples(n.Weights.Config, 4)), FitOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := n.Step(randomSamples(n.Weights.Config, 4), 4, &op.AdamW{LearningRate: 1e-3}); err != nil {
		t.Error(err)
	}
}
