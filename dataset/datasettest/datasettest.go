// Package datasettest makes small pictures, folders and archives for the tests of the packages that read them.
package datasettest

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
)

// Paint is a picture of w by h pixels, each a function of its place and of shade.
func Paint(w, h, shade int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x*5 + shade), uint8(y*7 + shade*3), uint8(x*y + shade*11), 255})
		}
	}
	return img
}

// PNG encodes img.
func PNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// JPEG encodes img at the default quality.
func JPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// GIF encodes img.
func GIF(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// HugePNG is a whole PNG header that promises w by h pixels, and next to nothing after it.
func HugePNG(w, h uint32) []byte {
	chunk := func(name string, body []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		b = append(append(b, name...), body...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(ihdr, 8, 2, 0, 0, 0)), chunk("IDAT", []byte{0x78, 0x9c}), chunk("IEND", nil))
}

// File is something to put into a folder or an archive.
type File struct {
	Name string
	Body []byte
	Kind byte // of the tar entry; 0: a regular file
}

// Readme is a README.txt in the form of ImageNet-R's, with a preamble.
const Readme = `ImageNet-R(endition)

n01443537 is only mentioned here as
the classes are as follows:

n01443537 goldfish
n01484850 great_white_shark
n02128757 snow_leopard extra words
`

// Class folders of [Layout].
const (
	Goldfish = "n01443537"
	Shark    = "n01484850"
	Leopard  = "n02128757"
)

// Layout is three classes of n pictures each, in no order, with the README among them.
func Layout(t testing.TB, n int) []File {
	t.Helper()
	var files []File
	for i := range n {
		for k, wnid := range []string{Shark, Leopard, Goldfish} {
			name := fmt.Sprintf("%s/%s_%d.jpg", wnid, []string{"sketch", "art", "video_game"}[i%3], i)
			files = append(files, File{Name: name, Body: JPEG(t, Paint(40+i%5, 36, 10*k+i))})
		}
		if i == 0 {
			files = append(files, File{Name: "README.txt", Body: []byte(Readme)})
		}
	}
	return files
}

// WriteFolder writes files below a new folder and returns it.
func WriteFolder(t testing.TB, files []File) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pictures")
	for _, f := range files {
		p := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TarBytes is an archive of files, each name below top.
func TarBytes(t testing.TB, top string, format tar.Format, files []File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: top + f.Name, Mode: 0o644, Size: int64(len(f.Body)), Typeflag: f.Kind, Format: format}
		switch f.Kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			h = &tar.Header{Typeflag: f.Kind, Name: f.Name, PAXRecords: map[string]string{"comment": "a commit"}}
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = "elsewhere.jpg"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// WriteTar writes [TarBytes] to a new file.
func WriteTar(t testing.TB, top string, format tar.Format, files []File) string {
	t.Helper()
	return WriteTemp(t, "pictures.tar", TarBytes(t, top, format, files))
}

// WriteTemp writes body to a new file of that name.
func WriteTemp(t testing.TB, name string, body []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, body, 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}

// Tree is the content of every file below dir by its path.
func Tree(t testing.TB, dir string) map[string]string {
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

// SameTree asserts that two trees have the same files.
func SameTree(t testing.TB, a, b map[string]string) {
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

// WantError asserts a one-line error that wraps target and says each of the words.
func WantError(t testing.TB, err, target error, words ...string) {
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
