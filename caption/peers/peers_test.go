//go:build peers

package peers_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/schemas"
)

const model = "peer-instructblip"

// TestPeers is `make test-peers`: the program asks an endpoint that others wrote, and the endpoint's journal says what it
// received. It needs MCIL_BIN, the program, and MCIL_AIMOCK, the endpoint.
func TestPeers(t *testing.T) {
	for _, name := range []string{"MCIL_BIN", "MCIL_AIMOCK"} {
		if os.Getenv(name) == "" {
			t.Fatalf("%s names no program: run make test-peers", name)
		}
	}
	pictures := filepath.Join(t.TempDir(), "pictures")
	if err := synth.Write(t.Context(), pictures, synth.Options{Classes: 6, PerClass: 6, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	p := &peer{dir: pictures, urls: urls(t, pictures, caption.Picture{})}
	n := len(p.urls)

	t.Run("exact", func(t *testing.T) { p.run(t, sequence(n), nil).check(t, n) })
	t.Run("original", func(t *testing.T) {
		if !hasFlag(t, "--send") {
			t.Fatal("NOT TESTED: the program has no flag --send")
		}
		small := smaller(t, pictures)
		p := &peer{dir: small, urls: urls(t, small, caption.Picture{Original: true})}
		p.run(t, sequence(n), nil, "--send", "original").check(t, len(p.urls))
	})
	t.Run("429", func(t *testing.T) {
		slow := refusal(http.StatusTooManyRequests, "retryAfter", 2)
		r := p.run(t, sequence(n, slow, chaos("rateLimitRate", 1), slow, chaos("rateLimitRate", 1), slow), nil)
		r.check(t, n+5)
		r.checkWaits(t)
	})
	t.Run("5xx", func(t *testing.T) {
		p.run(t, sequence(n, refusal(500), chaos("dropRate", 1), refusal(502), refusal(503), refusal(504), chaos("dropRate", 1)), nil).check(t, n+6)
	})
	t.Run("malformed", func(t *testing.T) {
		p.run(t, sequence(n, slices.Repeat([]fixture{chaos("malformedRate", 1)}, 6)...), nil).check(t, n+6)
	})
	t.Run("disconnect", func(t *testing.T) {
		p.run(t, sequence(n, slices.Repeat([]fixture{chaos("disconnectRate", 1)}, 6)...), nil).check(t, n+6)
	})
	t.Run("silence", func(t *testing.T) { // what the client gave up on is not in the journal
		r := p.run(t, sequence(n, slices.Repeat([]fixture{chaos("latencyMs", 30_000)}, 3)...), nil, "--timeout", "2s")
		r.unseen = 3
		r.check(t, n)
	})
	t.Run("empty or looping", func(t *testing.T) { // asked again with another decoding
		blank := fixture{Response: map[string]any{"content": " "}}
		call := fixture{Response: map[string]any{"toolCalls": []any{map[string]any{"name": "look", "arguments": "{}"}}}}
		looping := fixture{Response: map[string]any{"content": loop}}
		answers := sequence(n-3, blank, call, text(1000), looping, text(1001), looping, blank, text(1002))
		p.run(t, answers, nil, "--workers", "1").check(t, n+5) // one, so that no picture meets more of them than there are rungs
	})
	t.Run("refused", func(t *testing.T) { // not worth another try: recorded, and asked again by hand
		r := p.begin(t, sequence(n, refusal(400), refusal(400), refusal(400)), nil)
		if code := r.caption(t); code != exitFailures {
			t.Fatalf("exit code %d, want %d", code, exitFailures)
		}
		if got := len(r.endpoint.journal(t)); got != n {
			t.Fatalf("%d requests, want %d: a refused one is not sent again", got, n)
		}
		if code := r.caption(t, "--only-failed"); code != 0 {
			t.Fatalf("--only-failed: exit code %d", code)
		}
		r.runs = 2
		r.check(t, n+3)
	})
	t.Run("all at random", func(t *testing.T) {
		// A request that meets a fault uses up its text too.
		r := p.begin(t, sequence(10*n), map[string]any{"dropRate": 0.15, "malformedRate": 0.15, "rateLimitRate": 0.15, "disconnectRate": 0.15})
		for r.runs = 1; r.caption(t) != 0; r.runs++ {
			if r.runs == 10 {
				t.Fatal("ten runs leave pictures without captions")
			}
		}
		r.check(t, -1)
		t.Logf("%d runs, %d requests for %d captions", r.runs, len(r.endpoint.journal(t)), n)
	})
	t.Log("NOT TESTED here, for aimock cannot do it: 429 without Retry-After or with a date, an error object under status 200, no choices, " +
		"JSON that breaks off in the middle of a sound answer, HTML, a huge body, a slow drip without streaming. Bodies over 64 kB are not in its journal")
}

const exitFailures = 3

// peer is what every run has in common.
type peer struct {
	dir  string
	urls map[string]string // the data URL that an ID's picture is to be sent as
}

// outcome is a store beside the endpoint that filled it.
type outcome struct {
	*peer
	endpoint *aimock
	store    string
	runs     int // of the program; 0 means 1
	unseen   int // requests that the endpoint did not note
}

func (p *peer) begin(t *testing.T, answers []fixture, chaos map[string]any) *outcome {
	return &outcome{peer: p, endpoint: startAimock(t, answers, chaos), store: filepath.Join(t.TempDir(), "captions")}
}

// run is one run of the program, which must succeed.
func (p *peer) run(t *testing.T, answers []fixture, chaos map[string]any, flags ...string) *outcome {
	t.Helper()
	r := p.begin(t, answers, chaos)
	if code := r.caption(t, flags...); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return r
}

// caption runs the program and returns its exit code.
func (r *outcome) caption(t *testing.T, flags ...string) int {
	t.Helper()
	args := append([]string{"caption", "--source", r.dir, "--out", r.store, "--endpoint", r.endpoint.url + "/v1", "--model", model, "--workers", "4"}, flags...)
	cmd := exec.CommandContext(t.Context(), os.Getenv("MCIL_BIN"), args...)
	cmd.Env = append(os.Environ(), "OPENAI_API_KEY="+endpointKey)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), endpointKey) {
		t.Errorf("the program prints the key:\n%s", out)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != exitFailures {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	if err != nil && exit == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// check compares the store with the endpoint's journal: of so many requests (negative: of any number), each held the exact
// picture and parameters, and every picture has the one text that the endpoint gave for it.
func (r *outcome) check(t *testing.T, requests int) {
	t.Helper()
	entries := r.endpoint.journal(t)
	if requests >= 0 && len(entries) != requests {
		t.Errorf("the endpoint noted %d requests, want %d", len(entries), requests)
	}
	ids := map[string]string{}
	for id, url := range r.urls {
		ids[url] = id
	}
	last := lastRecords(t, r.store)
	rung, answered := map[string]int{}, map[string]string{}
	for i, e := range entries {
		url := pictureURL(e.Body)
		id, ok := ids[url]
		if !ok {
			t.Fatalf("request %d: holds no picture of the source as it is to be sent: %.80s", i, url)
		}
		if answered[id] != "" {
			t.Errorf("%s: asked for again after it was answered", id)
		}
		if want := body(url, rung[id]); !reflect.DeepEqual(e.Body, want) {
			t.Errorf("%s: request\n%v\nwant\n%v", id, shown(e.Body), shown(want))
		}
		switch {
		case e.good():
			answered[id] = e.content()
		case e.completed():
			rung[id] = min(rung[id]+1, len(rungs)-1)
		}
		for name, value := range e.Headers {
			if strings.Contains(value, filepath.Base(r.dir)) || strings.Contains(value, id) {
				t.Errorf("%s: header %s tells the picture's name: %s", id, name, value)
			}
		}
	}
	attempts := 0
	for _, id := range slices.Sorted(maps.Keys(r.urls)) {
		c, ok := last[id]
		switch {
		case !ok:
			t.Errorf("%s: no record", id)
			continue
		case c.Status != schemas.CaptionOK:
			t.Errorf("%s: %s: %s", id, c.Status, c.Error)
			continue
		case answered[id] == "" || c.Raw != answered[id]:
			t.Errorf("%s: stored %q, the endpoint gave %q", id, c.Raw, answered[id])
		case c.FinishReason != "stop" || c.Model != model || c.CompletionTokens == 0:
			t.Errorf("%s: finish reason %q, model %q, %d tokens", id, c.FinishReason, c.Model, c.CompletionTokens)
		}
		attempts += c.Attempts
		if c.Rung != rung[id] {
			t.Errorf("%s: recorded at rung %d of the ladder, asked at %d", id, c.Rung, rung[id])
		}
	}
	if len(last) != len(r.urls) {
		t.Errorf("%d records, want %d", len(last), len(r.urls))
	}
	if r.runs <= 1 && attempts != len(entries)+r.unseen {
		t.Errorf("the records tell of %d calls, the endpoint of %d", attempts, len(entries)+r.unseen)
	}
	for _, name := range files(t, r.store) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), endpointKey) {
			t.Errorf("%s holds the key", name)
		}
	}
}

