//go:build !linux

package kernel

import "time"

// clock is the time of day.
func clock() time.Duration { return time.Since(epoch) }
