package dataset_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// paint is a picture of w by h pixels, each a function of its place and of shade.
func paint(w, h, shade int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x*5 + shade), uint8(y*7 + shade*3), uint8(x*y + shade*11), 255})
		}
	}
	return img
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeGIF(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// file is something to put into a folder or an archive.
type file struct {
	name string
	body []byte
	kind byte // of the tar entry; 0: a regular file
}

const readme = `ImageNet-R(endition)

n01443537 is only mentioned here as
the classes are as follows:

n01443537 goldfish
n01484850 great_white_shark
n02128757 snow_leopard extra words
`

const (
	goldfish = "n01443537"
	shark    = "n01484850"
	leopard  = "n02128757"
)

// layout is three classes of n pictures each, in no order, with the README among them.
func layout(t testing.TB, n int) []file {
	t.Helper()
	var files []file
	for i := range n {
		for k, wnid := range []string{shark, leopard, goldfish} {
			name := fmt.Sprintf("%s/%s_%d.jpg", wnid, []string{"sketch", "art", "video_game"}[i%3], i)
			files = append(files, file{name: name, body: encodeJPEG(t, paint(40+i%5, 36, 10*k+i))})
		}
		if i == 0 {
			files = append(files, file{name: "README.txt", body: []byte(readme)})
		}
	}
	return files
}

func writeFolder(t testing.TB, files []file) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pictures")
	for _, f := range files {
		p := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tarBytes is an archive of files, each name below top.
func tarBytes(t testing.TB, top string, format tar.Format, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: top + f.name, Mode: 0o644, Size: int64(len(f.body)), Typeflag: f.kind, Format: format}
		switch f.kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			h = &tar.Header{Typeflag: f.kind, Name: f.name, PAXRecords: map[string]string{"comment": "a commit"}}
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = "elsewhere.jpg"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeTar(t testing.TB, top string, format tar.Format, files []file) string {
	t.Helper()
	return writeTemp(t, "pictures.tar", tarBytes(t, top, format, files))
}

func writeTemp(t testing.TB, name string, body []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, body, 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}

func openSource(t testing.TB, spec string) dataset.Source {
	t.Helper()
	s, err := dataset.OpenSource(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// captionsOf captions every picture of s, except those for which without is true.
func captionsOf(t testing.TB, s dataset.Source, without func(dataset.ID) bool) dataset.CaptionOf {
	t.Helper()
	captions := map[dataset.ID]dataset.Caption{}
	for i, e := range s.Entries() {
		if without != nil && without(e.ID) {
			continue
		}
		b, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		c := dataset.Caption{Text: fmt.Sprintf("picture number %d, café", i), ImageSHA256: dataset.Digest(b)}
		c.CaptionInfo = dataset.CaptionInfo{Raw: " " + c.Text + " ", Model: "painter", Fingerprint: fmt.Sprint("f", i)}
		if i%4 == 0 {
			c.Flags = []string{"cut_off", "repeating"}[:1+i%8/4]
		}
		captions[e.ID] = c
	}
	return func(id dataset.ID) (dataset.Caption, bool) {
		c, ok := captions[id]
		return c, ok
	}
}

var program = schemas.Program{Name: "mcil", Version: "test", Go: "go"}

func build(t testing.TB, s dataset.Source, dir string, o dataset.BuildOptions) schemas.DatasetManifest {
	t.Helper()
	if o.Captions == nil {
		o.Captions = captionsOf(t, s, nil)
	}
	o.Program = program
	m, err := dataset.Build(t.Context(), s, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, dir string) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// builtDataset is a small dataset of n pictures a class, ready to train on.
func builtDataset(t testing.TB, n int) *dataset.Dataset {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	build(t, openSource(t, writeFolder(t, layout(t, n))), dir, dataset.BuildOptions{})
	return open(t, dir)
}

// tree is the content of every file below dir by its path.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sameTree(t testing.TB, a, b map[string]string) {
	t.Helper()
	if ka, kb := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)); !slices.Equal(ka, kb) {
		t.Fatalf("files %v, want %v", ka, kb)
	}
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs", name)
		}
	}
}

// wantError asserts a one-line error that wraps target and says each of the words.
func wantError(t testing.TB, err, target error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of %q", words)
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("error %q does not wrap %q", err, target)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of more than one line: %q", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}
