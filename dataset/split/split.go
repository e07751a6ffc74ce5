// Package split says which pictures are for training, and in which order their classes come.
//
// # Four ways in, one way out
//
// The field has no one split of ImageNet-R. It has four habits, and [New] takes each of them: a seeded, stratified share
// (ratio:0.8); RAPF's text, a line "train", then lines "wnid/file.jpg", a line "test", more lines; CODA-Prompt's pair of
// YAML files; and LAMDA-PILOT's folders train/ and test/ of class folders. A source that comes dealt out, as Food-101 does,
// is the fifth (own). Whatever came in, [Write] writes RAPF's text, which [New] reads again.
//
// # Names of parts
//
// val, valid, validation and dev are the validation rows, in any case of letters; train and test likewise. RAPF's text may
// name further parts, a word each: letters, digits and _, and not all, by which Hugging Face datasets means every part.
//
// # What is checked
//
// A picture is in one part. Every class has rows in train and in test, but for classes of which the source has no picture
// at all: those only have a number. What a list names, the source has; a picture that the
// source refused, and says so, is passed over, as the source's refusals already record it. Pictures in no part stay out.
//
// # Randomness
//
// Each class is drawn by its own generator, PCG seeded by the caller's seed and the 64-bit FNV-1a hash of the class folder.
// The validation rows are drawn by another: there the hash is of "validation/" and the class folder. So a class splits alike
// whatever other classes there are, and the validation rows are not the first of those that the ratio drew.
//
// # Order of classes
//
// [Order] takes numpy's seeds as PyCIL and PILOT use them, CODA-Prompt's own numbers, or a list in a file.
package split

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Options say how to deal. The zero value takes the source's own parts, or else 0.8 of each class for training.
type Options struct {
	// Spec is one of
	//
	//	own                   the parts in which the source itself has its pictures
	//	ratio:F               the share F of every class to train, the rest to test; 0 < F < 1
	//	FILE                  RAPF's text
	//	TRAIN.yaml,TEST.yaml  CODA-Prompt's pair
	//	DIR                   a folder with train/ and test/ of class folders: the names of its files are the split
	//
	// Default: own where the source has parts, else [DefaultRatio]. A file called own or ratio:x is ./own or ./ratio:x.
	Spec string
	// Seed is that of ratio splits and of the validation rows. Default 0.
	Seed uint64
	// Validation is the share of train, in [0,1), that is carved for validation. Default 0: none. A split that brings
	// validation rows keeps those, and the share is ignored.
	Validation float64
}

// DefaultRatio is the Spec of the zero [Options] where the source has no parts of its own.
const DefaultRatio = "ratio:0.8"

// own is the Spec of a source's own parts.
const own = "own"

// accepted ends errors about a spec that is none of these.
const accepted = "use own, ratio:F (such as ratio:0.8), FILE (lines train, wnid/file.jpg, ..., test, ...), TRAIN.yaml,TEST.yaml or DIR (with train/ and test/)"

// Result is what [New] dealt.
type Result struct {
	Parts dataset.Split
	Spec  string // as given, or the default that was taken
	// Validation says where the validation rows came from.
	Validation schemas.ValidationSummary
	// Targets is CODA-Prompt's number of each class folder; nil where the split is not a CODA-Prompt pair.
	Targets map[string]int
}

// New deals the entries of s.
func New(s dataset.Source, o Options) (Result, error) {
	if !(o.Validation >= 0 && o.Validation < 1) {
		return Result{}, fmt.Errorf("validation %v: the share of train must be a number from 0 up to but not including 1: %w", o.Validation, dataset.ErrRefused)
	}
	r := Result{Spec: o.Spec}
	if r.Spec == "" {
		r.Spec = DefaultRatio
		if slices.ContainsFunc(s.Entries(), func(e dataset.Entry) bool { return e.Part != "" }) {
			r.Spec = own
		}
	}
	parts, targets, err := deal(s, r.Spec, o.Seed)
	if err != nil {
		return Result{}, fmt.Errorf("split %s: %w", r.Spec, err)
	}
	for _, ids := range parts {
		slices.Sort(ids)
	}
	if r.Parts, err = check(parts, s); err != nil {
		return Result{}, fmt.Errorf("split %s: %w", r.Spec, err)
	}
	r.Targets = targets
	r.Validation = carve(r.Parts, o)
	return r, nil
}

