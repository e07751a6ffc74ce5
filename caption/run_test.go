package caption_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// fake answers by a function of the call's number, from 1.
type fake struct {
	calls  atomic.Int64
	answer func(ctx context.Context, call int, r caption.Request) (caption.Answer, error)
}

func (f *fake) Caption(ctx context.Context, r caption.Request) (caption.Answer, error) {
	n := int(f.calls.Add(1))
	if f.answer == nil {
		return caption.Answer{Raw: fmt.Sprintf("answer to %d bytes", len(r.Image)), FinishReason: "stop", CompletionTokens: 4}, nil
	}
	return f.answer(ctx, n, r)
}

func (f *fake) Fingerprint(r caption.Request) (string, error) { return dataset.Digest(r.Image), nil }

func openStore(t *testing.T, dir string) *caption.Store {
	t.Helper()
	s, err := caption.CreateStore(dir, caption.Recipe{Model: "m"}, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// records are all that a store yields, in order.
func records(t *testing.T, seq iter.Seq2[schemas.Caption, error]) []schemas.Caption {
	t.Helper()
	var out []schemas.Caption
	for c, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func ids(t *testing.T, seq iter.Seq2[schemas.Caption, error]) []string {
	t.Helper()
	var out []string
	for _, c := range records(t, seq) {
		out = append(out, c.ID)
	}
	return out
}

func TestRunAsksOnce(t *testing.T) {
	dir, source := t.TempDir(), captiontest.Pictures(t, 40)
	var f fake
	var seen []caption.Progress
	o := caption.Options{Source: source, Captioner: &f, Store: openStore(t, dir), Progress: func(p caption.Progress) { seen = append(seen, p) }}
	r, err := caption.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := (caption.Progress{Total: 40, Done: 40, Asked: 40}); r.Progress != want || r.CompletionTokens != 160 || f.calls.Load() != 40 {
		t.Errorf("first run: %+v, %d calls", r, f.calls.Load())
	}
	for i, p := range seen {
		if p.Done != i+1 || p.Total != 40 {
			t.Errorf("progress %d: %+v", i, p)
		}
	}
	o.Store.Close()
	o.Store = openStore(t, dir)
	r, err = caption.Run(t.Context(), o)
	if want := (caption.Progress{Total: 40, Done: 40, Cached: 40}); err != nil || r.Progress != want || f.calls.Load() != 40 {
		t.Errorf("second run: %+v, %v, %d calls", r, err, f.calls.Load())
	}
	// A picture whose bytes changed is asked again, and only that one.
	e := source.Entries()[7]
	captiontest.Spoil(source, e, captiontest.Request(t, 99).Image)
	r, err = caption.Run(t.Context(), o)
	if err != nil || r.Asked != 1 || r.Cached != 39 || f.calls.Load() != 41 {
		t.Errorf("after a change: %+v, %v", r, err)
	}
	for _, c := range records(t, o.Store.Captions()) {
		id := c.ID
		if c.Version != 1 || c.Attempts != 1 || len(c.ImageSHA256) != 64 || len(c.Fingerprint) != 64 || c.Recipe != o.Store.Manifest().Recipe {
			t.Errorf("%s: record %+v", id, c)
		}
		if _, err := time.Parse(time.RFC3339, c.Time); err != nil || !strings.HasSuffix(c.Time, "Z") {
			t.Errorf("%s: time %q", id, c.Time)
		}
	}
}

func TestRunLimitAndSelect(t *testing.T) {
	var f fake
	store := openStore(t, t.TempDir())
	source := captiontest.Pictures(t, 20)
	odd := func(e dataset.Entry) bool {
		return strings.HasSuffix(string(e.ID), "1.jpg") || strings.HasSuffix(string(e.ID), "3.jpg")
	}
	r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: &f, Store: store, Limit: 3, Select: odd})
	if err != nil || r.Total != 3 || r.Asked != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got, want := ids(t, store.Captions()), []string{"n01443537/sketch_0001.jpg", "n01443537/sketch_0003.jpg", "n01484850/sketch_0011.jpg"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

func TestRunNeverSendsTheClass(t *testing.T) {
	f := fake{answer: func(_ context.Context, _ int, r caption.Request) (caption.Answer, error) {
		if r.Model != "m" || r.Prompt != caption.DefaultPrompt {
			t.Errorf("asks the model %q for %q", r.Model, r.Prompt)
		}
		for _, s := range []string{"n01443537", "n01484850", "sketch", "goldfish", "shark", "jpg"} {
			if strings.Contains(r.Prompt+string(r.Image), s) {
				t.Errorf("the request holds %q", s)
			}
		}
		return caption.Answer{Raw: "text"}, nil
	}}
	if _, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 8), Captioner: &f, Store: openStore(t, t.TempDir())}); err != nil {
		t.Fatal(err)
	}
}

