// Package schemas holds the contracts: every file that mcil writes is described here, once, as a Go struct, a JSON
// Schema or an Arrow schema, together with the version that the file carries.
//
// # Versions
//
// Every file names what it is and in which version ([Header]). A reader accepts its own version and older ones, and
// refuses a newer one with an [UnsupportedError] that says so. A version is raised when a reader of the old form
// would misread the new one; adding an optional field does not raise it. Version 1 of every file stays readable.
//
// # Writing
//
// A file appears whole or not at all: [WriteFile] writes to a temporary name in the same folder, syncs, renames, and
// syncs the folder. Nothing here depends on the time or on the order of a map, so the same content gives the same bytes.
//
// # Arrow
//
// Arrow is used in this package (schemas, exemplar memory) and in package dataset (splits) and nowhere else.
package schemas
