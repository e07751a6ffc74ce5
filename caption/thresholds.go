package caption

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/mcil/mcil/dataset"
)

// Thresholds say from where on what [Thresholds.Check] and [Duplicates] measure becomes a flag. The zero value is the
// defaults. One that nothing reaches turns its flag off: a share above 1, or a count that no caption has.
//
// The defaults are set by two sides: they find the failures that users of InstructBLIP report (issues of
// github.com/salesforce/LAVIS, by number below), and pass the lists, colors, quotes and numbers of ordinary captions. Both
// are in this package's tests, text by text.
type Thresholds struct {
	// CharacterRun is how many times in a row the same character, in any case, stands in a caption. Default 8: no English
	// word has a letter more than three times running, drawn-out ones in comics fewer than eight, and the runs of #621
	// ("OOOO...") and #448 ("1000000...") go on to the limit of tokens.
	CharacterRun int
	// LoopWords is how many times in a row the same word stands in a caption. Default 4: laughter in a cartoon says ha
	// three times; a model in a loop does not stop.
	LoopWords int
	// LoopPieces is how many times in a row a piece of 2 to 12 words stands in a caption. Default 3, as in #713 and #472
	// ("ray ban ray ban ray ban"): a list such as "a red cup and a red spoon" says a piece twice, never three times
	// without a word between.
	LoopPieces int
	// LoopTwice is from how many words on a piece that is said twice in a row is a loop. Default 13: whole sentences, which
	// nobody says twice.
	LoopTwice int
	// RepeatedShare is the share of a caption's runs of 4 words that occurred in it before. Default 0.5, of captions of 16
	// words or more: sentences that return in turns (#311), where pieces do not follow one another.
	RepeatedShare float64
	// EchoShare is the share of the prompt's words that stand in the raw answer in one piece. Default 0.8, so that an echo
	// that lost a word at its end is one (#806), and "here is a detailed description" is none.
	EchoShare float64
	// ContentWords is how many words a caption needs that are not grammar and not of a beginning such as "a photo of".
	// Default 1 (#697): "a dog" is short, and a caption.
	ContentWords int
	// ForeignShare is the share of letters, less those in quotes, that are not of the caption's main script. Default 0.2: a
	// sign or a name is less of a sentence than that, and the gibberish of wrong weights (#415) mixes scripts throughout.
	ForeignShare float64
	// DuplicateGroup is how many pictures have the same caption, letter by letter. Default 2: any twin (#570).
	DuplicateGroup int
	// NearSimilarity is how many of the runs of 3 words of two captions both have, as a share of those that either has
	// (Jaccard). Default 0.8, as Lee et al. take for near duplicates (arXiv 2107.06499): one word changed in 30. Less than
	// 0.3 is not looked for.
	NearSimilarity float64
}

// DefaultThresholds are the defaults, filled in.
func DefaultThresholds() Thresholds {
	return Thresholds{
		CharacterRun: 8, LoopWords: 4, LoopPieces: 3, LoopTwice: 13, RepeatedShare: 0.5, EchoShare: 0.8, ContentWords: 1,
		ForeignShare: 0.2, DuplicateGroup: 2, NearSimilarity: 0.8,
	}
}

// WithDefaults fills the zero fields.
func (t Thresholds) WithDefaults() Thresholds {
	d := DefaultThresholds()
	return Thresholds{
		CharacterRun: cmp.Or(t.CharacterRun, d.CharacterRun), LoopWords: cmp.Or(t.LoopWords, d.LoopWords),
		LoopPieces: cmp.Or(t.LoopPieces, d.LoopPieces), LoopTwice: cmp.Or(t.LoopTwice, d.LoopTwice),
		RepeatedShare: cmp.Or(t.RepeatedShare, d.RepeatedShare), EchoShare: cmp.Or(t.EchoShare, d.EchoShare),
		ContentWords: cmp.Or(t.ContentWords, d.ContentWords), ForeignShare: cmp.Or(t.ForeignShare, d.ForeignShare),
		DuplicateGroup: cmp.Or(t.DuplicateGroup, d.DuplicateGroup), NearSimilarity: cmp.Or(t.NearSimilarity, d.NearSimilarity),
	}
}

// Named are the thresholds in force by name, as a dataset's manifest has them.
func (t Thresholds) Named() map[string]float64 {
	t = t.WithDefaults()
	named := map[string]float64{}
	for name, field := range t.fields() {
		named[name] = field.get()
	}
	return named
}

// Set changes the threshold of that name, such as character_run. The names are those of [Thresholds.Named].
func (t *Thresholds) Set(name string, value float64) error {
	field, ok := t.fields()[name]
	if !ok {
		return fmt.Errorf("no threshold %q: choose one of %v: %w", name, slices.Sorted(maps.Keys(t.fields())), dataset.ErrRefused)
	}
	if field.count != nil && value != math.Trunc(value) {
		return fmt.Errorf("threshold %s=%g is a count: give a whole number: %w", name, value, dataset.ErrRefused)
	}
	field.set(value)
	return t.Validate()
}

// Validate refuses what is no threshold.
func (t Thresholds) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(t.fields())) {
		v, lowest := t.fields()[name].get(), 0.0
		switch name {
		case "near_similarity":
			lowest = lowestSimilarity
		case "character_run", "loop_words", "loop_pieces", "loop_twice", "duplicate_group":
			lowest = 2 // one is no repetition
		}
		if v != 0 && !(v >= lowest && v <= math.MaxInt32) {
			return fmt.Errorf("threshold %s=%g: give %g or more, or 0 for the default: %w", name, v, lowest, dataset.ErrRefused)
		}
	}
	return nil
}

// threshold is a field of one of two kinds.
type threshold struct {
	count *int
	share *float64
}

func (f threshold) get() float64 {
	if f.count != nil {
		return float64(*f.count)
	}
	return *f.share
}

func (f threshold) set(v float64) {
	if f.count != nil {
		*f.count = int(v)
	} else {
		*f.share = v
	}
}

func (t *Thresholds) fields() map[string]threshold {
	return map[string]threshold{
		"character_run":   {count: &t.CharacterRun},
		"loop_words":      {count: &t.LoopWords},
		"loop_pieces":     {count: &t.LoopPieces},
		"loop_twice":      {count: &t.LoopTwice},
		"repeated_share":  {share: &t.RepeatedShare},
		"echo_share":      {share: &t.EchoShare},
		"content_words":   {count: &t.ContentWords},
		"foreign_share":   {share: &t.ForeignShare},
		"duplicate_group": {count: &t.DuplicateGroup},
		"near_similarity": {share: &t.NearSimilarity},
	}
}
