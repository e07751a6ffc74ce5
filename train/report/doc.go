// Package report turns finished runs into what a reader wants of them: one table, two plots, and one page that holds
// everything. It presents and never measures: accuracies, forgetting and bytes are taken from report.json as they stand,
// and only their mean and standard deviation over seeds are computed here.
//
// # Use
//
// [Load] reads run folders, [Summarise] puts runs that differ only in the seed into one [Row], [WriteTable] prints the
// rows on a terminal, and [Write] makes the folder with the page:
//
//	report.html   the page: table, curves, bars, accuracy matrices, masked exemplars, definitions, settings
//	table.md      the table for a README
//	table.csv     the table for a spreadsheet: fractions in [0,1], bytes, seconds
//	results.json  the rows in full ([schemas.ResultsHeader])
//	accuracy.svg  accuracy over the classes seen
//	memory.svg    exemplars a class, and bytes used of the budget
//
// # The page
//
// report.html is one file that asks nobody for anything: no script, no font, no picture from outside. It follows the
// reader's light or dark scheme, fits a telephone, and prints. Every text that came from a file is escaped. Nothing on
// it depends on the time, on a path of the output, or on the order of a map: the same runs give the same bytes (by one
// Go version, for large pictures are re-encoded by image/jpeg).
//
// # Why not a plotting library
//
// The plots are SVG drawn by html/template from coordinates computed here. There are two of them; they share the page's
// colours, its dark scheme and its fonts through CSS classes, their text stays text, and each is drawn twice, for a wide
// and for a narrow page, instead of shrinking until it cannot be read. gonum's plot package fixes colours and fonts when
// it draws and embeds neither dark scheme nor text alternatives.
//
// # Seeds
//
// SD is the sample standard deviation (n-1) over seeds. One seed has none, and none is shown. Two runs with the same
// settings and the same seed are refused: counting one twice would make the spread look smaller than it is.
package report
