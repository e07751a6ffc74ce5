package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/verify"
	"github.com/mcil/mcil/schemas"
)

// rowOrder lists the splits of counts: train, validation, test, then others.
func rowOrder(rows map[string]int) []string { return dataset.PartNames(maps.Keys(rows)) }

// inOrder is the counts of splits in words.
func inOrder(rows map[string]int) string {
	var parts []string
	for _, name := range rowOrder(rows) {
		parts = append(parts, fmt.Sprintf("%s %d", name, rows[name]))
	}
	return strings.Join(parts, ", ")
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func inspectDataset(_ context.Context, path string) (*finding, error) {
	var m schemas.DatasetManifest
	if err := schemas.ReadJSON(filepath.Join(path, "manifest.json"), schemas.DatasetHeader, &m); err != nil {
		return nil, err
	}
	f := &finding{Kind: "a dataset", Path: path, Data: m}
	f.add("name", m.Name)
	f.add("source", m.Source.Spec)
	f.add("classes", len(m.Classes))
	f.add("rows", inOrder(m.Rows))
	f.add("split", fmt.Sprintf("%s, seed %d; validation %s", m.Split.Spec, m.Split.Seed, m.Split.Validation.Rule))
	f.add("class order", m.Order.Spec)
	f.add("layouts", strings.Join(m.Layouts, ", "))
	var bytes int64
	for _, file := range m.Files {
		bytes += file.Bytes
	}
	f.add("files", fmt.Sprintf("%d, %d bytes, digest %.16s", len(m.Files), bytes, m.Digest))
	f.add("styles", byCount(m.Styles))
	f.add("pictures", fmt.Sprintf("%s; %s; sides of %d to %d pixels", byCount(m.Pictures.Formats), byCount(m.Pictures.Modes), m.Pictures.MinSide, m.Pictures.MaxSide))
	f.add("identical pictures", fmt.Sprintf("%d, of them across splits %d", m.Pictures.Identical, m.Pictures.IdenticalAcrossSplits))
	about := m.Captions
	f.add("captions", fmt.Sprintf("from a %s, %s", about.From, cmp.Or(about.Model, "no model named")))
	if about.Variant != "" {
		f.add("variant", about.Variant)
	}
	if about.Revision != "" {
		f.add("revision", about.Revision)
	}
	if about.Prompt != "" {
		f.add("prompt", about.Prompt)
	}
	if len(about.Reveals) > 0 {
		f.add("prompt reveals", strings.Join(about.Reveals, ", ")+": these captions give the class away")
	}
	w := about.Statistics.Words
	f.add("words a caption", fmt.Sprintf("%.1f on average, %d to %d, half of them up to %d; %d different words", w.Mean, w.Min, w.Max, w.P50, about.Statistics.Vocabulary))
	f.add("same caption twice", fmt.Sprintf("%d of %d", about.Statistics.Duplicated, about.Statistics.Captions))
	if near := about.Duplicates.Near; near.Captions > 0 {
		f.add("nearly the same", fmt.Sprintf("%d in %d groups of up to %d, across classes %d", near.Captions, near.Groups, near.Largest, near.AcrossClasses))
	}
	f.add("flags", byCount(about.Flags))
	l := m.Leakage
	f.add("name their class", fmt.Sprintf("%s (as it is %s, inflected %s, by a synonym %s); another class instead %s",
		percent(l.All.Named), percent(l.All.Exact), percent(l.All.Inflected), percent(l.All.Synonym), percent(l.All.Other)))
	if bow := l.BagOfWords; bow != nil {
		f.add("told by the words", fmt.Sprintf("%s of %d validation rows, with names masked %s, by always guessing one class %s",
			percent(bow.Accuracy), bow.Validation, percent(bow.AccuracyMasked), percent(bow.Majority)))
	}
	if about.NamesMasked >= 0 {
		f.add("names masked", fmt.Sprintf("in %d captions", about.NamesMasked))
	}
	f.refused(m.Refused)
	d, err := layout.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return f, f.firstRow("first train row", d.Splits[dataset.Train])
}

func (f *finding) firstRow(name string, rows dataset.Rows) error {
	row, err := rows.Row(0)
	if err == nil {
		f.add(name, fmt.Sprintf("%s (%s, %d by %d): %s", row.ID, row.ClassName, row.Width, row.Height, row.Caption))
	}
	return err
}

func inspectLayout(path string) (*finding, error) {
	d, err := layout.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	f, rows := &finding{Kind: "a dataset in one layout", Path: path}, map[string]int{}
	for name, split := range d.Splits {
		rows[name] = split.Len()
	}
	f.Data = map[string]any{"classes": len(d.Classes), "rows": rows}
	f.add("classes", len(d.Classes))
	f.add("rows", inOrder(rows))
	return f, f.firstRow("first train row", d.Splits[dataset.Train])
}

func inspectShard(path string) (*finding, error) {
	s, err := layout.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	f := &finding{Kind: "a shard of a dataset", Path: path, Data: map[string]any{
		"form": s.Form, "rows": s.Rows.Len(), "columns": s.Columns, "class_names": s.ClassNames,
	}}
	f.add("form", s.Form)
	f.add("rows", s.Rows.Len())
	f.add("classes", len(s.ClassNames))
	for i, column := range s.Columns {
		f.add([]string{"columns", ""}[min(i, 1)], column)
	}
	if s.Rows.Len() == 0 {
		return f, nil
	}
	return f, f.firstRow("first row", s.Rows)
}

// inspectRow shows one row of a dataset, a layout or a shard.
func inspectRow(path, name string) (*finding, error) {
	splits := map[string]dataset.Rows{}
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file or folder: %w", path, dataset.ErrNoSource)
	} else if err == nil && !info.IsDir() {
		s, err := layout.OpenFile(path)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		splits[""] = s.Rows
	} else {
		d, err := layout.Open(path)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		splits = d.Splits
	}
	split, i, ok := findRow(splits, name)
	if !ok {
		return nil, fmt.Errorf("%s: no row %q: give an ID such as n01443537/sketch_0.jpg, or a split and a number from 0 such as train/0: %w", path, name, dataset.ErrRefused)
	}
	row, err := splits[split].Row(i)
	if err != nil {
		return nil, err
	}
	f := &finding{Kind: "a row", Path: path, Data: map[string]any{
		"split": split, "row": i, "id": row.ID, "label": row.Label, "wnid": row.WNID, "class_name": row.ClassName, "style": row.Style,
		"caption": row.Caption, "caption_raw": row.Raw, "caption_flags": append([]string{}, row.Flags...), "flag_values": append([]float64{}, row.FlagValues...), "caption_model": row.Model,
		"caption_prompt": row.Prompt, "request_fingerprint": row.Fingerprint, "image_bytes": len(row.Image), "width": row.Width,
		"height": row.Height, "orientation": row.Orientation, "image_sha256": row.ImageSHA256,
	}}
	f.add("id", row.ID)
	f.add("place", strings.TrimPrefix(fmt.Sprintf("%s/%d", split, i), "/"))
	f.add("label", row.Label)
	f.add("class", row.WNID+" "+row.ClassName)
	f.add("style", row.Style)
	f.add("caption", row.Caption)
	f.add("raw caption", strconv.Quote(row.Raw))
	var flags []string
	for i, flag := range row.Flags {
		if i < len(row.FlagValues) { // another writer's dataset may have none
			flag = fmt.Sprintf("%s %g", flag, row.FlagValues[i])
		}
		flags = append(flags, flag)
	}
	f.add("flags", cmp.Or(strings.Join(flags, ", "), "none"))
	f.add("model", row.Model)
	f.add("prompt", row.Prompt)
	f.add("request", row.Fingerprint)
	f.add("picture", fmt.Sprintf("%d bytes, %d by %d pixels, orientation %d", len(row.Image), row.Width, row.Height, row.Orientation))
	f.add("picture's digest", row.ImageSHA256)
	return f, nil
}

