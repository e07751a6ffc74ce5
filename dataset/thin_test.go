package dataset_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
)

// grid is one sample of 5 by 4 patches of 3 bytes and 12 tokens, each named by its place.
type grid struct{}

func (grid) Len() int { return 1 }

func (grid) Sample(context.Context, int, *rand.Rand) (dataset.Sample, error) {
	s := dataset.Sample{ID: "x", Label: 3, GridH: 5, GridW: 4, TextLen: 12}
	for i := range int32(20) {
		s.PatchPos = append(s.PatchPos, i)
		s.Pixels = append(s.Pixels, uint8(i), uint8(i), uint8(i))
	}
	for i := range int32(12) {
		s.Tokens, s.TokenPos = append(s.Tokens, 100+i), append(s.TokenPos, i)
	}
	return s, nil
}

func TestThin(t *testing.T) {
	whole, _ := grid{}.Sample(t.Context(), 0, nil)
	if s, err := (dataset.Thin{Items: grid{}}).Sample(t.Context(), 0, nil); err != nil || !reflect.DeepEqual(s, whole) {
		t.Errorf("without dropping: %+v, %v", s, err)
	}
	patches, tokens := 0, 0
	for seed := range uint64(400) {
		rng := func() *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
		s, err := dataset.Thin{Items: grid{}, Drop: 0.5}.Sample(t.Context(), 0, rng())
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := (dataset.Thin{Items: grid{}, Drop: 0.5}).Sample(t.Context(), 0, rng()); !reflect.DeepEqual(s, again) {
			t.Fatal("the same generator gives another sample")
		}
		if !s.Passing {
			t.Fatal("a thinned sample may be kept")
		}
		if s.GridH != 5 || s.GridW != 4 || s.TextLen != 12 || s.Label != 3 || s.ID != "x" {
			t.Fatalf("what describes the whole has changed: %+v", s)
		}
		if len(s.Pixels) != 3*len(s.PatchPos) || len(s.Tokens) != len(s.TokenPos) || !slices.IsSorted(s.PatchPos) || !slices.IsSorted(s.TokenPos) {
			t.Fatalf("positions and content do not go together: %+v", s)
		}
		for k, pos := range s.PatchPos {
			if s.Pixels[3*k] != uint8(pos) {
				t.Fatalf("patch %d holds the pixels of %d", pos, s.Pixels[3*k])
			}
		}
		for k, pos := range s.TokenPos {
			if s.Tokens[k] != 100+pos {
				t.Fatalf("token %d at position %d", s.Tokens[k], pos)
			}
		}
		if s.Tokens[0] != 100 || s.Tokens[len(s.Tokens)-1] != 111 || len(s.PatchPos) == 0 {
			t.Fatalf("an end of the text or the last patch is gone: %+v", s)
		}
		patches, tokens = patches+len(s.PatchPos), tokens+len(s.Tokens)
	}
	// 1 + 19/2 patches and 2 + 10/2 tokens a sample; 400 samples stay within 0.5 of it.
	if p, k := float64(patches)/400, float64(tokens)/400; p < 10 || p > 11 || k < 6.5 || k > 7.5 {
		t.Errorf("%g patches and %g tokens kept on average, want about 10.5 and 7", p, k)
	}
	last, err := dataset.Thin{Items: grid{}, Drop: 0.999999}.Sample(t.Context(), 0, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(last.PatchPos) != 1 || !slices.Equal(last.Tokens, []int32{100, 111}) {
		t.Errorf("nearly everything dropped: %+v, %v", last, err)
	}
	for _, one := range []struct {
		thin            dataset.Thin
		patches, tokens int
	}{
		{dataset.Thin{Items: grid{}, Drop: 0.999999, KeepText: true}, 1, 12},
		{dataset.Thin{Items: grid{}, Drop: 0.999999, KeepImage: true}, 20, 2},
		{dataset.Thin{Items: grid{}, Drop: 0.999999, KeepImage: true, KeepText: true}, 20, 12},
	} {
		s, err := one.thin.Sample(t.Context(), 0, rand.New(rand.NewPCG(1, 1)))
		if err != nil || len(s.PatchPos) != one.patches || len(s.Pixels) != 3*one.patches || len(s.Tokens) != one.tokens {
			t.Errorf("%+v: %+v, %v", one.thin, s, err)
		}
	}
}
