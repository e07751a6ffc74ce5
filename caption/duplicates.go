package caption

import (
	"crypto/sha256"
	"math"
	"slices"

	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/schemas"
)

// Duplicates finds captions that say the same, in a whole set of them: exact ones, letter by letter, and near ones, whose
// runs of three words (shingles) are mostly the same. Add all captions, then call Find. The zero value is ready. It is not
// safe for concurrent use.
//
// Texts are not kept, but some 70 bytes a caption and 4 a shingle: 300 MB for 1,000,000 captions of 55 words. Captions without a
// word are duplicates of nothing: they are empty, which is a flag of its own.
//
// # How near duplicates are found
//
// Two sets of n shingles with a Jaccard similarity of s or more have at least s*n in common, so that they share one of the
// n-s*n+1 that come first in any order. In the order of frequency those are the rarest, which few other captions have:
// only captions that share one of them are compared, shingle by shingle (prefix filtering: Chaudhuri et al., ICDE 2006;
// Bayardo et al., WWW 2007). Unlike MinHash nothing is left to chance, and nothing is missed but where a rare shingle is in
// more than 32 different captions: each is then compared with the 32 that were added after it, which keeps the time linear.
type Duplicates struct {
	classes  map[string]int32
	class    []int32            // of each caption
	text     []int32            // of each caption: number of its text; noText where it is empty
	numbers  map[[16]byte]int32 // of texts, by digest
	sets     [][]uint32         // of each text: its shingles, ascending
	shingles int                // in all sets
	room     []uint32           // for sets to come
}

const (
	roomFor        = 1 << 18 // shingles
	noText         = -1
	shingleWords   = 3
	nearest        = 32  // captions that are compared for a shingle that many have
	severalClasses = -2  // of a text
	noClass        = -1  // likewise: not known yet
	rounding       = 1e9 // parts in which a product of a share and a count may be off
)

// lowestSimilarity is the least that prefix filtering is made for: below, most captions would be compared with most.
const lowestSimilarity = 0.3

// Add adds a caption. The class is any name for it: all that counts is whether two are equal.
func (d *Duplicates) Add(class, clean string) {
	if d.classes == nil {
		d.classes, d.numbers = map[string]int32{}, map[[16]byte]int32{}
	}
	c, known := d.classes[class]
	if !known {
		c = int32(len(d.classes))
		d.classes[class] = c
	}
	d.class = append(d.class, c)
	w := leakage.Words(clean)
	if len(w) == 0 {
		d.text = append(d.text, noText)
		return
	}
	sum := sha256.Sum256([]byte(clean))
	n, known := d.numbers[[16]byte(sum[:16])]
	if !known {
		n = int32(len(d.numbers))
		d.numbers[[16]byte(sum[:16])] = n
		if cap(d.room)-len(d.room) < len(w) {
			d.room = make([]uint32, 0, max(roomFor, len(w)))
		}
		from := len(d.room)
		d.room = appendShingles(d.room, w)
		d.sets = append(d.sets, d.room[from:len(d.room):len(d.room)])
		d.shingles += len(d.room) - from
	}
	d.text = append(d.text, n)
}

// appendShingles appends the hashes of all runs of three words, each once. A shorter text is one shingle.
func appendShingles(dst []uint32, w []string) []uint32 {
	from := len(dst)
	var h [shingleWords]uint64
	for i, word := range w {
		h[i%shingleWords] = hash64(word)
		if i+1 < shingleWords && i+1 < len(w) {
			continue
		}
		sum := uint64(0)
		for k := max(0, i+1-shingleWords); k <= i; k++ {
			sum = mix(sum + h[k%shingleWords])
		}
		dst = append(dst, uint32(sum>>32))
	}
	slices.Sort(dst[from:])
	return dst[:from+len(slices.Compact(dst[from:]))]
}

