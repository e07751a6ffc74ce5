package compare

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/schemas"
)

const (
	longestCounted = 100 // words: the last entry of ByWords, as in package leakage
	mostCommon     = 5   // texts that are listed, as there
)

// tally adds up one variant. It keeps a few numbers and a digest a caption, and the text only of those it shows.
type tally struct {
	name    string
	classes []leakage.Class
	worst   int

	words, characters []int
	vocabulary        map[string]struct{}
	texts             map[textDigest]int
	repeated          map[textDigest]string // texts that occur again

	seen     []bool // of the source's entries: there is a record
	sourced  bool
	outside  int
	rungs    []int
	flagged  int
	flags    map[string]*flagTally
	named    mentions
	byClass  []mentions // by label
	failed   int
	failures map[string]*Failure
	tokens   Tokens
	latency  []int64
}

// textDigest stands for a text: half of its SHA-256.
type textDigest [sha256.Size / 2]byte

func digestOf(text string) textDigest {
	sum := sha256.Sum256([]byte(text))
	return textDigest(sum[:sha256.Size/2])
}

type flagTally struct {
	captions int
	worst    top[Example]
}

func newTally(name string, c *comparison) *tally {
	return &tally{
		name: name, classes: c.classes, worst: c.Worst,
		vocabulary: map[string]struct{}{}, texts: map[textDigest]int{}, repeated: map[textDigest]string{},
		seen: make([]bool, len(c.entries)), sourced: c.names != nil,
		flags: map[string]*flagTally{}, failures: map[string]*Failure{}, byClass: make([]mentions, len(c.classes)),
	}
}

func (t *tally) add(p subject, r *record) {
	t.place(p)
	if p.entry < 0 && t.sourced {
		t.outside++
	}
	t.words = append(t.words, r.nwords)
	t.characters = append(t.characters, utf8.RuneCountInString(r.text))
	for _, w := range r.wording.set {
		if _, ok := t.vocabulary[w]; !ok {
			t.vocabulary[strings.Clone(w)] = struct{}{} // a word would keep its whole text
		}
	}
	d := digestOf(r.text)
	if t.texts[d]++; t.texts[d] == 2 {
		t.repeated[d] = r.text
	}
	for len(t.rungs) <= r.Rung {
		t.rungs = append(t.rungs, 0)
	}
	t.rungs[r.Rung]++
	if len(r.flags) > 0 {
		t.flagged++
	}
	for _, f := range r.flags {
		t.flag(f, p, r)
	}
	if p.label >= 0 && p.label < len(t.byClass) {
		t.named.add(r.naming)
		t.byClass[p.label].add(r.naming)
	}
	if r.PromptTokens+r.CompletionTokens > 0 {
		t.tokens.Counted++
	}
	t.tokens.Prompt += r.PromptTokens
	t.tokens.Completion += r.CompletionTokens
	t.tokens.Calls += r.Attempts
	if r.Attempts > 0 {
		t.latency = append(t.latency, r.LatencyMS)
	}
	if r.Attempts > 1 {
		t.tokens.Retried++
	}
}

func (t *tally) place(p subject) {
	if p.entry >= 0 {
		t.seen[p.entry] = true
	}
}

func (t *tally) flag(f caption.Flag, p subject, r *record) {
	of := t.flags[f.Name]
	if of == nil {
		of = &flagTally{worst: top[Example]{limit: t.worst, order: func(a, b Example) int {
			return cmp.Or(badness(f.Name)*cmp.Compare(b.Value, a.Value), strings.Compare(a.ID, b.ID))
		}}}
		t.flags[f.Name] = of
	}
	of.captions++
	// Of the same text again and again, as loops and duplicates are, the first by ID tells all.
	if slices.ContainsFunc(of.worst.items, func(e Example) bool { return e.Text == r.text && e.Raw == r.Raw }) {
		return
	}
	of.worst.add(Example{ID: string(p.id), ClassName: p.class, ImageSHA256: r.ImageSHA256, Value: f.Value, Text: r.text, Raw: r.Raw})
}

// badness is 1 for a flag whose large values are the worse ones, and -1 where the small ones are: of the captions that are
// cut off or say nothing, those with the fewest words.
func badness(flag string) int {
	switch flag {
	case caption.FlagEmpty, caption.FlagCutOff, caption.FlagPrefixOnly:
		return -1
	}
	return 1
}

