package source_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/source"
)

// put writes body to a file that all runs of one fuzzing process share.
func put(t *testing.T, file string, body []byte) {
	t.Helper()
	if err := os.WriteFile(file, body, 0o666); err != nil {
		t.Fatal(err)
	}
}

// oneLine asserts that an error is about the input, in one line.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, dataset.ErrRefused) || strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("error %q", err)
	}
}

// Whatever an archive holds: no panic, and what is read in place is what reading the archive in order gives.
func FuzzTarSource(f *testing.F) {
	files := append(datasettest.Layout(f, 1), datasettest.File{Name: "pax_global_header", Kind: tar.TypeXGlobalHeader}, datasettest.File{Name: "link", Kind: tar.TypeSymlink},
		datasettest.File{Name: datasettest.Goldfish + "/" + strings.Repeat("long", 40) + "_0.jpg", Body: []byte("x")})
	for i := range files { // small bodies make small seeds
		files[i].Body = files[i].Body[:min(len(files[i].Body), 20)]
	}
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatUnknown} {
		f.Add(datasettest.TarBytes(f, "imagenet-r/", format, files), true)
	}
	f.Add([]byte{}, false)
	f.Add(make([]byte, 1024), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, archive []byte, repair bool) {
		archive = bytes.Clone(archive)
		if repair {
			repairChecksums(archive)
		}
		spec := filepath.Join(dir, "x.tar")
		put(t, spec, archive)
		s, err := source.Open(t.Context(), spec)
		if err != nil {
			return
		}
		defer s.Close()
		inOrder := map[string][]byte{} // the first of each name
		r := tar.NewReader(bytes.NewReader(archive))
		for {
			h, err := r.Next()
			if err != nil {
				break
			}
			if h.Typeflag != tar.TypeReg || strings.Contains("/"+h.Name+"/", "/../") || path.IsAbs(h.Name) || h.Size > 1<<20 {
				continue
			}
			b, err := io.ReadAll(r)
			if err != nil {
				break
			}
			name := path.Clean(h.Name)
			_, below, _ := strings.Cut(name, "/")
			for _, key := range []string{name, below} {
				if _, twice := inOrder[key]; !twice {
					inOrder[key] = b
				}
			}
		}
		for _, e := range s.Entries() {
			if want, ok := inOrder[string(e.ID)]; ok {
				got, err := s.Read(t.Context(), e)
				if err != nil || int64(len(got)) != e.SizeBytes {
					t.Errorf("%q: %d bytes, %v", e.ID, len(got), err)
				} else if !bytes.Equal(got, want) && !duplicated(s, e.ID) {
					t.Errorf("%q: read in place %q, in order %q", e.ID, got, want)
				}
			}
		}
	})
}

// repairChecksums makes every block with tar's magic a header with the right sum, so that changes get past the sum.
func repairChecksums(archive []byte) {
	for at := 0; at+512 <= len(archive); at += 512 {
		h := archive[at : at+512]
		if string(h[257:262]) != "ustar" {
			continue
		}
		copy(h[148:156], "        ")
		sum := 0
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	}
}

// duplicated says whether the name of a picture occurs under several top folders, so that the order decides.
func duplicated(s dataset.Source, id dataset.ID) bool {
	for _, r := range s.Refused() {
		if r.Name == string(id) {
			return true
		}
	}
	return false
}

