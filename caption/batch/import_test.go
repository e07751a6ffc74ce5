package batch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/batch"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// completion is a chat completion that says text.
func completion(text string) string {
	quoted, _ := json.Marshal(text)
	return `{"id":"1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":` + string(quoted) +
		`},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}`
}

// answer is a line of an output file.
func answer(id string, status int, body string) string {
	return fmt.Sprintf(`{"id":"batch_req_1","custom_id":%q,"response":{"status_code":%d,"request_id":"r","body":%s},"error":null}`, id, status, body)
}

// write makes a file of lines.
func write(t testing.TB, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "output.jsonl")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func create(t testing.TB) *caption.Store {
	t.Helper()
	s, err := caption.CreateStore(t.TempDir(), recipe, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func importAll(t testing.TB, dir string, s *caption.Store, files ...string) batch.Imported {
	t.Helper()
	r, err := batch.Import(t.Context(), dir, files, batch.ImportOptions{Store: s, Wire: wire(t)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func lookup(t testing.TB, s *caption.Store, e dataset.Entry, b []byte) schemas.Caption {
	t.Helper()
	c, ok, err := s.Lookup(e.ID, dataset.Digest(b))
	if err != nil || !ok {
		t.Fatalf("%s: %v, %v", e.ID, ok, err)
	}
	return c
}

func failures(t testing.TB, s *caption.Store) (all []schemas.Caption) {
	t.Helper()
	for c, err := range s.Failures() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func captions(t testing.TB, s *caption.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for c, err := range s.Captions() {
		if err != nil {
			t.Fatal(err)
		}
		all[c.ID] = c.Raw
	}
	return all
}

// Answers are joined to pictures by custom_id, whatever the order and however many files; a second import adds nothing.
func TestImport(t *testing.T) {
	s := captiontest.Pictures(t, 9)
	e := s.Entries()
	dir, store := t.TempDir(), create(t)
	export(t, dir, options(t, s))
	ids := []string{}
	for _, r := range requests(t, dir) {
		ids = append(ids, r.CustomID)
	}
	bad := func(id, code, message string) string {
		return fmt.Sprintf(`{"id":"x","custom_id":%q,"response":null,"error":{"code":%q,"message":%q}}`, id, code, message)
	}
	output := write(t,
		answer(ids[4], 200, completion("four")),
		answer(ids[0], 200, completion("nought")),
		answer(ids[2], 200, completion("  ")),
		answer(ids[1], 200, completion("one")),
	)
	errs := write(t,
		bad(ids[3], "batch_expired", "This request could not be executed before the completion window expired."),
		answer(ids[5], 429, `{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}`),
		answer(ids[6], 400, `{"error":{"message":"no such parameter","type":"invalid_request_error"}}`),
		answer(ids[7], 503, `"<html>busy</html>"`),
		bad(ids[8], "server_error", "gone"),
	)
	got := importAll(t, dir, store, output, errs)
	wantFailures := map[caption.Class]int{caption.Empty: 1, caption.Timeout: 1, caption.Rate: 1, caption.Refused: 1, caption.Server: 2}
	if got.Lines != 9 || got.Captions != 3 || got.Known != 0 || got.Unknown != 0 || got.Damaged != 0 || !maps.Equal(got.Failures, wantFailures) ||
		got.Missing != 6 || !maps.Equal(got.Left, wantFailures) || got.PromptTokens != 9 || got.CompletionTokens != 15 || len(got.Problems) != 0 {
		t.Errorf("%+v", got)
	}
	want := map[string]string{string(e[0].ID): "nought", string(e[1].ID): "one", string(e[4].ID): "four"}
	if all := captions(t, store); !maps.Equal(all, want) {
		t.Errorf("captions %v", all)
	}
	b, err := s.Read(t.Context(), e[4])
	if err != nil {
		t.Fatal(err)
	}
	c := lookup(t, store, e[4], b)
	c.Time = ""
	if want := (schemas.Caption{
		Version: 1, ID: string(e[4].ID), ImageSHA256: dataset.Digest(b), Recipe: recipe.Digest(), Fingerprint: ids[4], Status: "ok", Raw: "four",
		FinishReason: "stop", Model: "m-1", PromptTokens: 3, CompletionTokens: 5, Endpoint: "batch", Attempts: 1,
	}); c != want {
		t.Errorf("record %+v, want %+v", c, want)
	}
	failed := failures(t, store)
	for i, want := range []struct {
		entry, status int
		class, text   string
	}{
		{2, 200, "empty", "without text"}, {3, 0, "timeout", "batch_expired This request could"}, {5, 429, "rate", "slow down"},
		{6, 400, "refused", "no such parameter"}, {7, 503, "server", "busy"}, {8, 0, "server", "server_error gone"},
	} {
		f := failed[i]
		if f.ID != string(e[want.entry].ID) || f.ErrorClass != want.class || f.HTTPStatus != want.status || !strings.Contains(f.Error, want.text) ||
			f.Status != "failed" || f.Attempts != 1 || f.Fingerprint != ids[want.entry] {
			t.Errorf("failure %d: %+v, want %+v", i, f, want)
		}
	}

	again := importAll(t, dir, store, errs, output)
	if again.Lines != 9 || again.Captions != 0 || len(again.Failures) != 0 || again.Known != 9 {
		t.Errorf("again: %+v", again)
	}
	// A caption takes the place of a failure, and a failure that comes late changes nothing.
	late := importAll(t, dir, store, write(t, answer(ids[3], 200, completion("three")), bad(ids[0], "batch_expired", "")))
	if late.Captions != 1 || late.Known != 1 || len(failures(t, store)) != 5 {
		t.Errorf("late: %+v, %d failures", late, len(failures(t, store)))
	}
}

// A line that cannot be used is named and harms no other.
func TestImportOfBadLines(t *testing.T) {
	s := captiontest.Pictures(t, 2)
	dir, store := t.TempDir(), create(t)
	export(t, dir, options(t, s))
	id := requests(t, dir)[1].CustomID
	file := write(t,
		answer(strings.Repeat("0", 64), 200, completion("x")),
		answer("mine", 200, completion("x")),
		"", `{"custom_id":`, `{"response":{"status_code":200,"body":{}}}`, `{"custom_id":"a"}`, answer(id, 7, "{}"), `[]`, strings.Repeat("x", 3000),
		answer(id, 200, completion("one")),
		`{"custom_id":"`+id,
	)
	r, err := batch.Import(t.Context(), dir, []string{file}, batch.ImportOptions{Store: store, Wire: wire(t), MaxLineBytes: 2000, Problems: 4})
	if err != nil {
		t.Fatal(err)
	}
	if r.Lines != 11 || r.Captions != 1 || r.Missing != 1 || len(r.Left) != 0 || r.Unknown != 2 || r.Damaged != 8 || len(r.Problems) != 4 {
		t.Errorf("%+v", r)
	}
	for i, want := range []string{"custom_id \"0000", "custom_id \"mine\" was not exported", "an empty line", "damaged: "} {
		if p := r.Problems[i]; p.Line != i+1 || p.File != file || !strings.Contains(p.String(), want) {
			t.Errorf("problem %d: %s, want %q", i, p, want)
		}
	}
}

func TestImportRefusals(t *testing.T) {
	s := captiontest.Pictures(t, 2)
	dir, store := t.TempDir(), create(t)
	export(t, dir, options(t, s))
	o := batch.ImportOptions{Store: store, Wire: wire(t)}
	if _, err := batch.Import(t.Context(), dir, []string{"nowhere.jsonl"}, o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := batch.Import(t.Context(), t.TempDir(), nil, o); !errors.Is(err, batch.ErrNoExport) {
		t.Errorf("no export: %v", err)
	}
	other, err := caption.CreateStore(t.TempDir(), caption.Recipe{Model: "other"}, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := batch.Import(t.Context(), dir, nil, batch.ImportOptions{Store: other, Wire: wire(t)}); !errors.Is(err, caption.ErrOtherRecipe) {
		t.Errorf("another recipe: %v", err)
	}
	ids := filepath.Join(dir, "ids.jsonl")
	whole, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"torn": string(whole[:len(whole)-5]), "short": string(whole[:slices.Index(whole, '\n')+1]), "no digest": strings.Replace(string(whole), `"custom_id":"`, `"custom_id":"z`, 1),
		"other file": strings.Replace(string(whole), "mcil.batch.ids", "mcil.x", 1), "newer": strings.Replace(string(whole), `"version":1`, `"version":2`, 1),
	} {
		if err := os.WriteFile(ids, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := batch.Import(t.Context(), dir, nil, o)
		var unsupported *schemas.UnsupportedError
		if !errors.Is(err, schemas.ErrDamaged) && !errors.As(err, &unsupported) {
			t.Errorf("ids.jsonl %s: %v", name, err)
		}
	}
}

// Whatever an output file holds, every line of it is booked once, nothing ends the import, and a second one adds nothing.
func FuzzImport(f *testing.F) {
	s := captiontest.Pictures(f, 2)
	dir := f.TempDir()
	o := options(f, s)
	if _, err := batch.Export(f.Context(), dir, o); err != nil {
		f.Fatal(err)
	}
	id := requests(f, dir)[0].CustomID
	for _, line := range []string{
		answer(id, 200, completion("a ball")), answer(id, 200, completion("")), answer(id, 500, `"busy"`), answer(id, 200, "null"), answer(id, 302, `{}`),
		`{"custom_id":"` + id + `","response":null,"error":"text"}`, `{"custom_id":"` + id + `","error":{"code":5,"message":{}}}`,
		answer("other", 200, "{}") + "\n\n{", "\xff\xfe\n", `{"custom_id":"` + id + `","response":{"status_code":200,"body":{"error":{"code":429}}}}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(t.TempDir(), "output.jsonl")
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
		store := create(t)
		r := importAll(t, dir, store, name)
		failed := 0
		for _, n := range r.Failures {
			failed += n
		}
		if r.Captions+failed+r.Known+r.Unknown+r.Damaged != r.Lines { // no two pictures share a request here
			t.Errorf("%d lines booked as %+v", r.Lines, r)
		}
		if again := importAll(t, dir, store, name); again.Captions != 0 || len(again.Failures) != 0 || again.Lines != r.Lines {
			t.Errorf("first %+v, again %+v", r, again)
		}
		if len(captions(t, store)) > 2 || r.Captions > 2 {
			t.Errorf("%+v", r)
		}
	})
}
