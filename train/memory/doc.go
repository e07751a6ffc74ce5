// Package memory decides which old examples are kept, in which form, and in how many bytes.
//
// # Selection
//
// [Herd] orders a class's examples as iCaRL does (Rebuffi et al., CVPR 2017, algorithm 4); the order is a priority, so a
// smaller memory keeps a prefix.
//
// # Masks
//
// [Masks] implements exemplar masking (Lee et al., arXiv 2412.09549): a patch is kept where the class token attends to it
// more than to the picture's mean patch; a word piece is kept where the discarded patches attend to it more than to the
// mean word piece, so that the text keeps what the picture loses. Which attention the paper reads is not published: here it
// is the last block's, averaged over heads, with the text's [CLS], which ViLT's pooler reads, as the class token.
//
// # Bytes
//
// A [Budget] is in bytes and [Store.UsedBytes] never exceeds it. Pictures are counted as the encoder needs them: resized,
// eight bits a channel, uncompressed, only the kept patches; texts as two bytes a kept token; masks as one bit a patch and
// one a token. Three counts of the cost of an exemplar stand side by side in [Cost], because the paper does not say which
// it means; the stored bytes bind by default, since they are what a disk is asked for.
//
// Features and attention come in as plain slices, so everything here is tested without a network.
package memory
