package caption

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Errors that callers tell apart. Each is wrapped with the item's name and what to do.
var (
	// ErrNoStore: a folder is not a caption store.
	ErrNoStore = errors.New("not a caption store")
	// ErrOtherRecipe: a store holds the answers to another recipe.
	ErrOtherRecipe = errors.New("another recipe")
	// ErrEndpoint: the endpoint answers nothing that can be used.
	ErrEndpoint = errors.New("the endpoint cannot be used")
)

const manifestName = "manifest.json"

// Store is a folder of outcomes: manifest.json and journals of one [schemas.Caption] a line. Its methods are safe for
// concurrent use, and any number of processes may append to one folder at a time; each sees what stood there when it
// opened the folder and what it added itself.
type Store struct {
	dir      string
	recipe   Recipe // zero in a store opened for reading
	manifest schemas.CaptionsManifest
	torn     []string

	writing sync.Mutex // of journal and recipe; taken before mu, so that a sync keeps no reader waiting
	journal *journal   // made by the first Append

	mu      sync.RWMutex                   // of the tables
	ok      map[dataset.ID]schemas.Caption // the latest caption of an ID
	older   map[pictureKey]schemas.Caption // captions of the same ID with other bytes
	failed  map[dataset.ID]schemas.Caption // the latest failure of an ID that has no caption of the same bytes
	byBytes map[string]schemas.Caption     // the first caption of a picture, whatever its name, by the digest of its bytes
}

// pictureKey is what a caption belongs to: the name and the file's own bytes.
type pictureKey struct {
	id     dataset.ID
	sha256 string
}

// CreateStore opens the store at dir for more answers to r, or begins one. source is the spec of the pictures' source, as
// the manifest of a new store will name it. A store that holds another recipe is refused with [ErrOtherRecipe].
func CreateStore(dir string, r Recipe, source string, program schemas.Program) (*Store, error) {
	r = r.WithDefaults()
	if r.Model == "" {
		return nil, errors.New("caption store: the recipe names no model")
	}
	want := r.manifest()
	want.Source, want.Program = source, program
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("caption store: %w", err)
	}
	path := filepath.Join(dir, manifestName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		left, err := journalFiles(dir)
		if err != nil {
			return nil, fmt.Errorf("caption store: %w", err)
		}
		if len(left) > 0 {
			return nil, fmt.Errorf("caption store %s: has journals but no %s: restore it, or use another --out: %w", dir, manifestName, ErrNoStore)
		}
		if err := schemas.WriteJSON(path, want); err != nil {
			return nil, err
		}
	}
	s, err := OpenStore(dir)
	if err != nil {
		return nil, err
	}
	if s.manifest.Recipe != want.Recipe {
		return nil, fmt.Errorf("caption store %s: its captions were asked with %s: use another --out: %w",
			dir, recipeDifference(s.manifest, want), ErrOtherRecipe)
	}
	s.recipe = r
	return s, nil
}

// OpenStore opens the store at dir for reading.
func OpenStore(dir string) (*Store, error) {
	s := &Store{
		dir:     dir,
		ok:      map[dataset.ID]schemas.Caption{},
		older:   map[pictureKey]schemas.Caption{},
		failed:  map[dataset.ID]schemas.Caption{},
		byBytes: map[string]schemas.Caption{},
	}
	path := filepath.Join(dir, manifestName)
	err := schemas.ReadJSON(path, schemas.CaptionsHeader, &s.manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: has no %s: mcil caption makes one: %w", dir, manifestName, ErrNoStore)
	}
	if err != nil {
		return nil, err
	}
	names, err := journalFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("caption store: %w", err)
	}
	for _, name := range names {
		torn, err := readJournal(name, s.take)
		if err != nil {
			return nil, err
		}
		if torn {
			s.torn = append(s.torn, name)
		}
	}
	return s, nil
}

