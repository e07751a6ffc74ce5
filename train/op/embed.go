package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Embed makes the rows of ViLT's one stream (Kim et al., "ViLT", ICML 2021, section 3.1), summed from left to right. In
// transformers' ViltEmbeddings a patch's modality comes last, which rounds otherwise:
//
//	text token   LayerNorm(word[id] + type[0] + textPos[pos]) + modality[0]
//	class token  cls + imagePos[0] + modality[1]
//	patch        S(Wp · pixels + bp) + modality[1] + grid(imagePos)[pos]
//
// where grid resizes the learned G by G positions to the picture's own grid (bilinear, corners aligned) and S is SSF's
// optional scale and shift.
//
// Inputs: pixels [P,C·p·p] with rows packed as the patches are; word [V,D]; textPos [L,D]; type [2,D]; norm weight,
// bias [D]; modality [2,D]; Wp [D,C·p·p], bp [D]; cls [D]; imagePos [1+G·G,D]; and where tuned, gamma, beta of S [D].
type Embed struct {
	p       *Packing
	scratch *Scratch
	width   int
	grid    int // G
	text    norm
	patch   linear

	sum []float32 // [T,D] of word, type and position, before the norm; nil where nothing of the text is trained
}

// Positions of Embed's inputs.
const (
	embedPixels = iota
	embedWord
	embedTextPos
	embedType
	embedNormW
	embedNormB
	embedModality
	embedPatchW
	embedPatchB
	embedCLS
	embedImagePos
	embedScale
)

// NewEmbed returns the layer for sequences packed by p; patchSize is C·p·p, grid is G.
func NewEmbed(p *Packing, s *Scratch, width, patchSize, grid int, eps float32) *Embed {
	return &Embed{
		p: p, scratch: s, width: width, grid: grid,
		text:  newNorm(width, p.MaxBatch*p.MaxText, eps),
		patch: linear{in: patchSize, out: width},
	}
}

// reserve: the text's rows are kept where its tables or its norm are trained, the patches' where a scale follows them.
func (e *Embed) reserve(wanted []bool) (kept int) {
	text, patches := e.p.MaxBatch*e.p.MaxText*e.width, e.p.MaxBatch*e.p.MaxPatches*e.width
	e.scratch.reserve(slotNormed, text)
	e.scratch.reserve(slotGrad, text)
	e.scratch.reserve(slotGrad2, patches)
	if e.scratch.ForwardOnly {
		return 0
	}
	if wanted[embedWord] || wanted[embedTextPos] || wanted[embedType] || wanted[embedNormW] || wanted[embedNormB] {
		kept += keep(&e.sum, text)
	}
	if len(wanted) > embedScale && wanted[embedScale] {
		kept += keep(&e.patch.pre, patches)
	}
	return kept
}

func (e *Embed) Name() string           { return "embed" }
func (e *Embed) OutShape() tensor.Shape { return tensor.Shape{e.p.MaxRows(), e.width} }

func (e *Embed) Forward(out []float32, in [][]float32) {
	d, tokens, patches := e.width, len(e.p.TokenIDs), len(e.p.PatchPos)
	sum := e.scratch.kept(e.sum, slotNormed, tokens, d)
	for i, id := range e.p.TokenIDs {
		pos := e.p.TokenPos[i]
		row, word := sum.Data[i*d:(i+1)*d], in[embedWord][int(id)*d:]
		kind, position := in[embedType][:d], in[embedTextPos][int(pos)*d:]
		for c := range row {
			row[c] = word[c] + kind[c] + position[c]
		}
	}
	text := e.scratch.rows(slotGrad, tokens, d)
	e.text.forward(text, sum, in[embedNormW], in[embedNormB], scaleShift{})

	image := e.scratch.rows(slotGrad2, patches, d)
	k := e.patch.in
	e.patch.forward(image, kernel.Mat(in[embedPixels][:patches*k], patches, k), in[embedPatchW], in[embedPatchB], pair(in, embedScale), kernel.Epilogue{})

	textMode, imageMode := in[embedModality][:d], in[embedModality][d:2*d]
	for i, s := range e.p.Seqs {
		row := out[e.p.Offsets[i]*d : e.p.Offsets[i+1]*d]
		for t := range s.Text {
			addInto(row[:d], text.Data[(s.FirstToken+t)*d:], textMode)
			row = row[d:]
			if t == 0 {
				row = row[e.p.Prompts*d:]
			}
		}
		addInto(row[:d], in[embedCLS], in[embedImagePos])
		kernel.Axpy(row[:d], 1, imageMode)
		row = row[d:]
		for j := range s.Patches {
			addInto(row[:d], image.Data[(s.FirstPatch+j)*d:], imageMode)
			for _, c := range e.corners(s, e.p.PatchPos[s.FirstPatch+j]) {
				if c.weight != 0 {
					kernel.Axpy(row[:d], c.weight, in[embedImagePos][c.row*d:(c.row+1)*d])
				}
			}
			row = row[d:]
		}
	}
}

