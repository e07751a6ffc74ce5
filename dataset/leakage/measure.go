package leakage

import "github.com/mcil/mcil/schemas"

// Text is a caption and the label of its picture.
type Text struct {
	Label   int
	Caption string
}

// Measure counts the captions that name a class, in all of them, and tells how far words alone give the label away: a
// classifier learns on train and is measured on validation. There is no such measurement where either is empty.
//
// A caption names another class where it names one and not its own: a name that its own class shares with others counts as
// its own. Classes without captions have shares of 0. Shares are rounded to 6 decimals.
func Measure(n *Names, all, train, validation []Text) schemas.Leakage {
	var pooled tally
	classes := make([]tally, len(n.classes))
	w := &wordReader{names: n, naming: make(map[Text]naming, len(all)), numbers: numbers{}}
	bag := w.bagOfWords(train, validation)
	for _, t := range all {
		named := w.named(t)
		pooled.add(named)
		if t.Label >= 0 && t.Label < len(classes) {
			classes[t.Label].add(named)
		}
	}
	l := schemas.Leakage{All: pooled.shares(), Classes: make([]schemas.ClassLeakage, len(classes)), BagOfWords: bag}
	for i, c := range classes {
		l.Classes[i] = schemas.ClassLeakage{Label: i, WNID: n.classes[i].WNID, Mentions: c.shares()}
	}
	return l
}

// nothing is the kind of a text that does not name its class.
const nothing Kind = -1

// naming is how a caption names its class, by the first of the kinds that it has, and whether it names another.
type naming struct {
	kind  Kind
	other bool
}

func namingOf(hits []hit, label int) naming {
	kind, other := nothing, false
	for _, h := range hits {
		switch {
		case h.Label != label:
			other = true
		case kind == nothing || h.Kind < kind:
			kind = h.Kind
		}
	}
	return naming{kind, other && kind == nothing}
}

type tally struct {
	captions int
	kinds    [Synonym + 1]int
	other    int
}

func (c *tally) add(n naming) {
	c.captions++
	if n.kind != nothing {
		c.kinds[n.kind]++
	}
	if n.other {
		c.other++
	}
}

func (c *tally) shares() schemas.Mentions {
	return schemas.Mentions{
		Captions:  c.captions,
		Named:     share(c.kinds[Exact]+c.kinds[Inflected]+c.kinds[Synonym], c.captions),
		Exact:     share(c.kinds[Exact], c.captions),
		Inflected: share(c.kinds[Inflected], c.captions),
		Synonym:   share(c.kinds[Synonym], c.captions),
		Other:     share(c.other, c.captions),
	}
}

// share is n of total in [0,1], and 0 of nothing.
func share(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return round(float64(n)/float64(total), 6)
}
