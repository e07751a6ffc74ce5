// Package report turns finished runs into what a reader wants of them: the exhibits of a paper, and one page that holds
// everything. It presents and never measures: accuracies, forgetting and bytes are taken from report.json as they stand,
// and only their mean and standard deviation over seeds are computed here.
//
// # Use
//
// [Load] reads run folders ([LoadFinished] those of a sweep under way), [Summarise] puts runs that differ only in the seed
// into one [Row], [WriteTable] prints the rows on a terminal, and [Write] makes the folder with the page:
//
//	report.html           the page: everything below, accuracy matrices, definitions, settings
//	table.md              average accuracy by method and number of phases, and every row, for a README
//	table.csv             every row for a spreadsheet: fractions in [0,1], bytes, seconds
//	results.json          the rows and tables in full, and the list of figures ([schemas.ResultsHeader])
//	accuracy-L10.*        accuracy over the classes seen, at 10 phases; so for each number of phases
//	ablation-L10.*        average accuracy of variants, such as other rules of the mask; where there are some
//	memory-L10.*          accuracy and exemplars a class over budgets; where there are several budgets
//	bytes-L10.*           exemplars a class, and bytes used of the budget
//	groups-L10.*          accuracy on classes of earlier phases, and on a phase's own; where runs measured it
//	forgetting-L10.*      what was forgotten of each class; where runs measured it
//	gallery.*             exemplars as they are kept, with attention and captions; where runs saved some
//
// Every figure is there as SVG, with text that stays text and a dark scheme for browsers, and as PNG for print.
//
// # Tables
//
// Runs on the same classes of the same data with the same encoder are a study, and a study is a table: its columns are
// numbers of phases, its lines methods under a budget. What sets a line apart from others of its name is told in
// parentheses, plain values left out. A cell without a run is a dash, as is what no run has measured: nothing missing is
// shown as 0. Figures of a study show the lines under one budget, the one that most cells have; the others are in the
// tables.
//
// A setting that a run did not record is as usual, for programs of before there was a choice recorded none. Where two runs
// would stand in one cell all the same, what differs between them is told: that a setting is not recorded, or how the
// schedule was given.
//
// Data and encoder are the same where run.json has the same digests of them; names serve titles, and decide only for runs
// without digests. Budgets are the same where their value is, and what it is counted in: samples of pixels, of tokens and of
// JPEGs of a quality are different amounts of memory, and no line is the best of two of them.
//
// # Published figures
//
// Methods that the paper (arXiv 2412.09549) has are called by its names, and its own figures stand beside ours in columns
// and panels of their own, where the budget and the number of phases are the same. A run whose settings make another method
// of it, such as masked exemplars that keep all of their text, has neither, even where all runs of a report have the same.
// The paper's figures are always of MM-ImageNet-R with ViLT, ours of what run.json says; the two share no axis and no mean.
// [Options].WithoutPublished leaves them out.
//
// # The page
//
// report.html is one file that asks nobody for anything: no script, no font, no picture from outside. It follows the
// reader's light or dark scheme, fits a telephone, and prints. Every text that came from a file is escaped. Nothing on it
// depends on the time, on a path of the output, or on the order of a map: the same runs give the same bytes (by one Go
// version, for large pictures are re-encoded by image/jpeg). Figures are drawn by package scene, whose comment says why not
// by a plotting library, each twice on the page, for a wide and for a narrow one, instead of shrinking until it cannot be
// read.
//
// # Seeds
//
// SD is the sample standard deviation (n-1) over seeds. One seed has none, and none is shown. Two runs with the same
// settings and the same seed are refused: counting one twice would make the spread look smaller than it is.
package report
