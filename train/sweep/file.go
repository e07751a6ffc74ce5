package sweep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// ErrFile is what errors about the content of a file wrap. They begin with its name and a line number.
var ErrFile = errors.New("a file of a sweep that cannot be")

// Value is a value as a flag takes it.
type Value struct {
	Text string // elements of a list joined by commas
	Line int
}

// Setting is a flag with the values that it takes in turn; outside the grid with one.
type Setting struct {
	Key    string // the flag, without hyphens before it
	Line   int
	Values []Value
}

// Row is a named choice of settings.
type Row struct {
	Name     string
	Line     int
	Settings []Setting
}

// File is what a YAML file says.
type File struct {
	Path  string
	Train []Setting
	Grid  []Setting
	Rows  []Row
}

// mostBytes bounds a file: settings are written by people.
const mostBytes = 1 << 20

// Parse reads a file. path is how errors call it.
func Parse(path string, content []byte) (File, error) {
	p := parser{path: path}
	f := File{Path: path}
	if len(content) > mostBytes {
		return f, p.errorf(1, "%d bytes: too long for settings", len(content))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return f, p.errorf(1, "is empty: say at least train: {data: ...}")
	} else if err != nil {
		return f, p.syntax(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return f, p.errorf(second.Line, "a second document: one file is one sweep")
	} else if !errors.Is(err, io.EOF) {
		return f, p.syntax(err)
	}
	top, err := p.pairs(document.Content[0], "the file")
	if err != nil {
		return f, err
	}
	for _, e := range top {
		switch e.key {
		case "train":
			f.Train, err = p.settings(e.value, "train", p.single)
		case "grid":
			f.Grid, err = p.settings(e.value, "grid", p.several)
		case "rows":
			f.Rows, err = p.rows(e.value)
		default:
			err = p.errorf(e.line, "%s: unknown: use train, grid and rows", e.key)
		}
		if err != nil {
			return f, err
		}
	}
	return f, p.places(f)
}

// parser reads nodes and knows how to name them.
type parser struct{ path string }

func (p parser) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s: %w", p.path, max(1, line), fmt.Sprintf(format, args...), ErrFile)
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntax is an error of the YAML package with the line where it belongs.
func (p parser) syntax(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s:%s: %s: %w", p.path, m[1], strings.TrimPrefix(text, m[0]), ErrFile)
	}
	return p.errorf(1, "%s", strings.TrimPrefix(text, "yaml: "))
}

type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// pairs are the entries of a map, each key once.
func (p parser) pairs(n *yaml.Node, what string) ([]entry, error) {
	if n.Kind != yaml.MappingNode || n.Anchor != "" {
		return nil, p.errorf(n.Line, "%s: must be a map of names to values", what)
	}
	var entries []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		key, err := p.scalar(k, "a name in "+what)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(entries, func(e entry) bool { return e.key == key.Text }) {
			return nil, p.errorf(k.Line, "%s: stands twice in %s", key.Text, what)
		}
		entries = append(entries, entry{key.Text, k.Line, n.Content[i+1]})
	}
	return entries, nil
}

// scalar is a value without parts.
func (p parser) scalar(n *yaml.Node, what string) (Value, error) {
	plain := slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, n.ShortTag())
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || !plain {
		return Value{}, p.errorf(n.Line, "%s: must be a value: text, a number, true or false", what)
	}
	if strings.ContainsFunc(n.Value, unicode.IsControl) {
		return Value{}, p.errorf(n.Line, "%s: has control characters", what)
	}
	return Value{Text: n.Value, Line: n.Line}, nil
}

// single is a value or a list of them for a flag that takes a list.
func (p parser) single(n *yaml.Node, what string) ([]Value, error) {
	v, err := p.value(n, what)
	return []Value{v}, err
}

func (p parser) value(n *yaml.Node, what string) (Value, error) {
	if n.Kind != yaml.SequenceNode {
		return p.scalar(n, what)
	}
	if len(n.Content) == 0 || n.Anchor != "" {
		return Value{}, p.errorf(n.Line, "%s: an empty list: leave it out", what)
	}
	var parts []string
	for _, part := range n.Content {
		v, err := p.scalar(part, what)
		if err != nil {
			return Value{}, err
		}
		parts = append(parts, v.Text)
	}
	return Value{Text: strings.Join(parts, ","), Line: n.Line}, nil
}

// several are the values that a key of the grid takes in turn.
func (p parser) several(n *yaml.Node, what string) ([]Value, error) {
	if n.Kind != yaml.SequenceNode || n.Anchor != "" || len(n.Content) == 0 {
		return nil, p.errorf(n.Line, "%s: must be a list of the values that it takes in turn, such as [1, 2, 3]", what)
	}
	var values []Value
	for _, part := range n.Content {
		v, err := p.value(part, what)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(values, func(o Value) bool { return o.Text == v.Text }) {
			return nil, p.errorf(part.Line, "%s: %s stands twice", what, v.Text)
		}
		values = append(values, v)
	}
	return values, nil
}

func (p parser) settings(n *yaml.Node, what string, values func(*yaml.Node, string) ([]Value, error)) ([]Setting, error) {
	entries, err := p.pairs(n, what)
	if err != nil {
		return nil, err
	}
	var settings []Setting
	for _, e := range entries {
		v, err := values(e.value, what+": "+e.key)
		if err != nil {
			return nil, err
		}
		settings = append(settings, Setting{Key: e.key, Line: e.line, Values: v})
	}
	return settings, nil
}

func (p parser) rows(n *yaml.Node) ([]Row, error) {
	if n.Kind != yaml.SequenceNode || n.Anchor != "" || len(n.Content) == 0 {
		return nil, p.errorf(n.Line, "rows: must be a list of maps, each with a name")
	}
	var rows []Row
	for _, part := range n.Content {
		settings, err := p.settings(part, "a row", p.single)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == "name" })
		if i < 0 || settings[i].Values[0].Text == "" {
			return nil, p.errorf(part.Line, "rows: a row without a name: say name: ...")
		}
		r := Row{Name: settings[i].Values[0].Text, Line: part.Line}
		r.Settings = slices.Delete(settings, i, i+1)
		if slices.ContainsFunc(rows, func(o Row) bool { return o.Name == r.Name }) {
			return nil, p.errorf(part.Line, "rows: %s stands twice", r.Name)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// places refuses a key that the grid has and that stands elsewhere too: it would be unclear which counts.
func (p parser) places(f File) error {
	for _, s := range f.Grid {
		has := func(o Setting) bool { return o.Key == s.Key }
		if i := slices.IndexFunc(f.Train, has); i >= 0 {
			return p.errorf(max(s.Line, f.Train[i].Line), "%s: stands in train and in grid: leave one out", s.Key)
		}
		for _, r := range f.Rows {
			if i := slices.IndexFunc(r.Settings, has); i >= 0 {
				return p.errorf(r.Settings[i].Line, "%s: stands in row %s and in grid: leave one out", s.Key, r.Name)
			}
		}
	}
	return nil
}
