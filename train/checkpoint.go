package train

import (
	"bufio"
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

// checkpoint is phase-NN/phase.json.
type checkpoint struct {
	schemas.Header
	Report      schemas.Phase             `json:"report"`
	AccuracyRow []float64                 `json:"accuracy_row"`
	Budgets     map[int]memory.Budget     `json:"budgets"` // bytes by class, in the order learned
	Gallery     []schemas.GalleryExemplar `json:"gallery"`
}

func (r *run) phaseDir(t int) string { return filepath.Join(r.o.Out, fmt.Sprintf("phase-%02d", t)) }

// save makes the folder of phase t appear whole.
func (r *run) save(t int, gallery []schemas.GalleryExemplar) error {
	dir := r.phaseDir(t)
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o777)); err != nil {
		return err
	}
	if err := vilt.WriteSafetensors(filepath.Join(partial, "tuner.safetensors"), r.learner.State(), nil); err != nil {
		return err
	}
	if err := schemas.WriteExemplars(filepath.Join(partial, "memory.arrow"), r.store.All()); err != nil {
		return err
	}
	c := checkpoint{Header: schemas.PhaseHeader, Report: r.reports[t], AccuracyRow: r.matrix[t], Budgets: r.store.Budgets(), Gallery: gallery}
	if err := schemas.WriteJSON(filepath.Join(partial, "phase.json"), c); err != nil {
		return err
	}
	// A later phase may be left of a run whose earlier ones are gone: of a --force that was killed, say.
	if err := errors.Join(os.RemoveAll(dir), os.Rename(partial, dir)); err != nil {
		return err
	}
	return schemas.SyncDir(r.o.Out)
}

// resume restores the run after its last whole phase.
func (r *run) resume() error {
	if err := schemas.RemoveTemporary(r.o.Out); err != nil {
		return err
	}
	for t := range r.phases {
		var c checkpoint
		err := schemas.ReadJSON(filepath.Join(r.phaseDir(t), "phase.json"), schemas.PhaseHeader, &c)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("resume: %w: %w", err, schemas.ErrDamaged)
		}
		r.reports, r.matrix = append(r.reports, c.Report), append(r.matrix, c.AccuracyRow)
		r.gallery = append(r.gallery, c.Gallery...)
		if _, err := os.Stat(filepath.Join(r.phaseDir(t+1), "phase.json")); err == nil {
			continue // only the last checkpoint's tensors and memory matter
		}
		exemplars, err := schemas.ReadExemplars(filepath.Join(r.phaseDir(t), "memory.arrow"))
		if err != nil {
			return fmt.Errorf("resume: %w: %w", err, schemas.ErrDamaged)
		}
		if err := r.checkFit(exemplars); err != nil {
			return fmt.Errorf("resume %s: %w: %w", r.phaseDir(t), err, schemas.ErrDamaged)
		}
		if err := r.store.Restore(exemplars, c.Budgets); err != nil {
			return fmt.Errorf("resume %s: %w: %w", r.phaseDir(t), err, schemas.ErrDamaged)
		}
		saved, err := vilt.ReadSafetensors(filepath.Join(r.phaseDir(t), "tuner.safetensors"))
		if err != nil {
			return fmt.Errorf("resume: %w: %w", err, schemas.ErrDamaged)
		}
		if err := method.Restore(r.learner, saved); err != nil {
			return fmt.Errorf("resume %s: %w: %w", r.phaseDir(t), err, schemas.ErrDamaged)
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

// runLog appends one line an epoch to log.jsonl. It is for people and plots: nothing reads it back.
type runLog struct {
	phase   int
	file    *os.File
	w       *bufio.Writer
	err     error
	epoch   int
	loss    float64
	samples int
}

// newLog opens the log for a phase, without what an interrupted attempt at it left there.
func newLog(path string, phase int) (*runLog, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var kept []byte
	for line := range bytes.Lines(old) {
		var l struct{ Phase int }
		if json.Unmarshal(line, &l) == nil && l.Phase < phase {
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
	return &runLog{phase: phase, file: f, w: bufio.NewWriter(f)}, nil
}

func (l *runLog) step(s method.Step) {
	if s.Epoch != l.epoch {
		l.flush()
		l.epoch = s.Epoch
	}
	l.loss += s.Loss * float64(s.Samples)
	l.samples += s.Samples
}

func (l *runLog) flush() {
	if l.samples == 0 || l.err != nil {
		return
	}
	l.err = json.NewEncoder(l.w).Encode(map[string]any{"phase": l.phase, "epoch": l.epoch, "loss": l.loss / float64(l.samples), "samples": l.samples})
	l.loss, l.samples = 0, 0
}

func (l *runLog) close() error {
	l.flush()
	return errors.Join(l.err, l.w.Flush(), l.file.Close())
}
