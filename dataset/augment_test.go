package dataset

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// fixed is samples as they are.
type fixed []Sample

func (f fixed) Len() int                                                      { return len(f) }
func (f fixed) Sample(_ context.Context, i int, _ *rand.Rand) (Sample, error) { return f[i], nil }

// square is a picture of 2x3 patches of 2x2 pixels whose red is the raster number of the pixel, 0..23, and whose green and
// blue are 100 and 200 more... of which only some patches may be kept.
func square(keep ...int32) Sample {
	s := Sample{ID: "a/b", GridH: 2, GridW: 3, Tokens: []int32{2, 7, 3}, TokenPos: []int32{0, 4, 5}, TextLen: 6}
	for _, pos := range keep {
		s.PatchPos = append(s.PatchPos, pos)
		for channel := range 3 {
			for y := range int32(2) {
				for x := range int32(2) {
					row, column := pos/3*2+y, pos%3*2+x
					s.Pixels = append(s.Pixels, uint8(row*6+column)+uint8(channel*100))
				}
			}
		}
	}
	return s
}

// red is the raster number of each pixel by its place, -1 where there is none.
func red(s Sample) (picture [4][6]int) {
	for r := range picture {
		for c := range picture[r] {
			picture[r][c] = -1
		}
	}
	for k, pos := range s.PatchPos {
		for i := range 4 {
			picture[int(pos)/3*2+i/2][int(pos)%3*2+i%2] = int(s.Pixels[k*12+i])
		}
	}
	return picture
}

// TestMirror: every pixel of a whole and of a masked picture is where a mirror shows it, patches stay in order, and twice is
// nothing.
func TestMirror(t *testing.T) {
	for _, keep := range [][]int32{{0, 1, 2, 3, 4, 5}, {0, 4}, {2}, {3, 4, 5}} {
		s := square(keep...)
		m := s.mirrored()
		from, to := red(s), red(m)
		for r := range 4 {
			for c := range 6 {
				if to[r][c] != from[r][5-c] {
					t.Errorf("keep %v: pixel (%d,%d) is %d, not %d", keep, r, c, to[r][c], from[r][5-c])
				}
			}
		}
		if !slices.IsSorted(m.PatchPos) {
			t.Errorf("keep %v: patches are in the order %v", keep, m.PatchPos)
		}
		if !reflect.DeepEqual(m.mirrored(), s) {
			t.Errorf("keep %v: twice mirrored is another picture", keep)
		}
		if !reflect.DeepEqual(s, square(keep...)) {
			t.Errorf("keep %v: the sample itself was changed", keep)
		}
	}
}

// TestJitterByHand: of pixels 0, 100 and 200, with mean 100: brightness 1.1 gives 0, 110 and 220 about 110, contrast 0.5 then
// 55, 110 and 165; much of both saturates.
func TestJitterByHand(t *testing.T) {
	pixels := []uint8{0, 100, 200}
	for _, c := range []struct {
		brightness, contrast int
		want                 []uint8
	}{
		{1024, 1024, []uint8{0, 100, 200}},
		{1024, 2048, []uint8{0, 100, 255}},
		{1126, 512, []uint8{55, 110, 165}},
		{512, 1024, []uint8{0, 50, 100}},
		{4096, 1024, []uint8{0, 255, 255}},
	} {
		if got := jittered(pixels, c.brightness, c.contrast); !slices.Equal(got, c.want) {
			t.Errorf("brightness %d, contrast %d: %v, not %v", c.brightness, c.contrast, got, c.want)
		}
	}
	if !slices.Equal(pixels, []uint8{0, 100, 200}) {
		t.Error("the pixels themselves were changed")
	}
}

// TestAugment: half of the pictures are mirrored; nothing but the picture changes; the generator alone decides.
func TestAugment(t *testing.T) {
	s := square(0, 4)
	draw := func(a Augment, seed uint64) Sample {
		a.Items = fixed{s}
		got, err := a.Sample(t.Context(), 0, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	var flipped, jittered int
	for seed := range uint64(200) {
		got := draw(Augment{Flip: true}, seed)
		if got.Passing != (got.PatchPos[0] != s.PatchPos[0] || !slices.Equal(got.Pixels, s.Pixels)) {
			t.Fatalf("the picture passes: %t, as it should not", got.Passing)
		}
		got.Passing = false
		switch {
		case reflect.DeepEqual(got, s.mirrored()):
			flipped++
		case !reflect.DeepEqual(got, s):
			t.Fatal("neither the picture nor its mirror image")
		}
		got = draw(Augment{Jitter: true}, seed)
		if !slices.Equal(got.Pixels, s.Pixels) {
			jittered++
		}
		if !got.Passing {
			t.Fatal("other colours may be kept")
		}
		got.Pixels, got.Passing = s.Pixels, false
		if !reflect.DeepEqual(got, s) {
			t.Fatal("jitter changed more than pixels")
		}
		if both := (Augment{Flip: true, Jitter: true}); !reflect.DeepEqual(draw(both, seed), draw(both, seed)) {
			t.Fatal("the same generator gives another sample")
		}
		if !reflect.DeepEqual(draw(Augment{}, seed), s) {
			t.Fatal("nothing to do changed the sample")
		}
	}
	if flipped < 70 || flipped > 130 || jittered < 190 {
		t.Errorf("of 200, %d are mirrored and %d have other colours", flipped, jittered)
	}
	s = square()
	draw(Augment{Flip: true, Jitter: true}, 1) // without patches
}

func TestParseAugment(t *testing.T) {
	for spec, want := range map[string]string{"": "none", "none": "none", "flip": "flip", "jitter,flip": "flip,jitter", "flip,jitter": "flip,jitter"} {
		a, err := ParseAugment(spec)
		if err != nil || a.String() != want {
			t.Errorf("%q is %q, not %q (%v)", spec, a, want, err)
		}
	}
	for _, spec := range []string{"crop", "flip,flip", "flip,", ",", "flip, jitter", "none,flip"} {
		if a, err := ParseAugment(spec); err == nil {
			t.Errorf("%q is taken as %q", spec, a)
		}
	}
}

// TestBalanced: groups of 5, 2 and 1 items each come 5 times; the group of 2 has both twice and one more, by the generator.
func TestBalanced(t *testing.T) {
	items := make(fixed, 8)
	for i := range items {
		items[i].Label = i
	}
	b := Balance(items, [][]int{{0, 1, 2, 3, 4}, {5, 6}, {}, {7}})
	if b.Len() != 15 {
		t.Fatalf("%d items, not 15", b.Len())
	}
	extra := map[int]int{}
	for seed := range uint64(40) {
		count := map[int]int{}
		for i := range b.Len() {
			s, err := b.Sample(t.Context(), i, rand.New(rand.NewPCG(seed, uint64(i))))
			if err != nil {
				t.Fatal(err)
			}
			count[s.Label]++
		}
		for i := range 5 {
			if count[i] != 1 {
				t.Fatalf("item %d of the largest group comes %d times", i, count[i])
			}
		}
		if count[5]+count[6] != 5 || count[5] < 2 || count[6] < 2 || count[7] != 5 {
			t.Fatalf("the others come %v", count)
		}
		extra[count[5]]++
	}
	if extra[2] < 5 || extra[3] < 5 {
		t.Errorf("the odd one out is not drawn: %v", extra)
	}
	if Balance(items, nil).Len() != 0 {
		t.Error("no groups have items")
	}
}
