// Package source lists and reads pictures where they are: in folders or tar archives, which are never unpacked.
//
// # Kinds
//
// [Open] knows three, each as a folder or a tar, with or without one more folder around it:
//
//   - imagenet-r:PATH is ImageNet-R as distributed: folders named as wnids, and a README.txt that names them. The folders may
//     be below train/ and test/ (or val/, validation/), as other toolboxes unpack them.
//   - food101:PATH is UPMC Food-101: images/{train,test}/CLASS/CLASS_N.jpg with texts, splits and labels beside them. It is
//     a [dataset.Captioned].
//   - folder:PATH has one folder a class, below train/ and test/ or not.
//
// A bare path is looked at: wnid folders make it ImageNet-R, images/train with one of Food-101's files beside it Food-101,
// and anything else is one folder a class.
//
// # What is a picture
//
// Every regular file in a class folder is listed, whatever its name ends in, except hidden files and what cannot be a picture
// by its name (.txt, .csv, Thumbs.db). Whether it is one is seen when its content is read (package picture). Files above the
// class folders that are not named as pictures (README.txt, LICENSE) are metadata and not mentioned; everything else that is
// left out is in Refused with a reason.
//
// # Reading
//
// Besides [dataset.Source], what Open returns has
//
//	ReadInto(ctx context.Context, e dataset.Entry, buf []byte) ([]byte, error)
//
// which reads into buf where it is large enough, and into new memory otherwise; its answer may share buf's memory. All reads
// are safe for concurrent use. A file that has changed its size since it was listed is an error.
//
// Memory is that of the list of entries: archives are read in place.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// Kinds of sources.
const (
	kindImageNetR = "imagenet-r"
	kindFood101   = "food101"
	kindFolder    = "folder"
	kindUse       = "use imagenet-r:PATH, food101:PATH, folder:PATH or a bare path"
)

// Open opens the source that spec names: a kind, a colon and a path, or a bare path. The path is a folder or a tar.
func Open(ctx context.Context, spec string) (dataset.Source, error) {
	kind, name, found := strings.Cut(spec, ":")
	if !found || kind == "" || strings.ContainsAny(kind, `/\.`) {
		kind, name = "", spec
	}
	switch kind {
	case "", kindImageNetR, kindFood101, kindFolder:
	default:
		return nil, fmt.Errorf("source %q: unknown kind %q: %s: %w", spec, kind, kindUse, dataset.ErrNoSource)
	}
	if name == "" {
		return nil, fmt.Errorf("source %q: names no path: %s: %w", spec, kindUse, dataset.ErrNoSource)
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("source %s: no such file or folder: give the folder or the tar that holds the pictures: %w", name, dataset.ErrNoSource)
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	var t *tree
	switch {
	case info.IsDir():
		t, err = listFolder(ctx, name)
	case info.Mode().IsRegular():
		t, err = listTar(ctx, name)
	default: // a pipe would wait for ever, and cannot be read in place
		err = fmt.Errorf("neither a folder nor a file: %w", dataset.ErrNoSource)
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	if kind == "" {
		kind = sniff(t.files)
	}
	s, err := arrange(kind, kind+":"+name, t)
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("%s:%s: %w", kind, name, err)
	}
	return s, nil
}

// sniff tells the kind by where files are.
func sniff(files []file) string {
	if _, ok := rootOf(files, wnidAt); ok {
		return kindImageNetR
	}
	if root, ok := rootOf(files, foodAt); ok {
		for _, f := range files {
			rel, inside := below(root, f.path)
			if inside && (rel == textFile || rel == classFile || strings.HasPrefix(rel, textFolder+"/")) {
				return kindFood101
			}
		}
	}
	return kindFolder
}

func arrange(kind, spec string, t *tree) (dataset.Source, error) {
	c := &collection{spec: spec, tree: t}
	switch kind {
	case kindImageNetR:
		return c, c.imageNetR()
	case kindFood101:
		s := &food101{collection: c}
		return s, s.arrange()
	default:
		return c, c.folder()
	}
}
