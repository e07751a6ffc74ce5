package caption

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
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
//
// A store in use holds no captions: an index of about 70 bytes a record says where each one stands in its journal, and it is
// read when it is asked for. Of the records of one ID and one picture's bytes, the latest is the caption.
type Store struct {
	dir      string
	recipe   Recipe // zero in a store opened for reading
	manifest schemas.CaptionsManifest
	torn     []string
	next     int // number of the next journal

	writing  sync.Mutex // of journal and writable; taken before mu, so that a sync keeps no reader waiting
	writable bool
	journal  *journal // made by the first Append
	own      int      // its index in journals

	journals journals

	mu    sync.RWMutex // of index
	index index
}

// CreateStore opens the store at dir for more answers to r, or begins one. source is the spec of the pictures' source, as
// the manifest of a new store will name it. A store that holds another recipe is refused with [ErrOtherRecipe]; so is all
// but one of several recipes whose stores begin in one folder at the same time. A variant is begun in its [VariantDir].
func CreateStore(dir string, r Recipe, source string, program schemas.Program) (*Store, error) {
	r = r.WithDefaults()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	want := r.manifest()
	want.Source, want.Program = source, program
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("caption store: %w", err)
	}
	if err := createManifest(dir, want); err != nil {
		return nil, err
	}
	s, err := openStore(dir, &want)
	if err != nil {
		return nil, err
	}
	s.recipe, s.writable = r, true
	return s, nil
}

// createManifest begins a store, unless there is one. Of several processes one succeeds, and its manifest appears whole.
func createManifest(dir string, m schemas.CaptionsManifest) error {
	left, _, err := journalFiles(dir) // before the manifest, which is older than any journal
	if err != nil {
		return fmt.Errorf("caption store: %w", err)
	}
	path := filepath.Join(dir, manifestName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // reading it says what is wrong with it, if anything is
	}
	if len(left) > 0 {
		return fmt.Errorf("caption store %s: has journals but no %s: restore it, or use another folder: %w", dir, manifestName, ErrNoStore)
	}
	f, err := os.CreateTemp(dir, "."+manifestName+".tmp-*")
	if err != nil {
		return fmt.Errorf("caption store: %w", err)
	}
	defer os.Remove(f.Name())
	f.Close()
	if err := schemas.WriteJSON(f.Name(), m); err != nil {
		return err
	}
	err = os.Link(f.Name(), path) // unlike a rename, it replaces nothing
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = copyNew(f.Name(), path) // a file system without hard links
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("caption store: %w", err)
	}
	return schemas.SyncDir(dir)
}

// copyNew copies a small file to a name that must be free.
func copyNew(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(to)
	}
	return err
}

// OpenStore opens the store at dir for reading.
func OpenStore(dir string) (*Store, error) { return openStore(dir, nil) }

// openStore opens a store, which must hold the recipe of want unless that is nil.
func openStore(dir string, want *schemas.CaptionsManifest) (*Store, error) {
	s := &Store{dir: dir}
	path := filepath.Join(dir, manifestName)
	err := schemas.ReadJSON(path, schemas.CaptionsHeader, &s.manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: has no %s: mcil caption makes one: %w", dir, manifestName, ErrNoStore)
	}
	if err != nil {
		return nil, err
	}
	if want != nil && s.manifest.Recipe != want.Recipe {
		return nil, fmt.Errorf("caption store %s: its captions were asked with %s: use another variant or folder: %w",
			dir, recipeDifference(s.manifest, *want), ErrOtherRecipe)
	}
	if s.journals.names, s.next, err = journalFiles(dir); err != nil {
		return nil, fmt.Errorf("caption store: %w", err)
	}
	torn, err := scan(s.journals.names, s.manifest.Recipe, s.add)
	if err != nil {
		return nil, errors.Join(err, s.journals.close())
	}
	for _, n := range torn {
		s.torn = append(s.torn, s.journals.name(n))
	}
	return s, nil
}

// add takes a record into the index.
func (s *Store) add(e entry) error { return s.index.add(e, s.earlierID) }

// earlierID says whether the record at a has a lesser ID than that at b.
func (s *Store) earlierID(a, b ref) (bool, error) {
	x, _, err := s.journals.id(a, nil)
	if err != nil {
		return false, err
	}
	y, _, err := s.journals.id(b, nil)
	return x < y, err
}

