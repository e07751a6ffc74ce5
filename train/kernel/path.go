package kernel

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// cpuPath is which instructions the kernels use.
type cpuPath int32

const (
	portable cpuPath = iota
	avx2             // AVX2 and FMA
	avx512           // AVX-512 F and VL, besides AVX2

	// library is set beside one of these where large products go through OpenBLAS.
	library cpuPath = 1 << 8
)

func (p cpuPath) String() string {
	if p&library != 0 {
		return "openblas"
	}
	switch p {
	case avx2:
		return "avx2"
	case avx512:
		return "avx512"
	}
	return "portable"
}

// environment is read once: a product must not change its mind half way.
var environment = sync.OnceValues(func() (cpuPath, error) { return choosePath(os.Getenv("MCIL_CPU")) })

// forced overrides the environment: 0 is off, else 1 + the path. Tests only.
var forced atomic.Int32

// choosePath falls back to the best path where want cannot be had, so that the
// numbers stay right while the caller reports the error.
func choosePath(want string) (cpuPath, error) {
	best := bestPath()
	switch want {
	case "":
		return best, nil
	case library.String():
		if err := openLibrary(); err != nil {
			return best, fmt.Errorf("kernel: MCIL_CPU=%s: %w", want, err)
		}
		return best | library, nil
	}
	for p := portable; p <= avx512; p++ {
		if p.String() != want {
			continue
		}
		if p > best {
			return best, fmt.Errorf("kernel: MCIL_CPU=%s: this cpu has no %s; unset it or use %s", want, want, best)
		}
		return p, nil
	}
	return best, fmt.Errorf("kernel: MCIL_CPU=%s is unknown; use portable, avx2, avx512 or openblas", want)
}

// Path names the CPU path in use: "avx512", "avx2", "portable", or "openblas", which is
// the best of these with large products through a library. It returns an error when the
// environment variable MCIL_CPU asks for a path that is unknown or cannot be had here;
// the best one is used then.
func Path() (string, error) {
	_, err := environment()
	return chosenPath().String(), err
}

// currentPath is the one of portable, avx2 and avx512 in use.
func currentPath() cpuPath { return chosenPath() &^ library }

func chosenPath() cpuPath {
	if f := forced.Load(); f != 0 {
		return cpuPath(f - 1)
	}
	p, _ := environment()
	return p
}
