package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

const agreementBins = 20

// pair adds up how two variants compare. a and b are their positions.
type pair struct {
	a, b         int
	nameA, nameB string
	named        bool // the classes' names are known

	both, onlyA, onlyB, otherBytes, identical int
	jaccard, agreement, words                 float64 // sums
	byTwentieth                               [agreementBins + 1]int
	flags                                     map[string]*Moved
	changed                                   top[Change]
}

func newPair(a, b int, c *comparison) *pair {
	return &pair{
		a: a, b: b, nameA: c.variants[a].tally.name, nameB: c.variants[b].tally.name, named: c.names != nil,
		flags: map[string]*Moved{},
		changed: top[Change]{limit: c.Changed, order: func(x, y Change) int {
			return cmp.Or(cmp.Compare(x.Agreement, y.Agreement), strings.Compare(x.ID, y.ID))
		}},
	}
}

// add compares the captions of a picture; nil is none.
func (p *pair) add(of subject, a, b *record) {
	switch {
	case a == nil && b == nil:
		return
	case b == nil:
		p.onlyA++
		return
	case a == nil:
		p.onlyB++
		return
	case a.ImageSHA256 != b.ImageSHA256:
		p.otherBytes++
		return
	}
	p.both++
	if a.text == b.text {
		p.identical++
	}
	j, f := jaccard(a.wording, b.wording), rougeL(a.wording, b.wording)
	p.jaccard += j
	p.agreement += f
	p.byTwentieth[int(round(f*agreementBins, 9))]++ // 0.35 is 7 twentieths, whatever the floats say
	p.words += float64(b.nwords - a.nwords)
	p.move(a.flags, b.flags)
	p.changed.add(Change{
		ID: string(of.id), ClassName: of.class, ImageSHA256: a.ImageSHA256, Agreement: round(f, 6), Jaccard: round(j, 6),
		TextA: a.text, TextB: b.text,
	})
}

func (p *pair) move(a, b []caption.Flag) {
	of := func(name string) *Moved {
		m := p.flags[name]
		if m == nil {
			m = &Moved{Name: name}
			p.flags[name] = m
		}
		return m
	}
	for _, f := range a {
		if caption.Has(b, f.Name) {
			of(f.Name).Both++
		} else {
			of(f.Name).OnlyA++
		}
	}
	for _, f := range b {
		if !caption.Has(a, f.Name) {
			of(f.Name).OnlyB++
		}
	}
}

func (p *pair) result() Pair {
	r := Pair{
		A: p.nameA, B: p.nameB, Both: p.both, OnlyA: p.onlyA, OnlyB: p.onlyB, OtherBytes: p.otherBytes,
		Identical: share(p.identical, p.both), ByTwentieth: p.byTwentieth[:], Flags: []Moved{}, Changed: p.changed.list(),
	}
	if p.both > 0 {
		n := float64(p.both)
		r.Jaccard, r.Agreement, r.Words = round(p.jaccard/n, 6), round(p.agreement/n, 6), round(p.words/n, 2)
	}
	for _, name := range slices.Sorted(maps.Keys(p.flags)) {
		r.Flags = append(r.Flags, *p.flags[name])
	}
	if p.named {
		r.Named = &Moved{Name: dataset.FlagNamesClass}
		if m := p.flags[dataset.FlagNamesClass]; m != nil {
			*r.Named = *m
		}
	}
	return r
}
