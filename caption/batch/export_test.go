package batch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/batch"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/caption/openai"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

var recipe = caption.Recipe{Model: "m"}

func wire(t testing.TB) *openai.Client {
	t.Helper()
	c, err := openai.New(openai.Options{BaseURL: "http://127.0.0.1:1/v1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func options(t testing.TB, s dataset.Source) batch.Options {
	return batch.Options{Source: s, Entries: s.Entries(), Recipe: recipe, Wire: wire(t), Program: schemas.Program{Name: "test"}}
}

func export(t testing.TB, dir string, o batch.Options) batch.Manifest {
	t.Helper()
	m, err := batch.Export(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// request is a line of a batch file, with its body as it stands.
type request struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// requests are the lines of all batch files in dir, in order.
func requests(t testing.TB, dir string) (all []request) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "batch-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var r request
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, r)
		}
	}
	return all
}

func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, d := range found {
		b, err := os.ReadFile(filepath.Join(dir, d.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[d.Name()] = string(b)
	}
	return all
}

// What is exported is byte for byte what the client sends, and its name is the fingerprint of these bytes.
func TestExportIsWhatTheClientSends(t *testing.T) {
	s := captiontest.Pictures(t, 3)
	dir := filepath.Join(t.TempDir(), "b")
	m := export(t, dir, options(t, s))
	got := requests(t, dir)
	if len(got) != 3 || m.Requests != 3 || m.Pictures != 3 || len(m.Files) != 1 || len(m.Refused) != 0 {
		t.Fatalf("%d requests, manifest %+v", len(got), m)
	}
	sent := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent[r.Method+" "+r.URL.Path+" "+string(b)] = true
		fmt.Fprint(w, completion("a shape"))
	}))
	defer server.Close()
	client, err := openai.New(openai.Options{BaseURL: server.URL + "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := caption.CreateStore(t.TempDir(), recipe, s.Spec(), schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := caption.Run(t.Context(), caption.Options{Source: s, Captioner: client, Store: store, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	fingerprints := map[string]bool{}
	for c, err := range store.Captions() {
		if err != nil {
			t.Fatal(err)
		}
		fingerprints[c.Fingerprint] = true
	}
	for i, r := range got {
		if !sent[r.Method+" "+r.URL+" "+string(r.Body)] {
			t.Errorf("request %d is none that the client sends: %.200s", i, r.Body)
		}
		sum := sha256.Sum256(r.Body)
		if r.CustomID != hex.EncodeToString(sum[:]) || !fingerprints[r.CustomID] {
			t.Errorf("request %d: custom_id %s, want the digest of its body", i, r.CustomID)
		}
	}
}

// Nothing that names the class leaves: neither the ID nor a part of it is in a batch file.
func TestExportTellsNothing(t *testing.T) {
	s := captiontest.Pictures(t, 4)
	dir := t.TempDir()
	export(t, dir, options(t, s))
	for name, text := range files(t, dir) {
		if !strings.HasPrefix(name, "batch-") {
			continue
		}
		for _, word := range []string{"goldfish", "n01443537", "sketch_", "great_white"} {
			if strings.Contains(text, word) {
				t.Errorf("%s holds %q", name, word)
			}
		}
	}
}

func TestExportMapping(t *testing.T) {
	s := captiontest.Pictures(t, 2)
	dir := t.TempDir()
	m := export(t, dir, options(t, s))
	lines := strings.Split(strings.TrimSpace(files(t, dir)["ids.jsonl"]), "\n")
	if len(lines) != 3 || lines[0] != `{"schema":"mcil.batch.ids","version":1}` {
		t.Fatalf("ids.jsonl: %q", lines)
	}
	for i, e := range s.Entries() {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i+1]), &got); err != nil {
			t.Fatal(err)
		}
		b, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		id := requests(t, dir)[i].CustomID
		if want := map[string]any{"id": string(e.ID), "image_sha256": dataset.Digest(b), "custom_id": id, "fingerprint": id}; !maps.Equal(got, want) {
			t.Errorf("line %d: %v, want %v", i+1, got, want)
		}
	}
	again, err := batch.Open(dir)
	if err != nil || again.Recipe != recipe.Digest() || again.Requests != 2 || again.Source != "memory" || !slices.Equal(again.Files, m.Files) {
		t.Errorf("Open: %+v, %v", again, err)
	}
	if digest := dataset.Digest([]byte(files(t, dir)["batch-0001.jsonl"])); m.Files[0].SHA256 != digest {
		t.Errorf("batch-0001.jsonl has digest %s, and export.json says %s", digest, m.Files[0].SHA256)
	}
}

