package source_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/schemas"
)

type row struct {
	id    dataset.ID
	label int
	part  string
}

func rowsOf(s dataset.Source) (rows []row) {
	for _, e := range s.Entries() {
		rows = append(rows, row{e.ID, e.Label, e.Part})
	}
	return rows
}

// named is files of a byte each.
func named(names ...string) (files []datasettest.File) {
	for i, name := range names {
		files = append(files, datasettest.File{Name: name, Body: []byte{byte(i + 1)}})
	}
	return files
}

// everywhere opens files as a folder and as archives, with and without a folder around them.
func everywhere(t *testing.T, kind string, files []datasettest.File, check func(t *testing.T, s dataset.Source)) {
	t.Helper()
	around := make([]datasettest.File, len(files))
	for i, f := range files {
		f.Name = "top/" + f.Name
		around[i] = f
	}
	for name, spec := range map[string]string{
		"folder": datasettest.WriteFolder(t, files), "folder in a folder": datasettest.WriteFolder(t, around),
		"tar": datasettest.WriteTar(t, "", 0, files), "tar with a top": datasettest.WriteTar(t, "./top/", 0, files),
	} {
		for _, prefix := range []string{"", kind + ":"} {
			t.Run(prefix+name, func(t *testing.T) {
				s := openSource(t, prefix+spec)
				if s.Spec() != kind+":"+spec {
					t.Errorf("spec %q, want the kind %s", s.Spec(), kind)
				}
				check(t, s)
			})
		}
	}
}

func wantRefused(t *testing.T, s dataset.Source, want ...schemas.Refusal) {
	t.Helper()
	if !slices.Equal(s.Refused(), want) {
		t.Errorf("refused\n%q, want\n%q", s.Refused(), want)
	}
}

// Folders of parts, as LAMDA-PILOT's archive unpacks: they are no part of the ID, and the same ID counts once.
func TestImageNetRParts(t *testing.T) {
	g, sh := datasettest.Goldfish, datasettest.Shark
	files := named("test/"+g+"/sketch_1.jpg", "train/"+g+"/sketch_0.jpg", "train/"+sh+"/art_0.jpg", "val/"+sh+"/art_1.jpg", "validation/"+sh+"/art_2.jpg",
		"test/"+g+"/sketch_0.jpg", "validation/"+sh+"/art_1.jpg", "val/"+g+"/sketch_1.jpg", "train/stray.jpg", g+"/sketch_7.jpg", g+"/sketch_0.jpg")
	files = append(files, datasettest.File{Name: "README.txt", Body: []byte(datasettest.Readme)})
	everywhere(t, "imagenet-r", files, func(t *testing.T, s dataset.Source) {
		want := []row{
			{dataset.ID(g + "/sketch_0.jpg"), 0, "train"}, {dataset.ID(g + "/sketch_1.jpg"), 0, "validation"}, {dataset.ID(g + "/sketch_7.jpg"), 0, ""},
			{dataset.ID(sh + "/art_0.jpg"), 1, "train"}, {dataset.ID(sh + "/art_1.jpg"), 1, "validation"}, {dataset.ID(sh + "/art_2.jpg"), 1, "validation"},
		}
		if got := rowsOf(s); !slices.Equal(got, want) {
			t.Errorf("entries %v, want %v", got, want)
		}
		if b, err := s.Read(t.Context(), s.Entries()[0]); err != nil || !slices.Equal(b, []byte{2}) {
			t.Errorf("read %v, %v, want train's", b, err)
		}
		if got := s.Classes()[0]; got.Name != "goldfish" {
			t.Errorf("class %v", got)
		}
		same := func(first string) string { return "the same class and name as " + first + ", which is kept" }
		wantRefused(t, s,
			schemas.Refusal{Name: g + "/sketch_0.jpg", Reason: same("train/" + g + "/sketch_0.jpg")},
			schemas.Refusal{Name: "test/" + g + "/sketch_0.jpg", Reason: same("train/" + g + "/sketch_0.jpg")},
			schemas.Refusal{Name: "test/" + g + "/sketch_1.jpg", Reason: same("val/" + g + "/sketch_1.jpg")},
			schemas.Refusal{Name: "train/stray.jpg", Reason: notInClass},
			schemas.Refusal{Name: "validation/" + sh + "/art_1.jpg", Reason: same("val/" + sh + "/art_1.jpg")},
		)
	})
}

