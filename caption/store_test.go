package caption

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcil/mcil/schemas"
)

var testRecipe = Recipe{Model: "m"}

func createStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := CreateStore(dir, testRecipe, "memory", schemas.Program{Name: "mcil", Version: "test", Go: "go"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func record(id, sha, status, raw, at string) schemas.Caption {
	return schemas.Caption{
		Version: 1, ID: id, ImageSHA256: sha, Recipe: testRecipe.Digest(), Status: status, Raw: raw, Time: at, Attempts: 1,
	}
}

func ok(id, sha, raw, at string) schemas.Caption { return record(id, sha, schemas.CaptionOK, raw, at) }

func failed(id, sha, at string) schemas.Caption {
	return record(id, sha, schemas.CaptionFailed, "", at)
}

func appendAll(t *testing.T, s *Store, records ...schemas.Caption) {
	t.Helper()
	for _, c := range records {
		if err := s.Append(c); err != nil {
			t.Fatal(err)
		}
	}
}

// dump lists a store's records: "id=raw" of captions, "id!" of failures.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	for c, err := range s.Captions() {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s=%s ", c.ID, c.Raw)
	}
	for c, err := range s.Failures() {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s! ", c.ID)
	}
	return strings.TrimSpace(b.String())
}

// open opens a store for reading.
func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// must fails on an error of Lookup or Twin, and returns the raw caption, or "-" without one.
func must(t *testing.T) func(schemas.Caption, bool, error) string {
	return func(c schemas.Caption, found bool, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			return "-"
		}
		return c.Raw
	}
}

func TestStoreManifest(t *testing.T) {
	dir := t.TempDir()
	createStore(t, dir)
	var m schemas.CaptionsManifest
	if err := schemas.ReadJSON(filepath.Join(dir, "manifest.json"), schemas.CaptionsHeader, &m); err != nil {
		t.Fatal(err)
	}
	if m.Model != "m" || m.Prompt != DefaultPrompt || m.Source != "memory" || m.Picture != (Picture{}).Version() || m.Recipe != testRecipe.Digest() {
		t.Errorf("manifest %+v", m)
	}
	const want = `{"length_penalty":1,"max_tokens":256,"num_beams":5,"repetition_penalty":1.5,"temperature":0}`
	if got, _ := json.Marshal(m.Decoding); string(got) != want {
		t.Errorf("decoding %s, want %s", got, want)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("a store without records has %d files, want the manifest only", len(entries))
	}
}

func TestStoreLatestWins(t *testing.T) {
	records := []schemas.Caption{
		failed("a/1", "s1", "2026-01-01"), ok("a/1", "s1", "old", "2026-01-02"), ok("a/1", "s1", "new", "2026-01-03"),
		ok("a/2", "s1", "first file", "2026-01-01"), ok("a/2", "s2", "second file", "2026-01-02"),
		failed("a/3", "s1", "2026-01-01"),
		ok("a/4", "s1", "before", "2026-01-01"), failed("a/4", "s2", "2026-01-02"),
	}
	const want = "a/1=new a/2=second file a/4=before a/3! a/4!"
	for name, order := range map[string][]int{"as written": {0, 1, 2, 3, 4, 5, 6, 7}, "backwards": {7, 6, 5, 4, 3, 2, 1, 0}} {
		dir := t.TempDir()
		s := createStore(t, dir)
		for _, i := range order {
			appendAll(t, s, records[i])
		}
		if got := dump(t, s); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		s.Close()
		again := open(t, dir)
		if got := dump(t, again); got != want {
			t.Errorf("%s, read back: %s, want %s", name, got, want)
		}
		for sha, want := range map[string]string{"s1": "first file", "s2": "second file", "s3": "-"} {
			if got := must(t)(again.Lookup("a/2", sha)); got != want {
				t.Errorf("%s: Lookup(%s) = %q, want %q", name, sha, got, want)
			}
		}
	}
}

func TestStoreRefusesAnotherRecipe(t *testing.T) {
	dir := t.TempDir()
	createStore(t, dir)
	for name, c := range map[string]struct {
		change func(*Recipe)
		say    string
	}{
		"model":    {func(r *Recipe) { r.Model = "n" }, `model "m", not "n"`},
		"prompt":   {func(r *Recipe) { r.Prompt = "What is it?" }, `not "What is it?"`},
		"decoding": {func(r *Recipe) { r.Decoding.Beams = 1 }, `"num_beams":1`},
		"picture":  {func(r *Recipe) { r.Picture.Original = true }, `not "original"`},
	} {
		r := testRecipe
		c.change(&r)
		_, err := CreateStore(dir, r, "memory", schemas.Program{})
		if !errors.Is(err, ErrOtherRecipe) || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), "use another variant or folder") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %v", name, err)
		}
	}
}

