package caption_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// laddered answers by the picture's bytes and the rung, which it tells by the decoding. Its fingerprint covers both.
type laddered struct {
	answer func(image []byte, rung, call int) (caption.Answer, error)

	mu    sync.Mutex
	calls map[string]int // of a picture
	rungs []int          // of the calls
}

func (l *laddered) Caption(_ context.Context, r caption.Request) (caption.Answer, error) {
	rung := map[caption.Decoding]int{
		caption.Decoding{}.WithDefaults():                                                                 0,
		{Beams: 5, MaxTokens: 256, RepetitionPenalty: 2, LengthPenalty: 1}:                                1,
		{Beams: 1, MaxTokens: 256, RepetitionPenalty: 1.5, LengthPenalty: 1, Temperature: 0.7, TopP: 0.9}: 2,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := rung[r.Decoding]
	if !ok {
		return caption.Answer{}, &caption.Error{Class: caption.Refused, Err: fmt.Errorf("decoding %+v", r.Decoding)}
	}
	if l.calls == nil {
		l.calls = map[string]int{}
	}
	l.calls[string(r.Image)]++
	l.rungs = append(l.rungs, n)
	return l.answer(r.Image, n, l.calls[string(r.Image)])
}

func (l *laddered) Fingerprint(r caption.Request) (string, error) {
	return dataset.Digest(fmt.Appendf(r.Image[:len(r.Image):len(r.Image)], "%+v", r.Decoding)), nil
}

const (
	soundText  = "A red disc lies on a pale grey ground."
	loopedText = "a disc and a disc and a disc and a disc and a disc and a disc and a disc and a disc"
)

func sound() (caption.Answer, error) {
	return caption.Answer{Raw: soundText, CompletionTokens: 9, PromptTokens: 40}, nil
}

func looped() (caption.Answer, error) {
	return caption.Answer{Raw: loopedText, CompletionTokens: 24, PromptTokens: 40}, nil
}

func empty(retry bool) (caption.Answer, error) {
	return caption.Answer{}, &caption.Error{Class: caption.Empty, Status: 200, Retry: retry, Err: errors.New("without text")}
}

func refused() (caption.Answer, error) {
	return caption.Answer{}, &caption.Error{Class: caption.Refused, Status: 400}
}

// withLadder is a store in dir whose recipe has so many rungs of the default ladder.
func withLadder(t *testing.T, dir string, rungs int) *caption.Store {
	t.Helper()
	r := caption.Recipe{Model: "m", Picture: caption.Picture{Original: true}, Ladder: caption.DefaultLadder()[:rungs]}
	s, err := caption.CreateStore(dir, r, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRunLadder(t *testing.T) {
	for _, c := range []struct {
		name     string
		rungs    int // of the ladder
		attempts int
		answer   func(rung, call int) (caption.Answer, error)
		calls    string // rungs asked with
		want     schemas.Caption
		tokens   int
		retries  int // beyond those down the ladder
	}{
		{"sound at once", 2, 5, func(int, int) (caption.Answer, error) { return sound() },
			"[0]", schemas.Caption{Status: "ok", Raw: soundText, Rung: 0, CompletionTokens: 9}, 9, 0},
		{"a loop, then sound", 2, 5, func(rung, _ int) (caption.Answer, error) {
			if rung == 0 {
				return looped()
			}
			return sound()
		}, "[0 1]", schemas.Caption{Status: "ok", Raw: soundText, Rung: 1, CompletionTokens: 9}, 33, 0},
		{"empty, a loop, then sound", 2, 5, func(rung, _ int) (caption.Answer, error) {
			switch rung {
			case 0:
				return empty(true)
			case 1:
				return looped()
			}
			return sound()
		}, "[0 1 2]", schemas.Caption{Status: "ok", Raw: soundText, Rung: 2, CompletionTokens: 9}, 33, 0},
		{"nothing but loops", 2, 5, func(int, int) (caption.Answer, error) { return looped() },
			"[0 1 2]", schemas.Caption{Status: "ok", Raw: loopedText, Rung: 2, CompletionTokens: 24}, 72, 0},
		{"nothing but the prompt, then sound", 2, 5, func(rung, _ int) (caption.Answer, error) {
			if rung == 0 {
				return caption.Answer{Raw: "<s> " + caption.DefaultPrompt + "</s>", CompletionTokens: 4}, nil
			}
			return sound()
		}, "[0 1]", schemas.Caption{Status: "ok", Raw: soundText, Rung: 1, CompletionTokens: 9}, 13, 0},
		{"nothing but special tokens", 2, 5, func(int, int) (caption.Answer, error) { return caption.Answer{Raw: "</s>"}, nil },
			"[0 1 2]", schemas.Caption{Status: "ok", Raw: "</s>", Rung: 2}, 0, 0},
		{"nothing but empty", 2, 5, func(int, int) (caption.Answer, error) { return empty(false) },
			"[0 1 2]", schemas.Caption{Status: "failed", ErrorClass: "empty", Rung: 2, HTTPStatus: 200}, 0, 0},
		{"nothing but empty, maybe for load", 2, 5, func(int, int) (caption.Answer, error) { return empty(true) },
			"[0 1 2 2 2]", schemas.Caption{Status: "failed", ErrorClass: "empty", Rung: 2, HTTPStatus: 200}, 0, 2},
		{"a loop, then nothing better", 2, 5, func(rung, _ int) (caption.Answer, error) {
			if rung == 0 {
				return looped()
			}
			return refused()
		}, "[0 1]", schemas.Caption{Status: "ok", Raw: loopedText, Rung: 0, CompletionTokens: 24}, 24, 0},
		{"a loop without a ladder", 0, 5, func(int, int) (caption.Answer, error) { return looped() },
			"[0]", schemas.Caption{Status: "ok", Raw: loopedText, Rung: 0, CompletionTokens: 24}, 24, 0},
		{"empty without a ladder", 0, 3, func(int, int) (caption.Answer, error) { return empty(true) },
			"[0 0 0]", schemas.Caption{Status: "failed", ErrorClass: "empty", Rung: 0, HTTPStatus: 200}, 0, 2},
		{"no call left for a rung", 2, 2, func(int, int) (caption.Answer, error) { return looped() },
			"[0 1]", schemas.Caption{Status: "ok", Raw: loopedText, Rung: 1, CompletionTokens: 24}, 48, 0},
		{"a fault on the way down", 2, 5, func(rung, call int) (caption.Answer, error) {
			switch {
			case rung == 0:
				return looped()
			case call == 2:
				return caption.Answer{}, &caption.Error{Class: caption.Server, Retry: true}
			}
			return sound()
		}, "[0 1 1]", schemas.Caption{Status: "ok", Raw: soundText, Rung: 1, CompletionTokens: 9}, 33, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &laddered{answer: func(_ []byte, rung, call int) (caption.Answer, error) { return c.answer(rung, call) }}
			store := withLadder(t, t.TempDir(), c.rungs)
			source := captiontest.Pictures(t, 1)
			budget := -1
			if c.retries == 0 {
				budget = 1 // which steps down the ladder do not use
			}
			r, err := caption.Run(t.Context(), caption.Options{
				Source: source, Captioner: l, Store: store, Attempts: c.attempts, RetryBudget: budget, Backoff: 1, GiveUpAfter: -1,
			})
			if err != nil || r.CompletionTokens != c.tokens || r.Retries != len(l.rungs)-1 || r.Retries-r.Laddered != c.retries || r.BudgetSpent {
				t.Errorf("%+v, %v", r, err)
			}
			if got := fmt.Sprint(l.rungs); got != c.calls {
				t.Errorf("asked at rungs %s, want %s", got, c.calls)
			}
			got := append(records(t, store.Captions()), records(t, store.Failures())...)
			if len(got) != 1 {
				t.Fatalf("records %+v", got)
			}
			g := got[0]
			if g.Status != c.want.Status || g.Raw != c.want.Raw || g.Rung != c.want.Rung || g.CompletionTokens != c.want.CompletionTokens ||
				g.ErrorClass != c.want.ErrorClass || g.HTTPStatus != c.want.HTTPStatus || g.Attempts != len(l.rungs) {
				t.Errorf("record %+v", g)
			}
			// The record's fingerprint is that of its own rung's request.
			image, _ := source.Read(t.Context(), source.Entries()[0])
			d := append([]caption.Decoding{{}}, caption.DefaultLadder()...)[g.Rung]
			if g.Rung == 2 {
				d.RepetitionPenalty = 1.5
			}
			if want, _ := l.Fingerprint(caption.Request{Image: image, Decoding: d.WithDefaults()}); g.Fingerprint != want {
				t.Errorf("rung %d has another fingerprint", g.Rung)
			}
		})
	}
}

func TestRunRequeue(t *testing.T) {
	dir, source := t.TempDir(), captiontest.Pictures(t, 12)
	bad := map[string]bool{}
	for _, i := range []int{3, 7, 8} {
		b, err := source.Read(t.Context(), source.Entries()[i])
		if err != nil {
			t.Fatal(err)
		}
		bad[string(b)] = true
	}
	badName := func(id string) bool {
		return strings.HasSuffix(id, "3.jpg") || strings.HasSuffix(id, "7.jpg") || strings.HasSuffix(id, "8.jpg")
	}
	l := &laddered{}
	l.answer = func(image []byte, rung, _ int) (caption.Answer, error) {
		if bad[string(image)] {
			return looped()
		}
		return sound()
	}
	o := caption.Options{Source: source, Captioner: l, Store: withLadder(t, dir, 0), Limit: 11}
	if r, err := caption.Run(t.Context(), o); err != nil || r.Asked != 11 {
		t.Fatalf("%+v, %v", r, err)
	}
	o.Store.Close()

	// At the only rung of the ladder, two are sound; and the last picture is asked for the first time.
	o.Store, o.Limit = withLadder(t, dir, 1), 0
	o.Requeue = func(c schemas.Caption) bool {
		if (c.Raw == loopedText) != badName(c.ID) {
			t.Errorf("asked whether to requeue %+v", c)
		}
		return c.Raw == loopedText
	}
	l.rungs = nil
	l.answer = func(image []byte, rung, _ int) (caption.Answer, error) {
		if b, _ := source.Read(t.Context(), source.Entries()[7]); string(image) == string(b) {
			return looped()
		}
		return sound()
	}
	w, err := caption.Plan(o)
	if err != nil || w.Missing != 1 || w.Requeued != 3 || w.LastRung != 0 || w.RequeuedBytes < 3*w.MissingBytes/2 || len(w.Entries) != 12 {
		t.Errorf("plan %+v, %v", w, err)
	}
	r, err := caption.Run(t.Context(), o)
	if err != nil || r.Total != 12 || r.Done != 12 || r.Asked != 4 || r.Cached != 8 || r.LastRung != 0 || r.Failed != 0 || len(l.rungs) != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	o.Store.Close()

	// The one that still loops is at the end of the ladder: it stays as it is.
	o.Store = withLadder(t, dir, 1)
	o.Requeue = func(c schemas.Caption) bool { return c.Raw == loopedText }
	for _, c := range records(t, o.Store.Captions()) {
		want := map[bool]string{true: loopedText, false: soundText}[strings.HasSuffix(c.ID, "7.jpg")]
		if c.Raw != want || (c.Rung == 1) != badName(c.ID) {
			t.Errorf("record %+v", c)
		}
	}
	l.rungs = nil
	if r, err = caption.Run(t.Context(), o); err != nil || r.Asked != 0 || r.Cached != 12 || r.LastRung != 1 || len(l.rungs) != 0 {
		t.Errorf("at the end of the ladder: %+v, %v", r, err)
	}
	if w, err = caption.Plan(o); err != nil || w.Missing != 0 || w.Requeued != 0 || w.LastRung != 1 {
		t.Errorf("plan at the end of the ladder: %+v, %v", w, err)
	}
	o.Store.Close()

	// A longer ladder has a rung for it. What comes of it is no better than what is there: that stays.
	o.Store = withLadder(t, dir, 2)
	l.answer = func([]byte, int, int) (caption.Answer, error) { return empty(false) }
	o.OnlyFailed = true // and what is to be asked once more
	if r, err = caption.Run(t.Context(), o); err != nil || r.Total != 1 || r.Asked != 1 || r.Failed != 1 || fmt.Sprint(l.rungs) != "[2]" {
		t.Errorf("with a longer ladder: %+v, %v, rungs %v", r, err, l.rungs)
	}
	if c := records(t, o.Store.Captions())[7]; c.Raw != loopedText || c.Rung != 1 {
		t.Errorf("record %+v", c)
	}
	if f := records(t, o.Store.Failures()); len(f) != 0 {
		t.Errorf("failures %+v of a picture that has a caption", f)
	}
}

// Machines that share a store have clocks of their own. A caption that was asked for once more replaces the first one, though
// that is from a minute ahead.
func TestRunRequeueAgainstTheClock(t *testing.T) {
	dir, source := t.TempDir(), captiontest.Pictures(t, 1)
	image, err := source.Read(t.Context(), source.Entries()[0])
	if err != nil {
		t.Fatal(err)
	}
	store := withLadder(t, dir, 2)
	first := schemas.Caption{
		Version: 1, ID: string(source.Entries()[0].ID), ImageSHA256: dataset.Digest(image), Recipe: store.Manifest().Recipe, Status: schemas.CaptionOK,
		Raw: loopedText, Time: time.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano),
	}
	if err := store.Append(first); err != nil {
		t.Fatal(err)
	}
	l := &laddered{answer: func([]byte, int, int) (caption.Answer, error) { return sound() }}
	r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: l, Store: store, Requeue: func(schemas.Caption) bool { return true }})
	if err != nil || r.Asked != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, s := range []*caption.Store{store, withLadder(t, dir, 2)} {
		if got := records(t, s.Captions()); len(got) != 1 || got[0].Raw != soundText || got[0].Rung != 1 {
			t.Errorf("%+v", got)
		}
	}
}
