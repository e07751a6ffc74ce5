package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// shared are groups that have one line as far as name, budget and settings go.
type shared struct {
	members []int    // indices of groups, one a column
	apart   []string // what tells it from others alike; nothing is said of the plainest
}

// partLine parts groups alike until each has a cell of its own. Mostly there is nothing to part. But a schedule can be
// written in two ways (10 phases, or 20 classes and 20 more at a time), and a program of before there was a setting recorded
// nothing where a later one records the plain value: runs of both that meet in a cell are two lines, throughout the columns.
func partLine(groups [][]Run, members []int) (parts []shared) {
	clash := clashing(groups, members)
	var forms []string
	for _, i := range members {
		form, seen := strings.Join(tellClash(groups[i][0], clash, false), ", "), classesSeen(groups[i])
		k := -1
		for n, p := range parts {
			if forms[n] == form && !slices.ContainsFunc(p.members, func(j int) bool { return classesSeen(groups[j]) == seen }) {
				k = n
				break
			}
		}
		if k < 0 {
			k = len(parts)
			parts, forms = append(parts, shared{}), append(forms, form)
		}
		parts[k].members = append(parts[k].members, i)
	}
	for k := range parts {
		one := groups[parts[k].members[0]][0]
		first := tellClash(one, clash, true)
		if slices.ContainsFunc(parts[k].members, func(i int) bool { return !slices.Equal(tellClash(groups[i][0], clash, true), first) }) {
			first = tellClash(one, clash, false)
		}
		taken := func(apart []string) bool {
			return slices.ContainsFunc(parts[:k], func(p shared) bool { return slices.Equal(p.apart, apart) })
		}
		parts[k].apart = first
		for n := 2; taken(parts[k].apart); n++ { // neither how they are written nor with what values tells them
			parts[k].apart = append(slices.Clone(first), "number "+strconv.Itoa(n))
		}
	}
	return parts
}

// clashing lists the settings, sorted, in which groups differ that meet in a cell. One that is not recorded differs from
// any.
func clashing(groups [][]Run, members []int) []string {
	keys := map[string]bool{}
	for n, i := range members {
		for _, j := range members[:n] {
			if classesSeen(groups[i]) != classesSeen(groups[j]) {
				continue
			}
			a, b := recorded(groups[i][0]), recorded(groups[j][0])
			for key := range maps.Keys(a) {
				if other, is := b[key]; !is || other != a[key] {
					keys[key] = true
				}
			}
			for key := range maps.Keys(b) {
				if _, is := a[key]; !is {
					keys[key] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// recorded are the settings of a run by key, data and weights by what is in them.
func recorded(r Run) map[string]string {
	out := map[string]string{}
	for _, s := range flatten(r.Settings.Settings) {
		out[s.Key] = r.identity(s)
	}
	return out
}

// tellClash says what a run has of the settings keys, of schedules without their values unless values are asked for: these
// are others in each column. Plain values are not told, nor is a schedule of so many phases; what is not recorded is.
func tellClash(r Run, keys []string, values bool) (parts []string) {
	has := recorded(r)
	var lacks []string
	for _, key := range keys {
		value, is := has[key]
		plain, usually := usual(r, normal(key))
		switch {
		case partOf(normal(key)) == ofSchedule:
			if is && normal(key) != "phases" {
				if values {
					key += " " + value
				}
				parts = append(parts, key)
			}
		case !is:
			lacks = append(lacks, key)
		case value != "" && !(usually && value == plain):
			parts = append(parts, key+" "+value)
		}
	}
	switch n := len(lacks); {
	case n > 3:
		parts = append(parts, fmt.Sprintf("%s, %s and %d others not recorded", lacks[0], lacks[1], n-2))
	case n > 0:
		parts = append(parts, strings.Join(lacks, ", ")+" not recorded")
	}
	return parts
}