// take adds a record to the tables.
func (s *Store) take(c schemas.Caption) error {
	if c.Recipe != s.manifest.Recipe {
		return fmt.Errorf("a record of recipe %.12s in a store of recipe %.12s: %w", c.Recipe, s.manifest.Recipe, ErrOtherRecipe)
	}
	id := dataset.ID(c.ID)
	if c.Status == schemas.CaptionFailed {
		if f, ok := s.failed[id]; !ok || f.Time <= c.Time {
			s.failed[id] = c
		}
	} else {
		if first, ok := s.byBytes[c.ImageSHA256]; !ok || cmp.Or(strings.Compare(c.Time, first.Time), strings.Compare(c.ID, first.ID)) < 0 {
			s.byBytes[c.ImageSHA256] = c
		}
		was, ok := s.ok[id]
		switch {
		case !ok || was.ImageSHA256 == c.ImageSHA256 && was.Time <= c.Time:
			s.ok[id] = c
		case was.ImageSHA256 == c.ImageSHA256:
		case was.Time <= c.Time:
			s.older[pictureKey{id, was.ImageSHA256}] = was
			s.ok[id] = c
		default:
			s.older[pictureKey{id, c.ImageSHA256}] = c
		}
	}
	if f, ok := s.failed[id]; ok && s.ok[id].ImageSHA256 == f.ImageSHA256 && s.ok[id].ID != "" {
		delete(s.failed, id)
	}
	return nil
}

// Append adds an outcome. When it returns, a crash of the program loses nothing of it; a power cut may lose the last
// second.
func (s *Store) Append(c schemas.Caption) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.recipe == (Recipe{}) {
		return fmt.Errorf("caption store %s: was opened for reading", s.dir)
	}
	if s.journal == nil {
		j, err := createJournal(s.dir)
		if err != nil {
			return fmt.Errorf("caption store %s: %w", s.dir, err)
		}
		s.journal = j
	}
	if err := s.journal.append(c); err != nil {
		return fmt.Errorf("caption store %s: %w", s.dir, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take(c)
}

// Lookup returns the caption of the picture with that name and those bytes.
func (s *Store) Lookup(id dataset.ID, imageSHA256 string) (schemas.Caption, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c, ok := s.ok[id]; ok && c.ImageSHA256 == imageSHA256 {
		return c, true
	}
	c, ok := s.older[pictureKey{id, imageSHA256}]
	return c, ok
}

// Twin returns the first caption of a picture with those bytes, whatever its name.
func (s *Store) Twin(imageSHA256 string) (schemas.Caption, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.byBytes[imageSHA256]
	return c, ok
}

// has says whether there is a caption of that name, be it of these bytes or of others.
func (s *Store) has(id dataset.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.ok[id]
	return ok
}

// Captions yields the latest caption of every ID that has one, sorted by ID. Compare ImageSHA256 with the picture at
// hand: the file may have changed since.
func (s *Store) Captions() iter.Seq2[dataset.ID, schemas.Caption] {
	return s.sorted(func() map[dataset.ID]schemas.Caption { return s.ok })
}

// Failures yields the latest failure of every ID that failed and has no caption, sorted by ID.
func (s *Store) Failures() iter.Seq2[dataset.ID, schemas.Caption] {
	return s.sorted(func() map[dataset.ID]schemas.Caption { return s.failed })
}

func (s *Store) sorted(table func() map[dataset.ID]schemas.Caption) iter.Seq2[dataset.ID, schemas.Caption] {
	return func(yield func(dataset.ID, schemas.Caption) bool) {
		s.mu.RLock()
		snapshot := maps.Clone(table())
		s.mu.RUnlock()
		for _, id := range slices.Sorted(maps.Keys(snapshot)) {
			if !yield(id, snapshot[id]) {
				return
			}
		}
	}
}

// Manifest is the store's manifest.json.
func (s *Store) Manifest() schemas.CaptionsManifest { return s.manifest }

// Torn lists the journals whose last line was cut off by a killed writer. Its picture is asked again.
func (s *Store) Torn() []string { return s.torn }

// Close syncs and closes the store's journal. The tables stay readable.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.journal == nil {
		return nil
	}
	j := s.journal
	s.journal, s.recipe = nil, Recipe{}
	return j.close()
}