func TestFolder(t *testing.T) {
	files := named("cat/1.jpg", "cat/two words_2", "ドッグ dog/1.PNG", "ドッグ dog/x.unknown", "cat/notes.txt", "cat/deep/3.jpg", "cat/.hidden.jpg", ".git/config",
		"cat/Thumbs.db", "cover.jpg", "README.md", "train/sketch_9.jpg", "cat/readme_1.jpg")
	everywhere(t, "folder", files, func(t *testing.T, s dataset.Source) {
		want := []row{{"cat/1.jpg", 0, ""}, {"cat/readme_1.jpg", 0, ""}, {"cat/two words_2", 0, ""}, {"train/sketch_9.jpg", 1, ""}, {"ドッグ dog/1.PNG", 2, ""}, {"ドッグ dog/x.unknown", 2, ""}}
		if got := rowsOf(s); !slices.Equal(got, want) {
			t.Errorf("entries %v, want %v", got, want)
		}
		if got, want := s.Classes()[2], (dataset.Class{WNID: "ドッグ dog", Name: "ドッグ dog"}); got != want {
			t.Errorf("class %v, want %v", got, want)
		}
		if s.Entries()[3].Style != "unknown" {
			t.Errorf("style %q", s.Entries()[3].Style)
		}
		wantRefused(t, s,
			schemas.Refusal{Name: ".git/config", Reason: "hidden file"}, schemas.Refusal{Name: "cat/.hidden.jpg", Reason: "hidden file"},
			schemas.Refusal{Name: "cat/Thumbs.db", Reason: "not named as a picture"},
			schemas.Refusal{Name: "cat/deep/3.jpg", Reason: "in a folder below a class folder"},
			schemas.Refusal{Name: "cat/notes.txt", Reason: "not named as a picture"},
			schemas.Refusal{Name: "cover.jpg", Reason: "not in a class folder"},
		)
	})
}

func TestFolderParts(t *testing.T) {
	files := named("train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg", "test/cat/1.jpg", "README.md")
	everywhere(t, "folder", files, func(t *testing.T, s dataset.Source) {
		want := []row{{"cat/1.jpg", 0, "train"}, {"cat/2.jpg", 0, "test"}, {"dog/1.jpg", 1, "train"}}
		if got := rowsOf(s); !slices.Equal(got, want) {
			t.Errorf("entries %v, want %v", got, want)
		}
		wantRefused(t, s, schemas.Refusal{Name: "test/cat/1.jpg", Reason: "the same class and name as train/cat/1.jpg, which is kept"})
	})
}

type intoReader interface {
	ReadInto(ctx context.Context, e dataset.Entry, buf []byte) ([]byte, error)
}

func TestReadInto(t *testing.T) {
	files := datasettest.Layout(t, 4)
	for _, spec := range []string{datasettest.WriteFolder(t, files), datasettest.WriteTar(t, "imagenet-r/", 0, files)} {
		s := openSource(t, spec)
		into := s.(intoReader)
		buf := make([]byte, 3, 1<<16)
		for _, e := range s.Entries() {
			want, err := s.Read(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := into.ReadInto(t.Context(), e, buf)
			if err != nil || !slices.Equal(got, want) || &got[0] != &buf[0] {
				t.Errorf("%s: %d bytes, %v, not in the memory at hand", e.ID, len(got), err)
			}
			if got, err = into.ReadInto(t.Context(), e, make([]byte, 0, 5)); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: too little memory: %d bytes, %v", e.ID, len(got), err)
			}
		}
		var wg sync.WaitGroup
		for _, e := range s.Entries() {
			wg.Go(func() {
				if _, err := s.Read(t.Context(), e); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func TestReadOfAChangedFile(t *testing.T) {
	for _, change := range []int{-1, 1} {
		files := datasettest.Layout(t, 1)
		dir := datasettest.WriteFolder(t, files)
		s := openSource(t, dir)
		e := s.Entries()[0]
		b, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, e.Path), append(b, 0)[:len(b)+change], 0o666); err != nil {
			t.Fatal(err)
		}
		_, err = s.Read(t.Context(), e)
		datasettest.WantError(t, err, nil, string(e.ID), "its size has changed since it was listed")
		if errors.Is(err, dataset.ErrRefused) {
			t.Errorf("%v: a picture is refused that may be whole", err)
		}
	}
	archive := datasettest.WriteTar(t, "", 0, datasettest.Layout(t, 1))
	s := openSource(t, archive)
	if err := os.Truncate(archive, 600); err != nil {
		t.Fatal(err)
	}
	e := s.Entries()[2]
	_, err := s.Read(t.Context(), e)
	datasettest.WantError(t, err, nil, string(e.ID), "its size has changed since it was listed")
	e.Path, e.SizeBytes = "../x", 1
	folder := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 1)))
	if _, err := folder.Read(t.Context(), e); err == nil || !strings.Contains(err.Error(), "leads out of the folder") {
		t.Errorf("read outside the folder: %v", err)
	}
}
