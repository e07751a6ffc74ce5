package source

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
)

// maxTextBytes bounds a captions file. A hundred thousand long captions are about 100 MB.
const maxTextBytes = 1 << 30

// Names of the columns of a captions file, the preferred first.
var (
	pathKeys = []string{"path", "file_name", "image", "id"}
	textKeys = []string{"caption", "text", "title"}
)

// ReadTexts reads a file of captions by picture, and gives the digest of its bytes. Its content decides what it is:
//
//   - CSV with a header that has one of path, file_name, image and id, and one of caption, text and title;
//   - CSV of two columns without a header: path and caption;
//   - JSON Lines: objects with those keys.
//
// A path is class-relative (n01443537/sketch_0.jpg); folders before that (train/, imagenet-r/) are dropped. Captions are
// trimmed of white space only. A picture that occurs twice must have the same caption both times.
func ReadTexts(name string) (texts map[dataset.ID]string, sha256 string, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxTextBytes {
		return nil, "", fmt.Errorf("%s: not a file of captions of at most %d bytes: %w", name, maxTextBytes, dataset.ErrRefused)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, "", err
	}
	l := texter{texts: map[dataset.ID]string{}, lines: map[dataset.ID]int{}}
	body := bytes.TrimPrefix(b, []byte(dataset.ByteOrderMark))
	switch first := bytes.TrimLeft(body, " \t\r\n"); {
	case len(first) == 0:
		err = errors.New("it is empty")
	case first[0] == '[':
		err = errors.New("a JSON array: write one object a line")
	case first[0] == '{':
		err = l.readJSONLines(body)
	default:
		err = l.readCSV(body)
	}
	if err != nil {
		return nil, "", fmt.Errorf("captions %s: %w: %w", name, err, dataset.ErrRefused)
	}
	return l.texts, dataset.Digest(b), nil
}

// texter gathers captions.
type texter struct {
	texts map[dataset.ID]string
	lines map[dataset.ID]int
}

func (l *texter) put(line int, name, text string) error {
	id, err := dataset.IDOf(strings.TrimSpace(name))
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	text = strings.TrimSpace(text)
	switch first, twice := l.texts[id]; {
	case !utf8.ValidString(text):
		return fmt.Errorf("line %d: the caption of %s is not UTF-8", line, id)
	case text == "":
		return fmt.Errorf("line %d: the caption of %s is empty: leave the line out", line, id)
	case twice && first != text:
		return fmt.Errorf("line %d: %s has another caption than in line %d: keep one", line, id, l.lines[id])
	case !twice:
		l.texts[id], l.lines[id] = text, line
	}
	return nil
}

func (l *texter) readCSV(b []byte) error {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	pathAt, textAt, columns := 0, 1, 2
	for n := 0; ; n++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if n == 0 {
			if p, t := column(record, pathKeys), column(record, textKeys); p >= 0 && t >= 0 {
				pathAt, textAt, columns = p, t, len(record)
				continue
			}
		}
		if len(record) != columns {
			hint := "as many as in the header"
			if pathAt == 0 && textAt == 1 && columns == 2 {
				hint = "path and caption, or a header with path and caption"
			}
			return fmt.Errorf("line %d: %d columns, want %d: %s", line, len(record), columns, hint)
		}
		if err := l.put(line, record[pathAt], record[textAt]); err != nil {
			return err
		}
	}
}

// column is the place of the first of keys in a header, or -1.
func column(header []string, keys []string) int {
	for _, key := range keys {
		at := slices.IndexFunc(header, func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), key) })
		if at >= 0 {
			return at
		}
	}
	return -1
}

func (l *texter) readJSONLines(b []byte) error {
	line := 0
	for raw := range bytes.Lines(b) {
		line++
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			return fmt.Errorf("line %d: not a JSON object: %w", line, err)
		}
		if !utf8.Valid(raw) { // the decoder would mend it silently
			return fmt.Errorf("line %d: not UTF-8", line)
		}
		name, err := value(object, pathKeys)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		text, err := value(object, textKeys)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := l.put(line, name, text); err != nil {
			return err
		}
	}
	return nil
}

// value is the string under the first of keys that object has.
func value(object map[string]json.RawMessage, keys []string) (s string, err error) {
	for _, key := range keys {
		if raw, ok := object[key]; ok {
			if json.Unmarshal(raw, &s) != nil || string(raw) == "null" {
				return "", fmt.Errorf("%s is not a string", key)
			}
			return s, nil
		}
	}
	return "", fmt.Errorf("the object has none of %s", strings.Join(keys, ", "))
}