func TestRunFailuresAreRecords(t *testing.T) {
	dir, source := t.TempDir(), captiontest.Pictures(t, 10)
	entries := source.Entries()
	captiontest.Spoil(source, entries[2], []byte("not a picture"))
	refuse := true
	var mu sync.Mutex
	refused := map[string]bool{}
	f := fake{answer: func(_ context.Context, n int, r caption.Request) (caption.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		if key := dataset.Digest(r.Image); refuse && (n == 3 || refused[key]) {
			refused[key] = true
			return caption.Answer{}, &caption.Error{Class: caption.Refused, Status: 400, Body: "picture too small", Endpoint: "http://e/v1"}
		}
		return caption.Answer{Raw: "text"}, nil
	}}
	o := caption.Options{Source: source, Captioner: &f, Store: openStore(t, dir), Workers: 1}
	r, err := caption.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 2 || r.Failures[caption.BadImage] != 1 || r.Failures[caption.Refused] != 1 || r.Done != 10 || r.Asked != 9 {
		t.Errorf("result %+v", r)
	}
	for _, c := range records(t, o.Store.Failures()) {
		switch c.ErrorClass {
		case "picture":
			if c.ID != string(entries[2].ID) || c.Attempts != 0 || c.Status != schemas.CaptionFailed || !strings.Contains(c.Error, "not a picture") {
				t.Errorf("record %+v", c)
			}
		case "refused":
			if c.Attempts != 1 || c.Error != "refused: status 400: picture too small" || c.Endpoint != "http://e/v1" || len(c.Fingerprint) != 64 {
				t.Errorf("record %+v", c)
			}
		default:
			t.Errorf("record %+v", c)
		}
	}
	// Only the failed ones; the damaged picture fails again without a call.
	refuse = false
	before := f.calls.Load()
	o.OnlyFailed = true
	r, err = caption.Run(t.Context(), o)
	if err != nil || r.Total != 2 || r.Asked != 1 || r.Failed != 1 || f.calls.Load() != before+1 {
		t.Errorf("only failed: %+v, %v, %d calls", r, err, f.calls.Load()-before)
	}
	if got := ids(t, o.Store.Failures()); !slices.Equal(got, []string{string(entries[2].ID)}) {
		t.Errorf("failures left: %q", got)
	}
}

func TestRunRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake{answer: func(_ context.Context, n int, _ caption.Request) (caption.Answer, error) {
			switch n {
			case 1:
				return caption.Answer{}, &caption.Error{Class: caption.Rate, Status: 429, Retry: true, RetryAfter: 7 * time.Second}
			case 2:
				return caption.Answer{}, &caption.Error{Class: caption.Rate, Status: 429, Retry: true, RetryAfter: time.Hour}
			case 3:
				return caption.Answer{}, errors.New("of no class")
			}
			return caption.Answer{Raw: "text"}, nil
		}}
		store := openStore(t, t.TempDir())
		began := time.Now()
		r, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 2), Captioner: &f, Store: store, Workers: 1, Limit: 1})
		if err != nil || r.Retries != 3 || r.Failed != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		for _, c := range records(t, store.Captions()) {
			if c.Attempts != 4 {
				t.Errorf("record %+v", c)
			}
		}
		// 7 s and its jitter up to 0.5 s, an hour cut to the limit of 60 s, and a jitter of up to 2 s.
		if took := time.Since(began); took < 67*time.Second || took > 70*time.Second {
			t.Errorf("waited %v", took)
		}
	})
}

func TestRunAttemptsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake{answer: func(ctx context.Context, n int, _ caption.Request) (caption.Answer, error) {
			if n == 1 {
				return caption.Answer{Raw: "text"}, nil
			}
			<-ctx.Done() // hangs
			return caption.Answer{}, ctx.Err()
		}}
		store := openStore(t, t.TempDir())
		r, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 2), Captioner: &f, Store: store, Workers: 1, AttemptTimeout: 3 * time.Second})
		if err != nil || r.Failed != 1 || r.Failures[caption.Timeout] != 1 || r.Retries != 4 || f.calls.Load() != 6 {
			t.Errorf("%+v, %v, %d calls", r, err, f.calls.Load())
		}
		for _, c := range records(t, store.Failures()) {
			if c.Attempts != 5 || c.LatencyMS != 3000 || c.ErrorClass != "timeout" {
				t.Errorf("record %+v", c)
			}
		}
	})
}

func TestRunGivesUpOnADeadEndpoint(t *testing.T) {
	f := fake{answer: func(context.Context, int, caption.Request) (caption.Answer, error) {
		return caption.Answer{}, &caption.Error{Class: caption.Network, Retry: true, Endpoint: "http://localhost:1/v1", Err: errors.New("connection refused")}
	}}
	o := caption.Options{Source: captiontest.Pictures(t, 200), Captioner: &f, Store: openStore(t, t.TempDir()), Workers: 4, Attempts: 2, Backoff: time.Millisecond}
	r, err := caption.Run(t.Context(), o)
	if !errors.Is(err, caption.ErrEndpoint) || !strings.Contains(err.Error(), "http://localhost:1/v1") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
	if r.Failed < 5 || r.Failed > 8 || f.calls.Load() > 20 {
		t.Errorf("%+v after %d calls", r, f.calls.Load())
	}
	o.GiveUpAfter, o.Attempts = -1, 1
	if r, err = caption.Run(t.Context(), o); err != nil || r.Failed != 200 {
		t.Errorf("told never to give up: %+v, %v", r, err)
	}
}

// A key that is revoked in the middle, or a credit that is used up, ends the run: it does not go on to be refused for every
// picture that is left. What is refused for the picture's own sake is another matter.
func TestRunGivesUpWhereItIsShutOut(t *testing.T) {
	for status, ends := range map[int]bool{401: true, 402: true, 429: true, 400: false, 403: false} {
		f := fake{answer: func(_ context.Context, n int, _ caption.Request) (caption.Answer, error) {
			if n > 20 {
				return caption.Answer{}, &caption.Error{Class: caption.Refused, Status: status}
			}
			return caption.Answer{Raw: "text"}, nil
		}}
		r, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 100), Captioner: &f, Store: openStore(t, t.TempDir()), Workers: 4})
		if errors.Is(err, caption.ErrEndpoint) != ends || (r.Done < 50) != ends || r.Asked-r.Failed != 20 {
			t.Errorf("%d: %+v, %v", status, r, err)
		}
	}
}