// hash64 is FNV-1a with a better end.
func hash64(word string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h = (h ^ h>>32) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// Found is what [Duplicates.Find] found.
type Found struct {
	d          *Duplicates
	t          Thresholds
	size       []int32 // captions by text
	similarity []float32
	near       []int32 // by text: the class of all that are near to it, severalClasses or noClass
	summary    schemas.DuplicatesSummary
}

// Find compares all captions that were added. The result depends on them and their order alone.
func (d *Duplicates) Find(t Thresholds) *Found {
	texts := len(d.sets)
	f := &Found{
		d: d, t: t.WithDefaults(), size: make([]int32, texts), similarity: make([]float32, texts), near: make([]int32, texts),
	}
	class := make([]int32, texts) // of the captions with a text, or severalClasses
	for i := range texts {
		class[i], f.near[i] = noClass, noClass
	}
	for i, n := range d.text {
		if n != noText {
			f.size[n]++
			class[n] = together(class[n], d.class[i])
		}
	}
	union := newUnion(texts)
	f.compare(func(a, b int32, similarity float64) {
		for _, p := range [2][2]int32{{a, b}, {b, a}} {
			f.similarity[p[0]] = max(f.similarity[p[0]], float32(similarity))
			f.near[p[0]] = together(f.near[p[0]], class[p[1]])
		}
		union.join(a, b)
	})
	f.summarise(class, union)
	return f
}

// together is the class of two sets of captions.
func together(a, b int32) int32 {
	switch {
	case a == noClass || a == b:
		return b
	case b == noClass:
		return a
	}
	return severalClasses
}

// compare calls pair for each two texts that are similar enough, once or several times.
func (f *Found) compare(pair func(a, b int32, similarity float64)) {
	d, least := f.d, f.t.NearSimilarity
	if least > 1 {
		return
	}
	// How often a shingle occurs, about: never less than it does. The order of shingles must be the same for all, no more.
	shift := 22
	for shift > 4 && 1<<(32-shift) < d.shingles {
		shift--
	}
	counts := make([]uint8, 1<<(32-shift))
	for _, set := range d.sets {
		for _, s := range set {
			if c := &counts[s>>shift]; *c < math.MaxUint8 {
				*c++
			}
		}
	}
	var postings, rare []uint64 // a shingle and a text that has it; how frequent a shingle is, and it
	for n, set := range d.sets {
		rare = rare[:0]
		for _, s := range set {
			rare = append(rare, uint64(counts[s>>shift])<<32|uint64(s))
		}
		slices.Sort(rare)
		for _, s := range rare[:len(set)-atLeast(least*float64(len(set)))+1] {
			if s>>32 > 1 { // else nothing else has it
				postings = append(postings, s<<32|uint64(n))
			}
		}
	}
	slices.Sort(postings)
	for i, p := range postings {
		for _, q := range postings[i+1 : min(i+1+nearest, len(postings))] {
			if q>>32 != p>>32 {
				break
			}
			a, b := int32(uint32(p)), int32(uint32(q))
			if s := jaccard(d.sets[a], d.sets[b], least); s >= least {
				pair(a, b, s)
			}
		}
	}
}

// atLeast is the least whole number from x on; x is a product that may be off by a little.
func atLeast(x float64) int { return int(math.Ceil(math.Round(x*rounding) / rounding)) }

// jaccard is the similarity of two sets, or 0 where their sizes show that it is less than least.
func jaccard(a, b []uint32, least float64) float64 {
	if min(len(a), len(b)) < atLeast(least*float64(max(len(a), len(b)))) {
		return 0
	}
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// summarise counts. class is that of each text.
func (f *Found) summarise(class []int32, union *union) {
	exact, near := &f.summary.Exact, &f.summary.Near
	groups := map[int32]int{} // captions by the first text of those that are near to one another
	for n, size := range f.size {
		if int(size) >= f.t.DuplicateGroup {
			exact.Groups++
			exact.Largest = max(exact.Largest, int(size))
		}
		if f.similarity[n] > 0 {
			groups[union.of(int32(n))] += int(size)
		}
	}
	for _, captions := range groups {
		near.Groups++
		near.Largest = max(near.Largest, captions)
	}
	for i, n := range f.d.text {
		if n == noText {
			continue
		}
		if int(f.size[n]) >= f.t.DuplicateGroup {
			count(exact, class[n] == severalClasses)
		}
		if f.similarity[n] > 0 {
			count(near, f.near[n] != f.d.class[i])
		}
	}
}

func count(c *schemas.DuplicateCounts, across bool) {
	c.Captions++
	if across {
		c.AcrossClasses++
	} else {
		c.WithinClass++
	}
}

// Flags are those of the i-th caption that was added, sorted.
func (f *Found) Flags(i int) []Flag {
	n := f.d.text[i]
	if n == noText {
		return nil
	}
	var flags []Flag
	if int(f.size[n]) >= f.t.DuplicateGroup {
		flags = append(flags, Flag{FlagDuplicate, float64(f.size[n])})
	}
	if s := f.similarity[n]; s > 0 {
		flags = append(flags, Flag{FlagNearDuplicate, round(float64(s))})
	}
	return flags
}

// Summary is what a dataset's manifest says of them.
func (f *Found) Summary() schemas.DuplicatesSummary { return f.summary }

// union are sets of texts that are joined step by step. The first text stands for its set.
type union struct{ parent []int32 }

func newUnion(n int) *union {
	u := &union{make([]int32, n)}
	for i := range u.parent {
		u.parent[i] = int32(i)
	}
	return u
}

func (u *union) of(a int32) int32 {
	for u.parent[a] != a {
		u.parent[a] = u.parent[u.parent[a]]
		a = u.parent[a]
	}
	return a
}

func (u *union) join(a, b int32) {
	a, b = u.of(a), u.of(b)
	u.parent[max(a, b)] = min(a, b)
}
