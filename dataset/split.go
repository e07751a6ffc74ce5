package dataset

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Split deals entries out to named parts: split name to IDs, sorted.
type Split map[string][]ID

// SplitOptions say how to deal.
type SplitOptions struct {
	// Spec is ratio:F (F of every class to train, the rest to test; the default is ratio:0.8), or the path of a text file
	// as RAPF has it: a line "train", lines "wnid/file.jpg", a line "test", more lines.
	Spec string
	Seed uint64 // of ratio splits; default 0
}

// DefaultSplit is the Spec of the zero [SplitOptions].
const DefaultSplit = "ratio:0.8"

// partName is what Hugging Face datasets takes as the name of a split; it is a folder's name here.
var partName = regexp.MustCompile(`^\w+(\.\w+)*$`)

// NewSplit deals the entries of s. Every class must have a row in train and in test.
func NewSplit(s Source, o SplitOptions) (Split, error) {
	o.Spec = cmp.Or(o.Spec, DefaultSplit)
	var split Split
	if ratio, ok := strings.CutPrefix(o.Spec, "ratio:"); ok {
		f, err := strconv.ParseFloat(ratio, 64)
		if err != nil || !(f > 0 && f < 1) {
			return nil, fmt.Errorf("split %q: the ratio must be a number between 0 and 1, such as ratio:0.8: %w", o.Spec, ErrRefused)
		}
		split = ratioSplit(s.Entries(), f, o.Seed)
	} else {
		var err error
		if split, err = readSplit(o.Spec); err != nil {
			return nil, err
		}
	}
	for _, ids := range split {
		slices.Sort(ids)
	}
	return split, split.check(s, o.Spec)
}

// ratioSplit is stratified: in each class round(f·n) rows, at least one and at most n-1, go to train, drawn by a
// generator that depends on the seed and the class alone, so a class splits alike whatever else is there.
func ratioSplit(entries []Entry, f float64, seed uint64) Split {
	split := Split{}
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].Label == entries[0].Label {
			n++
		}
		class := entries[:n]
		entries = entries[n:]
		rng := rand.New(rand.NewPCG(seed, hashID(ID(class[0].ID.WNID()))))
		train := min(max(int(math.Round(f*float64(n))), 1), max(n-1, 1))
		for i, j := range rng.Perm(n) {
			part := Train
			if i >= train {
				part = Test
			}
			split[part] = append(split[part], class[j].ID)
		}
	}
	return split
}

func readSplit(file string) (Split, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w (use ratio:0.8 or the path of a split file)", file, err)
	}
	defer f.Close()
	split, err := parseSplit(f)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w", file, err)
	}
	return split, nil
}

// parseSplit reads RAPF's form. Paths may have folders above the class.
func parseSplit(r io.Reader) (Split, error) {
	split, part := Split{}, ""
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "":
		case !strings.Contains(line, "/"):
			if !partName.MatchString(line) {
				return nil, fmt.Errorf("line %d: %q is neither wnid/file.jpg nor the name of a split, such as train: %w", n, line, ErrRefused)
			}
			part = line
		case part == "":
			return nil, fmt.Errorf("line %d: %q before a line that names the split, such as train: %w", n, line, ErrRefused)
		default:
			dir, base := filepath.Split(filepath.ToSlash(line))
			split[part] = append(split[part], ID(filepath.Base(dir)+"/"+base))
		}
	}
	return split, lines.Err()
}

// check says in one line what keeps a split from being used with s.
func (p Split) check(s Source, spec string) error {
	known := map[ID]int{}
	for _, e := range s.Entries() {
		known[e.ID] = e.Label
	}
	seen := map[ID]string{}
	for _, part := range p.Names() {
		classes := make([]int, len(s.Classes()))
		for _, id := range p[part] {
			label, ok := known[id]
			if !ok {
				return fmt.Errorf("split %s: %s lists %s, which %s does not have: %w", spec, part, id, s.Spec(), ErrRefused)
			}
			if other, ok := seen[id]; ok {
				return fmt.Errorf("split %s: %s is in %s and in %s: %w", spec, id, other, part, ErrRefused)
			}
			seen[id] = part
			classes[label]++
		}
		for label, n := range classes {
			if n == 0 && (part == Train || part == Test) {
				return fmt.Errorf("split %s: class %s has no row in %s: %w", spec, s.Classes()[label].WNID, part, ErrRefused)
			}
		}
	}
	for _, part := range []string{Train, Test} {
		if len(p[part]) == 0 {
			return fmt.Errorf("split %s: has no %s rows: %w", spec, part, ErrRefused)
		}
	}
	return nil
}

// Names lists the parts: train, then test, then others by name.
func (p Split) Names() []string {
	rank := map[string]int{Train: -2, Test: -1}
	names := make([]string, 0, len(p))
	for n := range p {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank[a], rank[b]), strings.Compare(a, b)) })
	return names
}

// WriteTo writes the split in the form that [NewSplit] reads.
func (p Split) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, part := range p.Names() {
		b.WriteString(part + "\n")
		for _, id := range p[part] {
			b.WriteString(string(id) + "\n")
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// hashID is FNV-1a, for seeding by name.
func hashID(id ID) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return h
}
