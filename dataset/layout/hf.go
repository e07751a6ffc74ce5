package layout

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/mcil/mcil/schemas"
)

// hf writes a split as datasets' save_to_disk does: shards of Arrow's stream format, and two JSON files.
type hf struct {
	w      *Writer
	schema *arrow.Schema
	shards
}

func newHF(w *Writer, s *split) (layout, error) {
	schema, err := schemas.Rows(w.o.ClassNames)
	if err != nil {
		return nil, err
	}
	return &hf{w: w, schema: schema, shards: shards{
		disk: w.disk, root: w.dir, limitBytes: w.o.ShardBytes,
		name:   func(i, n int) string { return fmt.Sprintf("hf/%s/data-%05d-of-%05d.arrow", s.name, i, n) },
		encode: func(f *output) (encoder, error) { return ipc.NewWriter(f, ipc.WithSchema(schema)), nil },
	}}, nil
}

func (l *hf) write(c *columns) error {
	rec := c.record(l.schema)
	defer rec.Release()
	return l.shards.write(rec, c.pictureBytes)
}

// hfState is state.json, in datasets' words. All keys are read without a default.
type hfState struct {
	DataFiles        []hfFile       `json:"_data_files"`
	Fingerprint      string         `json:"_fingerprint"` // where it is null datasets draws one, and caches nothing
	FormatColumns    []string       `json:"_format_columns"`
	FormatKwargs     map[string]any `json:"_format_kwargs"`
	FormatType       *string        `json:"_format_type"`
	OutputAllColumns bool           `json:"_output_all_columns"`
	Split            string         `json:"_split"`
}

type hfFile struct {
	Name string `json:"filename"`
}

// hfInfo is dataset_info.json.
type hfInfo struct {
	Citation    string             `json:"citation"`
	DatasetName string             `json:"dataset_name"`
	DatasetSize int64              `json:"dataset_size"`
	Description string             `json:"description"`
	Features    map[string]any     `json:"features"`
	Homepage    string             `json:"homepage"`
	License     string             `json:"license"`
	Splits      map[string]hfSplit `json:"splits"`
}

type hfSplit struct {
	Name        string `json:"name"`
	NumBytes    int64  `json:"num_bytes"`
	NumExamples int    `json:"num_examples"`
	DatasetName string `json:"dataset_name"`
}

// finishHF writes what surrounds the shards.
func (w *Writer) finishHF(about citation) error {
	features, err := schemas.Features(w.o.ClassNames)
	if err != nil {
		return err
	}
	info := hfInfo{
		Citation: about.BibTeX, DatasetName: w.o.Name, Description: about.Title, Homepage: about.Homepage, License: about.LicenseName,
		Features: features, Splits: map[string]hfSplit{},
	}
	var names []string
	for _, s := range w.splits {
		names = append(names, s.name)
		info.Splits[s.name] = hfSplit{Name: s.name, NumBytes: s.bytes, NumExamples: s.rows, DatasetName: w.o.Name}
		info.DatasetSize += s.bytes
	}
	for _, s := range w.splits {
		state := hfState{Fingerprint: w.fingerprint(s), FormatKwargs: map[string]any{}, Split: s.name}
		prefix := "hf/" + s.name + "/"
		for _, f := range s.files[HF] {
			state.DataFiles = append(state.DataFiles, hfFile{Name: f.Path[len(prefix):]})
		}
		if err := w.writeJSON(prefix+"state.json", state); err != nil {
			return err
		}
		if err := w.writeJSON(prefix+"dataset_info.json", info); err != nil {
			return err
		}
	}
	return w.writeJSON("hf/dataset_dict.json", struct {
		Splits []string `json:"splits"`
	}{names})
}
