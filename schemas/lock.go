package schemas

import (
	"errors"
	"fmt"
	"os"
)

// ErrLocked is what [Lock] wraps where another process has the file.
var ErrLocked = errors.New("locked by another process")

// Lock takes f, a file or folder that was opened at path, for this process until f is closed. It fails at once where another
// process has it, or had it and moved or deleted it since. Systems without such locks have the caller's word.
func Lock(f *os.File, path string) error {
	if err := lock(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	locked, err := f.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(locked, named) {
		return fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return nil
}