func TestExportSplits(t *testing.T) {
	s := captiontest.Pictures(t, 7)
	whole := t.TempDir()
	export(t, whole, options(t, s))
	text := files(t, whole)["batch-0001.jsonl"]
	longest := 0
	for line := range strings.Lines(text) {
		longest = max(longest, len(line))
	}
	for name, c := range map[string]struct {
		change func(*batch.Options)
		files  int // at least
	}{
		"by requests": {func(o *batch.Options) { o.MaxRequests = 3 }, 3},
		"by one":      {func(o *batch.Options) { o.MaxRequests = 1 }, 7},
		"by bytes":    {func(o *batch.Options) { o.MaxBytes = int64(2*longest + longest/2) }, 4},
		"just enough": {func(o *batch.Options) { o.MaxBytes = int64(len(text)) }, 1},
		"one less":    {func(o *batch.Options) { o.MaxBytes = int64(len(text)) - 1 }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, s)
			c.change(&o)
			dir := t.TempDir()
			m := export(t, dir, o)
			joined := ""
			for i, f := range m.Files {
				got := files(t, dir)[f.Name]
				joined += got
				if f.Name != fmt.Sprintf("batch-%04d.jsonl", i+1) || int64(len(got)) != f.Bytes || strings.Count(got, "\n") != f.Requests {
					t.Errorf("file %d: %+v has %d bytes and %d lines", i, f, len(got), strings.Count(got, "\n"))
				}
				if o.MaxBytes > 0 && f.Bytes > o.MaxBytes || o.MaxRequests > 0 && f.Requests > o.MaxRequests {
					t.Errorf("%+v exceeds %d bytes or %d requests", f, o.MaxBytes, o.MaxRequests)
				}
			}
			if joined != text || len(m.Files) != c.files {
				t.Errorf("%d files, want %d, which hold what one file does: %v", len(m.Files), c.files, joined == text)
			}
		})
	}
}

func TestExportRefusesWhatNoFileHolds(t *testing.T) {
	o := options(t, captiontest.Pictures(t, 2))
	o.MaxBytes = 100
	m := export(t, t.TempDir(), o)
	if len(m.Refused) != 2 || m.Requests != 0 || len(m.Files) != 0 || !strings.Contains(m.Refused[0].Reason, "a file may have 100") {
		t.Errorf("%+v", m)
	}
}

// The same input makes the same bytes, however many prepare it.
func TestExportIsDeterministic(t *testing.T) {
	s := captiontest.Pictures(t, 40)
	var want map[string]string
	for _, workers := range []int{1, 2, 8} {
		o := options(t, s)
		o.Workers, o.MaxRequests = workers, 11
		dir := t.TempDir()
		export(t, dir, o)
		got := files(t, dir)
		if want == nil {
			want = got
		}
		if len(got) != 6 || !maps.Equal(got, want) {
			t.Errorf("%d workers: %v", workers, slices.Sorted(maps.Keys(got)))
		}
	}
}

// Two pictures of the same bytes are one request; both get its answer.
func TestExportOfTwins(t *testing.T) {
	s := captiontest.Pictures(t, 4)
	e := s.Entries()
	b, err := s.Read(t.Context(), e[0])
	if err != nil {
		t.Fatal(err)
	}
	captiontest.Spoil(s, e[3], b)
	dir := t.TempDir()
	m := export(t, dir, options(t, s))
	if m.Pictures != 4 || m.Requests != 3 || len(requests(t, dir)) != 3 {
		t.Fatalf("%+v", m)
	}
	store := create(t)
	r := importAll(t, dir, store, write(t, answer(requests(t, dir)[0].CustomID, 200, completion("a ball"))))
	if r.Captions != 2 || r.Lines != 1 || r.PromptTokens != 3 {
		t.Errorf("%+v", r)
	}
	first, second := lookup(t, store, e[0], b), lookup(t, store, e[3], b)
	if first.Raw != "a ball" || second.Raw != "a ball" || first.Attempts != 1 || second.Attempts != 0 || second.PromptTokens != 0 {
		t.Errorf("%+v and %+v", first, second)
	}
}

func TestExportLeavesOutWhatIsThere(t *testing.T) {
	s := captiontest.Pictures(t, 3)
	dir, store := t.TempDir(), create(t)
	export(t, dir, options(t, s))
	importAll(t, dir, store, write(t, answer(requests(t, dir)[1].CustomID, 200, completion("a ball"))))
	o := options(t, s)
	o.Store = store
	second := t.TempDir()
	m := export(t, second, o)
	if m.Requests != 2 || slices.ContainsFunc(requests(t, second), func(r request) bool { return r.CustomID == requests(t, dir)[1].CustomID }) {
		t.Errorf("%+v", m)
	}
	o.Requeue = func(c schemas.Caption) bool { return c.Raw == "a ball" }
	if m := export(t, t.TempDir(), o); m.Requests != 2 {
		t.Errorf("asked again without a ladder: %+v", m)
	}
}