// Append adds an outcome. When it returns, a crash of the program loses nothing of it; a power cut may lose the last
// second.
func (s *Store) Append(c schemas.Caption) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if !s.writable {
		return fmt.Errorf("caption store %s: was opened for reading, or is closed", s.dir)
	}
	if err := s.append(c); err != nil {
		return fmt.Errorf("caption store %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) append(c schemas.Caption) error {
	if err := checkRecord(c); err != nil {
		return err
	}
	if c.Recipe != s.manifest.Recipe {
		return otherRecipe(c.Recipe, s.manifest.Recipe)
	}
	line, err := recordLine(c)
	if err != nil {
		return err
	}
	if s.journal == nil {
		j, name, err := createJournal(s.dir, s.next)
		if err != nil {
			return err
		}
		s.journal, s.own = j, s.journals.add(name)
	}
	offset, err := s.journal.append(line)
	if err != nil {
		return err
	}
	e := newEntry([]byte(c.ID), []byte(c.ImageSHA256), []byte(c.Time), c.Status == schemas.CaptionFailed, place(s.own)<<40|place(offset), len(line)-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(e)
}

// Lookup returns the caption of the picture with that name and those bytes.
func (s *Store) Lookup(id dataset.ID, imageSHA256 string) (schemas.Caption, bool, error) {
	s.mu.RLock()
	r, ok := s.index.lookup(idHash([]byte(id)), imageHash([]byte(imageSHA256)))
	s.mu.RUnlock()
	return s.read(r, ok, func(c schemas.Caption) bool { return c.ID == string(id) && c.ImageSHA256 == imageSHA256 })
}

// Twin returns the caption of the first picture with those bytes that got one, whatever its name. The first is that of the
// earliest record; of the same time, that of the lesser ID.
func (s *Store) Twin(imageSHA256 string) (schemas.Caption, bool, error) {
	s.mu.RLock()
	r, ok := s.index.twin(imageHash([]byte(imageSHA256)))
	s.mu.RUnlock()
	return s.read(r, ok, func(c schemas.Caption) bool { return c.ImageSHA256 == imageSHA256 })
}

// read reads a record that the index found, which is no answer if it is of another key with the same hash.
func (s *Store) read(r ref, found bool, asked func(schemas.Caption) bool) (schemas.Caption, bool, error) {
	if !found {
		return schemas.Caption{}, false, nil
	}
	c, _, err := s.journals.record(r, nil)
	if err != nil || !asked(c) {
		return schemas.Caption{}, false, err
	}
	return c, true, nil
}

// Has says whether there is a caption of that name, be it of these bytes or of others. It reads nothing.
func (s *Store) Has(id dataset.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index.captioned(s.index.find(idHash([]byte(id)))) != nil
}

// stands says whether the caption of the picture with that name and those bytes is what [Store.Captions] yields of the name,
// and [Store.Failures] yields nothing of it. It reads nothing.
func (s *Store) stands(id dataset.ID, imageSHA256 string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index.stands(idHash([]byte(id)), imageHash([]byte(imageSHA256)))
}

// Captions yields the latest caption of every ID that has one, sorted by ID, as the store stands when it is ranged over.
// Compare ImageSHA256 with the picture at hand: the file may have changed since. An error ends it. Use it before
// [Store.Close].
func (s *Store) Captions() iter.Seq2[schemas.Caption, error] {
	return s.sorted(func(x *index, n uint32) *entry { return x.captioned(n) })
}

// Failures yields the latest failure of every ID, sorted by ID, unless there is a caption of the same bytes, or a later one
// of other bytes; otherwise it is like [Store.Captions].
func (s *Store) Failures() iter.Seq2[schemas.Caption, error] {
	return s.sorted(func(x *index, n uint32) *entry { return x.failure(n) })
}

// Manifest is the store's manifest.json.
func (s *Store) Manifest() schemas.CaptionsManifest { return s.manifest }

// Torn lists the journals whose last line was cut off by a killed writer. Its picture is asked again.
func (s *Store) Torn() []string { return s.torn }

// Close syncs the store's journal and closes all files. Nothing can be read or added then.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var err error
	if s.journal != nil {
		err = s.journal.close()
	}
	s.journal, s.writable = nil, false
	return errors.Join(err, s.journals.close())
}
