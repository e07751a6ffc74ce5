// Package op puts coarse, fused steps of a network into a gorgonia graph.
//
// # Layers
//
// A [Layer] is plain Go over flat float32 slices: a forward function and its derivative beside it, over buffers that it
// owns. [Apply] wraps one in a gorgonia Op, with a symbolic derivative, so that the network is an ExprGraph that a
// machine runs and [gorgonia.Grad] differentiates. A layer is coarse (half a transformer block) because the cost of a
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
// Every Op has its output from the start and returns the same tensor at every run. For this reason one graph must not be run
// by two machines at once. A [Machine] has gorgonia's TapeMachine compile the graph and make the first run, and then repeats
// the layers' calls, which allocates nothing; kernels make a few small objects each to share out their work.
//
// Of what a layer computes on the way forward it keeps what its derivative by the wanted inputs reads and what only a product
// would give again. A transformer block whose weights are frozen and that is scaled and shifted keeps 11 rows of the width a
// token: attention its query, key and value (3), the projection (1) and its output (1), the MLP its hidden rows before GELU
// (4), its second map (1) and its output (1). Norms, scaled and shifted rows and GELU's output are computed again. Weights that
// are trained cost one row more: attention's output before the projection.
//
// Attention's probabilities are kept too, H·S values a row, S being its sequence in an odd number of cache lines: for the 185
// rows of ViT-B 3.25 rows of the width a token, 163 MB for 11 blocks of 8 sequences. That saves one small product of seven and
// a softmax of two, 0.7 % of a step. [Scratch.ForgetAttention] has them computed again.
//
// A last block of which nothing but first rows is read ([FirstAttention], [Packing.First]) keeps nothing but its output and a
// few rows a sequence.
//
// Gradients that flow from layer to layer take turns in two buffers. What layers need while they run is shared: [Scratch].
// [Ledger] adds it all up.
package op
