// Package kernel is arithmetic on []float32 for a small vision-and-language
// transformer: products, normalization, activations, attention, a loss and an
// optimizer step, forwards and backwards. A plain reference says what each must
// compute; assembly for amd64 does it fast and is held to the reference by the
// tests.
//
// # What is where
//
// [Matrix] is the one type: a row-major view with a stride. [MatMul], [MatMulNT],
// [MatMulTN] and [Linear] are the products, [LinearFused] with what follows one while
// its rows are in the cache, [MatMulBatch] many small ones; [LayerNorm], [ScaleShift]
// and [ColSum] work on rows and columns; [GELU], [Tanh], [Add] and [Axpy] on elements;
// [Attention] on packed sequences, and [AttentionOver] for few queries of each;
// [SoftmaxCrossEntropy] is the loss and [AdamW] the step, [AdamWAll] of many parameters
// at once. [Peak] measures what the processor can do. A function that ends in Backward takes the gradient of the result and writes,
// never adds, the gradients of the arguments; only products have an acc to add.
//
// # Shapes
//
// Letters in comments: N rows (the tokens of every sequence in a batch, one after
// another), B sequences or samples, S rows of one sequence, D width, K the inner side
// of a product or the classes of a loss, H heads. Weights are (out, in). What is
// written comes first and is called dst or begins with d; nothing else is modified.
// Only leading rows count: Matrix.Rows says how many are filled, and the array behind
// may be larger, so a graph of fixed capacity can hold a batch of any size. Attention
// takes offsets instead of padding and a mask.
//
// A shape that does not fit is the caller's mistake and panics with a message that
// begins "kernel: ". Slices written to must not overlap others unless the comment
// says so.
//
// # Threads
//
// Every function returns when its work is done and may be called from several
// goroutines on different data. Work above some ten thousand elements is split over
// at most GOMAXPROCS goroutines; less runs on the caller's. A goroutine that has helped
// polls for 200 µs for the next job before it ends, as waking a sleeping thread takes
// as long as a small kernel; between two steps of training that costs a little idle
// power, and nothing stays behind. Buffers and what it takes to share work out are pooled:
// on the assembly paths a steady state allocates nothing.
//
// # CPU paths
//
// Three: avx512 (F, VL, DQ, BW) and avx2 (with FMA) on amd64, and portable, which is
// Go alone and the only one elsewhere. The best one is chosen when first needed; the
// environment variable MCIL_CPU set to avx512, avx2 or portable forces one, and [Path]
// reports the choice, or an error where the CPU lacks it or the word is unknown.
//
// A fourth, openblas, is there in a build with -tags openblas: products that would be
// shared out over goroutines go through the machine's own OpenBLAS (cblas_sgemm, with as
// many threads as GOMAXPROCS), what follows a product in a pass of its own, and all else
// on the best path. The variable MCIL_OPENBLAS names the library: see train/kernel/openblas.
// Such a build is a dynamic binary and not the default for that. The library has memory
// of its own, which [PackingBytes] does not know of. What Determinism says
// below does not hold for it: a library picks its blocking by shape and threads, so
// results agree to rounding only, in other batches and on other numbers of threads.
//
// Products follow Goto and van de Geijn, "Anatomy of high-performance matrix
// multiplication" (2008): b is packed into panels one register tile wide (transposed
// on the way if need be), rows of a are copied next to each other block by block, and
// an assembly tile, 14x32 in AVX-512 and 6x16 in AVX2, runs over them. Small operands
// are read where they lie, with any strides, which is how attention reads q, k and v
// inside the rows of qkv. The portable path outside products is the reference itself.
//
// # Accuracy
//
// Products sum in float32, fused on the assembly paths: the error grows like √K
// roundings of the partial sums. Denormals, NaN and infinities flow as IEEE 754 has
// them, and what dst held is not read unless it is added to. The exponential behind
// softmax, [GELU] and [Tanh] has a relative error of 2e-7; results below 1e-38 are
// zero. GELU uses formula 7.1.26 of Abramowitz and Stegun, absolute error of erf 1.5e-7;
// GELU and its derivative are within 4e-7 of |x|+1 and 1e-6, tanh within 3e-7. Column
// sums (gradients of biases and gains) add N rows in float32 in order.
// [SoftmaxCrossEntropy] is float64 inside.
//
// # How near the limit
//
// Measured on one core of an AMD EPYC of the Zen 4 generation (avx512; 118 GFLOP/s by
// [Peak]: one multiply-add of 16 lanes a cycle at 3.7 GHz) with go test -bench . -cpu 1,
// which counts processor time and the tenth fastest call in a hundred. The machine had
// other work to do: its state shifts a figure that depends on memory by a quarter, one that
// does not by a few percent.
//
//	kernel                       reaches          bound by                  share of it
//	x wᵀ 1480x768x768            103 GFLOP/s      multiply-adds             0.88
//	dy w                         104 GFLOP/s      multiply-adds             0.89
//	dyᵀ x                         93 GFLOP/s      multiply-adds             0.80
//	x wᵀ 1480x768x3072            94 GFLOP/s      multiply-adds             0.80
//	x wᵀ 1480x3072x768            94 GFLOP/s      multiply-adds             0.81
//	x wᵀ 530x768x768             102 GFLOP/s      multiply-adds             0.87
//	q kᵀ 185x64x185, in cache    103 GFLOP/s      multiply-adds             0.88
//	q kᵀ, 96 of them             61-70 GFLOP/s    memory that is written    0.5-0.6 of multiply-adds
//	p v 185x185x64, 96 of them   74 GFLOP/s       memory that is read       0.63 of multiply-adds
//	Attention, 185 rows           79 GFLOP/s      multiply-adds, exp        0.67
//	AttentionKeeping              76 GFLOP/s      multiply-adds, exp        0.64
//	AttentionBackward             88 GFLOP/s      multiply-adds, exp        0.74
//	AttentionBackwardKept         85 GFLOP/s      multiply-adds             0.72
//	GELU, in cache               2.3 G/s          21 multiply-adds each     0.83
//	GELUBackward, in cache       2.0 G/s          23 multiply-adds each     0.80
//	softmax, in cache            2.9 G/s          13 multiply-adds each     0.64
//	its way back, in cache       8.9 G/s          3 multiply-adds each      0.45
//	LayerNorm                     46 GB/s         loads and stores          0.6
//	LayerNormBackward (dx)        49 GB/s         loads and stores          0.65
//	ScaleShift                    93 GB/s         loads and stores          1.2
//	ScaleShiftBackward            71 GB/s         loads and stores          0.8
//	ColSum                        26-28 GB/s      adding to column sums     0.35
//	ScaleShiftGELU               1.9 G/s          22 multiply-adds each     0.72
//	ScaleShiftGELUBackward       0.9-1.5 G/s      25, column sums           0.4-0.65
//	AdamW                         59-85 GB/s      loads and stores          0.8-1.1
//	AdamWAll, 200 of 768         2.6 G/s          square root and division  not measured
//	SoftmaxCrossEntropy          0.05 G/s         float64 exp, twice        not measured
//
// Loads and stores are at the pace of Add, some 70 GB/s with three matrices of 4.5 MB, which
// lie in the third cache; a kernel of two matrices, as ScaleShift, may be above it.
//
// Why not nearer. What a product lacks goes to packing, to filling and storing tiles, and to
// waiting for panels from the second and third cache, which has not been told apart; weights
// of 9 MB come from memory. Heads are short of terms: a tile of 64 of them does 1792 cycles of work for
// 56 cache lines of result. Where attention does them the result stays in the second cache;
// [MatMulBatch] clears it first, which fetches memory in order, and makes 60 µs of 76.
// Attention's share is of the products alone: its softmax is a tenth of its time.
// Keeping the probabilities of 96 heads of 185 rows is 0.6 ms of Attention's 11, as they are written past the
// caches (2.2 ms where they are not), and spares AttentionBackward 4 ms of 24.
// Softmax goes over a row three times, and a row of 185 fills its last vector by half;
// layer norm goes over a row two times more than it must, from the first cache. Column sums
// add to a row of sums in the first cache, in the order of rows, for the same bytes on any
// number of threads; ColSum masks every store, which takes a Zen 4 a dozen cycles, and the sums of
// ScaleShiftBackward do not. The loss is of a few thousand elements and takes microseconds.
//
// Weights are packed anew by every product although they do not change. Of a product of
// 1480 rows and 768x768 weights that is 0.6 %, of 530 rows 1.8 %; of weights that come from
// memory 1.5 % and 4 %, but most of that is fetching them, which a product of prepared panels
// would wait for as well. Preparing them would gain less than 2 % of a step and, as forward
// and backward want different panels, hold the weights two times more (680 MB for ViT-B).
//
// arm64 has the portable path: nothing here is written for NEON.
//
// # Determinism
//
// The same inputs give the same bytes on a CPU path, whatever GOMAXPROCS is: work is
// split over results, never over the terms of a sum. More than that, each element of
// a product is one chain of multiply-adds over k in order, whatever the blocking, so
// a row gives the same bytes in any batch, avx2 and avx512 agree on products, and a
// sequence gives the same attention alone and among others. The paths otherwise
// differ in roundings.
package kernel
