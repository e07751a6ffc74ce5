package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/mcil/mcil/train/sweep"
)

// drawnEvery is how often the lines of a sweep are drawn anew on a terminal.
const drawnEvery = 200 * time.Millisecond

// sweepView shows a sweep: on a terminal a line for each run under way and one for all, drawn over the ones before, and
// otherwise the same as plain lines from time to time.
type sweepView struct {
	p     *progress
	shown time.Time
	drawn int // lines that stand on the terminal
	last  sweep.Status
}

func newSweepView(p *progress) *sweepView { return &sweepView{p: p, shown: time.Now()} }

func (v *sweepView) update(s sweep.Status) {
	every := plainEvery
	if v.p.tty {
		every = drawnEvery
	}
	if s.Stopping && !v.last.Stopping {
		v.drawn = 0 // the answer to Ctrl-C stands below them
	}
	ended := s.Done != v.last.Done
	v.last = s
	if now := time.Now(); ended || now.Sub(v.shown) >= every {
		v.shown = now
		v.draw(s)
	}
}

func (v *sweepView) draw(s sweep.Status) {
	var lines []string
	for _, r := range s.Running {
		if r.Total > 0 {
			lines = append(lines, fmt.Sprintf("%s, %s: %d/%d, %.1f/s, %s left", r.Name, r.Stage, r.Done, r.Total, r.PerSecond, timeText(r.Left)))
		}
	}
	what := "runs"
	if s.Failed > 0 {
		what = fmt.Sprintf("runs (%d failed)", s.Failed)
	}
	lines = append(lines, fmt.Sprintf("%s: %d/%d, %.3f/s, %s left", what, s.Done, s.Runs, s.PerSecond, timeText(s.Left)))
	var b strings.Builder
	if v.p.tty {
		v.clear(&b)
		width := 80
		if f, ok := v.p.w.(*os.File); ok {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
				width = w
			}
		}
		for i, line := range lines {
			if r := []rune(line); len(r) > width {
				lines[i] = string(r[:width-1]) + "…"
			}
		}
		v.drawn = len(lines)
	}
	b.WriteString(strings.Join(lines, "\n") + "\n")
	fmt.Fprint(v.p.w, b.String())
}

// clear takes away the lines that stand.
func (v *sweepView) clear(b *strings.Builder) {
	if v.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\x1b[J", v.drawn)
	}
	v.drawn = 0
}

// done leaves the last line standing.
func (v *sweepView) done() {
	if v.p.tty {
		v.draw(sweep.Status{Runs: v.last.Runs, Done: v.last.Done, Failed: v.last.Failed, PerSecond: v.last.PerSecond})
	}
}

// timeText is a time to wait, where it is known.
func timeText(d time.Duration) string {
	if d <= 0 {
		return "?"
	}
	return d.Round(time.Second).String()
}
