package report

import (
	"fmt"
	"strconv"
	"strings"
)

// none stands in a table where a value would have no meaning.
const none = "–"

// percent writes a fraction as percent with one decimal, without the sign.
func percent(x float64) string { return fixed(100*x, 1) }

// fixed writes x with the given decimals and never writes "-0.0".
func fixed(x float64, decimals int) string {
	s := strconv.FormatFloat(x, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return s
}

// spread writes a mean and, from two seeds on, its standard deviation, both multiplied by scale. What no run has is a dash.
func spread(s Stat, scale float64, decimals int) string {
	if s.N == 0 {
		return none
	}
	m := fixed(s.Mean*scale, decimals)
	if s.N > 1 {
		m += " ± " + fixed(s.SD*scale, decimals)
	}
	return m
}

// byteUnit returns the largest binary unit of which most holds at least one.
func byteUnit(most float64) (name string, size float64) {
	name, size = "B", 1
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if most < size*1024 {
			break
		}
		name, size = u, size*1024
	}
	return name, size
}

// byteText writes a count of bytes in its own unit, such as "14.2 KiB".
func byteText(n float64) string {
	name, size := byteUnit(n)
	if size == 1 {
		return fixed(n, 0) + " B"
	}
	return fixed(n/size, 1) + " " + name
}

// durationText writes seconds as a reader would say them.
func durationText(s float64) string {
	switch {
	case s < 120:
		return fixed(s, 1) + " s"
	case s < 7200:
		return fixed(s/60, 1) + " min"
	}
	return fixed(s/3600, 1) + " h"
}

// count writes "1 class" or "20 classes".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// list writes "1", "1 and 2" or "1, 2 and 3".
func list(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

// clip shortens s to at most n runes.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:max(n-1, 0)]) + "…"
	}
	return s
}

// byteDecimals is how many decimals a count of bytes gets in a unit: none in bytes themselves.
func byteDecimals(size float64) int {
	if size == 1 {
		return 0
	}
	return 2
}

// bytesIn writes n bytes in a unit, without naming it. Nothing is "0" in every unit.
func bytesIn(n, size float64) string {
	if n == 0 {
		return "0"
	}
	return fixed(n/size, byteDecimals(size))
}

// exemplarText writes a mean number of exemplars a class.
func exemplarText(s Stat) string {
	if s.Mean == 0 {
		return "0"
	}
	return fixed(s.Mean, 1)
}

// thousands writes a count in thousands or millions where it is large, such as "1.28 M".
func thousands(s Stat) string {
	switch {
	case s.N == 0:
		return none
	case s.Mean >= 1e6:
		return fixed(s.Mean/1e6, 2) + " M"
	case s.Mean >= 1e4:
		return fixed(s.Mean/1e3, 1) + " k"
	}
	return fixed(s.Mean, 0)
}
