// Package op puts coarse, fused steps of a network into a gorgonia graph.
//
// # Layers
//
// A [Layer] is plain Go over flat float32 slices: a forward function and its derivative beside it, over buffers that it
// owns. [Apply] wraps one in a gorgonia Op, with a symbolic derivative, so that the network is an ExprGraph that a
// TapeMachine runs and [gorgonia.Grad] differentiates. A layer is coarse (half a transformer block) because the cost of a
// node is the cost of its memory traffic: what can be kept in cache between two products is not a node of its own.
//
// # Capacity and rows
//
// Shapes in a graph are static. A node has the capacity of the largest batch; how many of its rows are filled is read
// from the [Packing] that the layers of one graph share and that is set before every run. Rows beyond are neither read
// nor written, so a token that is left out costs nothing, and one compiled graph serves every batch.
//
// # Derivatives
//
// The derivative of a layer is one Op that computes all gradients that are wanted, in one pass, and small Ops that
// hand out each of them. A frozen input is not wanted: no weight gradient is computed for a frozen encoder.
//
// # Memory
//
// Every Op owns its output and returns the same tensor at every run: a step allocates nothing that grows with the batch.
// For this reason one graph must not be run by two machines at once.
package op
