//go:build bench

package peers_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// The step that is measured: ViLT-B/32 on pictures of 12 by 12 patches and texts of 40 tokens.
const (
	pictures     = 8
	side         = 12 // patches
	tokens       = 40
	keptPatches  = 52 // of a masked exemplar: 36 % of its tokens, as the paper's
	keptTokens   = 14
	classes      = 200
	vocabulary   = 30522
	learningRate = 1e-3
	weightDecay  = 0.02 // of the classifier's matrix, as in training
	seed         = 1
)

func config(t *testing.T) vilt.Config {
	t.Helper()
	c, err := vilt.Preset("vilt-b32")
	if err != nil {
		t.Fatal(err)
	}
	c.Vocab = vocabulary
	return c
}

// batch draws examples. With masked, each keeps some of its patches and tokens, spread over all of it.
func batch(c vilt.Config, masked bool) (samples []dataset.Sample) {
	r := rand.New(rand.NewPCG(seed, 0x6261746368))
	for i := range pictures {
		s := dataset.Sample{ID: dataset.ID(fmt.Sprint(i)), Label: r.IntN(classes), GridH: side, GridW: side, TextLen: tokens}
		size := c.PatchSize()
		all := make([]uint8, side*side*size)
		for j := range all {
			all[j] = uint8(r.Uint32())
		}
		text := make([]int32, tokens)
		for j := range text {
			text[j] = int32(1000 + r.IntN(vocabulary-1000))
		}
		text[0], text[tokens-1] = 101, 102 // [CLS], [SEP]
		patches, words := side*side, tokens
		if masked {
			patches, words = keptPatches, keptTokens
		}
		for j := range patches {
			p := j * side * side / patches
			s.PatchPos = append(s.PatchPos, int32(p))
			s.Pixels = append(s.Pixels, all[p*size:(p+1)*size]...)
		}
		for j := range words {
			p := j * tokens / words
			s.Tokens, s.TokenPos = append(s.Tokens, text[p]), append(s.TokenPos, int32(p))
		}
		samples = append(samples, s)
	}
	return samples
}

// head draws a classifier: one that is zero would hide what the encoder says.
func head(c vilt.Config) (weight, bias []float32) {
	r := rand.New(rand.NewPCG(seed, 0x68656164))
	weight, bias = make([]float32, classes*c.Width), make([]float32, classes)
	for i := range weight {
		weight[i] = float32(0.05 * r.NormFloat64())
	}
	for i := range bias {
		bias[i] = float32(0.05 * r.NormFloat64())
	}
	return weight, bias
}

// writeInputs puts the weights, the tuned vectors, the classifier and the batch into dir, for both sides to read.
func writeInputs(t *testing.T, dir string) {
	t.Helper()
	c := config(t)
	w, err := vilt.Random(c, seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := vilt.Save(dir, w); err != nil {
		t.Fatal(err)
	}
	var vectors []float32
	for _, v := range tune.NewSSF(c, seed).Tensors() {
		vectors = append(vectors, v.Data...)
	}
	write(t, dir, "ssf.bin", vectors)
	weight, bias := head(c)
	write(t, dir, "head.bin", append(weight, bias...))
	var text, labels []int32
	var pixels []float32
	for _, s := range batch(c, false) {
		text, labels = append(text, s.Tokens...), append(labels, int32(s.Label))
		pixels = append(pixels, picture(c, s)...)
	}
	write(t, dir, "tokens.bin", text)
	write(t, dir, "labels.bin", labels)
	write(t, dir, "pixels.bin", pixels)
}

// picture is a sample's pixels as PyTorch has them: channel, row, column of the whole picture.
func picture(c vilt.Config, s dataset.Sample) []float32 {
	patch := make([]float32, len(s.Pixels))
	dataset.Normalise(patch, s.Pixels)
	out := make([]float32, len(patch))
	width := side * c.Patch
	for i, p := range s.PatchPos {
		top, left := int(p)/side*c.Patch, int(p)%side*c.Patch
		for channel := range c.Channels {
			for y := range c.Patch {
				row := patch[((i*c.Channels+channel)*c.Patch+y)*c.Patch:][:c.Patch]
				copy(out[(channel*width+top+y)*width+left:], row)
			}
		}
	}
	return out
}

// write stores little-endian float32 or int32.
func write(t *testing.T, dir, name string, values any) {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// crossEntropy is the mean of -log softmax(logits)[label].
func crossEntropy(logits []float32, samples []dataset.Sample) float64 {
	var sum float64
	for i, s := range samples {
		row := logits[i*classes : (i+1)*classes]
		var total float64
		for _, v := range row {
			total += math.Exp(float64(v))
		}
		sum += math.Log(total) - float64(row[s.Label])
	}
	return sum / float64(len(samples))
}
