package vilt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/gorgonia"
)

// checkPart says what part of an encoder of shape c cannot be.
func (o Options) checkPart(c Config) error {
	switch {
	case o.FromBlock < 0 || o.FromBlock >= c.Depth || o.ToBlock < 0 || o.ToBlock >= c.Depth:
		return fmt.Errorf("vilt: a part from block %d to before block %d: the encoder has %d", o.FromBlock, o.ToBlock, c.Depth)
	case o.FromBlock > 0 && o.ToBlock > 0:
		return errors.New("vilt: a part from one block to another: there are those from the embeddings and those to the features")
	case (o.Prompts != nil || o.Prefix != nil) && (o.Train || o.ScaleShift != nil || o.FromBlock > 0 || o.ToBlock > 0):
		return errors.New("vilt: prompts are of a whole encoder, of which nothing else is trained")
	case (o.Prompts != nil) != (o.PromptRows > 0):
		return fmt.Errorf("vilt: %d rows of prompts", o.PromptRows)
	case o.FromBlock > 0 && o.Train:
		return errors.New("vilt: every weight is to be trained, and the first blocks are left out")
	case o.ToBlock > 0 && !o.ForwardOnly:
		return errors.New("vilt: a part without features has no loss: build it forward-only")
	}
	return nil
}

// stop is the block before which the encoder ends.
func (o Options) stop(c Config) int {
	if o.ToBlock > 0 {
		return o.ToBlock
	}
	return c.Depth
}

// begin is what the first block that is there reads: the embeddings, or the input.
func (e *Encoder) begin(g *gorgonia.ExprGraph, b *builder) *gorgonia.Node {
	if e.from == 0 {
		x := e.embed(g, b)
		e.stream = append(e.stream, x)
		return x
	}
	// layers are counted in the whole encoder
	for range e.from {
		e.stream, e.attentions = append(e.stream, nil), append(e.attentions, nil)
	}
	b.constant = Node(g, &Tensor{Name: "rows", Shape: []int{e.Packing.MaxRows(), e.Config.Width}, Data: e.output(2 * e.from)})
	e.stream = append(e.stream, b.constant)
	return b.constant
}

// two are buffers of so many values for another encoder's stream to take turns in: this one's, as far as it has any.
func (e *Encoder) two(size int) (buffers [][]float32) {
	for _, b := range e.outputs {
		if len(b) >= size && len(buffers) < 2 {
			buffers = append(buffers, b)
		}
	}
	for len(buffers) < 2 {
		buffers = append(buffers, make([]float32, size))
	}
	return buffers
}

// Input is the memory of the rows that an encoder with [Options.FromBlock] reads, from the given row on: rows [N,D] as the
// packing has them, which [Encoder.Hidden] of that block is in an encoder with [Options.ToBlock].
func (e *Encoder) Input(row int) []float32 {
	return e.stream[e.from].Value().Data().([]float32)[row*e.Config.Width:]
}

// From is the first block that is there.
func (e *Encoder) From() int { return e.from }

// has sees that a layer of the stream, or the attention of the block that reads it, is there.
func (e *Encoder) has(layer, layers int) {
	if layer < e.from || layer >= layers {
		panic(fmt.Sprintf("vilt: layer %d: only %d to %d were built", layer, e.from, layers-1))
	}
}

// failed is the first error of building.
func (b *builder) failed() error {
	if b.err != nil {
		return fmt.Errorf("vilt: %w", b.err)
	}
	return nil
}

// PartDigest is a digest of the shape of the encoder and of the parameters that the embeddings and the blocks below block have.
func (w *Weights) PartDigest(block int) (digest [32]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%+v below block %d\n", w.Config, block)
	buf := make([]byte, 0, 1<<16)
	for _, t := range w.tensors {
		if !strings.HasPrefix(t.Name, "embeddings.") && blockOf(t.Name) >= block {
			continue
		}
		fmt.Fprintf(h, "%s %v\n", t.Name, t.Shape)
		for piece := range slices.Chunk(t.Data, cap(buf)/4) {
			buf = buf[:0]
			for _, v := range piece {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			h.Write(buf)
		}
	}
	h.Sum(digest[:0])
	return digest
}

// blockOf is the block whose parameter is called name, and beyond all of them where it is no block's.
func blockOf(name string) int {
	number, _, _ := strings.Cut(strings.TrimPrefix(name, "encoder.layer."), ".")
	block, err := strconv.Atoi(number)
	if err != nil {
		return math.MaxInt
	}
	return block
}

// FLOPBelow is the operations of the products of a pass through the embeddings and the blocks below block.
func (c Config) FLOPBelow(block int, batch []Sequence) float64 {
	return c.StepFLOP(batch, 0, LearnsNothing) - c.above(block).StepFLOP(batch, 0, LearnsNothing) + c.patchFLOP(batch)
}

// FLOPFrom is [Config.StepFLOP] from block on, with the output of the blocks below at hand; learns is of what is there.
func (c Config) FLOPFrom(block int, batch []Sequence, classes int, learns Learns) float64 {
	return c.above(block).StepFLOP(batch, classes, learns) - c.patchFLOP(batch)
}

// above is an encoder with as many blocks as c has from block on.
func (c Config) above(block int) Config {
	c.Depth -= block
	return c
}

// patchFLOP is what the embedding of the patches takes.
func (c Config) patchFLOP(batch []Sequence) float64 {
	patches := 0
	for _, s := range batch {
		patches += s.Patches
	}
	return Product{FormNT, patches, c.PatchSize(), c.Width, 1}.FLOP()
}
