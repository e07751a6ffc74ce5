package method

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// reference is ViLT with SSF as its description has it: one example, one row, one number at a time in float64, with no
// batch, no packing and no fused step. Parameters are looked up by name.
type reference struct {
	c  vilt.Config
	ps map[string][]float64
}

func newReference(n *Network) *reference {
	r := &reference{c: n.Weights.Config, ps: map[string][]float64{}}
	tensors := slices.Concat(n.Weights.Tensors(), n.Head)
	if n.Tuner != nil {
		tensors = append(tensors, n.Tuner.Tensors()...)
	}
	for _, t := range tensors {
		for _, v := range t.Data {
			r.ps[t.Name] = append(r.ps[t.Name], float64(v))
		}
	}
	return r
}

// row is row i of a table of width D.
func (r *reference) row(name string, i int) []float64 {
	return r.ps[name][i*r.c.Width : (i+1)*r.c.Width]
}

// tuned is SSF's y = gamma * x + beta, where the place is tuned.
func (r *reference) tuned(place string, x []float64) []float64 {
	gamma, beta := r.ps["ssf."+place+".gamma"], r.ps["ssf."+place+".beta"]
	if gamma == nil {
		return x
	}
	y := make([]float64, len(x))
	for i := range y {
		y[i] = gamma[i]*x[i] + beta[i]
	}
	return y
}

func (r *reference) dense(name string, x []float64) []float64 {
	w, y := r.ps[name+".weight"], slices.Clone(r.ps[name+".bias"])
	for o := range y {
		for i, v := range x {
			y[o] += w[o*len(x)+i] * v
		}
	}
	return y
}

func (r *reference) layerNorm(name string, x []float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/math.Sqrt(variance+float64(r.c.Eps))*r.ps[name+".weight"][i] + r.ps[name+".bias"][i]
	}
	return y
}

func plus(vs ...[]float64) []float64 {
	sum := make([]float64, len(vs[0]))
	for _, v := range vs {
		for i := range sum {
			sum[i] += v[i]
		}
	}
	return sum
}

// position resizes the learned grid: cell (y, x) of the picture's h by w grid lies at (u, v) in the learned one, corners
// on corners, and every learned position counts as much as a tent of half-width 1 around it says.
func (r *reference) position(y, x, h, w int) []float64 {
	g := r.c.Grid()
	at := func(i, out int) float64 {
		if out == 1 {
			return 0
		}
		return float64(i) * float64(g-1) / float64(out-1)
	}
	tent := func(d float64) float64 { return max(0, 1-math.Abs(d)) }
	sum := make([]float64, r.c.Width)
	for i := range g {
		for j := range g {
			share := tent(at(y, h)-float64(i)) * tent(at(x, w)-float64(j))
			for c, p := range r.row("embeddings.position_embeddings", 1+i*g+j) {
				sum[c] += share * p
			}
		}
	}
	return sum
}

func (r *reference) stream(s dataset.Sample) (rows [][]float64) {
	const text = "embeddings.text_embeddings."
	kind := func(i int) []float64 { return r.row("embeddings.token_type_embeddings.weight", i) }
	for i, id := range s.Tokens {
		sum := plus(r.row(text+"word_embeddings.weight", int(id)), r.row(text+"token_type_embeddings.weight", 0),
			r.row(text+"position_embeddings.weight", int(s.TokenPos[i])))
		rows = append(rows, plus(r.layerNorm(text+"LayerNorm", sum), kind(0)))
	}
	rows = append(rows, plus(r.ps["embeddings.cls_token"], r.row("embeddings.position_embeddings", 0), kind(1)))
	size := r.c.PatchSize()
	for i, p := range s.PatchPos {
		pixels := make([]float64, size)
		for j, v := range s.Pixels[i*size : (i+1)*size] {
			pixels[j] = float64(v)/127.5 - 1
		}
		patch := r.tuned("patch", r.dense("embeddings.patch_embeddings.projection", pixels))
		rows = append(rows, plus(patch, r.position(int(p)/s.GridW, int(p)%s.GridW, s.GridH, s.GridW), kind(1)))
	}
	return rows
}