// What came back empty is asked at the next rung, and so is a caption that is asked for once more.
func TestExportDownTheLadder(t *testing.T) {
	s := captiontest.Pictures(t, 3)
	laddered := recipe
	laddered.Ladder = []caption.Decoding{{Beams: 2}, {Beams: 1, Temperature: 0.5}}
	store, err := caption.CreateStore(t.TempDir(), laddered, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o := options(t, s)
	o.Store, o.Recipe = store, laddered
	o.Requeue = func(c schemas.Caption) bool { return strings.Contains(c.Raw, "loop") }
	texts := [][3]string{{"", "loop", "fine"}, {"", "loop again", ""}, {"", "loop", ""}}
	for round, want := range []struct{ beams, numbers string }{{"5 5 5", "0 1 2"}, {"2 2", "0 1"}, {"1 1", "0 1"}, {"1", "0"}} {
		dir := t.TempDir()
		export(t, dir, o)
		var beams, numbers, lines []string
		for _, r := range requests(t, dir) {
			var body struct {
				Beams int `json:"num_beams"`
			}
			if err := json.Unmarshal(r.Body, &body); err != nil {
				t.Fatal(err)
			}
			beams = append(beams, fmt.Sprint(body.Beams))
		}
		for i, line := range strings.Split(strings.TrimSpace(files(t, dir)["ids.jsonl"]), "\n")[1:] {
			var p struct{ ID string }
			if err := json.Unmarshal([]byte(line), &p); err != nil {
				t.Fatal(err)
			}
			n := slices.IndexFunc(s.Entries(), func(e dataset.Entry) bool { return string(e.ID) == p.ID })
			numbers = append(numbers, fmt.Sprint(n))
			if round < len(texts) {
				lines = append(lines, answer(requests(t, dir)[i].CustomID, 200, completion(texts[round][n])))
			}
		}
		if got := strings.Join(beams, " "); got != want.beams || strings.Join(numbers, " ") != want.numbers {
			t.Errorf("round %d: beams %s for pictures %v, want %+v", round, got, numbers, want)
		}
		importAll(t, dir, store, write(t, lines...))
	}
	if f := failures(t, store); len(f) != 1 || f[0].Rung != 2 {
		t.Errorf("failures %+v", f)
	}
}

func TestExportFolder(t *testing.T) {
	s := captiontest.Pictures(t, 2)
	dir := t.TempDir()
	export(t, dir, options(t, s))
	want := files(t, dir)
	if _, err := batch.Export(t.Context(), dir, options(t, s)); !errors.Is(err, batch.ErrFolder) || !strings.Contains(err.Error(), "holds an export already") {
		t.Errorf("over an export: %v", err)
	}
	if !maps.Equal(files(t, dir), want) {
		t.Error("the refused export changed what was there")
	}
	// What a killed export leaves gives way.
	if err := os.Remove(filepath.Join(dir, "export.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Open(dir); !errors.Is(err, batch.ErrNoExport) {
		t.Errorf("Open of an unfinished export: %v", err)
	}
	for _, name := range []string{".batch-0007.jsonl.tmp-1", "batch-0009.jsonl"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	export(t, dir, options(t, s))
	if got := files(t, dir); !maps.Equal(got, want) {
		t.Errorf("again: %v", slices.Sorted(maps.Keys(got)))
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Export(t.Context(), foreign, options(t, s)); !errors.Is(err, batch.ErrFolder) || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("beside other files: %v", err)
	}
}

func TestExportOfABadPicture(t *testing.T) {
	s := captiontest.Pictures(t, 3)
	captiontest.Spoil(s, s.Entries()[1], []byte("not a picture"))
	m := export(t, t.TempDir(), options(t, s))
	if m.Requests != 2 || len(m.Refused) != 1 || m.Refused[0].Name != string(s.Entries()[1].ID) || !strings.HasPrefix(m.Refused[0].Reason, "picture: ") {
		t.Errorf("%+v", m)
	}
}

func TestExportStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	o := options(t, captiontest.Pictures(t, 30))
	o.Progress = func(done, total int) {
		if done == 3 {
			stop()
		}
	}
	dir := t.TempDir()
	if _, err := batch.Export(ctx, dir, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left: %v", slices.Sorted(maps.Keys(left)))
	}
}

// The picture that is exported is the prepared one.
func TestExportCarriesThePreparedPicture(t *testing.T) {
	s := captiontest.Pictures(t, 1)
	dir := t.TempDir()
	export(t, dir, options(t, s))
	encoded, err := s.Read(t.Context(), s.Entries()[0])
	if err != nil {
		t.Fatal(err)
	}
	prepared, _, err := recipe.Picture.Prepare(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if body := requests(t, dir)[0].Body; !bytes.Contains(body, []byte("data:image/jpeg;base64,"+base64.StdEncoding.EncodeToString(prepared)+`"`)) {
		t.Errorf("body %.300s", body)
	}
}
