package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcil/mcil/schemas"
)

func keyOf(i int) Key { return sha256.Sum256(fmt.Append(nil, i)) }

// valueOf is some thousand bytes that differ from key to key.
func valueOf(i int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	b := make([]byte, 3000+r.IntN(2000))
	for k := range b {
		b[k] = byte(r.Uint32())
	}
	return b
}

func open(t testing.TB, dir string, limit int64) *Folder {
	t.Helper()
	f, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// onDisk is the size of all entries as [Folder] counts.
func onDisk(t *testing.T, dir string) (total int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "??", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || filepath.Ext(file) != ending {
			t.Fatalf("%s (%v)", file, err)
		}
		total += blocks(info.Size())
	}
	return total
}

func total(t *testing.T, f *Folder) int64 {
	t.Helper()
	n, err := f.readTotal()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGetPut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cache")
	f := open(t, dir, 1<<20)
	if _, ok := f.Get(keyOf(1)); ok {
		t.Error("an empty cache has something")
	}
	f.Put(keyOf(1), []byte("ab"), nil, []byte("c"))
	f.Put(keyOf(1), []byte("other")) // is there
	f.Put(keyOf(2))
	for _, f := range []*Folder{f, open(t, dir, 1)} { // and again, in another process
		if v, ok := f.Get(keyOf(1)); !ok || string(v) != "abc" {
			t.Errorf("got %q, %v", v, ok)
		}
		if v, ok := f.Get(keyOf(2)); !ok || len(v) != 0 {
			t.Errorf("an empty value is %q, %v", v, ok)
		}
		if _, ok := f.Get(keyOf(3)); ok {
			t.Error("something under another key")
		}
	}
	if s := f.Stats(); s != (Stats{Found: 2, Added: 2}) {
		t.Errorf("%+v", s)
	}
	if got := total(t, f); got != 2*block {
		t.Errorf("a total of %d", got)
	}
	var none *Folder
	none.Put(keyOf(1), []byte("x"))
	if _, ok := none.Get(keyOf(1)); ok || none.Stats() != (Stats{}) || none.Close() != nil {
		t.Error("no folder keeps something")
	}
}

// TestDamage: an entry that is changed anywhere is none, is removed, and is made again.
func TestDamage(t *testing.T) {
	f := open(t, t.TempDir(), 1<<20)
	value := valueOf(0)
	path := f.path(keyOf(0))
	n := 0
	spoil := func(what string, change func(b []byte) []byte) {
		t.Helper()
		f.Put(keyOf(0), value)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o666); err != nil {
			t.Fatal(err)
		}
		n++
		if _, ok := f.Get(keyOf(0)); ok || f.Stats().Damaged != n {
			t.Errorf("%s: found, %v; %+v", what, ok, f.Stats())
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: it is still there (%v)", what, err)
		}
		if got := total(t, f); got != 0 {
			t.Errorf("%s: a total of %d", what, got)
		}
	}
	size := headBytes + len(value)
	for at := 0; at < size; at += 1 + at/20 {
		spoil(fmt.Sprintf("byte %d", at), func(b []byte) []byte { b[at] ^= 1 << (at % 8); return b })
	}
	for _, keep := range []int{0, 1, headBytes - 1, headBytes, size - 1} {
		spoil(fmt.Sprintf("cut to %d", keep), func(b []byte) []byte { return b[:keep] })
	}
	spoil("one byte more", func(b []byte) []byte { return append(b, 0) })
	spoil("another's entry", func([]byte) []byte { return entry(keyOf(1), [][]byte{value}) })
	f.Put(keyOf(0), value)
	if v, ok := f.Get(keyOf(0)); !ok || !bytes.Equal(v, value) {
		t.Error("it is not made again")
	}
}

