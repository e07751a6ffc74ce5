package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// longestName bounds names of folders: file systems take 255 bytes.
const longestName = 120

// name gives each run the name of its folder: the row and what counts of the grid, in the order of the file, such as
// masked_budget-3_seed-1. A value that is added to the grid later changes no name. Where two would have one name, and where
// one would be too long, part of a digest of its settings stands at the end.
func (p *planner) name() {
	count := map[string]int{}
	for i := range p.jobs {
		j := &p.jobs[i]
		var parts []string
		if j.first.row != nil {
			parts = append(parts, word(j.first.row.Name))
		}
		for k, ch := range j.first.choices {
			if ch.grid && !j.first.left[k] {
				parts = append(parts, word(ch.Key)+"-"+word(ch.Value))
			}
		}
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		j.Name = strings.Join(parts, "_")
		if j.Name == "" || slices.Contains(reserved(), strings.ToLower(j.Name)) {
			j.Name = strings.TrimSuffix("run-"+j.Name, "-")
		}
		count[strings.ToLower(j.Name)]++ // some file systems take capitals for small letters
	}
	for i := range p.jobs {
		if j := &p.jobs[i]; count[strings.ToLower(j.Name)] > 1 || len(j.Name) > longestName {
			sum := sha256.Sum256(fmt.Appendf(nil, "%v %q", j.first.rowName(), j.Args))
			j.Name = j.Name[:min(len(j.Name), longestName)] + "-" + hex.EncodeToString(sum[:])[:12]
		}
	}
}

func (c *combination) rowName() string {
	if c.row == nil {
		return ""
	}
	return c.row.Name
}

// word is a text as a part of a name: letters, digits, + and - of ASCII, and points within numbers. Hyphens stand for
// everything else.
func word(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		digit := func(i int) bool { return i >= 0 && i < len(s) && '0' <= s[i] && s[i] <= '9' }
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', digit(i), c == '+', c == '.' && digit(i-1) && digit(i+1):
			b.WriteByte(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.TrimSuffix(b.String(), "-")
}

// reserved are names that Windows keeps for itself, and those of the sweep's own folders.
func reserved() []string {
	names := []string{"con", "prn", "aux", "nul", "report"}
	for i := range 10 {
		names = append(names, fmt.Sprint("com", i), fmt.Sprint("lpt", i))
	}
	return names
}
