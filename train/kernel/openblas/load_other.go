//go:build !(darwin || linux)

package openblas

import (
	"errors"
	"runtime"
)

func open(string) (*Library, error) {
	return nil, errors.New("libraries are not loaded on " + runtime.GOOS)
}
