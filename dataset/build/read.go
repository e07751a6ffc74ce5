package build

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
)

// Bounds of what is read ahead of the writer. A picture that is larger by itself is read alone.
const (
	aheadBytes    = 64 << 20
	aheadPictures = 256
)

// found is a picture that was read. Its image is the reader's: it is gone after the next one.
type found struct {
	entry   dataset.Entry
	image   []byte
	info    picture.Info
	sha256  string
	caption dataset.Caption
	refused error // why it cannot be a row; wraps dataset.ErrRefused
}

// reader reads pictures and their captions with several goroutines, and gives them out in the order asked for.
type reader struct {
	source  dataset.Source
	caption func(e dataset.Entry) dataset.Caption
	decode  bool // all of the picture, to see whether it can be
	workers int
	free    sync.Pool // of *[]byte
}

// intoReader is a source that can read into memory that is at hand.
type intoReader interface {
	ReadInto(ctx context.Context, e dataset.Entry, buf []byte) ([]byte, error)
}

// read yields the pictures of entries in order. After an error it stops.
func (r *reader) read(ctx context.Context, entries []dataset.Entry) iter.Seq2[*found, error] {
	type result struct {
		f   *found
		err error
	}
	type job struct {
		entry dataset.Entry
		done  chan result
	}
	return func(yield func(*found, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		ahead := semaphore.NewWeighted(aheadBytes)
		weight := func(e dataset.Entry) int64 { return min(max(e.SizeBytes, 1), aheadBytes) }
		jobs, queue := make(chan job), make(chan job, aheadPictures)
		wg.Go(func() {
			defer close(jobs)
			defer close(queue)
			for _, e := range entries {
				if ahead.Acquire(ctx, weight(e)) != nil {
					return
				}
				j := job{e, make(chan result, 1)}
				for _, c := range []chan job{queue, jobs} {
					select {
					case c <- j:
					case <-ctx.Done():
						return
					}
				}
			}
		})
		for range max(1, r.workers) {
			wg.Go(func() {
				for j := range jobs {
					f, err := r.one(ctx, j.entry)
					j.done <- result{f, err}
				}
			})
		}
		for j := range queue {
			var got result
			select {
			case got = <-j.done:
			case <-ctx.Done():
				got.err = ctx.Err()
			}
			more := yield(got.f, got.err)
			if !more || got.err != nil {
				return
			}
			r.free.Put(&got.f.image)
			ahead.Release(weight(j.entry))
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// one reads a picture and looks at it.
func (r *reader) one(ctx context.Context, e dataset.Entry) (*found, error) {
	f := &found{entry: e, caption: r.caption(e)}
	var err error
	if into, ok := r.source.(intoReader); ok {
		var buf []byte
		if p, ok := r.free.Get().(*[]byte); ok {
			buf = *p
		}
		f.image, err = into.ReadInto(ctx, e, buf)
	} else {
		f.image, err = r.source.Read(ctx, e)
	}
	if err == nil {
		f.sha256 = dataset.Digest(f.image)
		f.info, err = picture.Inspect(f.image)
	}
	if err == nil && r.decode {
		_, err = picture.Decode(f.image)
	}
	if err == nil && f.caption.ImageSHA256 != "" && f.caption.ImageSHA256 != f.sha256 {
		err = fmt.Errorf("the caption is of another picture of this name: run mcil caption again: %w", dataset.ErrRefused)
	}
	if errors.Is(err, dataset.ErrRefused) {
		f.refused, err = err, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	return f, nil
}
