package leakage

import (
	_ "embed"
	"encoding/binary"
	"slices"
	"strings"
)

// synsets.txt says how it was made.
//
//go:embed synsets.txt
var synsets string

// Class is a class as a data set names it. Its label is its position in the list.
type Class struct {
	WNID string // WordNet's ID, or anything else: such a class has no synonyms
	Name string // words separated by underscores, hyphens or spaces
}

// Kind is how a text names a class.
type Kind int

// Kinds of mention, the more telling first.
const (
	Exact     Kind = iota // the class's name as it is
	Inflected             // its plural, singular or possessive
	Synonym               // another lemma of its synset, inflected or not
)

func (k Kind) String() string {
	switch k {
	case Exact:
		return "exact"
	case Inflected:
		return "inflected"
	case Synonym:
		return "synonym"
	}
	return "unknown"
}

// Names are all forms of all names of a list of classes. They are safe for concurrent use.
type Names struct {
	classes []Class
	// forms by key: the words of the form in one. Every beginning of a key is a key, too, most of them without forms.
	forms  map[string][]form
	starts starts // of forms
}

// starts is a set of the beginnings of names, up to eight bytes each, by hash: it knows without a look into a large map that
// most words begin no name. 200 classes take about 1 in 35 of its places, 1000 1 in 9.
type starts [1 << 16 / 64]uint64

func (s *starts) has(key []byte) bool {
	h := hashStart(key)
	return s[h/64]>>(h%64)&1 != 0
}

// add adds all beginnings of a key.
func (s *starts) add(key string) {
	for i := range min(len(key), 8) {
		h := hashStart([]byte(key[:i+1]))
		s[h/64] |= 1 << (h % 64)
	}
}

// hashStart is of 16 bits, and of the first eight bytes.
func hashStart(key []byte) uint64 {
	var h uint64
	if len(key) >= 8 {
		h = binary.BigEndian.Uint64(key)
	} else {
		for _, c := range key {
			h = h<<8 | uint64(c)
		}
	}
	return h * 0x9e3779b97f4a7c15 >> 48
}

// form is one way to name a class.
type form struct {
	cuts   []int // where one word ends and the next begins, in bytes of the key
	label  int
	kind   Kind
	plural bool
}

// NewNames gathers the names of classes. Where two classes have a name in common, it names both.
func NewNames(classes []Class) *Names {
	n := &Names{classes: slices.Clone(classes), forms: map[string][]form{}}
	labels := map[string][]int{}
	for label, c := range classes {
		n.addName(nameWords(c.Name), label, Exact, Inflected)
		if c.WNID != "" {
			labels[c.WNID] = append(labels[c.WNID], label)
		}
	}
	for line := range strings.Lines(synsets) {
		wnid, lemmas, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		for _, label := range labels[wnid] {
			for lemma := range strings.SplitSeq(lemmas, ", ") {
				n.addName(nameWords(lemma), label, Synonym, Synonym)
			}
		}
	}
	return n
}

// addName adds a name and its inflected forms: those of the last word and, in names such as king of beasts, those of the
// word before "of". Names without words name nothing.
func (n *Names) addName(words []string, label int, asIs, inflected Kind) {
	if len(words) == 0 {
		return
	}
	heads := []int{len(words) - 1}
	if of := slices.Index(words, "of"); of > 0 {
		heads = []int{of - 1, len(words) - 1}
	}
	n.add(words, form{label: label, kind: asIs, plural: isPlural(words[heads[0]])})
	for _, head := range heads {
		noun := words[head]
		plural := isPlural(noun)
		others := plurals
		if plural {
			others = singulars
		}
		for _, other := range others(noun) {
			if other == "" {
				continue
			}
			inflectedWords := slices.Clone(words)
			inflectedWords[head] = other
			n.add(inflectedWords, form{label: label, kind: inflected, plural: !plural})
		}
	}
}

func (n *Names) add(words []string, f form) {
	key, cuts := keyOf(words)
	f.cuts = cuts
	same := func(g form) bool { return g.label == f.label && g.kind <= f.kind && slices.Equal(g.cuts, f.cuts) }
	if slices.ContainsFunc(n.forms[key], same) {
		return
	}
	if _, ok := n.forms[key]; !ok {
		for i := len(key) - 1; i > 0; i-- {
			if _, ok := n.forms[key[:i]]; ok {
				break
			}
			n.forms[key[:i]] = nil
		}
	}
	n.forms[key] = append(n.forms[key], f)
	n.starts.add(key)
}
