package batch

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// errLong is what a line that exceeds the limit yields; the lines after it are read.
var errLong = errors.New("the line is too long")

// lines yields the lines of r without their ends, each with its number from 1 on, holding one at a time: the slice is good
// until the next. An error other than of reading belongs to its line alone.
func lines(r io.Reader, limit int) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		var line []byte
		for n := 1; ; n++ {
			line = line[:0]
			long := false
			var err error
			for {
				var part []byte
				part, err = in.ReadSlice('\n')
				if long = long || len(line)+len(part) > limit; !long {
					line = append(line, part...)
				}
				if !errors.Is(err, bufio.ErrBufferFull) {
					break
				}
			}
			whole := err == nil
			if err != nil && !errors.Is(err, io.EOF) {
				yield(numbered{n: n}, readError{err})
				return
			}
			if whole && !long {
				line = line[:len(line)-1]
			}
			var wrong error
			if long {
				wrong = errLong
			}
			if (whole || long || len(line) > 0) && !yield(numbered{n: n, text: line, whole: whole}, wrong) || !whole {
				return
			}
		}
	}
}

// numbered is a line of a file.
type numbered struct {
	n     int
	text  []byte
	whole bool // it has its line end
}

// readError is a failure to read a file, after which nothing is known of its lines.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }
