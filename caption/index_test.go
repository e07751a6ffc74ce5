package caption

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// model is a store as a plain list of records, in the order in which they were added.
type model []schemas.Caption

// latest is the last of those records of the latest time that want takes.
func (m model) latest(want func(schemas.Caption) bool) (latest schemas.Caption, found bool) {
	for _, c := range m {
		if want(c) && (!found || latest.Time <= c.Time) {
			latest, found = c, true
		}
	}
	return latest, found
}

func (m model) lookup(id, sha string) (schemas.Caption, bool) {
	return m.latest(func(c schemas.Caption) bool {
		return c.Status == schemas.CaptionOK && c.ID == id && c.ImageSHA256 == sha
	})
}

func (m model) twin(sha string) (schemas.Caption, bool) {
	var same model
	for _, c := range m {
		if c.Status == schemas.CaptionOK && c.ImageSHA256 == sha {
			same = append(same, c)
		}
	}
	if len(same) == 0 {
		return schemas.Caption{}, false
	}
	first := slices.MinFunc(same, func(a, b schemas.Caption) int {
		return cmp.Or(strings.Compare(a.Time, b.Time), strings.Compare(a.ID, b.ID))
	})
	return m.lookup(first.ID, sha)
}

func (m model) dump() string {
	ids := map[string]bool{}
	for _, c := range m {
		ids[c.ID] = true
	}
	var captions, failures strings.Builder
	for _, id := range slices.Sorted(func(yield func(string) bool) {
		for id := range ids {
			if !yield(id) {
				return
			}
		}
	}) {
		if c, found := m.latest(func(c schemas.Caption) bool { return c.Status == schemas.CaptionOK && c.ID == id }); found {
			fmt.Fprintf(&captions, "%s=%s ", id, c.Raw)
		}
		f, failed := m.latest(func(c schemas.Caption) bool { return c.Status == schemas.CaptionFailed && c.ID == id })
		_, good := m.latest(func(c schemas.Caption) bool {
			return c.Status == schemas.CaptionOK && c.ID == id && (c.ImageSHA256 == f.ImageSHA256 || c.Time >= f.Time)
		})
		if failed && !good {
			fmt.Fprintf(&failures, "%s! ", id)
		}
	}
	return strings.TrimSpace(captions.String() + failures.String())
}

// The index says what a search through all records says: in the store that wrote them, and in one that reads them back.
func TestIndexAgainstAModel(t *testing.T) {
	root := t.TempDir()
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		dir := filepath.Join(root, fmt.Sprint(seed))
		s := createStore(t, dir)
		var m model
		for n := range random.IntN(40) {
			if random.IntN(10) == 0 {
				s.Close()
				s = createStore(t, dir)
			}
			c := ok(fmt.Sprintf("a/%d", random.IntN(5)), fmt.Sprintf("s%d", random.IntN(3)), fmt.Sprintf("%d-%s", n, strings.Repeat("x", random.IntN(10))),
				fmt.Sprintf("2026-01-0%dT00:00:00.000000Z", 1+random.IntN(5)))
			if random.IntN(3) == 0 {
				c.Status = schemas.CaptionFailed
			}
			appendAll(t, s, c)
			m = append(m, c)
		}
		m.compare(t, fmt.Sprintf("seed %d, writer", seed), s)
		again := open(t, dir)
		m.compare(t, fmt.Sprintf("seed %d, reader", seed), again)
		s.Close()
		again.Close()
	}
}

func (m model) compare(t *testing.T, name string, s *Store) {
	t.Helper()
	if got, want := dump(t, s), m.dump(); got != want {
		t.Fatalf("%s: %s, want %s, of %+v", name, got, want, m)
	}
	for sha := range 4 {
		sha := fmt.Sprintf("s%d", sha)
		want, found := m.twin(sha)
		if c, ok, err := s.Twin(sha); c != want || ok != found || err != nil {
			t.Fatalf("%s: Twin(%s) = %+v, %v, %v, want %+v, of %+v", name, sha, c, ok, err, want, m)
		}
		for id := range 6 {
			id := fmt.Sprintf("a/%d", id)
			want, found := m.lookup(id, sha)
			if c, ok, err := s.Lookup(dataset.ID(id), sha); c != want || ok != found || err != nil {
				t.Fatalf("%s: Lookup(%s, %s) = %+v, %v, %v, want %+v, of %+v", name, id, sha, c, ok, err, want, m)
			}
			_, has := m.latest(func(c schemas.Caption) bool { return c.ID == id && c.Status == schemas.CaptionOK })
			if s.Has(dataset.ID(id)) != has {
				t.Fatalf("%s: Has(%s) = %v, of %+v", name, id, !has, m)
			}
		}
	}
}

// What a large store yields is read range by range.
func TestStoreSortsManyRecords(t *testing.T) {
	const n = 3000
	dir := t.TempDir()
	s := createStore(t, dir)
	for i := range n {
		i = i * 1237 % n // no order: n and 1237 have no common divisor
		c := ok(fmt.Sprintf("a/%05d", i), fmt.Sprintf("s%d", i), fmt.Sprintf("text %d", i), fmt.Sprintf("2026-01-01T00:00:00.%06dZ", i))
		if i%3 == 0 {
			c.Status = schemas.CaptionFailed
		}
		appendAll(t, s, c)
	}
	for name, s := range map[string]*Store{"writer": s, "reader": open(t, dir)} {
		captions, failures := 0, 0
		for c, err := range s.Captions() {
			want := captions/2*3 + captions%2 + 1
			if err != nil || c.ID != fmt.Sprintf("a/%05d", want) || c.Raw != fmt.Sprintf("text %d", want) {
				t.Fatalf("%s: caption %d: %+v, %v", name, captions, c, err)
			}
			captions++
		}
		for c, err := range s.Failures() {
			if err != nil || c.ID != fmt.Sprintf("a/%05d", failures*3) {
				t.Fatalf("%s: failure %d: %+v, %v", name, failures, c, err)
			}
			failures++
		}
		if captions != n*2/3 || failures != n/3 {
			t.Errorf("%s: %d captions and %d failures", name, captions, failures)
		}
		for c := range s.Captions() { // and may be left at any time
			if c.ID >= "a/00500" {
				break
			}
		}
	}
}

