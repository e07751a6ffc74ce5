package compare

import (
	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/schemas"
)

// unnamed is the kind of a caption that does not name its class.
const unnamed leakage.Kind = -1

// naming is which classes a caption names.
type naming struct {
	kind        leakage.Kind // how it names its own: the first of the kinds that it has; unnamed
	own, others int          // places
}

// namingOf goes by the rules of [leakage.Measure], which reads all captions of a data set at once. Places are counted as a
// data set's flags count them: a name that classes share is the own one's. Mentions of a place follow one another.
func namingOf(names *leakage.Names, text string, label int) naming {
	n := naming{kind: unnamed}
	mentions := names.Find(text)
	for i := 0; i < len(mentions); {
		from, mine := mentions[i].From, false
		for ; i < len(mentions) && mentions[i].From == from; i++ {
			m := mentions[i]
			if m.Label != label {
				continue
			}
			mine = true
			if n.kind == unnamed || m.Kind < n.kind {
				n.kind = m.Kind
			}
		}
		if mine {
			n.own++
		} else {
			n.others++
		}
	}
	return n
}

// mentions counts captions by how they name classes.
type mentions struct {
	captions int
	kinds    [leakage.Synonym + 1]int
	other    int
}

func (m *mentions) add(n naming) {
	m.captions++
	switch {
	case n.kind != unnamed:
		m.kinds[n.kind]++
	case n.others > 0:
		m.other++
	}
}

func (m *mentions) shares() schemas.Mentions {
	exact, inflected, synonym := m.kinds[leakage.Exact], m.kinds[leakage.Inflected], m.kinds[leakage.Synonym]
	return schemas.Mentions{
		Captions:  m.captions,
		Named:     share(exact+inflected+synonym, m.captions),
		Exact:     share(exact, m.captions),
		Inflected: share(inflected, m.captions),
		Synonym:   share(synonym, m.captions),
		Other:     share(m.other, m.captions),
	}
}
