// Package compare measures the captions of a store and, where it has variants, holds them against one another.
//
// # What to call
//
// [Stores] reads the store and its variants once, side by side, and returns a [Result]: for each variant its length, flags,
// duplicates, leakage, tokens and latency, and for each pair of variants how far they agree. [WriteJSON] writes that for
// machines; [WritePage] makes one HTML file of it with pictures, which needs nothing beside it and no script. A store
// without variants gives a page on its quality.
//
// # Agreement
//
// Two captions are compared as lists of words ([leakage.Words]: lower case, no punctuation). Their agreement is the F1 of
// ROUGE-L (Lin 2004, section 3) with beta 1, without stemming or stop words: twice the length of the longest common
// subsequence, divided by the number of words of both. It is 1 where the words are the same in the same order, 0 where no
// word is shared, and 1 for two captions without words. Beside it stands the Jaccard index of the two sets of words, which
// sees neither order nor repetition. A caption that loops therefore agrees little by the first and may agree much by the
// second. Of a caption only the first 2000 words are compared.
//
// Neither knows what words mean: a paraphrase counts as a change.
//
// # What is compared with what
//
// Captions of the same picture: the same ID with the same bytes. Where a file was replaced between two runs, its captions
// are counted (Pair.OtherBytes) and not compared.
//
// # Memory
//
// Texts are read from the journals one picture at a time and let go, but for those shown: the worst, the most changed, a
// sample and the repeated ones. What grows with the store is a few numbers and a digest a caption, and what
// [caption.Duplicates] keeps. A store is read twice: what is a duplicate is known at its end.
package compare