// fail counts a failure. They come sorted by ID.
func (t *tally) fail(p subject, c schemas.Caption) {
	t.place(p)
	t.failed++
	f := t.failures[c.ErrorClass]
	if f == nil {
		f = &Failure{Class: c.ErrorClass, ID: c.ID, Message: c.Error}
		t.failures[c.ErrorClass] = f
	}
	f.Count++
}

func (t *tally) result(m schemas.CaptionsManifest, d schemas.DuplicatesSummary) Variant {
	v := Variant{
		Name: t.name, Model: m.Model, Revision: m.Revision, Prompt: m.Prompt, Decoding: m.Decoding, Picture: m.Picture,
		Ladder: m.Ladder, Reveals: m.Reveals,
		Captions: len(t.words), Outside: t.outside, Failed: t.failed, Failures: []Failure{}, Rungs: append([]int{}, t.rungs...),
		Text: t.statistics(), Duplicates: d, Flagged: t.flagged, Flags: []Flag{}, Tokens: t.tokens, Latency: latencyOf(t.latency),
	}
	for _, seen := range t.seen {
		if !seen {
			v.Missing++
		}
	}
	for _, f := range t.failures {
		v.Failures = append(v.Failures, *f)
	}
	slices.SortFunc(v.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Class, b.Class))
	})
	for _, name := range slices.Sorted(maps.Keys(t.flags)) {
		f := t.flags[name]
		v.Flags = append(v.Flags, Flag{Name: name, Captions: f.captions, Share: share(f.captions, v.Captions), Worst: f.worst.list()})
	}
	if t.sourced {
		v.Leakage = &Leakage{All: t.named.shares(), Classes: []ClassLeakage{}}
		for label, c := range t.byClass {
			v.Leakage.Classes = append(v.Leakage.Classes, ClassLeakage{t.classes[label].Name, schemas.ClassLeakage{
				Label: label, WNID: t.classes[label].WNID, Mentions: c.shares(),
			}})
		}
	}
	return v
}

// statistics are what [leakage.Statistics] would say of the texts, which it would hold all at once.
func (t *tally) statistics() schemas.CaptionStatistics {
	s := schemas.CaptionStatistics{
		Captions: len(t.words), Vocabulary: len(t.vocabulary), Distinct: len(t.texts),
		ByWords: []int{}, MostCommon: []schemas.TextCount{},
	}
	for _, n := range t.words {
		at := min(n, longestCounted)
		for len(s.ByWords) <= at {
			s.ByWords = append(s.ByWords, 0)
		}
		s.ByWords[at]++
	}
	s.Words, s.Characters = lengthsOf(t.words), lengthsOf(t.characters)
	for d, text := range t.repeated {
		s.Duplicated += t.texts[d]
		s.MostCommon = append(s.MostCommon, schemas.TextCount{Text: text, Count: t.texts[d]})
	}
	slices.SortFunc(s.MostCommon, func(a, b schemas.TextCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
	})
	s.MostCommon = slices.Clip(s.MostCommon[:min(len(s.MostCommon), mostCommon)])
	return s
}

// lengthsOf sorts lengths.
func lengthsOf(lengths []int) schemas.Lengths {
	if len(lengths) == 0 {
		return schemas.Lengths{}
	}
	slices.Sort(lengths)
	mean := meanOf(lengths)
	squares := 0.0
	for _, l := range lengths {
		squares += (float64(l) - mean) * (float64(l) - mean)
	}
	return schemas.Lengths{
		Mean: round(mean, 2), SD: round(math.Sqrt(squares/float64(len(lengths))), 2),
		Min: lengths[0], P5: rank(lengths, 5), P50: rank(lengths, 50), P95: rank(lengths, 95), Max: lengths[len(lengths)-1],
	}
}

// latencyOf sorts latencies.
func latencyOf(ms []int64) Latency {
	if len(ms) == 0 {
		return Latency{}
	}
	slices.Sort(ms)
	return Latency{Captions: len(ms), Mean: round(meanOf(ms), 2), P50: rank(ms, 50), P95: rank(ms, 95), Max: ms[len(ms)-1]}
}

func meanOf[T int | int64](values []T) float64 {
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	return sum / float64(len(values))
}

// rank is a percentile of sorted values by the nearest rank.
func rank[T any](sorted []T, percent int) T { return sorted[(len(sorted)*percent+99)/100-1] }

// share is n of total in [0,1], and 0 of nothing.
func share(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return round(float64(n)/float64(total), 6)
}

// round keeps JSON short and the same on all machines.
func round(x float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(x*scale) / scale
}
