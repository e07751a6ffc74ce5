package kernel

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// clock is the processor time of this thread, which other programs on the machine do not
// lengthen by taking turns, where work stays on it; else the time of day.
func clock() time.Duration {
	if runtime.GOMAXPROCS(0) > 1 {
		return time.Since(epoch)
	}
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return time.Since(epoch)
	}
	return time.Duration(t.Nano())
}
