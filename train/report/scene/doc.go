// Package scene is a drawing of a few kinds of shapes, which is written as SVG and as PNG.
//
// # Use
//
// [New] gives an empty [Scene]; its methods put lines, areas, marks, words and pictures on it, each over the ones before.
// [Scene.WriteSVG] and [Scene.WritePNG] write a file, [Scene.Inline] an element for a page that carries [Style].
// Coordinates are CSS pixels from the upper left; y grows downwards; the y of a text is its baseline.
//
// # Why not a plotting library
//
// A figure of a report is wanted three times: as SVG for a paper, as PNG for slides, and on a page that follows its reader's
// light or dark scheme. gonum's plot draws the first two, but fixes colours and fonts as it draws, so that nothing can follow a
// scheme; it knows no direct labels that make room for each other, no text for those who do not see, and its axes would have
// had to be drawn by hand for bars beside lines. What a report needs beyond that is polylines, rectangles and words: less than
// the code which would have adapted a library. The arithmetic of pixels and glyphs is golang.org/x/image's.
//
// # Colours
//
// A [Colour] is a name of the palette, with a light and a dark value, or a fixed one by [RGB]. Every element of an SVG states its
// light colours as attributes, which any reader of SVG knows; a style sheet, of the file or of the page, overrides them in
// browsers that ask for dark. PNGs are light. The series' colours keep apart under the common kinds of colour blindness, and in
// the paper's grey by the marks' shapes.
//
// # Same scene, same bytes
//
// Nothing depends on time, on a map's order, or on fonts of the machine: PNGs use the Go fonts, which are part of the program.
// An SVG names a family instead, so that its text stays text; [Scene.TextWidth] measures the Go font, which is wider than most.
package scene