func (e *Embed) Backward(din [][]float32, dout []float32, in [][]float32) {
	d, tokens, patches := e.width, len(e.p.TokenIDs), len(e.p.PatchPos)
	dtext, dimage := e.scratch.rows(slotGrad, tokens, d), e.scratch.rows(slotGrad2, patches, d)
	for _, i := range []int{embedWord, embedTextPos, embedType, embedModality, embedCLS, embedImagePos} {
		clear(din[i])
	}
	for i, s := range e.p.Seqs {
		rows := dout[e.p.Offsets[i]*d : e.p.Offsets[i+1]*d]
		copy(dtext.Data[s.FirstToken*d:(s.FirstToken+1)*d], rows)
		rows = rows[(1+e.p.Prompts)*d:]
		copy(dtext.Data[(s.FirstToken+1)*d:(s.FirstToken+s.Text)*d], rows)
		rows = rows[(s.Text-1)*d:]
		if din[embedCLS] != nil {
			kernel.Axpy(din[embedCLS][:d], 1, rows[:d])
		}
		if din[embedImagePos] != nil {
			kernel.Axpy(din[embedImagePos][:d], 1, rows[:d])
		}
		if din[embedModality] != nil {
			kernel.Axpy(din[embedModality][d:2*d], 1, rows[:d])
		}
		rows = rows[d:]
		copy(dimage.Data[s.FirstPatch*d:(s.FirstPatch+s.Patches)*d], rows)
		if din[embedImagePos] != nil {
			for j := range s.Patches {
				for _, c := range e.corners(s, e.p.PatchPos[s.FirstPatch+j]) {
					kernel.Axpy(din[embedImagePos][c.row*d:(c.row+1)*d], c.weight, rows[j*d:(j+1)*d])
				}
			}
		}
	}
	if din[embedModality] != nil {
		sum := e.scratch.rows(slotNormed, 1, d).Data
		kernel.ColSum(sum, dtext)
		kernel.Axpy(din[embedModality][:d], 1, sum)
		kernel.ColSum(sum, dimage)
		kernel.Axpy(din[embedModality][d:2*d], 1, sum)
	}
	e.textBackward(din, dtext, in)
	k := e.patch.in
	e.patch.backward(kernel.Matrix{}, din[embedPatchW], din[embedPatchB], pair(din, embedScale), dimage, dimage,
		kernel.Mat(in[embedPixels][:patches*k], patches, k), in[embedPatchW], pair(in, embedScale))
}

// textBackward fills the gradients of the text's tables and norm; a frozen text side is skipped.
func (e *Embed) textBackward(din [][]float32, dtext kernel.Matrix, in [][]float32) {
	if e.sum == nil {
		return
	}
	d, tokens := e.width, dtext.Rows
	dsum := e.scratch.rows(slotNormed, tokens, d)
	e.text.backward(dsum, din[embedNormW], din[embedNormB], scaleShift{}, dtext, kernel.Mat(e.sum[:tokens*d], tokens, d), in[embedNormW], in[embedNormB], scaleShift{})
	for i, id := range e.p.TokenIDs {
		g := dsum.Data[i*d : (i+1)*d]
		if w := din[embedWord]; w != nil {
			kernel.Axpy(w[int(id)*d:(int(id)+1)*d], 1, g)
		}
		if w := din[embedTextPos]; w != nil {
			pos := int(e.p.TokenPos[i])
			kernel.Axpy(w[pos*d:(pos+1)*d], 1, g)
		}
	}
	if w := din[embedType]; w != nil {
		kernel.ColSum(w[:d], dsum)
	}
}

// corner is a row of the image position table and its share in an interpolated position.
type corner struct {
	row    int
	weight float32
}

// corners are the four neighbours of the patch at raster index pos of s's grid in the learned G by G grid, corners
// aligned: source = i·(G-1)/(out-1), and 0 where the grid has one row.
func (e *Embed) corners(s Sequence, pos int32) [4]corner {
	y0, y1, fy := align(int(pos)/s.GridW, s.GridH, e.grid)
	x0, x1, fx := align(int(pos)%s.GridW, s.GridW, e.grid)
	at := func(y, x int) int { return 1 + y*e.grid + x }
	return [4]corner{
		{at(y0, x0), (1 - fy) * (1 - fx)}, {at(y0, x1), (1 - fy) * fx},
		{at(y1, x0), fy * (1 - fx)}, {at(y1, x1), fy * fx},
	}
}

// align maps index i of out cells to its two neighbours among in cells and the second one's share.
func align(i, out, in int) (lo, hi int, share float32) {
	if out <= 1 {
		return 0, min(1, in-1), 0
	}
	src := float32(i) * (float32(in-1) / float32(out-1))
	lo = min(int(src), in-1)
	return lo, min(lo+1, in-1), src - float32(lo)
}

// addInto sets dst to a + b over dst's length.
func addInto(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}
