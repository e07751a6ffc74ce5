// Package method holds the ways of learning class after class, one file each, over the one encoder of train/vilt.
//
// A [Learner] is given the items of each phase in turn: the new classes' examples and whatever memory replays. It answers
// with features, logits over all classes (in the order learned) and attention. Which old examples are replayed, and in
// which form, is the business of train/memory; a method only learns from what it is given.
//
// # Methods
//
//	ssf       scale and shift vectors on a frozen encoder and a classifier that grows, trained in every phase with
//	          cross-entropy over the classes seen (Lee et al., arXiv 2412.09549, after Lian et al., NeurIPS 2022)
//	finetune  the same without a memory: it refuses exemplars
//	linear    the classifier alone
//
// A method is a [Spec]: whether it replays, which settings it reads, and how a learner is made. What it does not read is
// refused before a run begins, so that no flag is without effect. What is tuned is a [Tuner], a value passed in; there is one
// encoder, and no second copy of a block.
//
// # What the paper is silent about
//
// The paper publishes neither classifier, loss, optimizer nor schedule. What takes its place here, and the flag of mcil train
// that changes it:
//
//	classifier    linear, growing (--head: cosine, mlp as in the first author's earlier ViLT repository)
//	loss          cross-entropy over all classes seen; no distillation (--distill WEIGHT, --distill-temperature T)
//	SSF's life    one set for all phases; no flag
//	optimizer     AdamW (0.9, 0.98), decay of matrices alone (--learning-rate, --weight-decay), linear warm-up and linear
//	              decay anew in each phase (--warmup, --epochs, --batch-size)
//
// These are to be chosen by accuracy on validation rows (--evaluate validation), never on test rows.
package method
