package train

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
)

// A file of numpy's format 1.0 begins with a magic, the version, and the length of a text that describes the array. Here it
// takes 128 bytes for any number of rows, with the spaces that numpy itself leaves, so that the number can be set last.
const (
	npyMagic       = "\x93NUMPY\x01\x00"
	npyHeaderBytes = 128
)

// npyHeader begins a file of float32, little endian, [rows, cols] in C order.
func npyHeader(rows, cols int) []byte {
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, cols)
	b := binary.LittleEndian.AppendUint16([]byte(npyMagic), npyHeaderBytes-uint16(len(npyMagic))-2)
	b = append(b, text...)
	return append(append(b, strings.Repeat(" ", npyHeaderBytes-1-len(b))...), '\n')
}

// npyRows is how many whole rows a file of that many bytes has.
func npyRows(size int64, cols int) int { return int(max(0, size-npyHeaderBytes) / int64(4*cols)) }

// npyWriter appends rows to a file. The header is written by finish.
type npyWriter struct {
	f    *os.File
	cols int
	rows int // written
	buf  []byte
}

// openNPY opens a file at path, which may be there, to append after its first rows; the rest of it is cut off.
func openNPY(path string, cols, rows int) (*npyWriter, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	w := &npyWriter{f: f, cols: cols, rows: rows}
	if err := f.Truncate(w.end()); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// end is where the next row goes.
func (w *npyWriter) end() int64 { return npyHeaderBytes + int64(w.rows)*int64(4*w.cols) }

// row appends one row; what is shorter than a row is filled up with zeros.
func (w *npyWriter) row(values []float32) {
	for _, v := range values {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(v))
	}
	w.buf = append(w.buf, make([]byte, 4*(w.cols-len(values)))...)
}

// flush makes the rows appended durable.
func (w *npyWriter) flush() error {
	if _, err := w.f.WriteAt(w.buf, w.end()); err != nil {
		return err
	}
	w.rows += len(w.buf) / (4 * w.cols)
	w.buf = w.buf[:0]
	return w.f.Sync()
}

func (w *npyWriter) finish() error {
	if _, err := w.f.WriteAt(npyHeader(w.rows, w.cols), 0); err != nil {
		return err
	}
	return w.f.Sync()
}