// layer and place begin the names of block i's parameters, frozen and tuned.
func (*reference) layer(i int) string { return fmt.Sprintf("encoder.layer.%d.", i) }
func (*reference) place(i int) string { return fmt.Sprintf("block.%d.", i) }

// block is one pre-norm transformer layer. probs is the attention averaged over heads, byHead each head's rows in turn.
func (r *reference) block(i int, x [][]float64) (y, probs, byHead [][]float64) {
	byHead = make([][]float64, r.c.Heads*len(x))
	layer, place := r.layer(i), r.place(i)
	d, heads := r.c.Width, r.c.Heads
	size := d / heads
	var qkv [][]float64
	for _, row := range x {
		normed := r.tuned(place+"norm1", r.layerNorm(layer+"layernorm_before", row))
		qkv = append(qkv, r.tuned(place+"qkv", r.dense(layer+"attention.attention.qkv", normed)))
	}
	for _, from := range qkv {
		mean, mixed := make([]float64, len(x)), make([]float64, d)
		for h := range heads {
			weights, total := make([]float64, len(x)), 0.0
			for j, to := range qkv {
				var dot float64
				for c := h * size; c < (h+1)*size; c++ {
					dot += from[c] * to[d+c]
				}
				weights[j] = math.Exp(dot / math.Sqrt(float64(size)))
				total += weights[j]
			}
			for j, to := range qkv {
				mean[j] += weights[j] / total / float64(heads)
				byHead[h*len(x)+len(y)] = append(byHead[h*len(x)+len(y)], weights[j]/total)
				for c := h * size; c < (h+1)*size; c++ {
					mixed[c] += weights[j] / total * to[2*d+c]
				}
			}
		}
		probs = append(probs, mean)
		at := len(y)
		row := plus(x[at], r.tuned(place+"proj", r.dense(layer+"attention.output.dense", mixed)))
		raised := r.tuned(place+"fc1", r.dense(layer+"intermediate.dense", r.tuned(place+"norm2", r.layerNorm(layer+"layernorm_after", row))))
		for c, v := range raised {
			raised[c] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
		}
		y = append(y, plus(row, r.tuned(place+"fc2", r.dense(layer+"output.dense", raised))))
	}
	return y, probs, byHead
}

// run gives the pooled feature, the logits and the last block's attention of one example.
func (r *reference) run(s dataset.Sample) (feature, logits []float64, probs [][]float64) {
	x := r.stream(s)
	for i := range r.c.Depth {
		x, probs, _ = r.block(i, x)
	}
	feature = r.dense("pooler.dense", r.tuned("norm", r.layerNorm("layernorm", x[0])))
	for i, v := range feature {
		feature[i] = math.Tanh(v)
	}
	return feature, r.head(feature), probs
}

