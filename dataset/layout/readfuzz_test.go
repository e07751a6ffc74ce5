package layout_test

import (
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"

	"github.com/mcil/mcil/dataset/layout"
)

// readFuzz is a fuzz target of one form: whatever a file holds, it is refused or all of it can be read.
func readFuzz(f *testing.F, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := layout.OpenBytes(content[:len(content):len(content)])
		if err != nil {
			return
		}
		rows := file.Rows
		for i := range rows.Len() {
			row, err := rows.Row(i)
			if _, again := rows.Image(i); (err == nil) != (again == nil) {
				t.Errorf("row %d: %v, then %v", i, err, again)
			}
			if err != nil {
				continue
			}
			if row.ID != rows.ID(i) || row.Caption != rows.Caption(i) || row.Label != rows.Label(i) {
				t.Errorf("row %d: %+v, and %s, %q, %d", i, row, rows.ID(i), rows.Caption(i), rows.Label(i))
			}
			if n := len(file.ClassNames); row.Label < 0 || n > 0 && row.Label >= n && file.ClassNames[0] != "" {
				t.Errorf("row %d: label %d of %d classes", i, row.Label, n)
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzOpenStream(f *testing.F) {
	readFuzz(f, readStream(f, readSchema(f), 2), readStream(f, readSchema(f), 1, 3), readStream(f, readSchema(f)),
		readStream(f, readViLTSchema(true), 3), []byte("\xFF\xFF\xFF\xFF\x00\x00\x00\x00"))
}

func FuzzOpenFile(f *testing.F) {
	readFuzz(f, readIPC(f, readSchema(f), 2), readIPC(f, readViLTSchema(true), 1, 3), readIPC(f, readViLTSchema(false)), []byte("ARROW1\x00\x00"))
}

func FuzzOpenParquet(f *testing.F) {
	vilt := readViLTSchema(true)
	readFuzz(f, readParquet(f, readSchema(f), []int{2}), readParquet(f, vilt, []int{1, 3}), readParquet(f, vilt, nil),
		readParquet(f, vilt, []int{9}, parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDataPageVersion(parquet.DataPageV2)),
		readParquet(f, vilt, []int{9}, parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDictionaryDefault(false)), []byte("PAR1"))
}

func BenchmarkRow(b *testing.B) {
	for _, form := range []struct {
		name    string
		content []byte
	}{
		{"stream", readStream(b, readSchema(b), readSizes(100, 30)...)}, {"file", readIPC(b, readViLTSchema(true), readSizes(100, 30)...)},
		{"parquet", readParquet(b, readSchema(b), readSizes(100, 30))},
		{"parquet-compressed", readParquet(b, readSchema(b), readSizes(100, 30), parquet.WithCompression(compress.Codecs.Snappy))},
	} {
		f, err := readFile(b, form.content)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(form.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := f.Rows.Row(i * 7919 % f.Rows.Len()); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// readSizes is n times size.
func readSizes(size, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = size
	}
	return all
}
