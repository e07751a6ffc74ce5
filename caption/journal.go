package caption

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mcil/mcil/schemas"
)

// A journal has one writer, which created it with O_EXCL under the next free number, and is never written again after
// that writer ends. So processes that share a store share no file, and nothing is ever appended to a torn last line.
//
// That line is cut by leaving it out whenever the journal is read; its bytes stay. Taking them away would gain nothing, and
// could not be told from cutting into what a living writer, on this machine or another that shares the folder, is writing:
// no lock says reliably across machines that a writer is dead.

// syncEvery bounds how much a power cut can lose; a killed process loses nothing.
const syncEvery = time.Second

// recordTime is RFC 3339 in UTC with a fixed width, so that text order is time order.
const recordTime = "2006-01-02T15:04:05.000000Z"

// journal is one writer's file. Its calls follow one another: [Store.Append] sees to that.
type journal struct {
	f      *os.File
	size   int
	synced time.Time
	broken error // the first failed write: what follows it could not be told from damage
}

// createJournal begins the journal of the first number from n on that is free.
func createJournal(dir string, n int) (*journal, string, error) {
	for ; ; n++ {
		name := journalPath(dir, n)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		return &journal{f: f, synced: time.Now()}, name, schemas.SyncDir(dir)
	}
}

// append writes one line by one call, and syncs where the last sync is a while ago. It returns where the line begins.
func (j *journal) append(line []byte) (offset int, err error) {
	if j.broken != nil {
		return 0, j.broken
	}
	if _, err := j.f.Write(line); err != nil {
		j.broken = fmt.Errorf("append to journal: %w", err)
		return 0, j.broken
	}
	offset = j.size
	j.size += len(line)
	if time.Since(j.synced) < syncEvery {
		return offset, nil
	}
	j.synced = time.Now()
	return offset, j.f.Sync()
}

func (j *journal) close() error {
	return errors.Join(j.f.Sync(), j.f.Close())
}

var journalName = regexp.MustCompile(`^journal-([1-9]\d{0,8})\.jsonl$`)

func journalPath(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("journal-%d.jsonl", n))
}

// journalFiles lists the journals in dir by number. next is the number after the last.
func journalFiles(dir string) (names []string, next int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	numbers := []int{}
	for _, e := range entries {
		if m := journalName.FindStringSubmatch(e.Name()); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, 0, err
			}
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		names = append(names, journalPath(dir, n))
		next = n
	}
	return names, next + 1, nil
}

// errDamaged is in the error for a journal line that is not a record.
var errDamaged = errors.New("damaged record: remove the line to have its picture asked again")

func parseRecord(line []byte) (schemas.Caption, error) {
	var c schemas.Caption
	if err := json.Unmarshal(line, &c); err != nil {
		return c, fmt.Errorf("%w (%w)", errDamaged, err)
	}
	return c, checkRecord(c)
}

// checkRecord says what no journal may hold.
func checkRecord(c schemas.Caption) error {
	switch {
	case c.Version > 1:
		return fmt.Errorf("record of version %d, and this mcil reads version 1: use a newer mcil", c.Version)
	case c.Version != 1:
		return fmt.Errorf("%w (version %d)", errDamaged, c.Version)
	case c.ID == "":
		return fmt.Errorf("%w (no id)", errDamaged)
	case c.Status != schemas.CaptionOK && c.Status != schemas.CaptionFailed:
		return fmt.Errorf("%w (status %q)", errDamaged, c.Status)
	}
	return nil
}

// recordLine is a record as a journal has it, with its line end.
func recordLine(c schemas.Caption) ([]byte, error) {
	for _, text := range []string{c.ID, c.ImageSHA256} { // JSON would change what is not UTF-8, and a key must come back as it is
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("%q is not UTF-8", text)
		}
	}
	line, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if len(line) > recordBytes {
		return nil, fmt.Errorf("%s: a record of %d bytes: at most %d are kept", c.ID, len(line), recordBytes)
	}
	return append(line, '\n'), nil
}

// openJournals bounds the journals that are open for reading at a time: a store may have more than a process may open files.
const openJournals = 64

// journals reads records where an index says they are. Its methods are safe for concurrent use.
type journals struct {
	mu     sync.Mutex
	names  []string         // by the index that a place has
	open   map[int]*os.File // by the same
	oldest []int            // keys of open, in the order in which they were opened
	closed bool
}

// add gives a journal an index.
func (j *journals) add(name string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names = append(j.names, name)
	return len(j.names) - 1
}

func (j *journals) name(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.names[n]
}

func (j *journals) file(n int) (*os.File, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, fmt.Errorf("the store is closed: %w", os.ErrClosed)
	}
	if f := j.open[n]; f != nil {
		return f, nil
	}
	f, err := os.Open(j.names[n])
	if err != nil {
		return nil, err
	}
	if len(j.oldest) == openJournals {
		j.open[j.oldest[0]].Close()
		delete(j.open, j.oldest[0])
		j.oldest = slices.Delete(j.oldest, 0, 1)
	}
	if j.open == nil {
		j.open = map[int]*os.File{}
	}
	j.open[n] = f
	j.oldest = append(j.oldest, n)
	return f, nil
}

// line reads a record's line into buf, which grows as needed. What it returns is a part of buf.
func (j *journals) line(r ref, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], int(r.length))[:r.length]
	for {
		f, err := j.file(r.place.journal())
		if err != nil {
			return nil, fmt.Errorf("read a caption: %w", err)
		}
		_, err = f.ReadAt(buf, r.place.offset())
		if errors.Is(err, os.ErrClosed) { // by a reader of another journal: once more
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a caption: %s at byte %d: %w", f.Name(), r.place.offset(), err)
		}
		return buf, nil
	}
}

// record reads a whole record.
func (j *journals) record(r ref, buf []byte) (schemas.Caption, []byte, error) {
	line, err := j.line(r, buf)
	if err != nil {
		return schemas.Caption{}, buf, err
	}
	c, err := parseRecord(line)
	if err != nil {
		return c, line, j.changed(r, err)
	}
	return c, line, nil
}

// id reads a record's ID.
func (j *journals) id(r ref, buf []byte) (string, []byte, error) {
	line, err := j.line(r, buf)
	if err != nil {
		return "", buf, err
	}
	if s, ok := skim(line); ok {
		return string(s.id), line, nil
	}
	c, err := parseRecord(line)
	if err != nil {
		return "", line, j.changed(r, err)
	}
	return c.ID, line, nil
}

// changed is the error for a record that is not what it was when its journal was scanned.
func (j *journals) changed(r ref, err error) error {
	return fmt.Errorf("%s at byte %d has changed since the store was opened: %w: %w", j.name(r.place.journal()), r.place.offset(), err, schemas.ErrDamaged)
}

func (j *journals) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for _, n := range j.oldest {
		errs = append(errs, j.open[n].Close())
	}
	j.open, j.oldest, j.closed = nil, nil, true
	return errors.Join(errs...)
}
