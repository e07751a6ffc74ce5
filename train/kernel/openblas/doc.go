// Package openblas calls a machine's own OpenBLAS, which is loaded when asked for: no C compiler and no cgo are needed to
// build it, and nothing but this package knows of it. It is the yardstick of `make bench-peers`, and what train/kernel sends
// its large products to where it is built with -tags openblas and MCIL_CPU says openblas.
//
// # Which library
//
// [Open] takes a path, or else the environment variable MCIL_OPENBLAS, or else what the dynamic linker finds under the
// usual names. Distributions have it as libopenblas.so.0 (Debian's libopenblas0), Homebrew in a folder of its own,
// PyPI's scipy-openblas32 as scipy_openblas32/lib/libscipy_openblas.so.
//
// # Names and integers
//
// Builds differ in a prefix of their symbols (scipy_), in a suffix (64_, _64) and in the width of their integers: both
// spellings of the suffix mean 64 bits, and a build may have 64 bits without it, which its configuration then says.
// All of these are tried; a library that has none of them is another BLAS, and is refused.
//
// # What it costs
//
// A call takes a microsecond or two more than from C, and a few hundred bytes: nothing beside a product of a layer, but
// a few per cent of one head's scores. [Library.SGEMMBatch] is one call for many such products.
//
// OpenBLAS has threads of its own, [Library.SetThreads] in number. They stay awake for some milliseconds after a call
// and compete with whatever runs then: who times something else on the same cores waits first.
//
// A program that imports this package is linked to the system's C library, and is no static binary any more: readelf -d
// lists libc.so.6 and two more where it lists nothing otherwise, CGO_ENABLED=0 or not. So the default build has none of it.
package openblas
