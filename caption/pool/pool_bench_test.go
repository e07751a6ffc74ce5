package pool

import (
	"context"
	"testing"

	"github.com/mcil/mcil/caption"
)

// none answers at once.
type none struct{}

func (none) Caption(context.Context, caption.Request) (caption.Answer, error) {
	return caption.Answer{Raw: "A fish.", PromptTokens: 30}, nil
}
func (none) Fingerprint(caption.Request) (string, error) { return "", nil }

// BenchmarkAdmit is what the pool adds to a call, with more callers than places.
func BenchmarkAdmit(b *testing.B) {
	p := New([]Member{{Captioner: none{}}, {Captioner: none{}, Weight: 3}}, Options{MaxConcurrent: 4, RequestsPerMin: 1 << 40, TokensPerMin: 1 << 40})
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Caption(b.Context(), request); err != nil {
				b.Error(err)
			}
		}
	})
}
