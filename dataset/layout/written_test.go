package layout

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// What the writer writes, Open reads: every row, from every layout.
func TestOpenReadsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, allKinds, Options{Name: "mm_x", ShardBytes: 20_000}, someCounts, 300, schemas.DatasetManifest{})
	for _, k := range allKinds {
		d, err := Open(filepath.Join(dir, string(k)))
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		defer d.Close()
		var names []string
		for _, c := range d.Classes {
			names = append(names, c.Name)
		}
		if !reflect.DeepEqual(names, writtenNames) || len(d.Splits) != len(someCounts) {
			t.Errorf("%s: classes %q, splits %v", k, names, d.Splits)
		}
		for split, n := range someCounts {
			rows := d.Splits[split]
			if rows == nil || rows.Len() != n {
				t.Fatalf("%s: %s has other than %d rows", k, split, n)
			}
			for i := range n {
				got, err := rows.Row(i)
				if want := writtenRow(split, i, 300); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: %s row %d: %+v, %v, want %+v", k, split, i, got, err, want)
				}
			}
		}
	}
}
