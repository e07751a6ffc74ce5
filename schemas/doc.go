// Package schemas holds the contracts: the files that mcil writes and reads again are described here as Go structs and
// Arrow schemas, together with the versions that they carry. Each JSON file has a JSON Schema too (*.schema.json), made from
// its struct and held to it by a test: go test ./schemas -update writes them anew.
//
// # Versions
//
// A JSON file of ours names what it is and in which version ([Header]); an Arrow file has the same in its schema's metadata
// ([MetadataKey]); a line of a journal has the field v ([Caption], [EmbeddedRow]). Files in the form of another program cannot: split.txt
// is in RAPF's form, and the JSON files beside the shards of a dataset and those of a backbone are Hugging Face's. For
// these the manifest of their folder (manifest.json, mcil.json) speaks, which has a version.
//
// A reader accepts its own version and older ones, and refuses a newer one with an [UnsupportedError] that says so. A
// version is raised when a reader of the old form would misread the new one; adding an optional field does not raise it.
// Version 1 of every file stays readable, except a dataset's, which begins with version 2.
//
// # Writing
//
// A file appears whole or not at all: [WriteFile] writes to a temporary name in the same folder, syncs, renames, and
// syncs the folder. Nothing here depends on the time or on the order of a map, so the same content gives the same bytes.
//
// # Arrow
//
// Arrow is used in this package (schemas, exemplar memory) and in package dataset/layout (splits) and nowhere else.
package schemas
