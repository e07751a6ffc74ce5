package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/sweep"
)

// plainEvery is how often a line appears where the output is not a terminal.
const plainEvery = 5 * time.Second

// progress shows one stage at a time with its rate and the time left: a bar on a terminal, lines otherwise.
// It is safe for concurrent use.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	tty   bool
	bar   *progressbar.ProgressBar
	stage string
	first int // done when the stage was first heard of, less the one just done: resumed work has no rate
	last  int
	total int
	note  string
	start time.Time // of the stage: the end of the one before, for the first unit was begun before it is told of
	ended time.Time // of the last stage
	shown time.Time
	lines *lineWriter // of a supervised process, in place of bar and plain lines; otherwise nil
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, tty: ok && term.IsTerminal(int(f.Fd())), ended: time.Now()}
}

// update says that done of total units of a stage are done.
func (p *progress) update(stage string, done, total int, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if stage != p.stage {
		p.finish()
		p.stage, p.first, p.start, p.shown = stage, max(0, done-1), p.ended, now
		if p.tty && p.lines == nil {
			p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.w), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
				progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
		}
	}
	p.last, p.total, p.note = done, total, note
	if p.lines != nil {
		if now.Sub(p.shown) >= saidEvery || done == total || p.last == p.first+1 {
			p.shown = now
			line := sweep.Line{Stage: stage, Done: done, Total: total, Note: note}
			if now.Sub(p.start) >= saidEvery/10 { // before that a rate would be one of clocks
				line.PerSecond = p.rate(now)
			}
			p.lines.say(line)
		}
	} else if p.tty {
		p.bar.ChangeMax(total)
		p.bar.Describe(text(stage, note))
		p.bar.Set(done)
	} else if now.Sub(p.shown) >= plainEvery {
		p.shown = now
		p.line(now)
	}
}

// line prints the state as one plain line.
func (p *progress) line(now time.Time) {
	rate := p.rate(now)
	left := "?"
	if rate > 0 {
		left = time.Duration(float64(p.total-p.last) / rate * float64(time.Second)).Round(time.Second).String()
	}
	fmt.Fprintf(p.w, "%s: %d/%d, %.1f/s, %s left\n", text(p.stage, p.note), p.last, p.total, rate, left)
}

// rate is units a second since the stage began.
func (p *progress) rate(now time.Time) float64 {
	return float64(p.last-p.first) / max(now.Sub(p.start).Seconds(), 1e-3)
}

// finish ends the present stage with a line that stays.
func (p *progress) finish() {
	if p.stage == "" {
		return
	}
	if p.lines != nil {
		p.stage, p.ended = "", time.Now()
		return
	}
	if p.tty {
		p.bar.Clear()
	}
	took := time.Since(p.start)
	fmt.Fprintf(p.w, "%s: %d in %s, %.1f/s\n", text(p.stage, p.note), p.last, took.Round(10*time.Millisecond), float64(p.last-p.first)/max(took.Seconds(), 1e-3))
	p.stage, p.ended = "", time.Now()
}

// done ends the last stage.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
}

// counter is a progress function for a stage that counts up.
func (p *progress) counter(stage string) func(done, total int) {
	return func(done, total int) { p.update(stage, done, total, "") }
}

// events shows the events of a training run under a name.
func (p *progress) events(name string) func(train.Event) {
	return func(e train.Event) {
		if e.Total == 0 {
			p.remark(name + e.Stage)
			return
		}
		p.update(name+e.Stage, e.Done, e.Total, e.Note)
	}
}

// remark ends the present stage and logs a line of its own.
func (p *progress) remark(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
	slog.New(slog.NewTextHandler(p.w, nil)).Info(line)
}

func text(stage, note string) string {
	if note == "" {
		return stage
	}
	return stage + " (" + note + ")"
}
