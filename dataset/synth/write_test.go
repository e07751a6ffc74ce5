package synth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tree reads a folder: slash-separated path to contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, p))
		out[p] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, o Options) (string, map[string]string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	if err := Write(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	return dir, tree(t, dir)
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d files, want %d", len(got), len(want))
	}
	for p, w := range want {
		if got[p] != w {
			t.Errorf("%s differs", p)
		}
	}
}

func TestWorkersDoNotChangeBytes(t *testing.T) {
	_, one := write(t, Options{Classes: 3, PerClass: 12, Seed: 7, Workers: 1})
	_, four := write(t, Options{Classes: 3, PerClass: 12, Seed: 7, Workers: 4})
	same(t, four, one)
	_, other := write(t, Options{Classes: 3, PerClass: 12, Seed: 8})
	for p, b := range one {
		if other[p] == b {
			t.Errorf("%s is the same with another seed", p)
		}
	}
}

func TestMorePicturesKeepTheEarlierOnes(t *testing.T) {
	_, few := write(t, Options{Classes: 2, PerClass: 7})
	_, many := write(t, Options{Classes: 3, PerClass: 13})
	for p, b := range few {
		if p != "README.txt" && many[p] != b {
			t.Errorf("%s changed when more was asked for", p)
		}
	}
}

func TestLayout(t *testing.T) {
	const classes, perClass = 2, 23
	_, got := write(t, Options{Classes: classes, PerClass: perClass})
	if len(got) != classes*perClass+1 {
		t.Errorf("%d files, want %d pictures and a README", len(got), classes*perClass)
	}
	form := regexp.MustCompile(`^n\d{8}/[a-z]+_\d+\.jpg$`)
	digests := map[[32]byte]string{}
	for p, b := range got {
		if p == "README.txt" {
			continue
		}
		if !form.MatchString(p) {
			t.Errorf("odd name %q", p)
		}
		if _, err := jpeg.Decode(strings.NewReader(b)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		d := sha256.Sum256([]byte(b))
		if digests[d] != "" {
			t.Errorf("%s and %s are the same picture", p, digests[d])
		}
		digests[d] = p
	}
	// 23 pictures over 10 renditions: the first three get 3, the rest 2, counted from 0 without gaps
	for _, c := range Catalogue()[:classes] {
		for i, r := range Renditions() {
			want := 2
			if i < perClass%len(Renditions()) {
				want = 3
			}
			for n := range 4 {
				_, ok := got[fmt.Sprintf("%s/%s_%d.jpg", c.WNID, r, n)]
				if ok != (n < want) {
					t.Errorf("%s/%s_%d.jpg: present %v, want %v", c.WNID, r, n, ok, n < want)
				}
			}
		}
	}
}

func TestReadme(t *testing.T) {
	_, got := write(t, Options{Classes: 2, PerClass: 1, Seed: 42})
	head, list, ok := strings.Cut(got["README.txt"], "\n\nn")
	if !ok {
		t.Fatalf("no blank line before the class list:\n%s", got["README.txt"])
	}
	if want := "02007558 flamingo\nn07753592 banana\n"; list != want {
		t.Errorf("class list %q, want %q", list, want)
	}
	for _, want := range []string{"mcil synth", "stand-in", "seed: 42\n", "classes: 2\n", "pictures per class: 1\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("preamble lacks %q", want)
		}
	}
	if n := strings.Count(head, "\n") + 1; n != 13 {
		t.Errorf("preamble has %d lines and a blank one follows, want 13: some loaders count", n)
	}
	if regexp.MustCompile(`(?m)^n\d{8}\s`).MatchString(head) {
		t.Error("a line of the preamble reads like a class")
	}
}