// deal takes one of the ways in. The parts are not yet sorted or checked; targets are nil but for CODA-Prompt's pair.
func deal(s dataset.Source, spec string, seed uint64) (parts dataset.Split, targets map[string]int, err error) {
	if spec == own {
		parts, err = ownSplit(s)
		return parts, nil, err
	}
	if ratio, ok := strings.CutPrefix(spec, "ratio:"); ok {
		f, err := parseRatio(ratio)
		if err != nil {
			return nil, nil, err
		}
		return ratioSplit(s.Entries(), f, seed), nil, nil
	}
	info, err := os.Stat(spec)
	switch {
	case err == nil && info.IsDir():
		parts, err = readFolders(spec)
		return parts, nil, err
	case err == nil && isYAML(spec):
		return nil, nil, fmt.Errorf("a YAML file alone is half of CODA-Prompt's pair: name both as TRAIN.yaml,TEST.yaml: %w", dataset.ErrRefused)
	case err == nil:
		parts, err = readText(spec)
		return parts, nil, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	}
	if train, test, ok := strings.Cut(spec, ","); ok && isYAML(train) && isYAML(strings.TrimSpace(test)) {
		return readCODA(strings.TrimSpace(train), strings.TrimSpace(test))
	}
	return nil, nil, fmt.Errorf("neither a way to split nor a file or folder that is there: %s: %w", accepted, dataset.ErrRefused)
}

// ownSplit takes each entry's part. Entries without one are in no part.
func ownSplit(s dataset.Source) (dataset.Split, error) {
	parts := dataset.Split{}
	for _, e := range s.Entries() {
		if e.Part == "" {
			continue
		}
		if !isPart(e.Part) {
			return nil, fmt.Errorf("%s is in %q, which is not a word such as train, or is all: %w", e.ID, e.Part, dataset.ErrRefused)
		}
		part := partOf(e.Part)
		parts[part] = append(parts[part], e.ID)
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s has no parts of its own: name another split, such as %s: %w", s.Spec(), DefaultRatio, dataset.ErrRefused)
	}
	return parts, nil
}

// partOf is the name that a part has here.
func partOf(name string) string {
	switch lower := strings.ToLower(name); lower {
	case "val", "valid", "dev", dataset.Validation:
		return dataset.Validation
	case dataset.Train, dataset.Test:
		return lower
	}
	return name
}

// check says in one line what keeps parts from being used with s, and returns those of their pictures that s has.
func check(parts dataset.Split, s dataset.Source) (dataset.Split, error) {
	labels := map[dataset.ID]int{}
	pictured := make([]bool, len(s.Classes())) // by label
	for _, e := range s.Entries() {
		labels[e.ID], pictured[e.Label] = e.Label, true
	}
	refused := map[dataset.ID]bool{}
	for _, r := range s.Refused() {
		if id, err := dataset.IDOf(r.Name); err == nil {
			refused[id] = true
		}
	}
	kept := dataset.Split{}
	in := map[dataset.ID]string{}
	var absent []string
	for _, part := range parts.Names() {
		for _, id := range parts[part] {
			if other, twice := in[id]; twice {
				return nil, fmt.Errorf("%s is in %s and in %s: %w", id, other, part, dataset.ErrRefused)
			}
			in[id] = part
			if _, has := labels[id]; has {
				kept[part] = append(kept[part], id)
			} else if !refused[id] {
				absent = append(absent, fmt.Sprintf("%s lists %s", part, id))
			}
		}
	}
	if len(absent) > 0 {
		return nil, fmt.Errorf("%s, which %s neither has nor refused; such pictures: %d of %d listed: %w", absent[0], s.Spec(), len(absent), len(in), dataset.ErrRefused)
	}
	for _, part := range []string{dataset.Train, dataset.Test} {
		if len(kept[part]) == 0 {
			return nil, fmt.Errorf("has no %s rows: %w", part, dataset.ErrRefused)
		}
		missing := slices.Clone(pictured)
		for _, id := range kept[part] {
			missing[labels[id]] = false
		}
		if label := slices.Index(missing, true); label >= 0 {
			return nil, fmt.Errorf("class %s has no row in %s: %w", s.Classes()[label].WNID, part, dataset.ErrRefused)
		}
	}
	return kept, nil
}
