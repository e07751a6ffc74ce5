package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

func (r *run) phaseDir(t int) string { return filepath.Join(r.o.Out, phaseName(t)) }

// save makes the folder of phase t appear whole.
func (r *run) save(t int, gallery []schemas.GalleryExemplar) error {
	dir := r.phaseDir(t)
	partial := dir + partialPhase
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o777)); err != nil {
		return err
	}
	if err := vilt.WriteSafetensors(filepath.Join(partial, "tuner.safetensors"), r.learner.State(), schemas.TunerHeader.Metadata()); err != nil {
		return err
	}
	if err := schemas.WriteExemplars(filepath.Join(partial, "memory.arrow"), r.store.All()); err != nil {
		return err
	}
	c := schemas.Checkpoint{Header: schemas.PhaseHeader, Report: r.reports[t], AccuracyRow: r.matrix[t], Budgets: map[int]int64{}, Worths: map[int]schemas.Worth{}, Gallery: append([]schemas.GalleryExemplar{}, gallery...)}
	for label, b := range r.store.Budgets() {
		c.Budgets[label] = int64(b)
	}
	for label, w := range r.worths {
		c.Worths[label] = schemas.Worth(w)
	}
	c.Qualities = r.chosen
	if err := schemas.WriteJSON(filepath.Join(partial, "phase.json"), c); err != nil {
		return err
	}
	// A later phase may be left of a run whose earlier ones are gone: of a --force that was killed, say.
	if err := errors.Join(os.RemoveAll(dir), os.Rename(partial, dir)); err != nil {
		return err
	}
	if err := schemas.SyncDir(r.o.Out); err != nil {
		return err
	}
	return removeFile(filepath.Join(r.o.Out, halfwayPhaseFile))
}

// resume restores the run after its last whole phase, and finds what there is of the next.
func (r *run) resume() error {
	if err := tidyRun(r.o.Out); err != nil {
		return err
	}
	if err := r.resumePhases(); err != nil {
		return err
	}
	return r.resumeHalfway()
}

func (r *run) resumePhases() error {
	for t := range r.phases {
		var c schemas.Checkpoint
		err := schemas.ReadJSON(filepath.Join(r.phaseDir(t), "phase.json"), schemas.PhaseHeader, &c)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		if err := r.learner.Begin(r.phaseOf(t)); err != nil {
			return err
		}
		r.reports, r.matrix = append(r.reports, c.Report), append(r.matrix, c.AccuracyRow)
		r.gallery = append(r.gallery, c.Gallery...)
		if _, err := os.Stat(filepath.Join(r.phaseDir(t+1), "phase.json")); err == nil {
			continue // only the last checkpoint's tensors and memory matter
		}
		exemplars, err := schemas.ReadExemplars(filepath.Join(r.phaseDir(t), "memory.arrow"))
		if err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		if err := r.checkFit(exemplars); err != nil {
			return fmt.Errorf("resume %s: %w: %w", r.phaseDir(t), err, schemas.ErrDamaged)
		}
		budgets := map[int]memory.Budget{}
		for label, b := range c.Budgets {
			budgets[label] = memory.Budget(b)
		}
		for label, w := range c.Worths {
			r.worths[label] = memory.Worth(w)
		}
		if err := r.store.Restore(exemplars, budgets); err != nil {
			return fmt.Errorf("resume %s: %w: %w", r.phaseDir(t), err, schemas.ErrDamaged)
		}
		if err := restoreTuner(r.learner, r.phaseDir(t)); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
	}
	return nil
}

// checkFit refuses exemplars that this run's encoder could not have made: it would read beyond its tables.
func (r *run) checkFit(exemplars []memory.Exemplar) error {
	p, pieces := r.encoding.Processor, r.encoding.Tokenizer.Len()
	for _, e := range exemplars {
		switch {
		case e.PatchPx != p.Patch || e.TextLen > r.encoding.MaxText || e.GridH*e.GridW > (p.Short/p.Patch)*(p.Long/p.Patch),
			e.Label < 0 || e.Label >= len(r.position),
			slices.ContainsFunc(e.Tokens, func(id uint16) bool { return int(id) >= pieces }):
			return fmt.Errorf("exemplar %s of class %d does not fit the encoder: memory.arrow is damaged or of another run", e.ID, e.Label)
		}
	}
	return nil
}

// runLog appends one line to log.jsonl as each epoch ends. It is for people and plots: nothing reads it back. Rates are
// quotients of what a line has: samples, tokens and flop (of products, over peak_flop_per_second) by seconds, which
// wait_seconds, for batches, are part of.
type runLog struct {
	phase int
	peak  float64 // FLOP/s of [measurePeak]; 0: not known
	file  *os.File
	err   error
	epoch int
	loss  float64
	work
}

// newLog opens the log for a phase, without what an interrupted attempt at it left there of epochs from the given one on.
func newLog(path string, phase, epochs int) (*runLog, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var kept []byte
	for line := range bytes.Lines(old) {
		var l struct{ Phase, Epoch int }
		if json.Unmarshal(line, &l) == nil && (l.Phase < phase || l.Phase == phase && l.Epoch < epochs) {
			kept = append(kept, line...)
		}
	}
	if len(kept) < len(old) {
		err := schemas.WriteFile(path, func(w io.Writer) error { _, err := w.Write(kept); return err })
		if err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	return &runLog{phase: phase, file: f}, nil
}

func (l *runLog) step(s method.Step) {
	if s.Epoch != l.epoch {
		l.flush()
		l.epoch = s.Epoch
	}
	l.loss += s.Loss * float64(s.Samples)
	l.add(s)
}

func (l *runLog) flush() {
	if l.samples == 0 || l.err != nil {
		return
	}
	l.err = json.NewEncoder(l.file).Encode(map[string]any{
		"phase": l.phase, "epoch": l.epoch, "loss": l.loss / float64(l.samples), "samples": l.samples, "tokens": l.tokens, "flop": l.flop,
		"seconds": l.seconds(), "wait_seconds": l.waited.Seconds(), "threads": threads(), "peak_flop_per_second": l.peak,
	})
	l.loss, l.work = 0, work{}
}

func (l *runLog) close() error {
	l.flush()
	return errors.Join(l.err, l.file.Close())
}
