package caption

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/mcil/mcil/schemas"
)

const (
	blockBytes  = 1 << 20  // read at a time
	recordBytes = 64 << 20 // of a record at most; an endpoint's answer is far smaller
)

// block is a piece of a journal that ends with a line, or with the journal.
type block struct {
	journal int
	offset  int // of data in the journal
	data    []byte
	torn    bool  // the journal ends in the middle of the line after data
	err     error // of reading; there is no data then

	done    chan struct{} // closed when what follows is there
	entries []entry
	lines   int // whole lines before bad, or all
	bad     error
}

// scan reads journals, in order, and calls add with what each record of recipe leaves in an index. A last line without its
// line end was being written when its writer died, or is being written now: it is left out, and its journal's index is in
// torn. One goroutine reads, others parse, and add is called by one at a time, in the order of the records; so the error is
// always that of the first damaged line. Memory is bounded by a few blocks a core.
func scan(names []string, recipe string, add func(entry) error) (torn []int, err error) {
	workers := max(1, runtime.GOMAXPROCS(0))
	group, ctx := errgroup.WithContext(context.Background())
	ordered := make(chan *block, 2*workers) // what is on the way, as it was read
	work := make(chan *block)
	free := make(chan *block, 3*workers+1) // to be used again
	group.Go(func() error {
		defer close(ordered)
		defer close(work)
		send := func(b *block) bool {
			select {
			case ordered <- b:
			case <-ctx.Done():
				return false
			}
			select {
			case work <- b:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for n, name := range names {
			if !readBlocks(name, n, free, send) {
				return nil
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for b := range work {
				b.parse(recipe)
				close(b.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		journal, line := -1, 0
		for b := range ordered {
			select {
			case <-b.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if b.journal != journal {
				journal, line = b.journal, 0
			}
			name := names[journal]
			if b.err != nil {
				return b.err
			}
			for _, e := range b.entries {
				if err := add(e); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			line += b.lines
			if b.bad != nil {
				return fmt.Errorf("%s:%d: %w: %w", name, line+1, b.bad, schemas.ErrDamaged)
			}
			if b.torn {
				torn = append(torn, journal)
			}
			select {
			case free <- b:
			default:
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return torn, nil
}

// readBlocks sends a journal in blocks until send says to stop.
func readBlocks(name string, journal int, free <-chan *block, send func(*block) bool) bool {
	next := func(offset int) *block {
		b := &block{}
		select {
		case b = <-free:
		default:
		}
		*b = block{journal: journal, offset: offset, data: b.data[:0], entries: b.entries[:0], done: make(chan struct{})}
		return b
	}
	fail := func(err error) bool {
		b := next(0)
		b.err = fmt.Errorf("caption store: %w", err)
		return send(b)
	}
	f, err := os.Open(name)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	b := next(0)
	for {
		if len(b.data) == cap(b.data) {
			b.data = append(make([]byte, 0, max(blockBytes, 2*cap(b.data))), b.data...)
		}
		n, err := f.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err != nil && !errors.Is(err, io.EOF) {
			return fail(err)
		}
		end := errors.Is(err, io.EOF)
		if !end && len(b.data) < cap(b.data) {
			continue
		}
		whole := bytes.LastIndexByte(b.data, '\n') + 1
		rest := b.data[whole:]
		if end {
			b.data, b.torn = b.data[:whole], len(rest) > 0
			return send(b)
		}
		if len(rest) > recordBytes {
			return fail(fmt.Errorf("%s: byte %d: a line of more than %d bytes: %w: %w", name, b.offset+whole, recordBytes, errDamaged, schemas.ErrDamaged))
		}
		if whole == 0 {
			continue
		}
		following := next(b.offset + whole)
		following.data = append(following.data, rest...)
		b.data = b.data[:whole]
		if !send(b) {
			return false
		}
		b = following
	}
}

// parse makes the entries of a block's lines, up to the first damaged one.
func (b *block) parse(recipe string) {
	for at := 0; at < len(b.data); b.lines++ {
		line := b.data[at:]
		line = line[:bytes.IndexByte(line, '\n')]
		e, err := parseEntry(line, recipe, b.journal, b.offset+at)
		if err != nil {
			b.bad = err
			return
		}
		b.entries = append(b.entries, e)
		at += len(line) + 1
	}
}

// parseEntry is what the line at an offset of a journal leaves in an index.
func parseEntry(line []byte, recipe string, journal, offset int) (entry, error) {
	if journal >= maxJournals || offset >= maxJournal || len(line) > recordBytes {
		return entry{}, errors.New("too many journals, or one that is too large")
	}
	r, ok := skim(line)
	if !ok {
		c, err := parseRecord(line)
		if err != nil {
			return entry{}, err
		}
		r = skimmed{id: []byte(c.ID), image: []byte(c.ImageSHA256), recipe: []byte(c.Recipe), time: []byte(c.Time), failed: c.Status == schemas.CaptionFailed}
	}
	if string(r.recipe) != recipe {
		return entry{}, otherRecipe(string(r.recipe), recipe)
	}
	return newEntry(r.id, r.image, r.time, r.failed, place(journal)<<40|place(offset), len(line)), nil
}

func otherRecipe(got, want string) error {
	return fmt.Errorf("a record of recipe %.12s in a store of recipe %.12s: %w", got, want, ErrOtherRecipe)
}