// head is the classifier, of the kind that its parameters show.
func (r *reference) head(feature []float64) []float64 {
	switch {
	case r.ps["head.sigma"] != nil:
		length := func(x []float64) (sum float64) {
			for _, v := range x {
				sum += v * v
			}
			return math.Sqrt(sum)
		}
		var logits []float64
		for row := range slices.Chunk(r.ps["head.weight"], len(feature)) {
			var dot float64
			for i, v := range row {
				dot += v * feature[i]
			}
			logits = append(logits, r.ps["head.sigma"][0]*dot/length(row)/length(feature))
		}
		return logits
	case r.ps["head.hidden.weight"] != nil:
		hidden := r.layerNorm("head.norm", r.dense("head.hidden", feature))
		for i, v := range hidden {
			hidden[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
		}
		return r.dense("head", hidden)
	}
	return r.dense("head", feature)
}

// loss is the mean cross-entropy over the first active classes.
func (r *reference) loss(batch []dataset.Sample, active int) (sum float64) {
	for _, s := range batch {
		_, logits, _ := r.run(s)
		var total float64
		for _, v := range logits[:active] {
			total += math.Exp(v)
		}
		sum += (math.Log(total) - logits[s.Label]) / float64(len(batch))
	}
	return sum
}

// referenceConfig has an odd number of everything that could be confused: no two of width, hidden, grid and depth alike, and
// an epsilon that shows in every norm.
func referenceConfig() vilt.Config {
	return vilt.Config{
		ModelType: "vilt", Vocab: 50, MaxText: 12, Width: 24, Depth: 3, Heads: 3, Hidden: 40, ImageSize: 20, Patch: 4, Channels: 3,
		Eps: 1e-2, TypeVocab: 2, Modalities: 2,
	}
}

// randomNetwork has no parameter left at a value that would hide its absence, such as a bias of zero.
func randomNetwork(t testing.TB, tuned bool, classes, maxBatch int) *Network {
	return randomNetworkOf(t, referenceConfig(), tuned, classes, maxBatch)
}

func randomNetworkOf(t testing.TB, c vilt.Config, tuned bool, classes, maxBatch int) *Network {
	w, err := vilt.Random(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	var tuner Tuner
	if tuned {
		tuner = tune.NewSSF(c, 4)
	}
	n, err := NewNetwork(w, tuner, classes, maxBatch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	rng := rand.New(rand.NewPCG(5, 6))
	tensors := slices.Concat(w.Tensors(), n.Head)
	if tuned {
		tensors = append(tensors, tuner.Tensors()...)
	}
	for _, p := range tensors {
		for i := range p.Data {
			p.Data[i] += float32(0.2 * rng.NormFloat64())
		}
	}
	return n
}

// grids of the test's pictures: upright, wide, the learned one, one row, one column, and a long one.
var grids = [][2]int{{6, 5}, {5, 6}, {5, 5}, {1, 4}, {3, 1}, {4, 6}}

// randomSamples makes one example for each of [grids]; every other one is masked.
func randomSamples(c vilt.Config, classes int) []dataset.Sample {
	return manySamples(c, classes, len(grids))
}

// manySamples goes on with the grids from the first, and with texts of the same lengths.
func manySamples(c vilt.Config, classes, n int) (batch []dataset.Sample) {
	rng := rand.New(rand.NewPCG(7, 8))
	for k := range n {
		g := grids[k%len(grids)]
		s := dataset.Sample{ID: dataset.ID(fmt.Sprint(k)), Label: k % classes, GridH: g[0], GridW: g[1], TextLen: 3 + k%len(grids)}
		masked := k%2 == 1
		for p := range g[0] * g[1] {
			if masked && p%3 != 1 {
				continue
			}
			s.PatchPos = append(s.PatchPos, int32(p))
			for range c.PatchSize() {
				s.Pixels = append(s.Pixels, uint8(rng.IntN(256)))
			}
		}
		for i := range s.TextLen {
			if masked && i%2 == 1 && i < s.TextLen-1 {
				continue
			}
			s.Tokens, s.TokenPos = append(s.Tokens, int32(rng.IntN(c.Vocab))), append(s.TokenPos, int32(i))
		}
		batch = append(batch, s)
	}
	return batch
}

// TestNetworkAgainstReference holds the whole network to the description. The values are of order 1; float32 and the
// kernels' exponential leave some 1e-6 of it after three blocks.
func TestNetworkAgainstReference(t *testing.T) {
	const classes, tolerance = 4, 1e-4
	for _, tuned := range []bool{false, true} {
		n := randomNetwork(t, tuned, classes, 8)
		r := newReference(n)
		batch := randomSamples(n.Weights.Config, classes)
		out, err := n.Infer(batch, &Attention{})
		if err != nil {
			t.Fatal(err)
		}
		var worst float64
		compare := func(what string, i int, got []float32, want []float64) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("tuned %v, example %d: %s has %d values, not %d", tuned, i, what, len(got), len(want))
			}
			for j, w := range want {
				diff := math.Abs(float64(got[j]) - w)
				worst = max(worst, diff)
				if !(diff <= tolerance*max(1, math.Abs(w))) {
					t.Fatalf("tuned %v, example %d (grid %v): %s[%d] is %g, the reference says %g", tuned, i, grids[i], what, j, got[j], w)
				}
			}
		}
		d := n.Weights.Config.Width
		for i, s := range batch {
			feature, logits, probs := r.run(s)
			compare("feature", i, out.Features[i*d:(i+1)*d], feature)
			compare("logits", i, out.Logits[i*classes:(i+1)*classes], logits)
			compare("attention", i, out.Probs[i], slices.Concat(probs...))
		}
		t.Logf("tuned %v: largest difference %.2g", tuned, worst)
	}
}