// A journal of many blocks, with a record that is larger than one.
func TestStoreReadsManyBlocks(t *testing.T) {
	dir := t.TempDir()
	s := createStore(t, dir)
	const n = 600
	var want strings.Builder
	for i := range n {
		c := ok(fmt.Sprintf("a/%03d", i), fmt.Sprint(i), strings.Repeat("x", 5000+i), "2026-01-01")
		if i == 400 {
			c.Raw = strings.Repeat("y", 3*blockBytes)
		}
		fmt.Fprintf(&want, "%s=%s ", c.ID, c.Raw)
		appendAll(t, s, c)
	}
	s.Close()
	s = open(t, dir)
	if got := dump(t, s); got != strings.TrimSpace(want.String()) || len(s.Torn()) != 0 {
		t.Errorf("read %d bytes of captions back, want %d; torn %q", len(got), want.Len(), s.Torn())
	}
	name := filepath.Join(dir, "journal-1.jsonl")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[:len(b)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if torn := s.Torn(); !slices.Equal(torn, []string{name}) || s.Has("a/599") || !s.Has("a/598") {
		t.Errorf("torn %q", torn)
	}
	for _, line := range []int{300, 598} {
		lines := bytes.SplitAfter(b, []byte("\n"))
		lines[line-1] = []byte("{}\n")
		lines[599] = []byte("nor this\n") // the first damaged line is the one that is named
		if err := os.WriteFile(name, bytes.Join(lines, nil), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenStore(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("journal-1.jsonl:%d: damaged record", line)) {
			t.Errorf("line %d: %v", line, err)
		}
	}
}

// A record that was asked for once more takes the place of the first, for its twins too.
func TestStoreRequeued(t *testing.T) {
	dir := t.TempDir()
	s := createStore(t, dir)
	appendAll(t, s, ok("a/1", "s1", "bad", "2026-01-01"), ok("a/2", "s1", "copy of bad", "2026-01-02"), ok("a/1", "s1", "good", "2026-01-03"),
		failed("a/1", "s1", "2026-01-04")) // asked for a third time, in vain: the caption stays
	for name, s := range map[string]*Store{"writer": s, "reader": open(t, dir)} {
		if got, want := dump(t, s), "a/1=good a/2=copy of bad"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if got := must(t)(s.Twin("s1")); got != "good" {
			t.Errorf("%s: the twin is %q", name, got)
		}
	}
}

// A failure is over when the picture got a caption, even where its file could not be read before.
func TestStoreFailureIsMadeGood(t *testing.T) {
	s := createStore(t, t.TempDir())
	appendAll(t, s, failed("a/1", "", "2026-01-01"), failed("a/2", "", "2026-01-01"), ok("a/1", "s1", "text", "2026-01-02"))
	if got, want := dump(t, s), "a/1=text a/2!"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestStoreReadsWhatItWasAskedFor(t *testing.T) {
	dir := t.TempDir()
	s := createStore(t, dir)
	appendAll(t, s, ok("a/1", "s1", "one", "2026-01-01"), ok("a/2", "s2", "two", "2026-01-01"))
	// Entries whose hashes are those of other keys.
	for _, e := range []entry{
		{id: idHash([]byte("a/1")), image: imageHash([]byte("t1")), place: s.index.entry(1).place, length: s.index.entry(1).length},
		{id: idHash([]byte("a/3")), image: imageHash([]byte("s1")), place: s.index.entry(1).place, length: s.index.entry(1).length},
	} {
		if err := s.index.add(e, s.earlierID); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range [][2]string{{"a/1", "t1"}, {"a/3", "s1"}} {
		if got := must(t)(s.Lookup(dataset.ID(key[0]), key[1])); got != "-" {
			t.Errorf("Lookup(%q) = %q: the caption of another picture", key, got)
		}
	}
	if got := must(t)(s.Twin("t1")); got != "-" {
		t.Errorf("Twin = %q: the caption of another picture", got)
	}
	// A journal that somebody edited while it is in use.
	if err := os.WriteFile(filepath.Join(dir, "journal-1.jsonl"), []byte(strings.Repeat("x", 2000)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Lookup("a/2", "s2"); !errors.Is(err, schemas.ErrDamaged) || !strings.Contains(err.Error(), "journal-1.jsonl at byte") {
		t.Errorf("error %v", err)
	}
	for _, err := range s.Captions() {
		if !errors.Is(err, schemas.ErrDamaged) {
			t.Errorf("error %v", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "journal-1.jsonl")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Lookup("a/2", "s2"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
	if err := s.Append(ok("a/4", "s", "text", "2026-01-01")); err == nil {
		t.Error("appended to a closed store")
	}
}

func TestStoreAppendRefuses(t *testing.T) {
	dir := t.TempDir()
	s := createStore(t, dir)
	other := ok("a/1", "s", "text", "2026-01-01")
	other.Recipe = "another"
	for name, c := range map[string]schemas.Caption{
		"no version": {ID: "a/1", Status: schemas.CaptionOK, Recipe: testRecipe.Digest()}, "no id": ok("", "s", "text", "2026-01-01"),
		"another recipe": other, "an id that JSON changes": ok("a/\xff", "s", "text", "2026-01-01"),
	} {
		if err := s.Append(c); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
	// Texts may be of any kind.
	appendAll(t, s, ok("a/\u91d1 <&>\"\u2028", "s", "\xff\x00\n\"\\ \U0001f41f", "2026-01-01"))
	if got, want := must(t)(open(t, dir).Lookup("a/\u91d1 <&>\"\u2028", "s")), "\ufffd\x00\n\"\\ \U0001f41f"; got != want {
		t.Errorf("read back %q, want %q", got, want)
	}
}

func TestSortableTime(t *testing.T) {
	ascending := []string{
		"no time", "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:01Z", "2026-01-01T02:00:00+01:00", "2026-01-01T01:00:01.000000Z",
		"2026-01-02", "2026-01-02T00:01:00.000000Z", "2026-02-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z", "2027-01-01T23:59:59.999999Z",
	}
	for i, text := range ascending[1:] {
		if a, b := sortableTime([]byte(ascending[i])), sortableTime([]byte(text)); a >= b {
			t.Errorf("%s: %d, not before %s: %d", ascending[i], a, text, b)
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		a, b := time.UnixMicro(random.Int64N(4e15)).UTC(), time.UnixMicro(random.Int64N(4e15)).UTC()
		x, y := sortableTime([]byte(a.Format(recordTime))), sortableTime([]byte(b.Format(recordTime)))
		if cmp.Compare(x, y) != a.Compare(b) {
			t.Fatalf("%v is %d, %v is %d", a, x, b, y)
		}
		if z := sortableTime([]byte(a.In(time.FixedZone("", 3600)).Format(time.RFC3339Nano))); z != x {
			t.Fatalf("%v is %d and, in another zone, %d", a, x, z)
		}
	}
}

// Every kind of record that is written is skimmed.
func TestSkim(t *testing.T) {
	whole := schemas.Caption{
		Version: 1, ID: "n02128757/sculpture_4.jpg", ImageSHA256: strings.Repeat("a", 64), Recipe: "r", Fingerprint: "f", Status: schemas.CaptionOK,
		Raw: "a \"lion\" <\u91d1>\n", FinishReason: "stop", Rung: 2, Model: "m", PromptTokens: 10, CompletionTokens: 123456789, ErrorClass: "rate",
		HTTPStatus: 429, Error: "e", Endpoint: "http://e/v1", Attempts: 3, LatencyMS: 1234, Time: "2026-01-01T00:00:00.000000Z",
	}
	for _, c := range []schemas.Caption{whole, ok("a/1", "s", "text", "2026-01-01"), failed("a/\u91d1", "", "2026-01-01"), ok("a/1", "s", "", "")} {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := skim(line)
		if !ok || string(r.id) != c.ID || string(r.image) != c.ImageSHA256 || string(r.recipe) != c.Recipe || string(r.time) != c.Time || r.failed != (c.Status == schemas.CaptionFailed) {
			t.Errorf("%s: %v: %+v", line, ok, r)
		}
	}
}

func FuzzJournalLine(f *testing.F) {
	b, _ := json.Marshal(ok("a/1", "s", "text \u2028\x00", "2026-01-01"))
	f.Add(b)
	b, _ = json.Marshal(failed("a/\u91d1", "s", "2026-01-01"))
	f.Add(b)
	for _, line := range []string{
		`{"v":2}`, `{"v":1,"id":"a","status":"failed","attempts":1e400}`, `{"v":1,"id":"a","status":"ok","raw":"\ud800","attempts":007}`,
		`{"v":1,"id":"a","ID":"b","status":"ok"}`, `{"v":2,"v":1,"id":"a","id":"b","status":"failed","status":"ok"}`, ` {"v":1,"id":"a\u0062","status":"ok"} `,
		`{"v":1,"id":"a","status":"ok","time":null}`, "{\"v\":1,\"id\":\"a\xff\",\"status\":\"ok\",\"raw\":\"\xff\"}", `{"v":1,"id":"a","status":"ok",}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := parseRecord(line)
		if r, skimmed := skim(line); skimmed && (err != nil || string(r.id) != c.ID || string(r.image) != c.ImageSHA256 || string(r.recipe) != c.Recipe ||
			string(r.time) != c.Time || r.failed != (c.Status == schemas.CaptionFailed)) {
			t.Fatalf("skimmed %+v, parsed %+v, %v", r, c, err)
		}
		if err != nil {
			return
		}
		if c.ID == "" || c.Version != 1 {
			t.Errorf("passed: %+v", c)
		}
		again, err := recordLine(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := parseRecord(again[:len(again)-1]); err != nil || d != c {
			t.Errorf("%+v came back as %+v, %v", c, d, err)
		}
	})
}

// Whatever a journal holds: scanning it ends, and what it takes is what is read back.
func FuzzJournal(f *testing.F) {
	good, _ := json.Marshal(ok("a/1", "s", "text", "2026-01-01"))
	f.Add(append(good, '\n'))
	f.Add(append(append(good, '\n'), good[:20]...))
	f.Add([]byte("\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(dir, fmt.Sprintf("%d", os.Getpid()))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		files := journals{names: []string{name}}
		defer files.close()
		end := 0
		torn, err := scan(files.names, testRecipe.Digest(), func(e entry) error {
			c, _, err := files.record(e.ref(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if e.id != idHash([]byte(c.ID)) || e.image != imageHash([]byte(c.ImageSHA256)) || int(e.place.offset()) != end {
				t.Fatalf("%+v at %d is of %+v", e, end, c)
			}
			end += int(e.ref().length) + 1
			return nil
		})
		switch {
		case err != nil && !errors.Is(err, schemas.ErrDamaged):
			t.Fatal(err)
		case err == nil && len(torn) == 0 && end != len(b), err == nil && len(torn) == 1 && end >= len(b):
			t.Fatalf("read %d of %d bytes, torn %v", end, len(b), torn)
		}
	})
}
