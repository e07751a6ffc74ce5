package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
)

// The header is the one that numpy.save itself writes, byte for byte.
func TestNPYHeader(t *testing.T) {
	want := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }" + strings.Repeat(" ", 58) + "\n"
	if got := npyHeader(3, 4); string(got) != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	if n := len(npyHeader(1<<31-1, 1<<20)); n != npyHeaderBytes {
		t.Errorf("a large header has %d bytes", n)
	}
}

// readNPY reads a file of float32 rows by its header.
func readNPY(t *testing.T, path string) (rows [][]float32) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var n, cols int
	if _, err := fmt.Sscanf(string(b[10:]), "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", &n, &cols); err != nil {
		t.Fatal(err)
	}
	if len(b) != 128+4*n*cols {
		t.Fatalf("%s: %d bytes for %d rows of %d", path, len(b), n, cols)
	}
	for b = b[128:]; len(b) > 0; b = b[4*cols:] {
		row := make([]float32, cols)
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		rows = append(rows, row)
	}
	return rows
}

func readRows(t *testing.T, path string) (rows []schemas.EmbeddedRow) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var r schemas.EmbeddedRow
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// embedFixture is the fixture's pictures with two damaged ones and one without a caption among them.
func embedFixture(t *testing.T, out string) (EmbedInput, EmbedOptions, dataset.Source) {
	t.Helper()
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	pictures := filepath.Join(t.TempDir(), "pictures")
	if err := os.CopyFS(pictures, os.DirFS(filepath.Join(filepath.Dir(dirs.data), "pictures"))); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(t.Context(), pictures)
	if err != nil {
		t.Fatal(err)
	}
	entries := s.Entries()
	for _, i := range []int{3, 16} {
		if err := os.Truncate(filepath.Join(pictures, filepath.FromSlash(string(entries[i].ID))), entries[i].SizeBytes/2); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = source.Open(t.Context(), pictures); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	words := []string{"a round red thing on the floor", "long", "the picture shows something with two parts and beside it something small on the floor, flat and pointed and round."}
	in := EmbedSource(s, schemas.EmbeddingCaptions{From: schemas.CaptionsFromFile}, func(id dataset.ID) (dataset.Caption, bool) {
		i := slices.IndexFunc(entries, func(e dataset.Entry) bool { return e.ID == id })
		return dataset.Caption{Text: words[i%3]}, i != 10
	})
	return in, EmbedOptions{Weights: dirs.weights, Out: filepath.Join(out, "f.npy"), Attention: filepath.Join(out, "maps", "a.npy"), BatchSize: 4, Workers: 2}, s
}

func mustEmbed(t *testing.T, in EmbedInput, o EmbedOptions) schemas.Embedding {
	t.Helper()
	m, err := Embed(t.Context(), in, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEmbed(t *testing.T) {
	in, o, s := embedFixture(t, t.TempDir())
	m := mustEmbed(t, in, o)
	entries := s.Entries()
	if m.Rows != len(entries)-3 || m.Width != 24 || m.Attention.Length != 20+1+4*6 || m.Settings["attention"] != "maps/a.npy" {
		t.Errorf("the manifest is %+v", m)
	}
	var reasons []string
	for _, r := range m.Refused {
		reasons = append(reasons, r.Name+": "+r.Reason)
	}
	for k, want := range []string{string(entries[3].ID) + ": ", string(entries[10].ID) + ": no caption", string(entries[16].ID) + ": "} {
		if len(reasons) != 3 || !strings.HasPrefix(reasons[k], want) || strings.Contains(reasons[k], "mcil build") {
			t.Errorf("left out: %q, want %q", reasons, want)
		}
	}

	// The rows are those of a network with a classifier, one example at a time.
	b, err := loadBackbone(t.Context(), o.Weights, "", 1, nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	network, err := method.NewNetwork(b.weights, nil, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	encoding := b.encoding(0, false)
	features, maps, rows := readNPY(t, o.Out), readNPY(t, o.Attention), readRows(t, strings.TrimSuffix(o.Out, "npy")+"jsonl")
	if len(features) != m.Rows || len(maps) != m.Rows || len(rows) != m.Rows {
		t.Fatalf("%d features, %d rows of attention, %d lines", len(features), len(maps), len(rows))
	}
	k := 0
	for i, e := range entries {
		if slices.Contains([]int{3, 10, 16}, i) {
			continue
		}
		encoded, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := in.pictures.caption(i)
		x, err := encoding.Encode(encoded, c.Text)
		if err != nil {
			t.Fatal(err)
		}
		class := s.Classes()[e.Label]
		want := schemas.EmbeddedRow{
			Version: 1, Index: i, ID: string(e.ID), Label: e.Label, WNID: class.WNID, ClassName: class.Name, Caption: c.Text,
			TextTokens: len(x.Tokens), GridH: x.GridH, GridW: x.GridW, ImageSHA256: dataset.Digest(encoded),
		}
		if rows[k] != want {
			t.Errorf("line %d is %+v, want %+v", k, rows[k], want)
		}
		out, err := network.Infer([]dataset.Sample{x}, &method.Attention{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(features[k], out.Features) {
			t.Errorf("row %d: features are %v, want %v", k, features[k], out.Features)
		}
		length := want.TextTokens + 1 + want.GridH*want.GridW
		if !slices.Equal(maps[k][:length], out.Probs[0][:length]) || slices.ContainsFunc(maps[k][length:], func(v float32) bool { return v != 0 }) {
			t.Errorf("row %d: attention is %v, want %v and zeros", k, maps[k], out.Probs[0][:length])
		}
		var sum float64
		for _, v := range maps[k] {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("row %d: the attention sums to %g", k, sum)
		}
		k++
	}
}

// The rows of a dataset are in its order, with its captions or none; longer texts are cut.
func TestEmbedSplit(t *testing.T) {
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	d, err := layout.Open(dirs.data)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := EmbedSplit(d, "dev", false); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), `no split "dev": it has test, train`) {
		t.Errorf("a split that is not there: %v", err)
	}
	features := map[string][][]float32{}
	for name, bare := range map[string]bool{"own": false, "bare": true, "long": false} {
		in, err := EmbedSplit(d, dataset.Test, bare)
		if err != nil {
			t.Fatal(err)
		}
		o := EmbedOptions{Weights: dirs.weights, Out: filepath.Join(t.TempDir(), "f.npy")}
		if name == "long" {
			o.MaxText = 30
		}
		m := mustEmbed(t, in, o)
		rows, test := readRows(t, strings.TrimSuffix(o.Out, "npy")+"jsonl"), d.Splits[dataset.Test]
		if m.Rows != test.Len() || len(m.Refused) > 0 || m.Attention != nil {
			t.Fatalf("%s: %+v", name, m)
		}
		for i, r := range rows {
			caption, tokens := test.Caption(i), map[string]int{"own": 20, "bare": 2, "long": 23}[name]
			if bare {
				caption = ""
			}
			if r.Index != i || r.ID != string(test.ID(i)) || r.Caption != caption || r.TextTokens > tokens || r.TextTokens < min(tokens, 20) {
				t.Errorf("%s: line %d is %+v", name, i, r)
			}
		}
		features[name] = readNPY(t, o.Out)
	}
	for _, other := range []string{"bare", "long"} {
		if slices.Equal(features["own"][0], features[other][0]) {
			t.Errorf("own captions and %s ones give the same features", other)
		}
	}
}

// A run that was stopped anywhere ends with the bytes of one that was not, whatever the batches are.
func TestEmbedResumes(t *testing.T) {
	root := t.TempDir()
	in, o, _ := embedFixture(t, filepath.Join(root, "whole"))
	mustEmbed(t, in, o)
	want := files(t, filepath.Join(root, "whole"))
	if len(want) != 4 {
		t.Fatalf("made %d files", len(want))
	}
	check := func(t *testing.T, dir string) {
		t.Helper()
		got := files(t, dir)
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s differs", name)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d files, want %d", len(got), len(want))
		}
	}
	at := func(t *testing.T) EmbedOptions {
		t.Helper()
		o, dir := o, t.TempDir()
		o.Out, o.Attention = filepath.Join(dir, "f.npy"), filepath.Join(dir, "maps", "a.npy")
		return o
	}
	begun := func(t *testing.T, pictures int) EmbedOptions {
		t.Helper()
		o := at(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o.Progress = func(e Event) {
			if e.Done >= pictures {
				cancel()
			}
		}
		if _, err := Embed(ctx, in, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped with %v", err)
		}
		return o
	}
	t.Run("stopped", func(t *testing.T) {
		for _, pictures := range []int{0, 4, 12, 20, 36} {
			o := begun(t, pictures)
			first := -1
			o.Progress = func(e Event) {
				if first < 0 {
					first = e.Done
				}
			}
			mustEmbed(t, in, o)
			want := pictures
			if pictures == 4 {
				want = 0 // the last picture of that batch has no row: whether it was looked at is not known
			}
			if first != want {
				t.Errorf("stopped after %d, it went on at %d, want %d", pictures, first, want)
			}
			check(t, filepath.Dir(o.Out))
		}
	})
	t.Run("other batches", func(t *testing.T) {
		o := begun(t, 12)
		o.BatchSize, o.Workers = 5, 1
		mustEmbed(t, in, o)
		check(t, filepath.Dir(o.Out))
	})
	t.Run("torn", func(t *testing.T) { // killed amid a batch's writes, or by a power cut
		for _, name := range []string{"f.npy", "f.jsonl", "maps/a.npy"} {
			for _, cut := range []int64{-40, 40} {
				o := begun(t, 20)
				path := filepath.Join(filepath.Dir(o.Out), name+partialFile)
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(path, info.Size()+cut); err != nil {
					t.Fatal(err)
				}
				o.Progress = nil
				mustEmbed(t, in, o)
				check(t, filepath.Dir(o.Out))
			}
		}
	})
	t.Run("amid names", func(t *testing.T) { // killed amid renaming
		for n := range 4 {
			o := at(t)
			mustEmbed(t, in, o)
			f := newEmbedFiles(o.Out, o.Attention)
			err := os.Rename(f.manifest, f.manifest+partialFile)
			for _, name := range f.data()[n:] {
				err = errors.Join(err, os.Rename(name, name+partialFile))
			}
			if err != nil {
				t.Fatal(err)
			}
			mustEmbed(t, in, o)
			check(t, filepath.Dir(o.Out))
		}
	})
	t.Run("other processor", func(t *testing.T) {
		o := begun(t, 12)
		f := newEmbedFiles(o.Out, o.Attention)
		m := readEmbedding(t, f.manifest+partialFile)
		own := m.CPU
		m.CPU = "abacus"
		if err := schemas.WriteJSON(f.manifest+partialFile, m); err != nil {
			t.Fatal(err)
		}
		var told []Event
		o.Progress = func(e Event) { told = append(told, e) }
		mustEmbed(t, in, o)
		if len(told) < 2 || told[0].Note != "it was begun with abacus instructions, and "+own+" round otherwise: it is made afresh" || told[1].Done != 0 {
			t.Errorf("told %+v", told)
		}
		check(t, filepath.Dir(o.Out))
	})
	t.Run("done", func(t *testing.T) {
		o := at(t)
		m := mustEmbed(t, in, o)
		o.Progress = func(Event) { t.Error("it is made again") }
		if again := mustEmbed(t, in, o); again.Digest != m.Digest || again.Rows != m.Rows {
			t.Errorf("%+v is not %+v", again, m)
		}
		check(t, filepath.Dir(o.Out))
		o.Progress, o.Force = nil, true
		mustEmbed(t, in, o)
		check(t, filepath.Dir(o.Out))
	})
}

func TestEmbedRefuses(t *testing.T) {
	in, o, s := embedFixture(t, t.TempDir())
	o.Attention = ""
	if err := os.WriteFile(o.Out, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	o.Force = true
	if _, err := Embed(t.Context(), in, o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "not from mcil embed") {
		t.Errorf("another program's file: %v", err)
	}
	if err := os.Remove(o.Out); err != nil {
		t.Fatal(err)
	}
	mustEmbed(t, in, o)
	o.Force = false
	before := files(t, filepath.Dir(o.Out))
	for name, change := range map[string]func(in *EmbedInput, o *EmbedOptions){
		"captions":  func(in *EmbedInput, _ *EmbedOptions) { in.pictures = &sourcePictures{s, s.Entries(), nil} },
		"max text":  func(_ *EmbedInput, o *EmbedOptions) { o.MaxText = 10 },
		"attention": func(_ *EmbedInput, o *EmbedOptions) { o.Attention = filepath.Join(filepath.Dir(o.Out), "a.npy") },
		"turned":    func(_ *EmbedInput, o *EmbedOptions) { o.ApplyOrientation = true },
	} {
		in, o := in, o
		change(&in, &o)
		if _, err := Embed(t.Context(), in, o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "other settings") {
			t.Errorf("other %s: %v", name, err)
		}
	}
	if after := files(t, filepath.Dir(o.Out)); len(after) != len(before) || after["f.npy"] != before["f.npy"] {
		t.Error("a refusal changed files")
	}
	if err := os.Remove(strings.TrimSuffix(o.Out, "npy") + "jsonl"); err != nil {
		t.Fatal(err)
	}
	if _, err := Embed(t.Context(), in, o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a file that is gone: %v", err)
	}

	o.Out = filepath.Join(t.TempDir(), "g.npy")
	in.pictures = &sourcePictures{s, s.Entries(), func(dataset.ID) (dataset.Caption, bool) { return dataset.Caption{}, false }}
	if _, err := Embed(t.Context(), in, o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "none of 40 pictures") {
		t.Errorf("no captions: %v", err)
	}
	in.pictures = &sourcePictures{s, s.Entries(), func(dataset.ID) (dataset.Caption, bool) { return dataset.Caption{ImageSHA256: "0"}, true }}
	if _, err := Embed(t.Context(), in, o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "caption is of another picture") {
		t.Errorf("captions of other pictures: %v", err)
	}
	if left := files(t, filepath.Dir(o.Out)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]EmbedOptions{
		"random": {Weights: "random", Out: "f.npy"}, "name": {Weights: "w", Out: "f.bin"}, "same": {Weights: "w", Out: "f.npy", Attention: "./f.npy"},
		"batch": {Weights: "w", Out: "f.npy", BatchSize: -1}, "text": {Weights: "w", Out: "f.npy", MaxText: -1},
		"large batch": {Weights: "w", Out: "f.npy", BatchSize: method.MostBatch + 1}, "repository": {Weights: "hf:none", Out: "f.npy"},
		"same by another path": {Weights: "w", Out: "f.npy", Attention: filepath.Join(here, "f.npy")},
	} {
		if _, err := Embed(t.Context(), in, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// files are the files below dir with their content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		found[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
