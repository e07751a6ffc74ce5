package vilt

import (
	"fmt"

	"github.com/mcil/mcil/train/kernel"
)

// Hidden is the stream of the last run, rows [N,D] as the packing has them: at layer 0 the embeddings, at layer i the output
// of block i, up to Depth, which is before the final norm (transformers' hidden_states). Layer Depth is there with
// [Options.KeepLayers] alone, as the pooler does not read all of it. Every step of the graph has its own output, so nothing
// needs to be kept for the others, but where two take turns ([Options.LastOnly], [Options.Beside]): then none is there. Asking
// for what is not there panics. The memory is the graph's: it holds until the next run and is not to be written.
func (e *Encoder) Hidden(layer int) []float32 {
	if layer < 0 || layer > e.Config.Depth {
		panic(fmt.Sprintf("vilt: hidden states of layer %d of 0 to %d", layer, e.Config.Depth))
	}
	e.has(layer, len(e.stream))
	switch {
	case layer == e.Config.Depth && !e.whole:
		panic(fmt.Sprintf("vilt: the hidden states of layer %d were not all made: build the encoder with KeepLayers", layer))
	case e.turns && layer < len(e.stream)-1:
		panic(fmt.Sprintf("vilt: the hidden states of layer %d were not kept: build the encoder without LastOnly or Beside", layer))
	}
	v := e.stream[layer].Value()
	if v == nil {
		return nil // no run yet
	}
	return v.Data().([]float32)[:e.Packing.Rows()*e.Config.Width]
}

// LastHidden is the last block's output after the final norm, rows [N,D] (transformers' last_hidden_state), computed into
// dst, which is grown as needed. It needs [Options.KeepLayers]: the pooler reads the first row of each sequence, and the graph
// makes and norms no other.
func (e *Encoder) LastHidden(dst []float32) []float32 {
	x := e.Hidden(e.Config.Depth)
	if cap(dst) < len(x) {
		dst = make([]float32, len(x))
	}
	dst = dst[:len(x)]
	d := e.Config.Width
	y := kernel.Mat(dst, len(x)/d, d)
	kernel.LayerNorm(y, kernel.Mat(x, y.Rows, d), e.weights.get("layernorm.weight").Data, e.weights.get("layernorm.bias").Data, e.Config.Eps, nil, nil)
	if e.finalPair != nil {
		gamma, beta := e.finalPair[0].Node.Value().Data().([]float32), e.finalPair[1].Node.Value().Data().([]float32)
		kernel.ScaleShift(y, y, gamma, beta)
	}
	return dst
}

// Attentions are the softmax probabilities of a block in the last run, from 0 to Depth-1: for each sequence of S rows
// [H,S,S], row the token that looks, column the token looked at (transformers' attentions). They are computed again, into
// dst, which is grown as needed. In a forward-only graph the blocks share memory and only the last one's are there, unless
// [Options.KeepAttentions] or KeepLayers was set: asking for another is the caller's mistake and panics. Without it the last block makes no
// queries and keys of all rows: they are made for this call, from the graph's parameters as they are.
func (e *Encoder) Attentions(layer int, dst []float32) []float32 {
	if layer < 0 || layer >= e.Config.Depth {
		panic(fmt.Sprintf("vilt: attentions of block %d of 0 to %d", layer, e.Config.Depth-1))
	}
	e.has(layer, len(e.attentions))
	a := e.attentions[layer]
	if layer < len(e.attentions)-1 && !a.Own() {
		panic(fmt.Sprintf("vilt: the attentions of block %d were not kept: build the encoder with KeepAttentions", layer))
	}
	return a.Probabilities(dst)
}

// Attention returns the softmax probabilities of the last block in the last run, averaged over heads: see
// [op.Attention.Mean].
func (e *Encoder) Attention(dst []float32) []float32 {
	return e.attentions[len(e.attentions)-1].Mean(dst)
}
