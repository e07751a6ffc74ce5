package source_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

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

// Whatever Food-101's files say: no panic, errors of one line, and labels, parts and texts in their bounds.
func FuzzFood101(f *testing.F) {
	f.Add(`{"a":1,"b":0}`, `{"train":["a_1.jpg"],"val":["b_1.jpg"],"test":["x.jpg"]}`, `{"a_1.jpg":" text "}`, "b_1.jpg,\"a \"\"title\"\"\",b\nx.jpg,y,a\n")
	f.Add(`{"a":0,"b":0}`, `{"train":null}`, `{"a_1.jpg":null}`, "\ufeffa_1.jpg,\xff\n")
	f.Add(``, ``, ``, "\"")
	dir := datasettest.WriteFolder(f, []datasettest.File{
		{Name: "images/train/a/a_1.jpg", Body: []byte("1")}, {Name: "images/train/b/b_1.jpg", Body: []byte("2")},
		{Name: "images/test/a/x.jpg", Body: []byte("3")}, {Name: "images/test/b/x.jpg", Body: []byte("4")}, {Name: "texts/train_titles.csv", Body: []byte("x")},
	})
	f.Fuzz(func(t *testing.T, classes, split, texts, titles string) {
		for name, body := range map[string]string{"class_idx.json": classes, "split.json": split, "text.json": texts, "texts/train_titles.csv": titles} {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if body == "" { // none
				os.Remove(file)
				continue
			}
			put(t, file, []byte(body))
		}
		s, err := source.Open(t.Context(), "food101:"+dir)
		if err != nil {
			oneLine(t, err)
			return
		}
		defer s.Close()
		kept, refused := len(s.Entries()), 0
		for _, r := range s.Refused() {
			if strings.HasPrefix(r.Name, "images/") && strings.Contains(r.Reason, "class_idx.json") {
				refused++
			}
			if !utf8.ValidString(r.Name) {
				t.Errorf("refused %q", r.Name)
			}
		}
		if kept+refused != 4 {
			t.Errorf("%d entries and %v of 4", kept, s.Refused())
		}
		for _, e := range s.Entries() {
			if e.Label < 0 || e.Label >= len(s.Classes()) || s.Classes()[e.Label].WNID != e.ID.WNID() {
				t.Errorf("%s has label %d of %v", e.ID, e.Label, s.Classes())
			}
			if text, ok := s.(dataset.Captioned).Text(e.ID); ok != (text != "") || !utf8.ValidString(text) || strings.TrimSpace(text) != text {
				t.Errorf("%s: text %q, %v", e.ID, text, ok)
			}
			if !strings.Contains(" train validation test ", " "+e.Part+" ") && e.Part != "" {
				t.Errorf("%s: part %q", e.ID, e.Part)
			}
		}
	})
}

// Whatever a captions file holds: no panic, errors of one line, and what is read is written again as the same.
func FuzzTexts(f *testing.F) {
	for _, body := range []string{
		"path,caption\na/1.jpg,x\n", "a/1.jpg,\"x\ny\"\n", "{\"path\":\"a/1.jpg\",\"caption\":\"x\"}\n{\"id\":\"t\\\\a\\\\2.jpg\",\"text\":\"y\"}\n",
		"\ufefftitle,n,id\nx,1,t/a/1\n", "[", "{", "\"", "a/1,x\na/1,y\n", "\xff\xfea\x00",
	} {
		f.Add(body)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body string) {
		file := filepath.Join(dir, "captions")
		put(t, file, []byte(body))
		texts, _, err := source.ReadTexts(file)
		if err != nil {
			oneLine(t, err)
			return
		}
		var again strings.Builder
		for id, text := range texts {
			line, err := json.Marshal(map[string]string{"path": string(id), "caption": text})
			if err != nil {
				t.Fatal(err)
			}
			again.Write(append(line, '\n'))
		}
		if len(texts) == 0 {
			return
		}
		put(t, file, []byte(again.String()))
		back, _, err := source.ReadTexts(file)
		if err != nil || !maps.Equal(back, texts) {
			t.Errorf("%q is read as %q, and that as %q: %v", body, texts, back, err)
		}
	})
}
