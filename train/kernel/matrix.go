package kernel

import "fmt"

// Matrix is a row-major view: element (i, j) is Data[i*Stride+j]. Rows says how
// many leading rows are filled; the backing array may be larger. The view does
// not own Data.
type Matrix struct {
	Rows, Cols, Stride int
	Data               []float32
}

// Mat views the first rows*cols elements of data as a matrix without gaps.
func Mat(data []float32, rows, cols int) Matrix {
	m := Matrix{Rows: rows, Cols: cols, Stride: cols, Data: data}
	m.check("matrix")
	return m
}

// Stride is the stride of rows of so many columns that a product reads at the pace of a copy of its own: the columns, and a
// cache line more where the rows would crowd.
func Stride(cols int) int {
	if crowded(cols) {
		return cols + 16
	}
	return cols
}

// crowded says whether the rows of a register tile fall into one or two of the 64 sets of the first cache, as those do that
// lie a multiple of 2 KiB apart: they push each other out before their lines are read to the end.
func crowded(stride int) bool { return stride%512 == 0 }

// row returns row i, Cols long.
func (m Matrix) row(i int) []float32 {
	o := i * m.Stride
	return m.Data[o : o+m.Cols : o+m.Cols]
}

// clear sets every element to zero, which also brings the memory into the cache, in its order and
// faster than the pieces of rows that a product writes.
func (m Matrix) clear() {
	for i := range m.Rows {
		clear(m.row(i))
	}
}

// rowRange is the view of rows lo..hi.
func (m Matrix) rowRange(lo, hi int) Matrix {
	return Matrix{Rows: hi - lo, Cols: m.Cols, Stride: m.Stride, Data: m.Data[min(lo*m.Stride, len(m.Data)):]}
}

// part is the view of rows x cols elements from row i, column j on.
func (m Matrix) part(i, j, rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Stride: m.Stride, Data: m.Data[min(i*m.Stride+j, len(m.Data)):]}
}

// check panics unless the view lies inside Data.
func (m Matrix) check(name string) {
	if m.Rows < 0 || m.Cols < 0 || (m.Rows > 1 && m.Stride < m.Cols) {
		panic(fmt.Sprintf("kernel: %s has impossible shape %dx%d stride %d", name, m.Rows, m.Cols, m.Stride))
	}
	if m.Rows > 0 && m.Cols > 0 && (m.Rows-1)*m.Stride+m.Cols > len(m.Data) {
		panic(fmt.Sprintf("kernel: %s is %dx%d stride %d but holds only %d elements", name, m.Rows, m.Cols, m.Stride, len(m.Data)))
	}
}

func (m Matrix) checkShape(name string, rows, cols int) {
	m.check(name)
	if m.Rows != rows || m.Cols != cols {
		panic(fmt.Sprintf("kernel: %s is %dx%d, want %dx%d", name, m.Rows, m.Cols, rows, cols))
	}
}

func checkLen(name string, x []float32, n int) {
	if len(x) != n {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", name, len(x), n))
	}
}

// checkLenOrNil accepts nil for an argument that may be left out.
func checkLenOrNil(name string, x []float32, n int) {
	if x != nil {
		checkLen(name, x, n)
	}
}
