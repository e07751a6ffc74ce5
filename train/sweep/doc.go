// Package sweep runs a grid of training runs, each a process of its own with a run folder of its own.
//
// # The file
//
//	train: {data: D/hf, weights: W, epochs: 8}     # flags of every run
//	grid:  {exemplars: [none, masked], budget: [1, 3], seed: [1, 2, 3]}
//	rows:                                          # named settings, crossed with the grid
//	  - {name: masked, exemplars: masked}
//	  - {name: random mask, exemplars: masked, mask-score: random}
//
// Keys are flags of mcil train. Values are scalars, or lists of scalars where a flag takes a list; in the grid, lists of
// such values. A row may say anew what train says; what is in the grid stands nowhere else. Aliases, tags and keys that
// stand twice are refused: [Parse] says where.
//
// # What is run
//
// [File.Plan] makes the runs: every row with every combination of the grid, rows outermost, the last key of the grid
// fastest. It knows no flag. It asks its caller whether the program takes a combination; where it does not, a key is left
// out if the program says of it that it has no effect there ([ErrIdle]), if without it the combination is taken and with none
// of the values that the file has for it, and if its value counts in another combination. So exemplars none with budgets 1, 3
// and 5 is one run and not three. A value that is wrong, alone or beside another key's, is an error: what is left out for
// that would be measured at its default, unseen.
// What is a slip of the pen stays an error: a value that no run takes, and two runs with the same settings. Data is not opened
// for it, so a key without effect in the one phase that init makes of all classes is refused by the run itself, which fails.
//
// # How it is run
//
// [Run] starts as many processes as cores, memory and the caller allow, each with its share of the cores. A process gets
// orders on its standard input: a byte asks it to save and to stop, the end of the input to stop at once. So no process
// outlives the sweep, however that ends. Progress comes back as lines of JSON: see [Line].
//
// A run that is done says so itself, after it has compared settings, data and weights, so a sweep that is started again does
// what is missing and no more. A run that fails is recorded and does not stop the others.
//
// # Memory
//
// The caller says what a run will take. Once a run with the same settings but for the seed has ended, its own peak counts,
// and a tenth more. Runs are started as long as the sum stays within the memory given; one that alone needs more is started
// alone. The estimate is made while others run, if there is room beside them for one like the largest estimated so far.
package sweep