// TestLimit: several processes together stay below the limit, and each finds what the others kept.
func TestLimit(t *testing.T) {
	dir, limit := t.TempDir(), int64(40*block)
	var wg sync.WaitGroup
	folders := make([]*Folder, 4)
	for k := range folders {
		folders[k] = open(t, dir, limit)
		for range 2 {
			wg.Go(func() {
				for i := range 60 {
					i := (i*7 + 13*k) % 60
					folders[k].Put(keyOf(i), valueOf(i))
					if v, ok := folders[k].Get(keyOf(i)); ok && !bytes.Equal(v, valueOf(i)) {
						t.Errorf("value %d is another", i)
					}
				}
			})
		}
	}
	wg.Wait()
	size := onDisk(t, dir)
	if size > limit || size < limit-2*block {
		t.Errorf("%d bytes in a cache of %d", size, limit)
	}
	added := 0
	for _, f := range folders {
		s := f.Stats()
		added += s.Added
		if !errors.Is(s.Stopped, ErrFull) || s.Damaged > 0 {
			t.Errorf("%+v", s)
		}
		if got := total(t, f); got != size {
			t.Errorf("a total of %d, and %d bytes are there", got, size)
		}
	}
	there := 0
	for i := range 60 {
		if _, ok := folders[0].Get(keyOf(i)); ok {
			there++
		}
	}
	if there != added {
		t.Errorf("%d entries of %d added", there, added)
	}
	more := open(t, dir, limit+2*block)
	for i := range 60 {
		more.Put(keyOf(i), valueOf(i))
	}
	if more.Stats().Added == 0 || onDisk(t, dir) > limit+2*block {
		t.Errorf("with a higher limit: %+v in %d bytes", more.Stats(), onDisk(t, dir))
	}
}

// TestKilled: what a killed process left half written is deleted, and a wrong total is put right.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, 1<<20)
	f.Put(keyOf(1), valueOf(1))
	path := f.path(keyOf(1))
	left := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp-17")
	if err := os.WriteFile(left, []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "                999\n", "                 -1\n", "nonsense", strings.Repeat("7", 40)} {
		if err := os.WriteFile(filepath.Join(dir, totalName), []byte(wrong), 0o666); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir, 1<<20)
		if got := total(t, again); got != onDisk(t, dir) {
			t.Errorf("after %q a total of %d", wrong, got)
		}
		if err := os.WriteFile(filepath.Join(dir, totalName), []byte("torn"), 0o666); err != nil { // under way
			t.Fatal(err)
		}
		if got := total(t, again); got != onDisk(t, dir) {
			t.Errorf("torn: a total of %d", got)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error("half an entry is still there")
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 1); !errors.Is(err, schemas.ErrRefused) {
		t.Errorf("a folder with other things: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, tagName), []byte("Signature: 8a477f597d28d172789f06886806bc55\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 1); !errors.Is(err, schemas.ErrRefused) {
		t.Errorf("another program's cache: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("it left %v, %v", left, err)
	}
	if _, err := Open(filepath.Join(dir, "thesis.tex"), 1); err == nil {
		t.Error("a file is taken for a folder")
	}
	var wg sync.WaitGroup
	fresh := filepath.Join(dir, "fresh")
	for range 8 { // together
		wg.Go(func() {
			if f, err := Open(fresh, 1); err != nil {
				t.Error(err)
			} else {
				f.Close()
			}
		})
	}
	wg.Wait()
}

// TestDiskFails: an entry that cannot be written stops the writing, not the work.
func TestDiskFails(t *testing.T) {
	f := open(t, t.TempDir(), 1<<20)
	path := f.path(keyOf(1))
	if err := os.WriteFile(filepath.Dir(path), nil, 0o666); err != nil { // where a folder must be
		t.Fatal(err)
	}
	f.Put(keyOf(1), []byte("x"))
	if s := f.Stats(); s.Stopped == nil || s.Added != 0 {
		t.Errorf("%+v", s)
	}
	if _, ok := f.Get(keyOf(1)); ok {
		t.Error("found what was not written")
	}
}

func FuzzEntry(f *testing.F) {
	key := keyOf(1)
	f.Add(entry(key, [][]byte{[]byte("value")}))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if value, ok := parse(b, key); ok && !bytes.Equal(entry(key, [][]byte{value}), b) {
			t.Errorf("%x is taken for %x", b, value)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	f := open(b, b.TempDir(), 1<<30)
	value := make([]byte, 192*3072)
	f.Put(keyOf(0), value)
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, ok := f.Get(keyOf(0)); !ok {
			b.Fatal("gone")
		}
	}
}

// TestGetDoesNotWait: an entry is read, and one that is not there is missed, while another goroutine writes.
func TestGetDoesNotWait(t *testing.T) {
	f, err := Open(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Put(Key{1}, []byte("one"))
	f.mu.Lock() // as Put has it
	done := make(chan bool)
	go func() {
		_, there := f.Get(Key{1})
		_, other := f.Get(Key{2})
		done <- there && !other
	}()
	select {
	case ok := <-done:
		if !ok {
			t.Error("another entry was found")
		}
	case <-time.After(10 * time.Second):
		t.Error("Get waits for the lock")
	}
	f.mu.Unlock()
	if s := f.Stats(); s.Found != 1 {
		t.Errorf("%d found", s.Found)
	}
}