func TestRerunCompletesAndLeavesTheRest(t *testing.T) {
	o := Options{Classes: 2, PerClass: 4}
	dir, want := write(t, o)
	wnid := Catalogue()[0].WNID
	lost, torn, kept := filepath.Join(dir, wnid, "cartoon_0.jpg"), filepath.Join(dir, wnid, "sketch_0.jpg"), filepath.Join(dir, wnid, "painting_0.jpg")
	// what a kill may leave: a missing picture with half of it under the temporary name, and a short file after a crash
	if err := os.Rename(lost, filepath.Join(dir, wnid, tempPrefix+"cartoon_0.jpg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(torn, 100); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	same(t, tree(t, dir), want)
	after, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("a complete picture was written again")
	}
}

func TestWriteRefuses(t *testing.T) {
	dir, _ := write(t, Options{Classes: 1, PerClass: 1})
	for name, o := range map[string]Options{
		"seed":     {Classes: 1, PerClass: 1, Seed: 2},
		"classes":  {Classes: 2, PerClass: 1},
		"pictures": {Classes: 1, PerClass: 2},
	} {
		if err := Write(t.Context(), dir, o); err == nil || !strings.Contains(err.Error(), "another data set") {
			t.Errorf("other %s: error %v", name, err)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), full, Options{}); err == nil || !strings.Contains(err.Error(), "letter.txt") {
		t.Errorf("folder with other files: error %v", err)
	}
	if err := Write(t.Context(), filepath.Join(full, "letter.txt"), Options{}); err == nil {
		t.Error("a file was taken for a folder")
	}
	for _, o := range []Options{{Classes: len(Catalogue()) + 1}, {Classes: -1}, {PerClass: -1}} {
		none := filepath.Join(t.TempDir(), "none")
		if err := Write(t.Context(), none, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
		if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v was refused after the folder had been made", o)
		}
	}
}

func TestWriteReportsWhatItCannotStore(t *testing.T) {
	o := Options{Classes: 1, PerClass: 3}
	dir, _ := write(t, o)
	name := filepath.Join(dir, Catalogue()[0].WNID, "sketch_0.jpg")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(name, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), dir, o); err == nil || !strings.Contains(err.Error(), "sketch_0.jpg") {
		t.Errorf("error %v does not name the picture", err)
	}
}

func TestCancelAndGoOn(t *testing.T) {
	_, want := write(t, Options{Classes: 2, PerClass: 6})
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o := Options{Classes: 2, PerClass: 6, Workers: 2, Progress: func(done, total int) {
		if total != 12 {
			t.Errorf("total %d, want 12", total)
		}
		if done == 4 {
			cancel()
		}
	}}
	if err := Write(ctx, dir, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if n := len(tree(t, dir)); n >= 13 || n < 5 {
		t.Errorf("%d files after a cancel at the fourth picture", n)
	}
	last := 0
	o.Progress = func(done, _ int) { last = done }
	if err := Write(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	if last != 12 {
		t.Errorf("progress ended at %d of 12", last)
	}
	same(t, tree(t, dir), want)
}

func TestKindsOfJPEG(t *testing.T) {
	got := map[string]int{}
	portrait, landscape := 0, 0
	for n := range 12 {
		for _, c := range Catalogue()[:10] {
			b, err := job{c, "graphic", n}.encoded(3)
			if err != nil {
				t.Fatal(err)
			}
			img, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			w, h := img.Bounds().Dx(), img.Bounds().Dy()
			if min(w, h) < 160 || max(w, h) > 480 {
				t.Errorf("%s graphic_%d is %d x %d", c.Name, n, w, h)
			}
			if w > h {
				landscape++
			} else if h > w {
				portrait++
			}
			got[sof(t, b)]++
		}
	}
	// 120 pictures; the shares are 9, 6, 2 and 3 of 20, and half the expected count is more than 2.5 standard deviations off
	for kind, least := range map[string]int{"c0 22 11 11": 27, "c0 11 11 11": 18, "c2 11 11 11": 5, "c0 11": 8} {
		if got[kind] < least {
			t.Errorf("%d pictures of kind %q, want at least %d; all: %v", got[kind], kind, least, got)
		}
	}
	if portrait < 36 || landscape < 36 {
		t.Errorf("%d portrait and %d landscape of 120", portrait, landscape)
	}
}

// sof reads the frame header: its marker and the sampling factors of the components.
func sof(t *testing.T, b []byte) string {
	t.Helper()
	for i := 2; i+4 < len(b); {
		n := int(b[i+2])<<8 | int(b[i+3])
		if m := b[i+1]; m == 0xc0 || m == 0xc2 {
			s := fmt.Sprintf("%x", m)
			for k := range int(b[i+9]) {
				s += fmt.Sprintf(" %02x", b[i+11+3*k])
			}
			return s
		}
		i += 2 + n
	}
	t.Fatal("no frame header")
	return ""
}
