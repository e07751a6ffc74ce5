package layout

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/mcil/mcil/schemas"
)

func TestViLTFiles(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, []Kind{ViLT}, Options{Name: "food101", ShardBytes: 1000}, map[string]int{"train": 130, "validation": 2, "test": 0}, 300, schemas.DatasetManifest{})
	want, err := schemas.ViLT(writtenNames)
	if err != nil {
		t.Fatal(err)
	}
	for split, rows := range map[string]int{"train": 130, "val": 2, "test": 0} {
		f, err := os.Open(filepath.Join(dir, "vilt", "food101_"+split+".arrow"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := ipc.NewFileReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Schema().Equal(want) || !r.Schema().Metadata().Equal(want.Metadata()) {
			t.Errorf("%s: schema %v, want %v", split, r.Schema(), want)
		}
		source := map[string]string{"val": "validation"}[split]
		if source == "" {
			source = split
		}
		row := 0
		for i := range r.NumRecords() {
			rec, err := r.RecordAt(i)
			if err != nil {
				t.Fatal(err)
			}
			for j := range int(rec.NumRows()) {
				x := writtenRow(source, row, 300)
				if !bytes.Equal(rec.Column(0).(*array.Binary).Value(j), x.Image) {
					t.Fatalf("%s row %d: another picture", split, row)
				}
				for name, want := range map[string]string{
					"text": fmt.Sprintf("[%q]", x.Caption), "label": fmt.Sprint(x.Label), "image_id": string(x.ID), "split": split, "id": string(x.ID),
					"orientation": fmt.Sprint(x.Orientation), "caption_prompt": x.Prompt, "class_name": x.ClassName, "flag_values": strings.ReplaceAll(fmt.Sprint(append([]float64{}, x.FlagValues...)), " ", ","),
				} {
					if got := cellText(rec, name, j); got != want {
						t.Fatalf("%s row %d: %s is %s, want %s", split, row, name, got, want)
					}
				}
				row++
			}
			rec.Release()
		}
		if row != rows {
			t.Errorf("%s: %d rows, want %d", split, row, rows)
		}
		r.Close()
	}
}

// The stream inside the file can be read as a stream: it begins after the mark of 8 bytes and has an end.
func TestViLTFileHoldsStream(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, []Kind{ViLT}, Options{}, map[string]int{"train": 130}, 30, schemas.DatasetManifest{})
	b, err := os.ReadFile(filepath.Join(dir, "vilt/dataset_train.arrow"))
	if err != nil || !slices.Equal(b[:8], []byte("ARROW1\x00\x00")) {
		t.Fatalf("%q, %v", b[:8], err)
	}
	r, err := ipc.NewReader(bytes.NewReader(b[8:]))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.Record().NumRows()
	}
	if rows != 130 || r.Err() != nil {
		t.Errorf("%d rows, %v", rows, r.Err())
	}
}
