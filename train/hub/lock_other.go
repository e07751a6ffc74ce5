//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package hub

import (
	"errors"
	"os"
)

// tryLock has no locks here.
func tryLock(*os.File) (free bool, err error) { return false, errors.ErrUnsupported }
