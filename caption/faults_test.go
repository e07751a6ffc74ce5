package caption_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// made is a source of pictures that differ in their last bytes and are made as they are read.
type made struct {
	*listed
	base []byte
}

func (m made) Read(ctx context.Context, e dataset.Entry) ([]byte, error) {
	return append(m.base[:len(m.base):len(m.base)], e.ID...), ctx.Err()
}

func makes(t *testing.T, n int) made {
	t.Helper()
	m := made{list(n/2, n-n/2), captiontest.Request(t, 1).Image}
	for i := range m.entries {
		m.entries[i].SizeBytes = int64(len(m.base) + len(m.entries[i].ID))
	}
	return m
}

// With three calls in ten going wrong, every picture ends with a caption, none is asked for after it has one, and the run
// takes less than twice a clean one.
func TestRunThroughManyFaults(t *testing.T) {
	const n, latency = 3000, 50 * time.Millisecond
	source := makes(t, n)
	run := func(t *testing.T, faults float64) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(1, 2))
			captioned := map[string]bool{}
			f := fake{answer: func(_ context.Context, _ int, r caption.Request) (caption.Answer, error) {
				time.Sleep(latency)
				mu.Lock()
				defer mu.Unlock()
				if captioned[string(r.Image)] {
					t.Error("a picture was asked for after it had a caption")
				}
				if random.Float64() < faults {
					class := []caption.Class{caption.Network, caption.Timeout, caption.Rate, caption.Server, caption.Malformed, caption.Empty}[random.IntN(6)]
					return caption.Answer{}, &caption.Error{Class: class, Retry: true}
				}
				captioned[string(r.Image)] = true
				return caption.Answer{Raw: "A red disc lies on a pale grey ground."}, nil
			}}
			store, err := caption.CreateStore(t.TempDir(), caption.Recipe{
				Model: "m", Picture: caption.Picture{Original: true}, Ladder: caption.DefaultLadder(),
			}, "made", schemas.Program{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			began := time.Now()
			r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: &f, Store: store, Attempts: 12})
			took = time.Since(began)
			if err != nil || r.Asked != n || r.Failed != 0 || len(captioned) != n || int64(n+r.Retries) != f.calls.Load() {
				t.Errorf("%.0f %% faults: %+v, %v", 100*faults, r, err)
			}
		})
		return took
	}
	clean, faulty := run(t, 0), run(t, 0.3)
	if ideal := n / 8 * latency; clean > ideal*11/10 {
		t.Errorf("a clean run took %v, want little more than %v", clean, ideal)
	}
	if faulty > 2*clean {
		t.Errorf("with faults %v, without %v", faulty, clean)
	}
	t.Logf("with faults %v, without %v", faulty, clean)
}
