package layout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/mcil/mcil/schemas"
)

// encoder writes records. Arrow's writers of streams, files and Parquet are encoders.
type encoder interface {
	Write(arrow.Record) error
	Close() error
}

// shards writes the records of one split to one or more files.
type shards struct {
	disk *disk
	root string // of the dataset
	// name is the path below root of shard i of n, with slashes.
	name       func(i, n int) string
	limitBytes int64 // of pictures in a shard; 0: all in one
	encode     func(*output) (encoder, error)
	skipEmpty  bool // a split without rows has no file

	done    []schemas.FileDigest
	f       *output
	enc     encoder
	current int64 // bytes of pictures in f
}

// part is what a shard is called before the number of shards is known.
func (s *shards) part(i int) string {
	return filepath.Join(s.root, filepath.FromSlash(s.name(i, 0)+".part"))
}

func (s *shards) begin() (err error) {
	if s.f, err = s.disk.create(s.part(len(s.done))); err != nil {
		return err
	}
	s.current = 0
	s.enc, err = s.encode(s.f)
	return s.because(err)
}

// because adds the name of the open file to what went wrong with it. What went wrong in writing is the cause of the rest.
func (s *shards) because(err error) error {
	if s.f.err != nil {
		return s.f.err
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", s.f.path, err)
	}
	return nil
}

// write appends a record with so many bytes of pictures.
func (s *shards) write(rec arrow.Record, pictureBytes int64) error {
	if s.f != nil && s.limitBytes > 0 && s.current > 0 && s.current+pictureBytes > s.limitBytes {
		if err := s.cut(); err != nil {
			return err
		}
	}
	if s.f == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	s.current += pictureBytes
	return s.because(guard(func() error { return s.enc.Write(rec) }))
}

// cut finishes the open shard.
func (s *shards) cut() error {
	if err := s.because(guard(s.enc.Close)); err != nil {
		return err
	}
	bytes, sha, err := s.f.finish()
	if err != nil {
		return err
	}
	s.done = append(s.done, schemas.FileDigest{Bytes: bytes, SHA256: sha})
	s.f, s.enc = nil, nil
	return nil
}

// end finishes the last shard and gives all their names. A split without rows is one shard, or none.
func (s *shards) end() error {
	if s.f == nil && len(s.done) == 0 && !s.skipEmpty {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if s.f != nil {
		if err := s.cut(); err != nil {
			return err
		}
	}
	for i := range s.done {
		s.done[i].Path = s.name(i, len(s.done))
		if err := os.Rename(s.part(i), filepath.Join(s.root, filepath.FromSlash(s.done[i].Path))); err != nil {
			return err
		}
	}
	return nil
}

// guard turns a panic, which is how the Parquet writer reports some errors, into an error.
func guard(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = p
		default:
			err = errors.New(fmt.Sprint(p))
		}
	}()
	return f()
}
