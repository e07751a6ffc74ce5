package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcil/mcil/schemas"
)

// OpenSource opens the source that spec names: imagenet-r:PATH, or a bare path. PATH is the unpacked folder or the tar.
func OpenSource(ctx context.Context, spec string) (Source, error) {
	kind, name, found := strings.Cut(spec, ":")
	if !found || kind == "" || strings.ContainsAny(kind, `/\.`) {
		kind, name = "imagenet-r", spec
	}
	if kind != "imagenet-r" {
		return nil, fmt.Errorf("source %q: unknown kind %q: use imagenet-r:PATH or a bare path: %w", spec, kind, ErrNoSource)
	}
	if name == "" {
		return nil, fmt.Errorf("source %q: names no path: %w", spec, ErrNoSource)
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("source %s: no such file or folder: %w", name, ErrNoSource)
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	var s *imageNetR
	switch {
	case info.IsDir():
		s, err = scanFolder(ctx, name)
	case info.Mode().IsRegular():
		s, err = scanTar(ctx, name)
	default: // a pipe would wait for ever, and cannot be read in place
		err = fmt.Errorf("source %s: neither a folder nor a file: %w", name, ErrNoSource)
	}
	if err != nil {
		return nil, err
	}
	if err := s.finish("imagenet-r:" + name); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// imageNetR is ImageNet-R's layout in a folder or an archive.
type imageNetR struct {
	spec    string
	classes []Class
	entries []Entry
	refused []schemas.Refusal
	read    func(ctx context.Context, e Entry) ([]byte, error)
	close   func() error

	names map[string]string // wnid to name, from README.txt
}

func (s *imageNetR) Spec() string               { return s.spec }
func (s *imageNetR) Classes() []Class           { return s.classes }
func (s *imageNetR) Entries() []Entry           { return s.entries }
func (s *imageNetR) Refused() []schemas.Refusal { return s.refused }
func (s *imageNetR) refuse(name, why string) {
	s.refused = append(s.refused, schemas.Refusal{Name: name, Reason: why})
}
func (s *imageNetR) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

func (s *imageNetR) Read(ctx context.Context, e Entry) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.read(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.spec, e.ID, err)
	}
	return b, nil
}

var (
	wnidFolder  = regexp.MustCompile(`^n\d{8}$`)
	wnidLine    = regexp.MustCompile(`^(n\d{8})\s+(\S+)`)
	pictureName = regexp.MustCompile(`(?i)\.(jpe?g|png|gif|webp|bmp)$`)
	styleName   = regexp.MustCompile(`^(.+)_\d+$`)
)

// add takes one file at a slash-separated path inside the layout (without the top folder), or refuses it.
func (s *imageNetR) add(name string, size, offset int64) {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case dir == "" && !pictureName.MatchString(base): // README.txt, licences, lists: not pictures, not class folders
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl): // lists of names are text, a name a line
		s.refuse(strings.ToValidUTF8(name, "\uFFFD"), "the name has control characters or is not UTF-8")
	case !wnidFolder.MatchString(dir):
		s.refuse(name, "not in a class folder named as a wnid (n and eight digits)")
	case strings.HasPrefix(base, "."):
		s.refuse(name, "hidden file")
	case !pictureName.MatchString(base):
		s.refuse(name, "not named as a picture")
	case size == 0:
		s.refuse(name, "empty file")
	case size > MaxPictureBytes:
		s.refuse(name, fmt.Sprintf("%d bytes, more than the %d that a picture may have", size, int64(MaxPictureBytes)))
	default:
		s.entries = append(s.entries, Entry{ID: ID(name), Style: styleOf(base), SizeBytes: size, offset: offset})
	}
}

// styleOf is the rendition in a file name such as sketch_12.jpg, or "unknown".
func styleOf(base string) string {
	stem := strings.TrimSuffix(base, path.Ext(base))
	if m := styleName.FindStringSubmatch(stem); m != nil {
		return m[1]
	}
	return "unknown"
}

// finish sorts what was found, numbers the classes and refuses what no one can learn from.
func (s *imageNetR) finish(spec string) error {
	s.spec = spec
	slices.SortStableFunc(s.entries, func(a, b Entry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	unique := s.entries[:0]
	for _, e := range s.entries {
		if len(unique) > 0 && unique[len(unique)-1].ID == e.ID {
			s.refuse(string(e.ID), "the name occurs twice; the first is kept")
			continue
		}
		unique = append(unique, e)
	}
	s.entries = unique
	for i := range s.entries {
		wnid := s.entries[i].ID.WNID()
		if n := len(s.classes); n == 0 || s.classes[n-1].WNID != wnid {
			name := s.names[wnid]
			if name == "" {
				name = wnid
			}
			s.classes = append(s.classes, Class{WNID: wnid, Name: name})
		}
		s.entries[i].Label = len(s.classes) - 1
	}
	slices.SortFunc(s.refused, func(a, b schemas.Refusal) int { return strings.Compare(a.Name+a.Reason, b.Name+b.Reason) })
	switch len(s.classes) {
	case 0:
		return fmt.Errorf("%s: holds no pictures in class folders (n01443537/sketch_0.jpg): %w", spec, ErrRefused)
	case 1:
		return fmt.Errorf("%s: has one class (%s): at least two are needed to tell apart: %w", spec, s.classes[0].WNID, ErrRefused)
	}
	return nil
}

// readNames takes the lines "wnid name" of ImageNet-R's README.txt; its preamble has no such lines.
func (s *imageNetR) readNames(r io.Reader) error {
	s.names = map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		if m := wnidLine.FindStringSubmatch(lines.Text()); m != nil {
			s.names[m[1]] = m[2]
		}
	}
	return lines.Err()
}
