package caption

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/mcil/mcil/schemas"
)

// A journal has one writer, which created it with O_EXCL under the next free number, and is never written again after
// that writer ends. So processes that share a store share no file, and a torn last line is never appended to.

// syncEvery bounds how much a power cut can lose; a killed process loses nothing.
const syncEvery = time.Second

// recordTime is RFC 3339 in UTC with a fixed width, so that text order is time order.
const recordTime = "2006-01-02T15:04:05.000000Z"

// journal is one writer's file. Its calls follow one another: [Store.Append] sees to that.
type journal struct {
	f      *os.File
	synced time.Time
	broken error // the first failed write: what follows it could not be told from damage
}

func createJournal(dir string) (*journal, error) {
	for n := 1; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf("journal-%d.jsonl", n))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &journal{f: f, synced: time.Now()}, schemas.SyncDir(dir)
	}
}

// append writes one record by one call, and syncs where the last sync is a while ago.
func (j *journal) append(c schemas.Caption) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if j.broken != nil {
		return j.broken
	}
	if _, err := j.f.Write(append(b, '\n')); err != nil {
		j.broken = fmt.Errorf("append to journal: %w", err)
		return j.broken
	}
	if time.Since(j.synced) < syncEvery {
		return nil
	}
	j.synced = time.Now()
	return j.f.Sync()
}

func (j *journal) close() error {
	return errors.Join(j.f.Sync(), j.f.Close())
}

var journalName = regexp.MustCompile(`^journal-([1-9]\d{0,8})\.jsonl$`)

// journalFiles lists the journals in dir by number.
func journalFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	numbers := []int{}
	for _, e := range entries {
		if m := journalName.FindStringSubmatch(e.Name()); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = filepath.Join(dir, fmt.Sprintf("journal-%d.jsonl", n))
	}
	return names, nil
}

// readJournal calls visit with every record of the file at path. A last line without its line end was being written when
// its writer died (or is being written now): it is left out, and torn is true.
func readJournal(path string, visit func(schemas.Caption) error) (torn bool, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	for n := 1; len(b) > 0; n++ {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		if !whole {
			return true, nil
		}
		c, err := parseRecord(line)
		if err == nil {
			err = visit(c)
		}
		if err != nil {
			return false, fmt.Errorf("%s:%d: %w: %w", path, n, err, schemas.ErrDamaged)
		}
		b = rest
	}
	return false, nil
}

// errDamaged is in the error for a journal line that is not a record.
var errDamaged = errors.New("damaged record: remove the line to have its picture asked again")

func parseRecord(line []byte) (schemas.Caption, error) {
	var c schemas.Caption
	if err := json.Unmarshal(line, &c); err != nil {
		return c, fmt.Errorf("%w (%w)", errDamaged, err)
	}
	switch {
	case c.Version > 1:
		return c, fmt.Errorf("record of version %d, and this mcil reads version 1: use a newer mcil", c.Version)
	case c.Version != 1:
		return c, fmt.Errorf("%w (version %d)", errDamaged, c.Version)
	case c.ID == "":
		return c, fmt.Errorf("%w (no id)", errDamaged)
	case c.Status != schemas.CaptionOK && c.Status != schemas.CaptionFailed:
		return c, fmt.Errorf("%w (status %q)", errDamaged, c.Status)
	}
	return c, nil
}
