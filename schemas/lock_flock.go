//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package schemas

import (
	"errors"
	"os"
	"syscall"
)

// lock takes f until it is closed.
func lock(f *os.File) error {
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return ErrLocked
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK): // a file system that has none
		return nil
	default:
		return err
	}
}