// A writer killed at any byte of its last record loses that record and nothing else.
func TestStoreTornAnywhere(t *testing.T) {
	dir := t.TempDir()
	s := createStore(t, dir)
	appendAll(t, s, ok("a/1", "s", "kept \u91d1\u9b5a", "2026-01-01"), ok("a/2", "s", "torn \u91d1\u9b5a", "2026-01-02"))
	s.Close()
	name := filepath.Join(dir, "journal-1.jsonl")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for cut := first; cut < len(whole); cut++ {
		if err := os.WriteFile(name, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, "journal-2.jsonl"))
		s, err := CreateStore(dir, testRecipe, "memory", schemas.Program{})
		if err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
		if got := dump(t, s); got != "a/1=kept \u91d1\u9b5a" || (len(s.Torn()) == 1) != (cut > first) {
			t.Fatalf("cut at byte %d: %s, torn %v", cut, got, s.Torn())
		}
		appendAll(t, s, ok("a/2", "s", "again", "2026-01-03"))
		s.Close()
		if got := dump(t, open(t, dir)); got != "a/1=kept \u91d1\u9b5a a/2=again" {
			t.Fatalf("cut at byte %d, written again: %s", cut, got)
		}
		if kept, err := os.ReadFile(name); err != nil || !bytes.Equal(kept, whole[:cut]) {
			t.Fatalf("cut at byte %d: another writer's journal was changed: %v", cut, err)
		}
	}
}

func TestStoreDamage(t *testing.T) {
	good := func(id string) string {
		b, _ := json.Marshal(ok(id, "s", "text", "2026-01-01"))
		return string(b) + "\n"
	}
	other := ok("a/2", "s", "text", "2026-01-01")
	other.Recipe = "another"
	foreign, _ := json.Marshal(other)
	newer := strings.Replace(good("a/2"), `"v":1`, `"v":2`, 1)
	for name, c := range map[string]struct{ content, say string }{
		"broken line":    {good("a/1") + "{\"v\":1,\n" + good("a/3"), "journal-1.jsonl:2: damaged record"},
		"last line":      {good("a/1") + "nonsense\n", "journal-1.jsonl:2: damaged record"},
		"empty line":     {good("a/1") + "\n", "journal-1.jsonl:2: damaged record"},
		"no id":          {good(""), "journal-1.jsonl:1: damaged record"},
		"status":         {strings.Replace(good("a/1"), `"ok"`, `"fine"`, 1), `status "fine"`},
		"newer version":  {good("a/1") + newer, "journal-1.jsonl:2: record of version 2, and this mcil reads version 1: use a newer mcil"},
		"another recipe": {string(foreign) + "\n", "another recipe"},
	} {
		dir := t.TempDir()
		createStore(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "journal-1.jsonl"), []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenStore(dir); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %q", name, err, c.say)
		}
	}
}

func TestStoreWritersShareNoFile(t *testing.T) {
	dir := t.TempDir()
	const writers, each = 4, 50
	var wait sync.WaitGroup
	for w := range writers {
		s := createStore(t, dir)
		wait.Go(func() {
			for i := range each {
				if err := s.Append(ok(fmt.Sprintf("a/%d-%02d", w, i), "s", "text", "2026-01-01")); err != nil {
					t.Error(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	names, next, err := journalFiles(dir)
	if err != nil || len(names) != writers || next != writers+1 {
		t.Fatalf("journals %v, %v", names, err)
	}
	if n := len(strings.Fields(dump(t, open(t, dir)))); n != writers*each {
		t.Errorf("%d captions, want %d", n, writers*each)
	}
}

func TestStoreMisuse(t *testing.T) {
	if _, err := CreateStore(t.TempDir(), Recipe{}, "memory", schemas.Program{}); err == nil || !strings.Contains(err.Error(), "names no model") {
		t.Errorf("a recipe without a model: %v", err)
	}
	if _, err := OpenStore(t.TempDir()); !errors.Is(err, ErrNoStore) {
		t.Errorf("an empty folder: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal-3.jsonl"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateStore(dir, testRecipe, "memory", schemas.Program{}); !errors.Is(err, ErrNoStore) {
		t.Errorf("journals without a manifest: %v", err)
	}
	dir = t.TempDir()
	createStore(t, dir)
	reader, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Append(ok("a/1", "s", "text", "2026-01-01")); err == nil {
		t.Error("appended to a store that was opened for reading")
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"schema":"mcil.captions","version":9}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var unsupported *schemas.UnsupportedError
	if _, err := OpenStore(dir); !errors.As(err, &unsupported) {
		t.Errorf("a newer store: %v", err)
	}
}
