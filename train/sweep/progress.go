package sweep

import (
	"fmt"
	"time"
)

// Status is where a sweep is.
type Status struct {
	Runs      int // in all
	Done      int // that ended, well or not
	Failed    int
	PerSecond float64       // runs
	Left      time.Duration // 0: not known
	Running   []RunStatus   // in their order
	Stopping  bool          // they were asked to save
}

// RunStatus is where a run is.
type RunStatus struct {
	Name string
	Line
	Left time.Duration // of the whole run; 0: not known
}

// pace tells how fast something comes on from the first that was heard of it: what was done before took no time here.
type pace struct {
	began     time.Time
	from, now float64 // shares in [0,1]
	last      time.Time
}

func (p *pace) at(t time.Time, share float64) {
	if p.began.IsZero() {
		p.began, p.from = t, share
	}
	p.now, p.last = max(p.now, share), t
}

// left is the time that it still takes at its pace.
func (p *pace) left() time.Duration {
	if p.now <= p.from || p.now >= 1 {
		return 0
	}
	return time.Duration(float64(p.last.Sub(p.began)) / (p.now - p.from) * (1 - p.now))
}

// testShare of a phase goes into what comes after learning.
const testShare = 0.1

// progressOf is the share of a run that is done by a line of it; 0 where the line does not say.
func progressOf(l Line) float64 {
	var phase, phases int
	var stage string
	if n, _ := fmt.Sscanf(l.Stage, "phase %d of %d: %s", &phase, &phases, &stage); n < 3 || phase < 1 || phase > phases || l.Total < 1 {
		return 0
	}
	share := 1 - testShare
	if stage == "learn" {
		share *= float64(l.Done) / float64(l.Total)
	}
	return min(1, (float64(phase-1)+share)/float64(phases))
}

func (s *scheduler) tell() {
	if s.o.Progress == nil {
		return
	}
	status := Status{Runs: len(s.runs), Stopping: s.stopping}
	var gained, missing float64 // in runs
	var began, last time.Time
	for _, r := range s.runs {
		switch r.outcome.State {
		case Running:
			status.Running = append(status.Running, RunStatus{r.outcome.Name, r.line, r.pace.left()})
			missing += 1 - r.pace.now
		case Waiting:
			missing++
		case Failed:
			status.Failed++
			status.Done++
		case Done:
			status.Done++
		}
		gained += r.pace.now - r.pace.from
		if b := r.pace.began; !b.IsZero() && (began.IsZero() || b.Before(began)) {
			began = b
		}
		if r.pace.last.After(last) {
			last = r.pace.last
		}
	}
	if took := last.Sub(began).Seconds(); took > 0 && gained > 0 {
		status.PerSecond = gained / took
		status.Left = time.Duration(missing / status.PerSecond * float64(time.Second))
	}
	s.o.Progress(status)
}
