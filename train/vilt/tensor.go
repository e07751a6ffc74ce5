package vilt

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Tensor is a named float32 array in row-major order.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// Size is the number of elements that a shape has.
func Size(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

func newTensor(name string, shape ...int) *Tensor {
	return &Tensor{Name: name, Shape: shape, Data: make([]float32, Size(shape))}
}

// Weights are an encoder's parameters by name, in the order of [Weights.Tensors].
type Weights struct {
	Config  Config
	tensors []*Tensor
	byName  map[string]*Tensor
}

// Tensors lists the parameters in a fixed order.
func (w *Weights) Tensors() []*Tensor { return w.tensors }

// get returns the parameter called name; a name that the encoder does not have is a mistake of this package.
func (w *Weights) get(name string) *Tensor {
	t := w.byName[name]
	if t == nil {
		panic("vilt: no parameter " + name)
	}
	return t
}

// Count is the number of trained values.
func (w *Weights) Count() int {
	var n int
	for _, t := range w.tensors {
		n += len(t.Data)
	}
	return n
}

// newWeights allocates the parameters of c, all zero.
func newWeights(c Config) *Weights {
	w := &Weights{Config: c, byName: map[string]*Tensor{}, tensors: layout(c)}
	for _, t := range w.tensors {
		t.Data = make([]float32, Size(t.Shape))
		w.byName[t.Name] = t
	}
	return w
}

// layout lists the parameters of c without their data.
func layout(c Config) (tensors []*Tensor) {
	d, g := c.Width, c.Grid()
	add := func(name string, shape ...int) { tensors = append(tensors, &Tensor{Name: name, Shape: shape}) }
	add("embeddings.cls_token", 1, 1, d)
	add("embeddings.position_embeddings", 1, 1+g*g, d)
	add("embeddings.text_embeddings.word_embeddings.weight", c.Vocab, d)
	add("embeddings.text_embeddings.position_embeddings.weight", c.MaxText, d)
	add("embeddings.text_embeddings.token_type_embeddings.weight", c.TypeVocab, d)
	add("embeddings.text_embeddings.LayerNorm.weight", d)
	add("embeddings.text_embeddings.LayerNorm.bias", d)
	add("embeddings.patch_embeddings.projection.weight", d, c.Channels, c.Patch, c.Patch)
	add("embeddings.patch_embeddings.projection.bias", d)
	add("embeddings.token_type_embeddings.weight", c.Modalities, d)
	for i := range c.Depth {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		add(layer+"layernorm_before.weight", d)
		add(layer+"layernorm_before.bias", d)
		add(layer+qkvWeight, 3*d, d)
		add(layer+qkvBias, 3*d)
		add(layer+"attention.output.dense.weight", d, d)
		add(layer+"attention.output.dense.bias", d)
		add(layer+"layernorm_after.weight", d)
		add(layer+"layernorm_after.bias", d)
		add(layer+"intermediate.dense.weight", c.Hidden, d)
		add(layer+"intermediate.dense.bias", c.Hidden)
		add(layer+"output.dense.weight", d, c.Hidden)
		add(layer+"output.dense.bias", d)
	}
	add("layernorm.weight", d)
	add("layernorm.bias", d)
	add("pooler.dense.weight", d, d)
	add("pooler.dense.bias", d)
	return tensors
}

// Query, key and value joined, in that order of rows; on disk they are three tensors each.
const (
	qkvWeight = "attention.attention.qkv.weight"
	qkvBias   = "attention.attention.qkv.bias"
)

// Random returns weights to pretrain from: matrices normal with variance 2/(rows+columns) (Glorot and Bengio 2010, as in
// ViT's reference code; ViLT's own 0.02 suits widths near 768 only), embeddings with deviation 0.02 at width 768 and more
// below, norms at one, biases at zero. Positions of patches, which ViLT takes from a pretrained ViT, start as sines and
// cosines of row and column (Beyer et al., "Better plain ViT baselines for ImageNet-1k", 2022): a small model learns from
// little data far sooner.
func Random(c Config, seed uint64) (*Weights, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := newWeights(c)
	rng := rand.New(rand.NewPCG(seed, 0x76696c74))
	for _, t := range w.tensors {
		switch {
		case isNorm(t.Name):
			for i := range t.Data {
				t.Data[i] = 1
			}
		case isBias(t.Name):
		default:
			deviation := 0.02 * math.Sqrt(768/float64(c.Width))
			if rows := t.Shape[0]; !hasSuffix(t.Name, "embeddings.weight", "cls_token", "position_embeddings") {
				deviation = math.Sqrt(2 / float64(rows+len(t.Data)/rows))
			}
			for i := range t.Data {
				t.Data[i] = float32(rng.NormFloat64() * deviation)
			}
		}
	}
	sincos(w.get("embeddings.position_embeddings").Data[c.Width:], c.Grid(), c.Width)
	return w, nil
}

// sincos fills dst, [grid·grid, d], with sines and cosines of row and column at d/4 frequencies from 1 to 1/10000.
func sincos(dst []float32, grid, d int) {
	quarter := d / 4
	for i := range grid * grid {
		row := dst[i*d : (i+1)*d]
		clear(row)
		for f := range quarter {
			omega := math.Pow(10000, -float64(f)/float64(quarter))
			for axis, at := range [2]int{i / grid, i % grid} {
				sin, cos := math.Sincos(float64(at) * omega)
				row[2*axis*quarter+f], row[(2*axis+1)*quarter+f] = float32(sin), float32(cos)
			}
		}
	}
}

// isNorm says whether a parameter is the weight of a LayerNorm.
func isNorm(name string) bool {
	return hasSuffix(name, "LayerNorm.weight", "layernorm_before.weight", "layernorm_after.weight", "layernorm.weight")
}

// isBias says whether a parameter is added to something.
func isBias(name string) bool { return hasSuffix(name, ".bias") }

// Decays says whether weight decay applies to a parameter: to matrices, not to norms and biases, as in ViLT.
func Decays(name string) bool { return !isNorm(name) && !isBias(name) }

func hasSuffix(s string, suffixes ...string) bool {
	for _, x := range suffixes {
		if len(s) >= len(x) && s[len(s)-len(x):] == x {
			return true
		}
	}
	return false
}
