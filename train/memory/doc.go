// Package memory decides which old examples are kept, in which form, and in how much room.
//
// # Selection
//
// [Herd] orders a class's examples as iCaRL does (Rebuffi et al., CVPR 2017, algorithm 4); the order is a priority, so a
// smaller memory keeps a prefix. [Store.Put] takes candidates in that order and stops at the first that does not fit.
//
// # Kinds
//
//	raw     the whole example
//	masked  the patches that matter, and the words that tell what the others showed (arXiv 2412.09549)
//	mrdc    the whole example as a JPEG of lower quality (Wang et al., ICLR 2022)
//	cim     a box at full resolution, the rest of the picture down-sampled (Luo et al., CVPR 2023)
//
// The text of all but masked exemplars is kept whole, and counted. mrdc and cim herd by the features of the pictures as they
// are stored, the others by those of the examples as they are. That masked exemplars should be is not published: they may be
// herded by what would be stored of them too, picture and text as they are replayed (--herding stored). That takes the attention
// of every candidate, and a pass over what is left of it.
//
// # Masks
//
// [MaskOptions.Mask] implements exemplar masking: a patch is kept where the class token attends to it more than to the
// picture's mean patch, which is what the paper's published maps show; a word piece is kept where the discarded patches attend
// to it more than to the mean word piece, so that the text keeps what the picture loses. Which attention the paper reads is
// not published: here it is the last block's, averaged over heads, with the text's [CLS], which ViLT's pooler reads, as the
// class token. Each of these is an option, and so are masks of the same size that are random or turned round, and masks of
// the picture or the text alone: of a picture that is kept whole nothing is discarded, and all its patches judge the text.
//
// # Qualities
//
// For mrdc each class has one quality of JPEG. Of each that is tried it is seen how many exemplars the budget holds at the
// class's average size, and whether these span the volume of features that as many originals do ([LogVolume]); of the
// qualities that do, the one that holds the most exemplars is taken, and the better one where two hold as many ([Choose]).
// phase.json has for each class the quality, and counts and ratios of all that were tried. Features are those of the present
// model. How near to one the ratio of volumes must be is not published; the default is a tenth, which on drawn
// pictures tells qualities that are seen to differ from such that are not.
//
// # Boxes
//
// CIM's box comes from class-activation maps, which a transformer does not have: see [BoxOptions.ActivationBox] for what
// stands in. That CIM learns its maps' activation functions besides is left out. The box is kept exactly, and of the rest
// every second pixel of every second row (at the default ratio of 4); squares of which the box has a part only are kept too.
// Where the parts take more than the whole, as bitmaps, boxes and two JPEGs can, a run keeps the whole: a masked or cim
// exemplar is never dearer than a raw one.
//
// # Bytes
//
// Pictures are stored as the encoder needs them, resized, eight bits a channel. The raw codec keeps these bytes. The JPEG codec
// keeps the scan alone, at full colour resolution and in whole blocks, so that no patch bleeds into another: a picture as it
// stands, kept patches in one column. Headers and tables follow from size and quality and are put back to decode. Texts take
// two bytes a kept token.
//
// # Costs
//
// The paper does not say what it counts, so three counts stand side by side in [Cost]:
//
//   - Tokens: patches and text tokens that a batch takes: the kept ones; all of them, of raw, mrdc and cim.
//   - PixelBytes: three bytes for each pixel that is kept, before any codec: of the kept patches; of the whole picture, of raw
//     and mrdc, which decodes to all of them; of the box and the down-sampled rest outside it, of cim, which is CIM's own
//     b + (1-b)/r of the picture.
//   - StoredBytes: pixels as stored, two bytes a kept token, one bit a patch and one a token where there is a mask, and eight
//     bytes a box. What a disk is asked for; names, labels and sizes, alike for all kinds, are not counted.
//
// [FullCost] is the cost of the same example stored whole by the run's codec.
//
// # Budgets
//
// A [Budget] is an amount in one of the three units, stored bytes by default, and what a [Store] uses never exceeds it. It
// may be said in samples ([Worth]): a class's first one is worth what the largest of its train examples takes whole, each
// further one the mean. One sample a class then leaves none empty; raw exemplars come to about the number said, to exactly
// that where all examples of a class take the same, and to more where one is much larger than the rest; and the budget is the
// same amount for every kind, method and phase, as the model has no say in it. A report has the counts that came of it. A
// budget in all is dealt out by [Share]: a class that needs less than its share leaves the rest to the others. As nothing that
// was dropped comes back, an old class needs what it still holds.
//
// Features and attention come in as plain slices, so everything here is tested without a network.
package memory
