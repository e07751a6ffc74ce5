package sweep

import (
	"context"
	"encoding/json"
	"maps"
	"time"
)

// Options say how the runs of a sweep are run.
type Options struct {
	Program string // path of mcil
	Dir     string // the runs' folders are made there
	Cores   int    // shared by the runs under way; default 1
	Memory  int64  // bytes that they may take together; 0: it is not known, and does not bind
	Most    int    // runs at once; default: as many as cores
	Force   bool   // start every run afresh
	// Need estimates the bytes that a run will take, for Memory; nil: nothing. Where it fails the run is started, and says
	// itself what is wrong. It is asked one job at a time, while others run.
	Need     func(context.Context, Job) (int64, error)
	Progress func(Status) // may be nil
}

// State of a run of a sweep.
type State string

const (
	Waiting     State = "waiting" // it was not begun
	Running     State = "running"
	Done        State = "done"
	Failed      State = "failed"
	Interrupted State = "interrupted" // it can go on
)

// Outcome is how a run ended.
type Outcome struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Error string `json:"error,omitempty"` // of a failed one: what it said
}

// Run runs the jobs and tells how each ended, in their order. When ctx ends, no more are begun, those under way save, and
// the error is that of ctx. It is no error that some failed.
func Run(ctx context.Context, jobs []Job, o Options) ([]Outcome, error) {
	s := &scheduler{o: o, jobs: jobs, events: make(chan event, 256), free: max(1, o.Cores), peaks: map[string]int64{}, now: time.Now, needs: map[int]int64{}, answers: make(chan int64, 1)}
	for _, j := range jobs {
		s.runs = append(s.runs, run{outcome: Outcome{Name: j.Name, State: Waiting}, shape: shapeOf(j)})
	}
	err := s.loop(ctx)
	outcomes := make([]Outcome, len(jobs))
	for i, r := range s.runs {
		outcomes[i] = r.outcome
	}
	return outcomes, err
}

// shapeOf tells runs apart that take another amount of memory: all settings but the seed.
func shapeOf(j Job) string {
	settings := maps.Clone(j.Settings)
	delete(settings, "seed")
	b, err := json.Marshal(settings)
	if err != nil {
		return j.Name
	}
	return string(b)
}

type scheduler struct {
	o        Options
	jobs     []Job
	runs     []run // parallel to jobs
	next     int   // job to begin
	stopping bool
	events   chan event
	free     int              // cores
	used     int64            // bytes, as estimated
	peaks    map[string]int64 // largest seen, by shape
	needs    map[int]int64    // as estimated, by job
	asking   bool             // for the next job's need
	answers  chan int64
	now      func() time.Time
}

// run is the state of a job.
type run struct {
	outcome Outcome
	shape   string
	process *process
	threads int
	need    int64
	line    Line
	pace    pace
}

func (s *scheduler) loop(ctx context.Context) error {
	done := ctx.Done()
	defer s.abort()
	for {
		for !s.stopping && s.next < len(s.jobs) {
			begun, err := s.begin(ctx)
			if err != nil {
				return err
			}
			if !begun {
				break
			}
		}
		s.tell()
		if s.running() == 0 && !s.asking {
			return ctx.Err()
		}
		select {
		case n := <-s.answers:
			s.asking, s.needs[s.next] = false, n
		case e := <-s.events:
			s.hear(e)
		case <-done:
			done, s.stopping = nil, true
			for _, r := range s.runs {
				if r.process != nil {
					r.process.interrupt()
				}
			}
		}
	}
}

// abort ends what an error left running.
func (s *scheduler) abort() {
	for _, r := range s.runs {
		if r.process != nil {
			r.process.abort()
		}
	}
	for s.running() > 0 {
		s.hear(<-s.events)
	}
	if s.asking {
		<-s.answers
	}
}

func (s *scheduler) running() (n int) {
	for _, r := range s.runs {
		if r.process != nil {
			n++
		}
	}
	return n
}

// begin starts the next job where there is room for it.
func (s *scheduler) begin(ctx context.Context) (bool, error) {
	most := s.o.Most
	if most <= 0 {
		most = max(1, s.o.Cores)
	}
	running := s.running()
	if running >= most || s.free == 0 {
		return false, nil
	}
	r := &s.runs[s.next]
	need, known := s.need(s.next)
	if ctx.Err() != nil {
		return false, nil // the loop sees it too
	}
	if !known {
		s.ask(ctx)
		return false, nil
	}
	r.need = need
	together := min(most, running+len(s.jobs)-s.next)
	if s.o.Memory > 0 && r.need > 0 {
		if running > 0 && s.used+r.need > s.o.Memory {
			return false, nil
		}
		together = min(together, running+max(1, int(max(0, s.o.Memory-s.used)/r.need)))
	}
	r.threads = max(1, (s.free+together-running-1)/(together-running)) // the cores left, shared with those that are still to begin
	p, err := s.o.start(s.next, s.jobs[s.next], r.threads, s.events)
	if err != nil {
		return false, err
	}
	r.process, r.outcome.State = p, Running
	s.free -= r.threads
	s.used += r.need
	s.next++
	return true, nil
}

// need is what a job will take, in bytes, once it is known: see the package comment.
func (s *scheduler) need(i int) (bytes int64, known bool) {
	if s.o.Memory <= 0 {
		return 0, true
	}
	if peak := s.peaks[s.runs[i].shape]; peak > 0 {
		return peak + peak/10, true
	}
	bytes, known = s.needs[i]
	return bytes, known || s.o.Need == nil
}

// ask has the next job's need estimated, beside the loop. The estimate takes memory of this process, as much as a run where
// networks are built for it: it waits until there is room for one like the largest so far.
func (s *scheduler) ask(ctx context.Context) {
	var largest int64
	for _, n := range s.needs {
		largest = max(largest, n)
	}
	if s.asking || s.running() > 0 && s.used+largest > s.o.Memory {
		return
	}
	s.asking = true
	go func(j Job) {
		n, err := s.o.Need(ctx, j)
		if err != nil {
			n = 0
		}
		s.answers <- n
	}(s.jobs[s.next])
}

// hear takes in what a run said, or its end.
func (s *scheduler) hear(e event) {
	r := &s.runs[e.job]
	if e.line.PeakBytes > 0 {
		s.peaks[r.shape] = max(s.peaks[r.shape], e.line.PeakBytes)
	}
	if e.line.Stage != "" {
		r.line = e.line
		r.pace.at(s.now(), progressOf(e.line))
	}
	if !e.ended {
		return
	}
	r.process = nil
	s.free += r.threads
	s.used -= r.need
	switch e.code {
	case 0:
		r.outcome.State = Done
		r.pace.at(s.now(), 1)
	case interruptExit:
		r.outcome.State = Interrupted
	default:
		r.outcome.State, r.outcome.Error = Failed, e.said
	}
}