// findRow finds a row by its ID, by split/number, or by the number alone where there is one split.
func findRow(splits map[string]dataset.Rows, name string) (split string, i int, ok bool) {
	part, number := "", name
	if at := strings.LastIndex(name, "/"); at >= 0 {
		part, number = name[:at], name[at+1:]
	}
	if n, err := strconv.Atoi(number); err == nil && splits[part] != nil {
		return part, n, n >= 0 && n < splits[part].Len()
	}
	for _, split := range slices.Sorted(maps.Keys(splits)) {
		for i := range splits[split].Len() {
			if string(splits[split].ID(i)) == name {
				return split, i, true
			}
		}
	}
	return "", 0, false
}

// verify checks a source, a dataset or a shard. What is wrong makes the exit code 3.
func (c *inspectCmd) verify(ctx context.Context, e *env) error {
	o := verify.Options{Workers: runtime.GOMAXPROCS(0), Progress: e.progress.counter("verify")}
	info, err := os.Stat(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file or folder: %w", c.Path, dataset.ErrNoSource)
	}
	var r verify.Result
	kind := kindOf(c.Path)
	switch {
	case err != nil:
		return err
	case kind != nil && kind.header.Schema != schemas.DatasetHeader.Schema:
		return fmt.Errorf("%s: is neither a source nor a dataset, and these are what --verify knows: %w", c.Path, dataset.ErrRefused)
	case kind != nil:
		r, err = verify.Dataset(ctx, c.Path, o)
	case !info.IsDir() && (strings.HasSuffix(c.Path, ".arrow") || strings.HasSuffix(c.Path, ".parquet")):
		r, err = verify.File(ctx, c.Path, o)
	case layout.IsLayout(c.Path):
		return fmt.Errorf("%s: is one layout of a dataset: verify the whole, whose manifest.json has the digests, or one of its shards: %w", c.Path, dataset.ErrRefused)
	default:
		var s dataset.Source
		if s, err = source.Open(ctx, c.Path); err == nil {
			defer s.Close()
			r, err = verify.Source(ctx, s, o)
		}
	}
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		if err := json.NewEncoder(e.stdout).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.stdout, "%s: %d files, %d rows, %d pictures decoded, %d wrong\n", c.Path, r.Files, r.Rows, r.Pictures, len(r.Wrong))
		for _, w := range r.Wrong {
			fmt.Fprintf(e.stdout, "  %s\n", printable(w.Name+": "+w.Reason))
		}
	}
	if len(r.Wrong) > 0 {
		return failuresError{fmt.Errorf("%s: %d things are wrong, the first: %s: %s", c.Path, len(r.Wrong), r.Wrong[0].Name, r.Wrong[0].Reason)}
	}
	return nil
}
