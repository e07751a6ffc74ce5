package op

import "fmt"

// Packing says how the rows of one batch are laid out: B sequences one after another, without padding, each
//
//	[ text tokens (the first is [CLS]) | image class token | image patches ]
//
// and, where there are Prompts, so many rows more behind the first. No embedding is theirs: [Prepend] fills them in.
//
// N is the number of rows in all. A Packing is filled by [Packing.Reset] and [Packing.Add] before each run of the graphs
// whose layers share it.
type Packing struct {
	MaxBatch   int // sequences
	MaxText    int // text tokens a sequence
	MaxPatches int // patches a sequence
	Prompts    int // rows behind the first of each sequence that are no token's

	Seqs     []Sequence
	Offsets  []int   // [B+1] first row of each sequence, and N
	TokenIDs []int32 // of all sequences in order
	TokenPos []int32 // position of each token in its full text, from 0
	PatchPos []int32 // raster index of each patch in its full grid
	Labels   []int32 // [B]
	Active   int     // classes that compete, [ActiveFrom,Active); 0 means all from ActiveFrom on

	// ActiveFrom is the first class that competes: where old ones must not be told from new ones, the first of a phase.
	// Labels are from it on.
	ActiveFrom int

	// Noise is what dropout draws from; 0: there is none.
	Noise uint64

	// Teacher is what another network says of the batch, to be distilled: its logits [B,Old] of the first Old classes. An Old
	// of 0 means that there is none.
	Teacher []float32
	Old     int
}

// Sequence is one example of a packing.
type Sequence struct {
	Text, Patches int // rows
	GridH, GridW  int // the full grid of its picture, in patches
	FirstToken    int // index into TokenIDs
	FirstPatch    int // index into PatchPos, and row of the pixel input
}

// MaxRows is the capacity N of a batch.
func (p *Packing) MaxRows() int { return p.MaxBatch * (p.MaxText + p.Prompts + 1 + p.MaxPatches) }

// Rows is the number of rows filled.
func (p *Packing) Rows() int {
	if len(p.Offsets) == 0 {
		return 0
	}
	return p.Offsets[len(p.Offsets)-1]
}

// pairs is the number of pairs of rows of the same sequence.
func (p *Packing) pairs() (n int) {
	for i := range p.Seqs {
		s := p.Offsets[i+1] - p.Offsets[i]
		n += s * s
	}
	return n
}

// Reset empties the packing, keeping its memory.
func (p *Packing) Reset() {
	p.Seqs, p.TokenIDs, p.TokenPos = p.Seqs[:0], p.TokenIDs[:0], p.TokenPos[:0]
	p.PatchPos, p.Labels, p.Offsets = p.PatchPos[:0], p.Labels[:0], append(p.Offsets[:0], 0)
}

// Add appends a sequence. It panics when the batch is full or the sequence longer than the capacity.
func (p *Packing) Add(tokenIDs, tokenPos, patchPos []int32, gridH, gridW int, label int32) {
	switch {
	case len(p.Seqs) == p.MaxBatch:
		panic(fmt.Sprintf("op: more than %d sequences in a batch", p.MaxBatch))
	case len(tokenIDs) == 0 || len(tokenIDs) > p.MaxText || len(tokenIDs) != len(tokenPos):
		panic(fmt.Sprintf("op: %d tokens at %d positions, capacity %d", len(tokenIDs), len(tokenPos), p.MaxText))
	case len(patchPos) > p.MaxPatches:
		panic(fmt.Sprintf("op: %d patches, capacity %d", len(patchPos), p.MaxPatches))
	}
	if len(p.Offsets) == 0 {
		p.Offsets = append(p.Offsets, 0)
	}
	p.Seqs = append(p.Seqs, Sequence{
		Text: len(tokenIDs), Patches: len(patchPos), GridH: gridH, GridW: gridW,
		FirstToken: len(p.TokenIDs), FirstPatch: len(p.PatchPos),
	})
	p.TokenIDs = append(p.TokenIDs, tokenIDs...)
	p.TokenPos = append(p.TokenPos, tokenPos...)
	p.PatchPos = append(p.PatchPos, patchPos...)
	p.Labels = append(p.Labels, label)
	p.Offsets = append(p.Offsets, p.Offsets[len(p.Offsets)-1]+len(tokenIDs)+p.Prompts+1+len(patchPos))
}
