package method

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// prefix is the part of an encoder below the first block that is tuned. What comes out of it is a constant of a sequence, not
// of a picture: attention lets every row depend on all, so a masked exemplar and a picture with another text have outputs of
// their own. They are kept in half precision, and a batch always gets what was rounded, found or computed: see [appendHalf]. But
// the graph for attention of other blocks or heads computes all of it, rounding nothing: see [Network.Infer].
type prefix struct {
	block int
	m     *machine

	disk  *cache.Folder // nil: nothing is kept
	about [sha256.Size]byte
	made  []vilt.Sequence // that the last step had computed

	found, computed atomic.Int64 // sequences
}

// prefixVersion is to be raised when the same key would stand for another value: the form of the rows, say.
const prefixVersion = 1

// compilePrefix puts the part into a graph of its own, in the memory of beside.
func compilePrefix(w *vilt.Weights, maxBatch, block int, beside *vilt.Encoder) (*machine, error) {
	building.Lock()
	defer building.Unlock()
	g := gorgonia.NewGraph()
	encoder, err := vilt.Build(g, w, maxBatch, vilt.Options{ForwardOnly: true, ToBlock: block, Beside: beside})
	if err != nil {
		return nil, err
	}
	return &machine{encoder: encoder, vm: op.NewMachine(g)}, nil
}

// Keep has the outputs of the blocks that are not tuned kept in f: see [Keeper].
func (n *Network) Keep(f *cache.Folder) error {
	if n.prefix == nil {
		return nil
	}
	n.prefix.disk = f
	if f == nil || n.prefix.about != [sha256.Size]byte{} {
		return nil
	}
	return n.prefix.identify(n.Weights)
}

// Kept counts: see [Keeper].
func (n *Network) Kept() (found, computed int) {
	if n.prefix == nil {
		return 0, 0
	}
	return int(n.prefix.found.Load()), int(n.prefix.computed.Load())
}

// identify makes the digest of all but the sample that outputs depend on. A trial is part of it, for arithmetic that rounds
// otherwise: another processor's, or another version's of the program.
func (p *prefix) identify(w *vilt.Weights) error {
	path, err := kernel.Path()
	if err != nil {
		return err
	}
	c := w.Config
	side := 1
	if c.MaxPatches() >= 9 {
		side = 3
	}
	s := dataset.Sample{GridH: side, GridW: side, Pixels: make([]uint8, side*side*c.PatchSize())}
	for i := range s.Pixels {
		s.Pixels[i] = uint8(i * 37)
	}
	for i := range side * side {
		s.PatchPos = append(s.PatchPos, int32(i))
	}
	for i := range min(7, c.MaxText) {
		s.Tokens, s.TokenPos = append(s.Tokens, int32(i%c.Vocab)), append(s.TokenPos, int32(i))
	}
	if err := p.run([]dataset.Sample{s}); err != nil {
		return err
	}
	h := sha256.New()
	fmt.Fprintf(h, "mcil prefix %d: %s, %x\n", prefixVersion, path, w.PartDigest(p.block))
	for _, v := range p.m.encoder.Hidden(p.block) {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	h.Sum(p.about[:0])
	return nil
}

// key is a digest of all that the output for s depends on.
func (p *prefix) key(s dataset.Sample) cache.Key { return keyOf(p.about, s) }

// keyOf is a digest of about, and of all of s that an encoder reads.
func keyOf(about [sha256.Size]byte, s dataset.Sample) (k cache.Key) {
	b := append(make([]byte, 0, 256+8*len(s.Tokens)+4*len(s.PatchPos)), about[:]...)
	for _, n := range []int{s.GridH, s.GridW, len(s.Tokens), len(s.PatchPos)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, list := range [][]int32{s.Tokens, s.TokenPos, s.PatchPos} {
		for _, v := range list {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
	}
	h := sha256.New()
	h.Write(b)
	h.Write(s.Pixels)
	h.Sum(k[:0])
	return k
}

// find returns the output for s that is on disk, or nil. That of a passing sample is not looked for, as none was kept.
func (p *prefix) find(s dataset.Sample) []byte {
	if p.disk == nil || s.Passing {
		return nil
	}
	rows, _ := p.disk.Get(p.key(s))
	if rows = p.whole(rows, s); rows != nil {
		p.found.Add(1)
	}
	return rows
}

// whole is rows, if they are as many as s has.
func (p *prefix) whole(rows []byte, s dataset.Sample) []byte {
	sequence := vilt.Sequence{Text: len(s.Tokens), Patches: len(s.PatchPos)}
	if len(rows) != sequence.Rows()*halfBytes(p.m.encoder.Config.Width) {
		return nil
	}
	return rows
}

// bring is the batch of a step with its outputs: what has to be computed is computed once, for the teacher's pass and the
// step's own.
func (p *prefix) bring(batch []dataset.Sample) ([]dataset.Sample, error) {
	p.made = p.made[:0]
	rows, err := p.rows(batch)
	if err != nil {
		return nil, err
	}
	batch = slices.Clone(batch) // the caller's has no room for them in any plan
	for i := range batch {
		batch[i].Kept = rows[i]
	}
	return batch, nil
}

// rows are the outputs for a batch: those that it brings, those on disk, and the others computed, and kept there.
func (p *prefix) rows(batch []dataset.Sample) ([][]byte, error) {
	rows := make([][]byte, len(batch))
	var missing []dataset.Sample
	var places []int
	for i, s := range batch {
		if rows[i] = p.whole(s.Kept, s); rows[i] == nil {
			rows[i] = p.find(s) // it may have come since the loader looked
		}
		if rows[i] == nil {
			missing, places = append(missing, s), append(places, i)
		}
	}
	if len(missing) == 0 {
		return rows, nil
	}
	if err := p.run(missing); err != nil {
		return nil, err
	}
	p.made, _ = sequencesOf(missing)
	p.computed.Add(int64(len(missing)))
	d, hidden, offsets := p.m.encoder.Config.Width, p.m.encoder.Hidden(p.block), p.m.encoder.Packing.Offsets
	for k, i := range places {
		rows[i] = make([]byte, 0, (offsets[k+1]-offsets[k])*halfBytes(d))
		for row := offsets[k]; row < offsets[k+1]; row++ {
			var finite bool
			if rows[i], finite = appendHalf(rows[i], hidden[row*d:(row+1)*d]); !finite {
				return nil, fmt.Errorf("%s: the encoder's blocks give values that are not finite: its weights cannot be used", batch[i].ID)
			}
		}
		if p.disk != nil && !batch[i].Passing {
			p.disk.Put(p.key(batch[i]), rows[i])
		}
	}
	return rows, nil
}

// run computes the outputs for a batch.
func (p *prefix) run(batch []dataset.Sample) error {
	err := p.m.load(batch, 0)
	if err == nil {
		err = p.m.run()
	}
	if err != nil {
		return fmt.Errorf("blocks that are not tuned: %w", err)
	}
	return nil
}

// read fills the rows of a sequence from dst on.
func (p *prefix) read(dst []float32, rows []byte) {
	d := p.m.encoder.Config.Width
	for size := halfBytes(d); len(rows) > 0; rows = rows[size:] {
		readHalf(dst[:d], rows)
		dst = dst[d:]
	}
}

// remembered is items that bring what is on disk of them, so that it is read ahead of the step.
type remembered struct {
	dataset.Items
	prefix *prefix
}

func (r remembered) Sample(ctx context.Context, i int, rng *rand.Rand) (dataset.Sample, error) {
	s, err := r.Items.Sample(ctx, i, rng)
	if err == nil {
		s.Kept = r.prefix.find(s)
	}
	return s, err
}
