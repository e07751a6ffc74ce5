// Package synth draws pictures in the folder layout of ImageNet-R, so that the whole pipeline can be tried without the
// real 2 GB data set.
//
// # What it makes
//
// [Write] fills a folder as ImageNet-R's tar does: README.txt with the class list, and one folder a class, named by its
// wnid, with pictures <rendition>_<n>.jpg. Classes, wnids and rendition names are ImageNet-R's own; the pictures are
// not, and results on them say nothing about ImageNet-R.
//
// [ContactSheet] shows them on one page.
//
// # How a picture comes about
//
// A class is a program that draws parts with a pen: closed paths with a role such as body, side or ink, with proportions
// that vary from picture to picture. Placing poses the parts: mirrored, turned, sheared, bent, scaled. A rendition then
// paints them: flat colours and an outline, hatching, brush strokes, folded paper, stitches, large pixels.
//
// Colours belong to roles and are drawn for each picture, and so are backgrounds and clutter: neither tells the class.
// Only shape does.
//
// # Compatibility
//
// A picture depends on (seed, wnid, rendition, n) alone: not on the number of workers, classes or pictures. The README
// names the generator's version, which changes when the same seed no longer gives the same bytes; a folder of another
// version is refused, not mixed. Bytes are the same on every run on one architecture; where the compiler fuses
// floating-point operations (arm64, GOAMD64=v3) single pixels may differ.
package synth
