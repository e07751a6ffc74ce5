package dataset

import "slices"

// Rows are the rows of one split at random access. They are safe for concurrent use, and a pointer: [Encoding] caches by it.
type Rows interface {
	Len() int
	ID(i int) ID
	Label(i int) int
	Caption(i int) string
	// Image is the encoded picture of row i. It must not be modified, and is gone when the dataset is closed: its bytes may
	// be a file's, mapped into memory.
	Image(i int) ([]byte, error)
	// Row is row i whole. What is said of Image holds for its Image.
	Row(i int) (Row, error)
}

// Dataset is a prepared dataset that has been read back. It is safe for concurrent use.
type Dataset struct {
	Dir     string  // of the layout
	Classes []Class // in label order
	Splits  map[string]Rows
	// Release gives files and memory back; package layout sets it.
	Release func() error
}

// Close gives files and memory back. Pictures of its rows must not be touched afterwards.
func (d *Dataset) Close() error {
	if d.Release == nil {
		return nil
	}
	return d.Release()
}

// OfClasses lists the rows with one of the given labels, in order.
func OfClasses(rows Rows, labels ...int) []int {
	var indices []int
	for i := range rows.Len() {
		if slices.Contains(labels, rows.Label(i)) {
			indices = append(indices, i)
		}
	}
	return indices
}