// An endpoint that dies in the middle is not waited for with every picture that is left.
func TestRunGivesUpOnAnEndpointThatFellSilent(t *testing.T) {
	down := true
	f := fake{answer: func(_ context.Context, n int, _ caption.Request) (caption.Answer, error) {
		if down && n > 20 {
			return caption.Answer{}, &caption.Error{Class: caption.Network, Retry: true, Endpoint: "http://e/v1", Err: errors.New("connection refused")}
		}
		return caption.Answer{Raw: "text"}, nil
	}}
	o := caption.Options{Source: captiontest.Pictures(t, 200), Captioner: &f, Store: openStore(t, t.TempDir()), Workers: 4, Attempts: 1}
	r, err := caption.Run(t.Context(), o)
	if !errors.Is(err, caption.ErrEndpoint) || !strings.Contains(err.Error(), "http://e/v1: has stopped answering: 16 pictures in a row failed") {
		t.Errorf("error %v", err)
	}
	if r.Failed < 16 || r.Failed > 64 { // 4 for each worker and what was on the way, again for each answer of the first 20 that is late
		t.Errorf("%+v", r)
	}
	down = false
	if r, err = caption.Run(t.Context(), o); err != nil || r.Cached != 20 || r.Asked != 180 {
		t.Errorf("when it runs again: %+v, %v", r, err)
	}
	// An answer in between, if only a refusal, is a sign of life.
	f.calls.Store(0)
	f.answer = func(_ context.Context, n int, _ caption.Request) (caption.Answer, error) {
		switch {
		case n == 1:
			return caption.Answer{Raw: "text"}, nil
		case n%3 == 0:
			return caption.Answer{}, &caption.Error{Class: caption.Refused, Status: 400}
		}
		return caption.Answer{}, &caption.Error{Class: caption.Timeout}
	}
	o.Store, o.Workers = openStore(t, t.TempDir()), 1
	if r, err = caption.Run(t.Context(), o); err != nil || r.Failed != 199 {
		t.Errorf("with a sign of life: %+v, %v", r, err)
	}
}

// A picture that was renamed, or is there twice, gets the answer at hand.
func TestRunKnowsAPictureByItsBytes(t *testing.T) {
	var f fake
	source, dir := captiontest.Pictures(t, 10), t.TempDir()
	o := caption.Options{Source: source, Captioner: &f, Store: openStore(t, dir), Workers: 1, Limit: 9}
	if _, err := caption.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	entries := source.Entries()
	first, err := source.Read(t.Context(), entries[3])
	if err != nil {
		t.Fatal(err)
	}
	captiontest.Spoil(source, entries[9], first)
	o.Limit = 0
	r, err := caption.Run(t.Context(), o)
	if err != nil || r.Cached != 10 || r.Asked != 0 || f.calls.Load() != 9 {
		t.Errorf("%+v, %v, %d calls", r, err, f.calls.Load())
	}
	o.Store.Close()
	byID := map[string]schemas.Caption{}
	for _, c := range records(t, openStore(t, dir).Captions()) {
		byID[c.ID] = c
	}
	c, of := byID[string(entries[9].ID)], byID[string(entries[3].ID)]
	if c.ID != string(entries[9].ID) || c.Raw != of.Raw || c.ImageSHA256 != of.ImageSHA256 || c.Fingerprint != of.Fingerprint || c.Attempts != 0 || c.CompletionTokens != 0 {
		t.Errorf("record %+v of the twin of %+v", c, of)
	}
}

