package leakage

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcil/mcil/schemas"
)

const (
	longestCounted = 100 // words: the last entry of ByWords
	mostCommon     = 5   // texts that are listed
)

// Statistics describe captions. Slices are never nil; ByWords ends at the longest caption, or at 100 words.
func Statistics(captions iter.Seq[string]) schemas.CaptionStatistics {
	s := schemas.CaptionStatistics{ByWords: []int{}, MostCommon: []schemas.TextCount{}}
	var lengths, runes []int
	vocabulary, texts := map[string]bool{}, map[string]int{}
	r := &reading{}
	for text := range captions {
		r.read(text)
		words := len(r.tokens)
		for i := range words {
			if w := r.words.at(i); !vocabulary[string(w)] {
				vocabulary[string(w)] = true
			}
		}
		lengths, runes = append(lengths, words), append(runes, utf8.RuneCountInString(text))
		texts[text]++
		at := min(words, longestCounted)
		for len(s.ByWords) <= at {
			s.ByWords = append(s.ByWords, 0)
		}
		s.ByWords[at]++
	}
	s.Captions, s.Vocabulary, s.Distinct = len(lengths), len(vocabulary), len(texts)
	s.Words, s.Characters = describe(lengths), describe(runes)
	for text, n := range texts {
		if n > 1 {
			s.Duplicated += n
			s.MostCommon = append(s.MostCommon, schemas.TextCount{Text: text, Count: n})
		}
	}
	slices.SortFunc(s.MostCommon, func(a, b schemas.TextCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
	})
	s.MostCommon = slices.Clip(s.MostCommon[:min(len(s.MostCommon), mostCommon)])
	return s
}

// describe sorts lengths.
func describe(lengths []int) schemas.Lengths {
	if len(lengths) == 0 {
		return schemas.Lengths{}
	}
	slices.Sort(lengths)
	n, sum, squares := float64(len(lengths)), 0.0, 0.0
	for _, l := range lengths {
		sum += float64(l)
	}
	mean := sum / n
	for _, l := range lengths {
		squares += (float64(l) - mean) * (float64(l) - mean)
	}
	rank := func(percent int) int { return lengths[(len(lengths)*percent+99)/100-1] }
	return schemas.Lengths{
		Mean: round(mean, 2), SD: round(math.Sqrt(squares/n), 2),
		Min: lengths[0], P5: rank(5), P50: rank(50), P95: rank(95), Max: lengths[len(lengths)-1],
	}
}

// round keeps JSON short and the same on all machines.
func round(x float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(x*scale) / scale
}
