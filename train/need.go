package train

import (
	"context"
	"runtime/debug"
)

// Need estimates the memory in bytes that a process takes for a run: what the run itself plans, and what a Go process takes
// beside. It opens data and weights and learns nothing. It is meant to be too much rather than too little. What it takes
// itself, as much as the weights and the network, it gives back to the system.
func Need(ctx context.Context, o Options) (int64, error) {
	defer debug.FreeOSMemory() // by when nothing refers to the run
	return need(ctx, o)
}

func need(ctx context.Context, o Options) (int64, error) {
	r, err := newRun(o)
	if err != nil {
		return 0, err
	}
	defer r.close()
	if _, err := r.prepare(ctx); err != nil {
		return 0, err
	}
	plan, err := r.footprint()
	return plan.Total() + processBytes, err
}

// processBytes is what a process takes beside what [Need] counts: the program, its runtime, and garbage of decoding.
const processBytes = 128 << 20
