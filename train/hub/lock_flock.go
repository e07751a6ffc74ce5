//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package hub

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// tryLock takes f until it is closed; it is not free where another program has it.
func tryLock(f *os.File) (free bool, err error) {
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return false, nil
	default: // a file system that has none
		return false, fmt.Errorf("lock %s: %w: %w", f.Name(), err, errors.ErrUnsupported)
	}
}
