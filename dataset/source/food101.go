package source

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// Files of UPMC Food-101 beside images/.
const (
	imageFolder = "images"
	textFolder  = "texts"
	textFile    = "text.json"      // {file name: title}
	classFile   = "class_idx.json" // {class: label}
	splitFile   = "split.json"     // {"train": [file names], "val": [...], "test": [...]}
)

// food101 is UPMC Food-101. Where there is a class_idx.json its numbers are the labels, and a class without pictures keeps
// its number; where there is a split.json it decides the parts, and what it does not list has none. A title is text.json's, or
// else that of texts/{train,val,test}_titles.csv, the first that names the picture. Titles of pictures that are not there are
// passed over.
type food101 struct {
	*collection
	texts map[dataset.ID]string

	byName map[string][]int // entries by file name, which these files use
}

var _ dataset.Captioned = (*food101)(nil)

func (s *food101) Text(id dataset.ID) (string, bool) {
	text, ok := s.texts[id]
	return text, ok
}

// foodAt finds images/PART/CLASS/FILE.
func foodAt(elements []string) int {
	at := len(elements) - 4
	if at < 0 || elements[at] != imageFolder || partFolders[elements[at+1]] == "" {
		return -1
	}
	return at
}

func (s *food101) arrange() error {
	s.root, _ = rootOf(s.tree.files, foodAt)
	s.add(func(folders []string) (p place) {
		if folders[0] == textFolder {
			p.metadata = true
			return p
		}
		if len(folders) != 3 || folders[0] != imageFolder || partFolders[folders[1]] == "" {
			p.misplaced = "not in a class folder below images/train or images/test"
			return p
		}
		return place{class: folders[2], part: partFolders[folders[1]]}
	}, false)
	index, err := s.readClasses()
	if err != nil {
		return err
	}
	s.byName = map[string][]int{}
	for i, e := range s.entries {
		s.byName[path.Base(string(e.ID))] = append(s.byName[path.Base(string(e.ID))], i)
	}
	if err := s.readSplit(); err != nil {
		return err
	}
	if err := s.readTexts(); err != nil {
		return err
	}
	s.byName = nil
	return s.finish(nil, index, "images/train/apple_pie/apple_pie_0.jpg")
}

// readClasses reads class_idx.json and refuses the pictures of classes that it does not number. Without it the result is nil.
func (s *food101) readClasses() (map[string]int, error) {
	b, err := s.tree.metadata(s.root, classFile)
	if b == nil {
		return nil, err
	}
	index := map[string]int{}
	err = readObject(classFile, b, func(class string, d *json.Decoder) error {
		var label int
		if err := d.Decode(&label); err != nil {
			return err
		}
		if first, twice := index[class]; twice && first != label {
			return fmt.Errorf("class %q has the numbers %d and %d", class, first, label)
		}
		index[class] = label
		return nil
	})
	if err != nil {
		return nil, err
	}
	owner := make([]string, len(index))
	seen := make([]bool, len(index))
	for _, class := range slices.Sorted(maps.Keys(index)) {
		label := index[class]
		switch {
		case label < 0 || label >= len(index):
			return nil, fmt.Errorf("%s: class %q has the number %d: %d classes have the numbers 0 to %d: %w", classFile, class, label, len(index), len(index)-1, dataset.ErrRefused)
		case seen[label]:
			return nil, fmt.Errorf("%s: classes %q and %q both have the number %d: %w", classFile, owner[label], class, label, dataset.ErrRefused)
		}
		owner[label], seen[label] = class, true
	}
	s.entries = slices.DeleteFunc(s.entries, func(e dataset.Entry) bool {
		_, known := index[e.ID.WNID()]
		if !known {
			rel, _ := below(s.root, e.Path)
			s.refuse(rel, classFile+" has no number for its class")
		}
		return !known
	})
	return index, nil
}

// find is the entry that a file name means, or -1. Of several classes with a picture of that name it is the one that the name
// begins with.
func (s *food101) find(name string) int {
	name = path.Base(name)
	at := s.byName[name]
	if len(at) == 1 {
		return at[0]
	}
	for _, i := range at {
		if s.entries[i].ID.WNID() == name[:max(0, strings.LastIndex(name, "_"))] {
			return i
		}
	}
	return -1
}

