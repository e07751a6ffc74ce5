package report

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// setting is one effective setting. Keys of nested maps are joined by dots.
type setting struct{ Key, Value string }

// place is the value, of a path only its last element: the same folder is ./p here and /home/x/p there.
func (s setting) place() string {
	if s.Value != "" && (s.Key == "data" || s.Key == "weights") {
		return filepath.Base(s.Value)
	}
	return s.Value
}

// identity is equal for runs to which a setting says the same: of data and weights the digest of what was read, where the run
// tells it, and otherwise the place. Random weights are of the seed, which is no other setting.
func (r Run) identity(s setting) string {
	switch {
	case s.Key == "data" && r.Settings.DataDigest != "":
		return "sha256 " + r.Settings.DataDigest
	case s.Key == "weights" && s.Value != "random" && r.Settings.WeightsDigest != "":
		return "sha256 " + r.Settings.WeightsDigest
	}
	return s.place()
}

// difference is a setting with one value a run.
type difference struct {
	Key    string
	Values []string // parallel to the runs; "" where a run has no such setting
}

// differences are the settings that say something else to some of the runs. Values are names: what is the same has one name,
// and what is not has another, the place with as much of the digest as is read at a glance where places are alike.
func differences(runs []Run) (out []difference) {
	common, differ := compare(runs)
	for _, s := range common {
		if s.Key == "data" || s.Key == "weights" {
			differ = append(differ, difference{s.Key, slices.Repeat([]string{s.Value}, len(runs))})
		}
	}
	slices.SortFunc(differ, func(a, b difference) int { return strings.Compare(a.Key, b.Key) })
	for _, d := range differ {
		ids, names := make([]string, len(runs)), make([]string, len(runs))
		for i, r := range runs {
			s := setting{d.Key, d.Values[i]}
			ids[i], names[i] = r.identity(s), s.place()
			names[i] = names[slices.Index(ids, ids[i])]
		}
		if len(slices.Compact(slices.Clone(ids))) < 2 {
			continue
		}
		full := slices.Clone(names)
		for i, id := range ids {
			digest, ok := strings.CutPrefix(id, "sha256 ")
			for j, other := range ids {
				if ok && names[i] == names[j] && id != other {
					full[i] = names[i] + " " + digest[:min(8, len(digest))]
				}
			}
		}
		out = append(out, difference{d.Key, full})
	}
	return out
}

// flatten returns the settings of a run sorted by key, without the seed.
func flatten(m map[string]any) []setting {
	var out []setting
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		if m, ok := v.(map[string]any); ok {
			for k, v := range m {
				if k == "seed" {
					continue
				}
				if prefix != "" {
					k = prefix + "." + k
				}
				walk(k, v)
			}
			return
		}
		out = append(out, setting{prefix, settingText(v)})
	}
	walk("", m)
	slices.SortFunc(out, func(a, b setting) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func settingText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// compare separates the settings on which all runs agree from those on which they do not, both sorted by key.
func compare(runs []Run) (common []setting, differ []difference) {
	byKey := map[string][]string{}
	for i, r := range runs {
		for _, s := range flatten(r.Settings.Settings) {
			if byKey[s.Key] == nil {
				byKey[s.Key] = make([]string, len(runs))
			}
			byKey[s.Key][i] = s.Value
		}
	}
	var keys []string
	for k := range byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := byKey[k]
		if len(slices.Compact(slices.Clone(v))) == 1 {
			common = append(common, setting{k, v[0]})
		} else {
			differ = append(differ, difference{k, v})
		}
	}
	return common, differ
}

// agreed is common with the settings that some runs do not have, such as a memory budget, and on which those that have them
// agree.
func agreed(common []setting, differ []difference) []setting {
	for _, d := range differ {
		values := slices.DeleteFunc(slices.Clone(d.Values), func(v string) bool { return v == "" })
		if len(slices.Compact(values)) == 1 {
			common = append(common, setting{d.Key, values[0]})
		}
	}
	return common
}

// lookup returns the common setting whose key, with hyphens for underscores and without the path before it, is key.
func lookup(common []setting, key string) string {
	for _, s := range common {
		if normal(s.Key) == key {
			return s.Value
		}
	}
	return ""
}
