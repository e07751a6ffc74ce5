package captiontest

import (
	"context"
	"fmt"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Pictures is a source of n small pictures in two classes, in memory. No two are the same.
func Pictures(t testing.TB, n int) dataset.Source {
	t.Helper()
	s := &memory{content: map[dataset.ID][]byte{}}
	for i := range n {
		label := 2 * i / n
		id := dataset.ID(fmt.Sprintf("%s/sketch_%04d.jpg", s.Classes()[label].WNID, i))
		b := Request(t, i).Image
		b = append(b[:len(b):len(b)], fmt.Sprintf("after the end of the picture: %d", i)...)
		s.content[id] = b
		s.entries = append(s.entries, dataset.Entry{ID: id, Label: label, Style: "sketch", SizeBytes: int64(len(b))})
	}
	return s
}

type memory struct {
	entries []dataset.Entry
	content map[dataset.ID][]byte
}

var _ dataset.Source = (*memory)(nil)

func (s *memory) Spec() string               { return "memory" }
func (s *memory) Entries() []dataset.Entry   { return s.entries }
func (s *memory) Refused() []schemas.Refusal { return nil }
func (s *memory) Close() error               { return nil }

func (s *memory) Classes() []dataset.Class {
	return []dataset.Class{{WNID: "n01443537", Name: "goldfish"}, {WNID: "n01484850", Name: "great_white_shark"}}
}

func (s *memory) Read(ctx context.Context, e dataset.Entry) ([]byte, error) {
	b, ok := s.content[e.ID]
	if !ok {
		return nil, fmt.Errorf("memory: %s: no such picture", e.ID)
	}
	return b, ctx.Err()
}

// Spoil replaces a picture of a source from [Pictures].
func Spoil(s dataset.Source, e dataset.Entry, content []byte) {
	s.(*memory).content[e.ID] = content
}
