// Package method holds the ways of learning class after class, one file each, over the one encoder of train/vilt.
//
// A [Learner] is given the items of each phase in turn: the new classes' examples and whatever memory replays. It answers
// with features, logits over all classes (in the order learned) and attention. Which old examples are replayed, and in
// which form, is the business of train/memory; a method only learns from what it is given.
//
// # Methods
//
//	ssf  scale and shift vectors on a frozen encoder and a linear classifier that grows, trained in every phase with
//	     cross-entropy over the classes seen (Lee et al., arXiv 2412.09549, after Lian et al., NeurIPS 2022)
package method
