package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// halfwayPhaseFile is in a run folder while a phase is learned: the learner's state and the optimizer's after an epoch. What
// the phase began with, the memory too, is in the folder of the phase before, and generators are seeded by the run, the phase
// and the epoch, so there is no more to keep.
const halfwayPhaseFile = "halfway.safetensors"

// halfway is a phase that was interrupted after some epochs; none where there are none.
type halfway struct {
	epochs  int
	tensors []*vilt.Tensor
	spent   spent
}

// spent is the work of learning a phase, of all attempts together as far as they count.
type spent struct {
	work
	before time.Duration // that earlier attempts took
}

func (r *run) phaseOf(t int) method.Phase {
	seen := r.seen(t)
	return method.Phase{Index: t, Old: seen - len(r.phases[t]), Seen: seen}
}

// learn teaches the learner phase t, going on where an interrupted attempt left off.
func (r *run) learn(ctx context.Context, t int, stage string) (spent, error) {
	start := time.Now()
	if err := r.learner.Begin(r.phaseOf(t)); err != nil {
		return spent{}, err
	}
	from := r.halfway
	r.halfway = halfway{}
	if from.epochs > 0 {
		if err := method.Restore(r.learner, from.tensors); err != nil {
			return spent{}, fmt.Errorf("resume %s: %w: %w", filepath.Join(r.o.Out, halfwayPhaseFile), err, schemas.ErrDamaged)
		}
	}
	lesson, err := r.lesson(t)
	if err != nil {
		return spent{}, err
	}
	spec, err := method.SpecOf(r.o.Method)
	if err != nil {
		return spent{}, err
	}
	log, err := newLog(filepath.Join(r.o.Out, "log.jsonl"), t, from.epochs)
	if err != nil {
		return spent{}, err
	}
	log.peak = r.peak
	pace, before := pace{peak: r.peak, still: spec.Still, whole: from.spent.work}, from.spent.before
	lesson.Epochs, lesson.From = from.epochs, from.tensors
	lesson.Progress = func(s method.Step) {
		log.step(s)
		r.tell(stage+": learn", s.Done, s.Total, pace.note(s))
	}
	lesson.Means = func(s method.Step) { // of examples that steps have counted
		pace.whole.took, pace.whole.waited = pace.whole.took+s.Took, pace.whole.waited+s.Waited
		r.tell(stage+": means", s.Done, s.Total, "")
	}
	lesson.After = func(epochs int, solver []*vilt.Tensor) error {
		log.flush() // a line goes before the epoch counts
		return r.saveHalfway(t, epochs, solver, spent{pace.whole, before + time.Since(start)})
	}
	err = r.learner.Fit(ctx, lesson)
	return spent{pace.whole, before}, errors.Join(err, log.close())
}

// saveHalfway writes what the phase needs to go on after an epoch.
func (r *run) saveHalfway(t, epochs int, solver []*vilt.Tensor, s spent) error {
	m := schemas.HalfwayHeader.Metadata()
	m["digest"], m["phase"], m["epochs"] = r.digest, strconv.Itoa(t), strconv.Itoa(epochs)
	m["took"], m["waited"], m["before"] = s.took.String(), s.waited.String(), s.before.String()
	m["samples"] = strconv.Itoa(s.samples)
	return vilt.WriteSafetensors(filepath.Join(r.o.Out, halfwayPhaseFile), slices.Concat(r.learner.State(), solver), m)
}

// resumeHalfway reads what saveHalfway wrote of the phase that comes next. What is of another phase is over and done with.
func (r *run) resumeHalfway() error {
	file := filepath.Join(r.o.Out, halfwayPhaseFile)
	tensors, m, err := vilt.ReadSafetensorsMetadata(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("resume: %w: remove it to learn the phase again", err)
	}
	if err := schemas.HalfwayHeader.CheckMetadata(file, m); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	phase, err1 := strconv.Atoi(m["phase"])
	epochs, err2 := strconv.Atoi(m["epochs"])
	samples, err3 := strconv.Atoi(m["samples"])
	took, err4 := time.ParseDuration(m["took"])
	waited, err5 := time.ParseDuration(m["waited"])
	before, err6 := time.ParseDuration(m["before"])
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil || epochs < 1 || epochs > r.o.Schedule.Epochs {
		return fmt.Errorf("resume: %s: says that %q epochs of phase %q are done: remove it to learn the phase again: %w", file, m["epochs"], m["phase"], schemas.ErrDamaged)
	}
	if phase != len(r.reports) || m["digest"] != r.digest {
		return removeFile(file)
	}
	r.halfway = halfway{epochs: epochs, tensors: tensors, spent: spent{work{samples: samples, took: took, waited: waited}, before}}
	return nil
}

// lockPatience is how long a run waits for a process that is about to end: who killed it may start the next one at once.
const lockPatience = 2 * time.Second

// lockRun takes a run folder for this process until release is called.
func lockRun(dir string) (release func(), err error) {
	f, err := lockFolder(dir)
	for began := time.Now(); errors.Is(err, schemas.ErrLocked) && time.Since(began) < lockPatience; f, err = lockFolder(dir) {
		time.Sleep(20 * time.Millisecond)
	}
	if errors.Is(err, schemas.ErrLocked) {
		err = fmt.Errorf("run %s: another mcil train is writing it: wait for it, or give another --out: %w", dir, dataset.ErrRefused)
	}
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}