// readSplit deals the entries out as split.json says.
func (s *food101) readSplit() error {
	b, err := s.tree.metadata(s.root, splitFile)
	if b == nil {
		return err
	}
	lists := map[string][]string{}
	err = readObject(splitFile, b, func(key string, d *json.Decoder) error {
		part := partFolders[key]
		if part == "" {
			return fmt.Errorf("unknown part %q: train, val and test are known", key)
		}
		var names []string
		if err := d.Decode(&names); err != nil {
			return err
		}
		lists[part] = append(lists[part], names...)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range s.entries {
		s.entries[i].Part = ""
	}
	for _, part := range dataset.PartNames(maps.Keys(lists)) {
		for _, name := range lists[part] {
			i := s.find(name)
			switch {
			case i < 0 && len(s.byName[path.Base(name)]) > 1:
				s.refuse(name, splitFile+" lists it in "+part+", and several classes have a picture of that name")
			case i < 0:
				s.refuse(name, splitFile+" lists it in "+part+", and there is no such picture")
			case s.entries[i].Part == "":
				s.entries[i].Part = part
			case s.entries[i].Part != part:
				s.refuse(name, splitFile+" lists it in "+s.entries[i].Part+" and in "+part+"; the first is kept")
			}
		}
	}
	return nil
}

func (s *food101) readTexts() error {
	s.texts = map[dataset.ID]string{}
	put := func(i int, text string) {
		if text = clean(text); i >= 0 && text != "" {
			if _, have := s.texts[s.entries[i].ID]; !have {
				s.texts[s.entries[i].ID] = text
			}
		}
	}
	b, err := s.tree.metadata(s.root, textFile)
	if err != nil {
		return err
	}
	if b != nil {
		err = readObject(textFile, b, func(name string, d *json.Decoder) error {
			var text string
			if err := d.Decode(&text); err != nil {
				return fmt.Errorf("the text of %q: %w", name, err)
			}
			put(s.find(name), text)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, part := range []string{"train", "val", "validation", "test"} {
		name := textFolder + "/" + part + "_titles.csv"
		b, err := s.tree.metadata(s.root, name)
		if err != nil {
			return err
		}
		if err := s.readTitles(name, b, put); err != nil {
			return err
		}
	}
	return nil
}

// readTitles reads lines "file name,title,class". The class tells apart pictures of one name.
func (s *food101) readTitles(name string, b []byte, put func(i int, text string)) error {
	b = bytes.TrimPrefix(b, []byte(dataset.ByteOrderMark))
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	var lines [][]byte // of b, where a record needs them
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var bare *csv.ParseError
		if errors.As(err, &bare) && errors.Is(err, csv.ErrBareQuote) {
			if lines == nil {
				lines = bytes.SplitAfter(b, []byte("\n"))
			}
			record, err = readLazily(lines[bare.StartLine-1 : min(bare.Line, len(lines))])
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %w", name, err, dataset.ErrRefused)
		}
		if len(record) < 2 || len(record) > 3 {
			var line int
			if bare != nil {
				line = bare.StartLine
			} else {
				line, _ = r.FieldPos(0)
			}
			return fmt.Errorf("%s: line %d: %d fields, want file name, title and class: %w", name, line, len(record), dataset.ErrRefused)
		}
		at := s.find(record[0])
		if len(record) == 3 {
			for _, i := range s.byName[path.Base(record[0])] {
				if s.entries[i].ID.WNID() == record[2] {
					at = i
				}
			}
		}
		put(at, record[1])
	}
}

// readLazily reads a record from its lines, in which a title such as caf "au" lait has bare quotes. It is for such records
// only: read so throughout, a file with a quote that is never closed would lose all lines below it.
func readLazily(lines [][]byte) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(bytes.Join(lines, nil)))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	return r.Read()
}

// clean trims white space and nothing else.
func clean(text string) string { return strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD")) }

// readObject calls visit for each key of a JSON object, to decode its value.
func readObject(name string, b []byte, visit func(key string, d *json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte(dataset.ByteOrderMark))))
	err := func() error {
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			return cmp.Or(err, errors.New("not a JSON object"))
		}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if err := visit(key.(string), d); err != nil {
				return err
			}
		}
		if _, err := d.Token(); err != nil {
			return err
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("more follows after the object")
		}
		return nil
	}()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("%s: byte %d: %w: %w", name, d.InputOffset(), err, dataset.ErrRefused)
	}
	return nil
}