// checkWaits sees that a picture is not asked for again before the time that its 429 named.
func (r *outcome) checkWaits(t *testing.T) {
	t.Helper()
	refusedAt, seconds := map[string]int64{}, map[string]float64{}
	seen := 0
	for _, e := range r.endpoint.journal(t) {
		url := pictureURL(e.Body)
		if at, ok := refusedAt[url]; ok {
			seen++
			if waited := e.Timestamp - at; float64(waited) < 1000*seconds[url]-20 { // the journal's clock is read a little later
				t.Errorf("asked again %d ms after a 429 with Retry-After %v", waited, seconds[url])
			}
			delete(refusedAt, url)
		}
		if e.Response.Status == http.StatusTooManyRequests {
			refusedAt[url], seconds[url] = e.Timestamp, 1 // what aimock names where a fixture does not
			if e.Response.ChaosAction == "" {
				seconds[url] = e.Response.Fixture.Response["retryAfter"].(float64)
			}
		}
	}
	if seen != 5 {
		t.Errorf("%d waits after a 429 seen, want 5", seen)
	}
}

// body is a request as it must be, and nothing beside it but stream, which go-openai writes, and aimock's own note.
func body(url string, rung int) map[string]any {
	b := map[string]any{
		"model": model,
		"messages": []any{map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "image_url", "image_url": map[string]any{"url": url}},
			map[string]any{"type": "text", "text": "Write a detailed description."},
		}}},
		"num_beams": 5., "max_tokens": 256., "temperature": 0., "repetition_penalty": 1.5, "length_penalty": 1.,
		"stream": false, "_endpointType": "chat",
	}
	maps.Copy(b, rungs[rung])
	return b
}

