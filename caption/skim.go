package caption

import (
	"unicode/utf8"

	"github.com/mcil/mcil/schemas"
)

// skimmed is what a store's index needs of a record. Its slices are parts of the line.
type skimmed struct {
	id, image, recipe, time []byte
	failed                  bool
}

// The fields of a record, by their names in a journal and by what [skim] expects there. A name that is missing here costs
// time and nothing else.
const (
	otherText = iota
	number
	versionField
	idField
	imageField
	recipeField
	statusField
	timeField
)

func fieldOf(name []byte) (kind int, known bool) {
	switch string(name) {
	case "v":
		return versionField, true
	case "id":
		return idField, true
	case "image_sha256":
		return imageField, true
	case "recipe":
		return recipeField, true
	case "status":
		return statusField, true
	case "time":
		return timeField, true
	case "fingerprint", "raw", "finish_reason", "model", "error_class", "error", "endpoint":
		return otherText, true
	case "rung", "prompt_tokens", "completion_tokens", "http_status", "attempts", "latency_ms":
		return number, true
	}
	return 0, false
}

// skim reads a line that is written as [journal] writes it several times as fast as encoding/json does, and validates all of
// it. It knows that it does not understand: what is written in another way, or damaged, is for [parseRecord] to judge. What
// it accepts, parseRecord reads as the same.
func skim(line []byte) (r skimmed, ok bool) {
	s := skimmer{b: line}
	if !s.take('{') {
		return r, false
	}
	var version, status []byte
	for first := true; ; first = false {
		if !first && s.take('}') {
			break
		}
		if !first && !s.take(',') {
			return r, false
		}
		name, plain := s.text()
		kind, known := fieldOf(name)
		if !plain || !known || !s.take(':') {
			return r, false
		}
		var value []byte
		plain = true
		if kind == number || kind == versionField {
			value = s.integer()
		} else {
			value, plain = s.text()
		}
		if value == nil || !plain && kind != otherText {
			return r, false
		}
		switch kind {
		case versionField:
			version = value
		case idField:
			r.id = value
		case imageField:
			r.image = value
		case recipeField:
			r.recipe = value
		case statusField:
			status = value
		case timeField:
			r.time = value
		}
	}
	r.failed = string(status) == schemas.CaptionFailed
	return r, s.at == len(line) && string(version) == "1" && len(r.id) > 0 && (r.failed || string(status) == schemas.CaptionOK)
}

type skimmer struct {
	b  []byte
	at int
}

func (s *skimmer) take(c byte) bool {
	if s.at < len(s.b) && s.b[s.at] == c {
		s.at++
		return true
	}
	return false
}

// text reads a string and returns what is between its quotes, or nil for what is not a string; plain says that this is its
// value, of valid UTF-8 and without escapes.
func (s *skimmer) text() (inside []byte, plain bool) {
	if !s.take('"') {
		return nil, false
	}
	begin, plain, ascii := s.at, true, true
	for i := begin; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			inside = s.b[begin:i:i]
			s.at = i + 1
			return inside, plain && (ascii || utf8.Valid(inside))
		case c < ' ':
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '\\':
			plain = false
			n := escape(s.b[i:])
			if n == 0 {
				return nil, false
			}
			i += n - 1
		}
	}
	return nil, false
}

// escape is the length of the escape sequence that b begins with, or 0.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}

// integer reads a whole number that fits 64 bits for sure, or returns nil.
func (s *skimmer) integer() []byte {
	begin := s.at
	for s.at < len(s.b) && '0' <= s.b[s.at] && s.b[s.at] <= '9' {
		s.at++
	}
	digits := s.b[begin:s.at]
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return nil
	}
	return digits
}
