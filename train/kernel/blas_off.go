//go:build !openblas

package kernel

import "errors"

// openLibrary is where a program without a dynamic linker says so.
func openLibrary() error {
	return errors.New("this build has no OpenBLAS; build with -tags openblas")
}

func libraryProduct(_ Matrix, _, _ view, _ []float32, _ bool, _ finish) bool { return false }
