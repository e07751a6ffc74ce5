// Package build joins the pictures of a source with captions and a split, and writes a dataset.
//
// # What is written
//
// A dataset is a folder: one folder a layout (package layout), split.txt, class-order.txt, and manifest.json, which says what
// is in it, where it came from, what was left out and why, and how much of the label its captions give away
// (package leakage). The folder appears whole, by one rename: after a kill at any moment there is the old dataset, the new
// one, or none, and another run makes the bytes that an undisturbed one would have made.
//
// # What is guaranteed
//
// The same source, captions and options give the same bytes on any number of cores. Every picture that the source lists is
// a row or a refusal with its reason. Pictures are stored as found, byte for byte, and each is read once.
package build

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

// CaptionOf returns the caption of a picture, and false where there is none. Build calls it several times a picture: it should look
// up, not compute.
type CaptionOf func(id dataset.ID) (dataset.Caption, bool)

// Options say what to write.
type Options struct {
	Name    string        // of the data set, which ViLT's files are named by; default [DefaultName]
	Layouts []layout.Kind // default hf
	Split   split.Options
	// ClassOrder is natural, a seed of numpy's permutation, split, or a file; default 1993. See split.Order.
	ClassOrder string
	Captions   CaptionOf
	// About says where the captions came from, what counted as a flag and how many are duplicates; other counts are filled in by Build.
	About schemas.CaptionsSummary
	// MaskNames replaces the class's names in each caption; the raw caption stays as it was. For the ablation that asks what
	// a method owes to them.
	MaskNames bool
	// Decode decodes every picture and refuses those that cannot be: many times slower. Otherwise the header is read, and
	// that the file is whole is checked by its structure.
	Decode  bool
	Program schemas.Program
	Workers int // that read pictures; default 1
	// ShardBytes is how many bytes of pictures a file of a split holds, about; default 500 MiB.
	ShardBytes int64
	Force      bool // build anew whatever dataset is there; a folder of other things is never replaced
	// Progress, if not nil, is told of every row, one call at a time.
	Progress func(done, total int)
}

// DefaultClassOrder is the ClassOrder of the zero [Options]: PyCIL's and PILOT's.
const DefaultClassOrder = "1993"

// DefaultName is the name of a dataset that is built from a source with the given spec.
func DefaultName(spec string) string {
	switch kind, _, _ := strings.Cut(spec, ":"); kind {
	case "imagenet-r":
		return "mm_imagenet_r"
	case "food101":
		return "food101"
	}
	return "dataset"
}

// Build writes the dataset to dir and returns its manifest. A dataset that was built from the same input is left alone; a
// picture that changed in place without changing its size is not noticed, as pictures are not read for that. A
// picture without a caption, or that cannot be read, is refused with its reason; the rest is written.
func Build(ctx context.Context, s dataset.Source, dir string, o Options) (schemas.DatasetManifest, error) {
	var m schemas.DatasetManifest
	o.Name = cmp.Or(o.Name, DefaultName(s.Spec()))
	o.ClassOrder = cmp.Or(o.ClassOrder, DefaultClassOrder)
	if len(o.Layouts) == 0 {
		o.Layouts = []layout.Kind{layout.HF}
	}
	parts, err := split.New(s, o.Split)
	if err != nil {
		return m, err
	}
	order, err := split.Order(o.ClassOrder, s.Classes(), parts.Targets)
	if err != nil {
		return m, err
	}
	b := newBuild(s, o, parts, order)
	place, err := claim(dir)
	if err != nil {
		return m, err
	}
	switch {
	case place.refusal != nil && (!o.Force || place.foreign):
		return m, place.refusal
	case place.old != nil && !o.Force && place.old.Inputs == b.manifest.Inputs:
		if name := place.incomplete(); name != "" {
			return m, fmt.Errorf("dataset %s: %s is missing or has another size than the manifest says: give --force to build it again: %w", dir, name, dataset.ErrRefused)
		}
		place.tidy()
		return *place.old, nil
	case place.old != nil && !o.Force:
		return m, fmt.Errorf("dataset %s: was built from other pictures, captions or settings: give --force to replace it, or another --out: %w", dir, dataset.ErrRefused)
	}
	defer place.release()
	if err := place.begin(); err != nil {
		return m, fmt.Errorf("dataset %s: %w", dir, err)
	}
	m, err = b.run(ctx, place.partial)
	if err != nil {
		return m, errors.Join(fmt.Errorf("dataset %s: %w", dir, err), os.RemoveAll(place.partial))
	}
	if err := place.finish(); err != nil {
		return m, fmt.Errorf("dataset %s: %w", dir, err)
	}
	return m, nil
}

// inputs is a digest of all that decides the rows and their order. Left out is what the manifest only tells of: the paths
// of the source and of a split file as they were typed, and the program.
func (o Options) inputs(s dataset.Source, parts dataset.Split, order []int) string {
	h := sha256.New()
	w := bufio.NewWriterSize(h, 1<<16)
	fmt.Fprintln(w, schemas.RowsHeader, schemas.DatasetHeader, o.Name, sorted(o.Layouts), o.ShardBytes, o.About.Recipe, o.About.Thresholds, o.MaskNames, o.Decode, order)
	for _, c := range s.Classes() {
		fmt.Fprintf(w, "%q\n", c)
	}
	for _, r := range s.Refused() {
		fmt.Fprintf(w, "%q %q\n", r.Name, r.Reason)
	}
	for _, e := range s.Entries() {
		c, ok := o.Captions(e.ID)
		fmt.Fprintln(w, e.Label, e.SizeBytes, ok, len(c.Flags), c.FlagValues)
		for _, text := range append([]string{string(e.ID), e.Style, c.Text, c.Raw, c.ImageSHA256, c.Model, c.Prompt, c.Fingerprint}, c.Flags...) {
			fmt.Fprintln(w, len(text))
			w.WriteString(text)
		}
	}
	split.Write(w, parts) // a hash takes everything
	w.Flush()
	return hexSum(h)
}

// sorted is the layouts in the order in which they are written, each once.
func sorted(kinds []layout.Kind) []layout.Kind {
	return slices.DeleteFunc(layout.Kinds(), func(k layout.Kind) bool { return !slices.Contains(kinds, k) })
}

// writeFile writes one of the small files of a dataset and returns its digest.
func writeFile(dir, name string, write func(io.Writer) error) (schemas.FileDigest, error) {
	var text strings.Builder
	if err := write(&text); err != nil {
		return schemas.FileDigest{}, err
	}
	err := schemas.WriteFile(filepath.Join(dir, name), func(w io.Writer) error { _, err := io.WriteString(w, text.String()); return err })
	return schemas.FileDigest{Path: name, Bytes: int64(text.Len()), SHA256: dataset.Digest([]byte(text.String()))}, err
}
