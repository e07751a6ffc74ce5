package schemas

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// One at a time has a file; who had it open before it was moved away or made again has it no more.
func TestLock(t *testing.T) {
	if lock(nil) == nil {
		t.Skip("no locks here")
	}
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if err := Lock(first, path); err != nil {
		t.Fatal(err)
	}
	if err := Lock(second, path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if err := errors.Join(os.Remove(path), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := Lock(second, path); !errors.Is(err, ErrLocked) {
		t.Errorf("one that has been deleted: %v", err)
	}
	third := open()
	if err := Lock(second, path); !errors.Is(err, ErrLocked) {
		t.Errorf("one that has been made again: %v", err)
	}
	if err := Lock(third, path); err != nil {
		t.Error(err)
	}
}