func TestPlan(t *testing.T) {
	source := captiontest.Pictures(t, 10)
	entries := source.Entries()
	o := caption.Options{Source: source, Limit: 4, Select: func(e dataset.Entry) bool { return e.ID != entries[0].ID }}
	plan := func() caption.Work {
		t.Helper()
		w, err := caption.Plan(o)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := plan()
	var size int64
	for _, e := range entries[1:5] {
		size += e.SizeBytes
	}
	if !slices.Equal(w.Entries, entries[1:5]) || w.Missing != 4 || w.MissingBytes != size {
		t.Errorf("without a store: %+v", w)
	}
	content, err := source.Read(t.Context(), entries[2])
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := caption.Picture{}.Prepare(content)
	if err != nil {
		t.Fatal(err)
	}
	f := fake{answer: func(_ context.Context, _ int, r caption.Request) (caption.Answer, error) {
		if bytes.Equal(r.Image, second) {
			return caption.Answer{}, &caption.Error{Class: caption.Refused}
		}
		return caption.Answer{Raw: "text"}, nil
	}}
	o.Store, o.Captioner, o.Workers = openStore(t, t.TempDir()), &f, 1
	if _, err := caption.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Limit = 5
	if w = plan(); !slices.Equal(w.Entries, entries[1:6]) || w.Missing != 2 {
		t.Errorf("after a run: %+v", w)
	}
	o.OnlyFailed = true
	if w = plan(); !slices.Equal(w.Entries, entries[2:3]) || w.Missing != 1 {
		t.Errorf("only failed: %+v", w)
	}
}

func TestRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := fake{answer: func(ctx context.Context, n int, _ caption.Request) (caption.Answer, error) {
			switch {
			case n == 6: // waits for its next call when the run is stopped, and all others with it
				time.Sleep(100 * time.Millisecond)
				return caption.Answer{}, &caption.Error{Class: caption.Rate, Retry: true, RetryAfter: time.Minute}
			case n == 8:
				time.Sleep(200 * time.Millisecond)
				stop()
				time.Sleep(time.Second)
			case n > 4:
				time.Sleep(2 * time.Second)
			}
			if err := ctx.Err(); err != nil {
				return caption.Answer{}, err
			}
			return caption.Answer{Raw: "text"}, nil
		}}
		store := openStore(t, t.TempDir())
		r, err := caption.Run(ctx, caption.Options{Source: captiontest.Pictures(t, 100), Captioner: &f, Store: store, Workers: 4})
		if !errors.Is(err, context.Canceled) || r.Done != 7 || r.Failed != 0 || f.calls.Load() != 8 {
			t.Errorf("%+v, %v after %d calls", r, err, f.calls.Load())
		}
		if got := len(ids(t, store.Captions())); got != 7 {
			t.Errorf("%d captions saved, want those of the 7 calls that had an answer", got)
		}
	})
}

func TestRunBoundsMemory(t *testing.T) {
	source := captiontest.Pictures(t, 30)
	var now, most atomic.Int64
	f := fake{answer: func(context.Context, int, caption.Request) (caption.Answer, error) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return caption.Answer{Raw: "text"}, nil
	}}
	size := source.Entries()[0].SizeBytes
	r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: &f, Store: openStore(t, t.TempDir()), Workers: 16, InFlightBytes: 12 * size})
	if err != nil || r.Asked != 30 || most.Load() > 3 {
		t.Errorf("%+v, %v: %d pictures in flight, want at most 3", r, err, most.Load())
	}
}

// A picture that was changed, or could not be read, and is as it was again has its caption again, without a call: it stands
// as the name's latest, and the failure between is made good.
func TestRunTakesUpAnEarlierCaption(t *testing.T) {
	for _, c := range []struct {
		name    string
		between []byte
	}{
		{"another picture", captiontest.Request(t, 77).Image},
		{"a damaged one", []byte("no picture")},
	} {
		source, dir := captiontest.Pictures(t, 2), t.TempDir()
		e := source.Entries()[0]
		first, err := source.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		var f fake
		run := func(content []byte) (caption.Result, []schemas.Caption, []schemas.Caption) {
			captiontest.Spoil(source, e, content)
			store := openStore(t, dir)
			defer store.Close()
			r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: &f, Store: store})
			if err != nil {
				t.Fatal(err)
			}
			return r, records(t, store.Captions()), records(t, store.Failures())
		}
		_, before, _ := run(first)
		run(c.between)
		calls := f.calls.Load()
		r, after, failures := run(first)
		if r.Cached != 2 || f.calls.Load() != calls || len(failures) != 0 {
			t.Errorf("%s: %+v, %d calls, failures %+v", c.name, r, f.calls.Load()-calls, failures)
		}
		if len(after) != 2 || after[0].ImageSHA256 != before[0].ImageSHA256 || after[0].Raw != before[0].Raw || after[0].Attempts != 0 {
			t.Errorf("%s: %+v, want that of %+v", c.name, after, before)
		}
		journals, _ := filepath.Glob(filepath.Join(dir, "journal-*"))
		run(first)
		if again, _ := filepath.Glob(filepath.Join(dir, "journal-*")); len(again) != len(journals) {
			t.Errorf("%s: a caption that stands was recorded again", c.name)
		}
	}
}
