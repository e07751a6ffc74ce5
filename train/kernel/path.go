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
)

func (p cpuPath) String() string {
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
	if want == "" {
		return best, nil
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
	return best, fmt.Errorf("kernel: MCIL_CPU=%s is unknown; use portable, avx2 or avx512", want)
}

// Path names the CPU path in use: "avx512", "avx2" or "portable". It returns an
// error when the environment variable MCIL_CPU asks for a path that is unknown or
// that this CPU lacks; the best path is used then.
func Path() (string, error) {
	_, err := environment()
	return currentPath().String(), err
}

func currentPath() cpuPath {
	if f := forced.Load(); f != 0 {
		return cpuPath(f - 1)
	}
	p, _ := environment()
	return p
}
