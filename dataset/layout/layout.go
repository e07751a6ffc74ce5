// Package layout writes prepared datasets in the forms that this field's tools open, and reads them back.
//
// # Writing
//
// A [Writer] takes the rows of one split after another and writes all layouts that were asked for at once. Rows are gathered
// into batches of at most 100 rows or 32 MiB. A batch is a set of Arrow arrays that every layout shares, so a picture is
// copied once however many layouts there are, and memory does not grow with the dataset. Files are digested while they are
// written, and a finished shard goes to the disk while the next one is made. The same rows and options give the same bytes.
//
// Nothing here replaces a folder or removes one: write into a new folder and rename it when [Writer.Finish] has returned.
//
// # Reading
//
// [Open] reads what Writer wrote, and what other programs wrote in the same forms.
package layout

import (
	"path/filepath"
	"slices"
)

// Kind is a form of a dataset on disk.
type Kind string

// The kinds.
const (
	HF   Kind = "hf"   // datasets.load_from_disk: Arrow IPC streams in shards
	ViLT Kind = "vilt" // ViLT's BaseDataset: one Arrow IPC file a split
	Hub  Kind = "hub"  // the Hugging Face Hub: Parquet shards and a dataset card
)

// Kinds lists them in the order in which a dataset is looked through for one to read.
func Kinds() []Kind { return []Kind{HF, ViLT, Hub} }

// IsLayout says whether dir itself has one of the forms, or is a single split of datasets' save_to_disk, which [Open] refuses
// with a reason. A dataset of ours has its layouts one folder below.
func IsLayout(dir string) bool {
	return fileExists(filepath.Join(dir, "state.json")) || slices.ContainsFunc(Kinds(), func(k Kind) bool { return isLayout(dir, k) })
}
