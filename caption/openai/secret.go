package openai

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

const hidden = "[key]"

// Keys this long are looked for in answers and in other spellings too. A shorter one, such as the "EMPTY" that some local
// servers want, is a word that may well be in a caption; it is cut out of errors only.
const (
	keyBytesInSpellings = 8
	keyBytesInAnswers   = 16
)

// secret cuts a key out of what an endpoint says back.
type secret struct {
	key     string
	forms   []string // longest first
	replace *strings.Replacer
}

func newSecret(key string) *secret {
	s := &secret{key: key}
	if key == "" {
		return s
	}
	s.forms = []string{key}
	if len(key) >= keyBytesInSpellings {
		quoted, _ := json.Marshal(key) // a string cannot fail
		digits := hex.EncodeToString([]byte(key))
		s.forms = append(s.forms, url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key),
			string(quoted[1:len(quoted)-1]), digits, strings.ToUpper(digits))
		for offset := range 3 { // base64 spells the same bytes in three ways, by where they begin
			s.forms = append(s.forms, base64Core(base64.RawStdEncoding, key, offset), base64Core(base64.RawURLEncoding, key, offset))
		}
	}
	slices.SortFunc(s.forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	s.forms = slices.Compact(s.forms)
	var pairs []string
	for _, f := range s.forms {
		pairs = append(pairs, f, hidden)
	}
	s.replace = strings.NewReplacer(pairs...)
	return s
}

// base64Core are the digits that key alone decides where it begins so many bytes into a group of three.
func base64Core(e *base64.Encoding, key string, offset int) string {
	digits := e.EncodeToString(append(make([]byte, offset), key...))
	return digits[(8*offset+5)/6 : 8*(offset+len(key))/6]
}

// hide cuts the key out of s, also one that breaks off at the end of s.
func (s *secret) hide(text string) string {
	if s.replace == nil {
		return text
	}
	text = s.replace.Replace(text)
	const least = 4 // fewer characters of a key are not worth hiding and end many a word
	for _, f := range s.forms {
		for n := len(f) - 1; n >= least; n-- {
			if strings.HasSuffix(text, f[:n]) {
				return text[:len(text)-n] + hidden
			}
		}
	}
	return text
}

// hideInAnswer leaves a text alone that does not hold a real key.
func (s *secret) hideInAnswer(text string) string {
	if len(s.key) < keyBytesInAnswers {
		return text
	}
	return s.replace.Replace(text)
}

// String shows the options without the key.
func (o Options) String() string {
	key := "none"
	if o.APIKey != "" {
		key = hidden
	}
	return fmt.Sprintf("{BaseURL:%s APIKey:%s MaxAnswerBytes:%d Connections:%d}", redactURL(o.BaseURL), key, o.MaxAnswerBytes, o.Connections)
}

// Format is [Options.String] for every verb.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.String()) }

// LogValue implements [slog.LogValuer].
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String is the endpoint's base URL.
func (c Client) String() string { return c.endpoint }

// Format is [Client.String] for every verb.
func (c Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.endpoint) }

// LogValue implements [slog.LogValuer].
func (c Client) LogValue() slog.Value { return slog.StringValue(c.endpoint) }

// redactURL shows a URL that may not even parse without what may be secret in it.
func redactURL(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	if at := strings.LastIndex(s, "@"); at >= 0 {
		scheme, _, _ := strings.Cut(s, "//")
		return scheme + "//" + s[at+1:]
	}
	return s
}
