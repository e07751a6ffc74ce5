// Package peers holds `make bench-peers`: how fast training is beside what others wrote, measured on one machine in one
// run. It needs python3 and, for the rows of torch.compile, a C++ compiler. Plain `go test` finds nothing here: everything
// is under the tag bench.
//
// # What is measured
//
// Float32 products against OpenBLAS, in this process by turns, the same operands for both. A training step, a forward
// pass and peak memory against transformers' ViltModel in PyTorch with SSF modules, of which only they and the classifier
// are trained: ours and theirs are processes of their own, started once, that do so many steps when asked to, so that
// the turns of a pair follow each other within seconds. Then ours against itself: masked exemplars, and one thread.
//
// # What is fair
//
// Before anything is timed, the loss of a forward pass and those of the first steps of training must agree between ours
// and every peer, from the same weights and inputs: a fast wrong model counts for nothing. Both are warm, inputs lie
// prepared in memory, and the number of threads is the same. The peer is written as one who wants speed would: one pass
// for scale and shift, a fused AdamW, no gradient for frozen weights. Where it could be put differently (attention in one
// call, scale and shift merged before evaluation) that is a row of its own, without a target. OpenBLAS's batched products
// are given the better of its own batched call and of a goroutine a core with a thread each; so are ours. The peer makes
// every row of the last block, as ViltModel does; ours makes what the pooler reads (package vilt, "What is not made"), and
// its GFLOP/s count that much. Between turns
// nothing runs for a tenth of a second, as the threads of OpenMP and OpenBLAS stay awake for a while.
//
// A ratio is the median over rounds of the ratios within a round, so that a machine that slows down slows both.
//
// # What counts as work
//
// GFLOP/s of a step counts its products only, two operations a multiply-add, each of those that must be done for SSF once
// ([vilt.Config.Products] lists them): forward all of them; backward the gradient by inputs, none by frozen weights; four of
// attention, without the one that computes scores again.
//
// Peak memory is the kernel's VmHWM of a fresh process that has loaded the model, set back to what it holds before the
// first step, after three steps. It counts libraries and weights.
package peers
