package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mcil/mcil/train/sweep"
)

// saidEvery is how often a supervised process tells of its progress.
const saidEvery = 500 * time.Millisecond

// supervisedContext is [interruptible] for a process that another mcil started: a byte on standard input stands for the first
// Ctrl-C, and its end, which comes at the latest with the end of the other process, for the second. A Ctrl-C on the terminal
// that both share is for the other process alone.
func supervisedContext(orders io.Reader) (context.Context, func()) {
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		b := make([]byte, 1)
		if _, err := io.ReadFull(orders, b); err == nil {
			cancel()
			io.Copy(io.Discard, orders)
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, func() {
		cancel()
		stop()
	}
}

// lineWriter tells progress as lines of JSON.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) say(line sweep.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	json.NewEncoder(l.w).Encode(line)
}

// peakBytes is the most memory that this process had; 0 where the system does not tell.
func peakBytes() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return kibibytes(string(status), "VmHWM:")
}

// freeBytes is the memory that is free for new processes; 0 where the system does not tell.
func freeBytes() int64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	free := kibibytes(string(info), "MemAvailable:")
	limit, used := number("/sys/fs/cgroup/memory.max"), number("/sys/fs/cgroup/memory.current") // of a container
	if limit > 0 && used > 0 {
		free = min(free, max(1, limit-used))
	}
	return free
}

// kibibytes reads a line such as "MemAvailable: 1024 kB".
func kibibytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		var n int64
		if rest, ok := strings.CutPrefix(line, name); ok {
			if _, err := fmt.Sscanf(rest, "%d kB", &n); err == nil {
				return n << 10
			}
		}
	}
	return 0
}

// number is what a file says that holds a number; 0 where it does not.
func number(path string) (n int64) {
	b, err := os.ReadFile(path)
	if err == nil {
		fmt.Sscan(string(b), &n)
	}
	return n
}
