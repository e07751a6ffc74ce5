package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// TestInspectExemplars: a memory is told in bytes, in pixels and in tokens, as kept and as the same examples would be whole.
func TestInspectExemplars(t *testing.T) {
	var exemplars []schemas.Exemplar
	for label := range 2 { // two of four patches of 2×2 pixels, three of five tokens
		exemplars = append(exemplars, schemas.Exemplar{
			ID: string(rune('a' + label)), Label: label, Codec: schemas.CodecRaw, GridH: 2, GridW: 2, PatchPx: 2, PatchBits: []byte{0b0110}, Pixels: make([]byte, 24),
			TextLen: 5, TokenBits: []byte{0b10011}, Tokens: []uint16{2, 7, 3},
		})
	}
	path := filepath.Join(t.TempDir(), "memory.arrow")
	if err := schemas.WriteExemplars(path, exemplars); err != nil {
		t.Fatal(err)
	}
	f, err := inspectExemplars(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []fact{
		{"exemplars", 2}, {"classes", 2}, {"bytes", int64(2 * (24 + 1 + 1 + 6))}, {"bytes unmasked", int64(2 * (48 + 10))},
		{"bytes of pixels", int64(48)}, {"bytes of pixels unmasked", int64(96)}, {"tokens", 10}, {"tokens unmasked", 18},
	}
	if !slices.Equal(f.Facts, want) {
		t.Errorf("facts %v, want %v", f.Facts, want)
	}
}