// rungs are what is sent otherwise after so many answers without use.
var rungs = []map[string]any{{}, {"repetition_penalty": 2.}, {"num_beams": 1., "temperature": 0.7, "top_p": 0.9}}

// pictureURL finds the picture in a request; "" where it is not in its place.
func pictureURL(body map[string]any) string {
	b, err := json.Marshal(body)
	if err != nil {
		return ""
	}
	var q struct {
		Messages []struct {
			Content []struct {
				ImageURL struct{ URL string } `json:"image_url"`
			}
		}
	}
	if json.Unmarshal(b, &q) != nil || len(q.Messages) == 0 || len(q.Messages[0].Content) == 0 {
		return ""
	}
	return q.Messages[0].Content[0].ImageURL.URL
}

// shown is a request without most of its picture.
func shown(body map[string]any) string {
	b, err := json.Marshal(body)
	if err != nil {
		return err.Error()
	}
	url := pictureURL(body)
	return strings.ReplaceAll(string(b), url, url[:min(len(url), 60)]+"...")
}

// urls are the data URLs of a folder's pictures by their IDs. No two are the same.
func urls(t *testing.T, dir string, p caption.Picture) map[string]string {
	t.Helper()
	s, err := source.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all, seen := map[string]string{}, map[string]bool{}
	for _, e := range s.Entries() {
		encoded, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		sent, mediaType, err := p.Prepare(encoded)
		if err != nil {
			t.Fatal(err)
		}
		url := "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(sent)
		if seen[url] {
			t.Fatalf("%s: a picture that is there twice", e.ID)
		}
		all[string(e.ID)], seen[url] = url, true
	}
	return all
}

// smaller is a copy of a folder without the pictures whose requests are too large for aimock's journal.
func smaller(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "pictures")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(to, "*", "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	removed := 0
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && info.Size() > 45_000 {
			err = os.Remove(name)
			removed++
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if removed > len(names)/2 {
		t.Fatalf("%d of %d pictures are too large for aimock's journal", removed, len(names))
	}
	t.Logf("without %d of %d pictures, too large for aimock's journal", removed, len(names))
	return to
}

// lastRecords reads a store's journals as text: the last record of each picture.
func lastRecords(t *testing.T, dir string) map[string]schemas.Caption {
	t.Helper()
	last := map[string]schemas.Caption{}
	for _, name := range files(t, dir) {
		if filepath.Ext(name) != ".jsonl" {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var c schemas.Caption
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			last[c.ID] = c
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return last
}

// files are all files of a store, sorted.
func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || info.IsDir()
	})
}
