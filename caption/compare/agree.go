package compare

import (
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset/leakage"
)

// longestCompared bounds the words of a caption that are compared: the longest common subsequence takes time by the
// product of both lengths, and an endpoint may answer anything.
const longestCompared = 2000

// wording is a text as it is compared.
type wording struct {
	words []string // in order, at most longestCompared
	set   []string // sorted, each once
}

func wordingOf(words []string) wording {
	words = words[:min(len(words), longestCompared)]
	set := slices.Clone(words)
	slices.Sort(set)
	return wording{words, slices.Compact(set)}
}

// jaccard is the number of words in both sets divided by that in either; 1 where both are empty.
func jaccard(a, b wording) float64 {
	shared := 0
	for i, j := 0, 0; i < len(a.set) && j < len(b.set); {
		switch c := strings.Compare(a.set[i], b.set[j]); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			shared, i, j = shared+1, i+1, j+1
		}
	}
	either := len(a.set) + len(b.set) - shared
	if either == 0 {
		return 1
	}
	return float64(shared) / float64(either)
}

// rougeL is the F1 of ROUGE-L, which with beta 1 is symmetric: 2 LCS(a, b) / (|a| + |b|); 1 where both are empty.
func rougeL(a, b wording) float64 {
	n := len(a.words) + len(b.words)
	if n == 0 {
		return 1
	}
	return 2 * float64(commonLength(a.words, b.words)) / float64(n)
}

// commonLength is the length of the longest common subsequence.
func commonLength(a, b []string) int {
	same := 0
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b, same = a[1:], b[1:], same+1
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b, same = a[:len(a)-1], b[:len(b)-1], same+1
	}
	row := make([]int, len(b)+1) // row[j]: of the part of a read so far and b[:j]
	for _, w := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if w == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return same + row[len(b)]
}

// field is a part of a text without spaces, and its words in one string: what is compared of it.
type field struct {
	from, to int // bytes in the text
	key      string
	only     bool
}

func fieldsOf(text string) []field {
	var out []field
	at := 0
	for f := range strings.FieldsSeq(text) {
		from := at + strings.Index(text[at:], f)
		at = from + len(f)
		out = append(out, field{from: from, to: at, key: strings.Join(leakage.Words(f), " ")})
		if len(out) == longestCompared {
			break
		}
	}
	return out
}

// difference marks in two texts what is not in their longest common subsequence. Fields are compared by their words, so
// case and punctuation are no difference.
func difference(a, b string) (inA, inB []field) {
	inA, inB = fieldsOf(a), fieldsOf(b)
	x, y := keyed(inA), keyed(inB)
	// table[i][j] is the length for x[i:] and y[j:]
	table := make([][]uint16, len(x)+1)
	cells := make([]uint16, (len(x)+1)*(len(y)+1))
	for i := range table {
		table[i], cells = cells[:len(y)+1], cells[len(y)+1:]
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i].key == y[j].key {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	for _, f := range x {
		f.only = true
	}
	for _, f := range y {
		f.only = true
	}
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i].key == y[j].key:
			x[i].only, y[j].only = false, false
			i, j = i+1, j+1
		case table[i+1][j] >= table[i][j+1]:
			i++
		default:
			j++
		}
	}
	return inA, inB
}

// keyed are the fields with words; a dash by itself is no difference.
func keyed(fields []field) []*field {
	var out []*field
	for i := range fields {
		if fields[i].key != "" {
			out = append(out, &fields[i])
		}
	}
	return out
}
