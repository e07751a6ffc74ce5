package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number writes a count with its thousands apart.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// fixed has no negative zero.
func fixed(x float64, decimals int) string {
	s := strconv.FormatFloat(x, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", "\u2212", 1)
}

func percent(share float64) string { return fixed(100*share, 1) + "\u00a0%" }

// signed is a difference.
func signed(x float64, decimals int) string {
	s := fixed(x, decimals)
	if x > 0 && strings.Trim(s, "0.") != "" {
		return "+" + s
	}
	return s
}

// counted is a count with its share of a total.
func counted(n, total int) string {
	if total == 0 {
		return number(n)
	}
	return number(n) + " (" + percent(float64(n)/float64(total)) + ")"
}

// plural is a count and its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

func list(items []string) string {
	switch n := len(items); n {
	case 0:
		return ""
	case 1:
		return items[0]
	default:
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
}

// clip shortens a text to about n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// value is what was measured of a flag: a count, or a share.
func value(x float64) string {
	if x == math.Trunc(x) {
		return fixed(x, 0)
	}
	return fixed(x, 2)
}

// px is a length in an SVG.
func px(x float64) string { return fmt.Sprintf("%g", round(x, 1)) }
