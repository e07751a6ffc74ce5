package schemas_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range left {
		out = append(out, d.Name())
	}
	return out
}

func write(text string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return err
	}
}

func TestWriteFileIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "report.json")
	broken := errors.New("no more ink")
	if err := schemas.WriteFile(p, write("half", broken)); !errors.Is(err, broken) || !strings.Contains(err.Error(), p) {
		t.Errorf("error %v: want the writer's, with the path", err)
	}
	if got := names(t, dir); got != nil {
		t.Errorf("an error leaves %v", got)
	}
	for _, text := range []string{"old", "new and longer", ""} {
		if err := schemas.WriteFile(p, write(text, nil)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(p); err != nil || string(b) != text {
			t.Errorf("read %q, %v, want %q", b, err, text)
		}
		if err := schemas.WriteFile(p, write("half", broken)); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
		if b, err := os.ReadFile(p); err != nil || string(b) != text {
			t.Errorf("after an error: read %q, %v, want the old %q", b, err, text)
		}
	}
	if got := names(t, dir); !reflect.DeepEqual(got, []string{"report.json"}) {
		t.Errorf("the folder holds %v", got)
	}
	if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v, want 0644", info.Mode(), err)
	}
}

func TestWriteFileErrors(t *testing.T) {
	dir := t.TempDir()
	err := schemas.WriteFile(filepath.Join(dir, "absent", "x"), write("", nil))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "absent") {
		t.Errorf("no folder: %v", err)
	}
	busy := filepath.Join(dir, "busy")
	if err := os.MkdirAll(filepath.Join(busy, "inner"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := schemas.WriteFile(busy, write("x", nil)); err == nil || !strings.Contains(err.Error(), "write "+busy) {
		t.Errorf("a folder in the way: %v", err)
	}
	if got := names(t, dir); !reflect.DeepEqual(got, []string{"busy"}) {
		t.Errorf("the folder holds %v", got)
	}
}

func TestRemoveTemporary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run[1]*") // as a pattern this would match other names
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{".run.json.tmp-123", ".x.tmp-", "run.json", "a.tmp-1", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := schemas.RemoveTemporary(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !reflect.DeepEqual(got, []string{".hidden", "a.tmp-1", "run.json"}) {
		t.Errorf("left %v", got)
	}
}

func TestJSONVersions(t *testing.T) {
	p := filepath.Join(t.TempDir(), "run.json")
	want := schemas.Run{Header: schemas.RunHeader, Settings: map[string]any{"a<b": "c&d", "n": 1.5}, Digest: "d"}
	if err := schemas.WriteJSON(p, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p)
	if err != nil || !strings.HasPrefix(string(text), "{\n  \"schema\": \"mcil.run\",\n  \"version\": 1,\n") || !strings.Contains(string(text), `"a<b": "c&d"`) {
		t.Errorf("written %s, %v", text, err)
	}
	var got schemas.Run
	if err := schemas.ReadJSON(p, schemas.RunHeader, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	for _, c := range []struct {
		text        string
		unsupported bool
		words       string
	}{
		{`{"schema":"mcil.run","version":2}`, true, "is mcil.run version 2, and this mcil reads up to version 1: use a newer mcil"},
		{`{"schema":"mcil.run","version":0}`, true, "version 0"},
		{`{"schema":"mcil.run"}`, true, "version 0"},
		{`{"schema":"mcil.report","version":1}`, true, `is not a mcil.run file (its schema is "mcil.report")`},
		{`{}`, true, "is not a mcil.run file"},
		{`null`, true, "is not a mcil.run file"},
		{``, false, "damaged JSON"},
		{`{"schema":"mcil.run","version":1`, false, "damaged JSON"},
		{`{"schema":"mcil.run","version":1} x`, false, "damaged JSON"},
		{`[]`, false, "damaged JSON"},
		{`{"schema":"mcil.run","version":1,"settings":7}`, false, "damaged mcil.run file"},
	} {
		if err := os.WriteFile(p, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		err := schemas.ReadJSON(p, schemas.RunHeader, &schemas.Run{})
		var u *schemas.UnsupportedError
		if err == nil || errors.As(err, &u) != c.unsupported || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: error %v, want %q (unsupported %v)", c.text, err, c.words, c.unsupported)
		}
	}
	if err := schemas.ReadJSON(p+".absent", schemas.RunHeader, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestMetadata(t *testing.T) {
	h := schemas.TunerHeader
	if err := h.CheckMetadata("x", h.Metadata()); err != nil {
		t.Error(err)
	}
	for words, metadata := range map[string]map[string]string{
		`its schema is ""`:  nil,
		"use a newer mcil":  {"schema": h.Schema, "version": "2"},
		"version 0":         {"schema": h.Schema, "version": "one"},
		"is not a mcil.tun": schemas.PretrainHeader.Metadata(),
	} {
		if err := h.CheckMetadata("x", metadata); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: %v, want %q", metadata, err, words)
		}
	}
}

func TestIsTemporary(t *testing.T) {
	for name, want := range map[string]bool{".a.json.tmp-12": true, "a.json.tmp-12": false, ".a.json": false, ".b.tmp-1": false} {
		if got := schemas.IsTemporary(name, "a.json"); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !schemas.IsTemporary(".b.tmp-1") {
		t.Error("a temporary of any file is none")
	}
}
