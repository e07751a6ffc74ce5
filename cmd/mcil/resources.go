package main

import (
	"fmt"
	"runtime"

	"github.com/mcil/mcil/train"
)

// mostThreads is beyond any machine: more is a slip of the pen.
const mostThreads = 4096

// threadFlag is how many threads the arithmetic uses. The results are the same bytes for any number.
type threadFlag struct {
	Threads *int `placeholder:"N" help:"Threads of the whole process, as many as cores it may use. The result does not depend on it. Default: all cores."`
}

// validate refuses a number that cannot be.
func (f threadFlag) validate() error {
	if f.Threads != nil && (*f.Threads < 1 || *f.Threads > mostThreads) {
		return fmt.Errorf("--threads=%d: choose 1 or more, such as the number of cores, %d", *f.Threads, runtime.NumCPU())
	}
	return nil
}

// use lets the process have that many threads until the function returned is called.
func (f threadFlag) use() (restore func()) {
	if f.Threads == nil {
		return func() {}
	}
	before := runtime.GOMAXPROCS(*f.Threads)
	return func() { runtime.GOMAXPROCS(before) }
}

// count is the number of threads that [threadFlag.use] makes it.
func (f threadFlag) count() int {
	if f.Threads == nil {
		return runtime.GOMAXPROCS(0)
	}
	return *f.Threads
}

// resourceFlags are flags of the verbs that put pictures through a model: what they may use of the machine. They change how
// long it takes and nothing that comes out.
type resourceFlags struct {
	threadFlag
	Workers   *int     `placeholder:"N" help:"Pictures decoded at a time, ahead of their batch. Default: as many as threads."`
	CacheDir  string   `placeholder:"DIR" help:"Keep processed pictures there, for later epochs and runs, also of other processes at the same time."`
	CacheSize byteSize `placeholder:"SIZE" help:"What they may take there, such as 500MB; when it is reached, no more are kept. Default: 8GiB."`
}

func (f resourceFlags) validate() error {
	switch {
	case f.Workers != nil && *f.Workers < 1:
		return fmt.Errorf("--workers=%d: choose 1 or more", *f.Workers)
	case f.CacheSize != 0 && f.CacheDir == "":
		return train.Idlef("--cache-size has no effect without --cache-dir")
	}
	return f.threadFlag.validate()
}

// workers is how many pictures are decoded at a time.
func (f resourceFlags) workers() int {
	if f.Workers == nil {
		return f.count()
	}
	return *f.Workers
}

// pictures is where processed pictures are kept.
func (f resourceFlags) pictures() train.PictureCache {
	return train.PictureCache{Dir: f.CacheDir, Bytes: int64(f.CacheSize)}
}

// cacheMemory is how much memory processed pictures may take, of the verbs that read them more than once.
type cacheMemory struct {
	CacheMemory byteSize `default:"1GiB" placeholder:"SIZE" help:"Memory for processed pictures that are read again."`
}
