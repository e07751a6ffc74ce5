package split

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

func parseRatio(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > 0 && f < 1) {
		return 0, fmt.Errorf("the ratio must be a number between 0 and 1, such as ratio:0.8: %w", dataset.ErrRefused)
	}
	return f, nil
}

// ratioSplit is stratified: in each class round(f·n) rows, at least one and at most n-1, go to train, drawn by a
// generator that depends on the seed and the class alone, so a class splits alike whatever else is there.
func ratioSplit(entries []dataset.Entry, f float64, seed uint64) dataset.Split {
	split := dataset.Split{}
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].Label == entries[0].Label {
			n++
		}
		class := entries[:n]
		entries = entries[n:]
		rng := rand.New(rand.NewPCG(seed, hash(class[0].ID.WNID())))
		train := min(max(int(math.Round(f*float64(n))), 1), max(n-1, 1))
		for i, j := range rng.Perm(n) {
			part := dataset.Train
			if i >= train {
				part = dataset.Test
			}
			split[part] = append(split[part], class[j].ID)
		}
	}
	return split
}

// carve moves the share o.Validation of train to validation in dst, unless dst has validation rows: in each class
// round(share·n) of its n train rows, at least one where there are two, and never all.
func carve(dst dataset.Split, o Options) schemas.ValidationSummary {
	summary := schemas.ValidationSummary{Rule: "none", Share: o.Validation}
	if len(dst[dataset.Validation]) > 0 {
		summary.Rule = "given by the split"
		if o.Validation > 0 {
			summary.Rule += fmt.Sprintf("; the share asked for, %v of train, was ignored", o.Validation)
		}
		return summary
	}
	if o.Validation == 0 {
		return summary
	}
	summary.Rule = fmt.Sprintf("carved from train: %v of each class, stratified, seed %d", o.Validation, o.Seed)
	var train, validation []dataset.ID
	for rest := dst[dataset.Train]; len(rest) > 0; { // sorted, so that classes are runs
		n := 1
		for n < len(rest) && rest[n].WNID() == rest[0].WNID() {
			n++
		}
		class := rest[:n]
		rest = rest[n:]
		rng := rand.New(rand.NewPCG(o.Seed, hash("validation/"+class[0].WNID())))
		take := min(max(int(math.Round(o.Validation*float64(n))), 1), n-1)
		for i, j := range rng.Perm(n) {
			if i < take {
				validation = append(validation, class[j])
			} else {
				train = append(train, class[j])
			}
		}
	}
	slices.Sort(train)
	slices.Sort(validation)
	dst[dataset.Train] = train
	if len(validation) > 0 {
		dst[dataset.Validation] = validation
	}
	return summary
}

// hash is FNV-1a, for seeding by name.
func hash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}
