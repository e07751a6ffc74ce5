package report

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// Run is one finished run.
type Run struct {
	Dir      string // the folder it was read from
	Settings schemas.Run
	Report   schemas.Report
	Gallery  *schemas.Gallery // nil where the run saved none
}

// ErrNoRun is what [Load] wraps for a folder without a run in it.
var ErrNoRun = errors.New("no run")

// UnfinishedError names runs that have no report yet.
type UnfinishedError struct {
	Dirs []string // in the order found; never empty
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("%s: not finished (run.json, but no report.json): run the same mcil train again, which resumes it, or leave it out",
		strings.Join(e.Dirs, ", "))
}

// Load reads the runs in dirs. Each is a run folder (it holds run.json) or a folder that holds run folders at any depth;
// these are visited in sorted order, hidden folders and symbolic links inside it are not. A run that is named twice is
// read once. Unfinished runs are an [UnfinishedError] that lists all of them; files of a newer version are a
// [schemas.UnsupportedError].
func Load(ctx context.Context, dirs []string) ([]Run, error) {
	runs, unfinished, err := LoadFinished(ctx, dirs)
	if err == nil && len(unfinished) > 0 {
		err = &UnfinishedError{unfinished}
	}
	if err != nil {
		return nil, err
	}
	return runs, nil
}

// LoadFinished is Load for a sweep that is still under way: it returns the folders of unfinished runs instead of an error. There
// may be no finished run at all.
func LoadFinished(ctx context.Context, dirs []string) (runs []Run, unfinished []string, err error) {
	if len(dirs) == 0 {
		return nil, nil, errors.New("no run folders given: name at least one folder that mcil train wrote")
	}
	var folders []string
	seen := map[string]bool{}
	for _, dir := range dirs {
		found, err := find(ctx, dir)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			return nil, nil, fmt.Errorf("%s: no run in it (a run folder holds run.json): name a folder that mcil train wrote: %w", dir, ErrNoRun)
		}
		for _, f := range found {
			target, err := filepath.EvalSymlinks(f)
			if err != nil {
				return nil, nil, err
			}
			if target, err = filepath.Abs(target); err != nil {
				return nil, nil, err
			}
			if !seen[target] {
				seen[target] = true
				folders = append(folders, f)
			}
		}
	}
	for _, dir := range folders {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		run, err := read(dir)
		if e, ok := errors.AsType[*UnfinishedError](err); ok {
			unfinished = append(unfinished, e.Dirs...)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, run)
	}
	return runs, unfinished, distinct(runs)
}

// find returns the run folders at or below dir, sorted. It does not look for runs inside runs.
func find(ctx context.Context, dir string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for runs: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() && (e.Name() == "run.json" || e.Name() == "report.json") {
			return []string{dir}, nil
		}
	}
	var found []string
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		below, err := find(ctx, filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

// read reads one run folder and checks what the rest of the package relies on.
func read(dir string) (Run, error) {
	run := Run{Dir: dir}
	err := schemas.ReadJSON(filepath.Join(dir, "run.json"), schemas.RunHeader, &run.Settings)
	if errors.Is(err, fs.ErrNotExist) {
		return run, fmt.Errorf("%s: has a report.json but no run.json, which holds the settings: copy the whole run folder: %w", dir, err)
	}
	if err != nil {
		return run, err
	}
	path := filepath.Join(dir, "report.json")
	err = schemas.ReadJSON(path, schemas.ReportHeader, &run.Report)
	if errors.Is(err, fs.ErrNotExist) {
		return run, &UnfinishedError{[]string{dir}}
	}
	if err != nil {
		return run, err
	}
	if err := checkReport(run.Report); err != nil {
		return run, fmt.Errorf("%s: %w", path, err)
	}
	if run.Report.Gallery == "" {
		return run, nil
	}
	if !filepath.IsLocal(run.Report.Gallery) {
		return run, fmt.Errorf("%s: gallery %q lies outside the run folder", path, run.Report.Gallery)
	}
	path = filepath.Join(dir, run.Report.Gallery)
	run.Gallery = new(schemas.Gallery)
	if err := schemas.ReadJSON(path, schemas.GalleryHeader, run.Gallery); err != nil {
		return run, err
	}
	for i, e := range run.Gallery.Exemplars {
		if err := checkExemplar(e); err != nil {
			return run, fmt.Errorf("%s: exemplar %d (%s): %w", path, i, e.ID, err)
		}
	}
	return run, nil
}

// checkReport returns an error unless r has the shape that its schema promises: T phases and a lower triangular matrix.
func checkReport(r schemas.Report) error {
	if len(r.Phases) == 0 {
		return errors.New("holds no phase: it is damaged, or not of a finished run")
	}
	if len(r.AccuracyMatrix) != len(r.Phases) {
		return fmt.Errorf("accuracy_matrix has %d rows for %d phases", len(r.AccuracyMatrix), len(r.Phases))
	}
	for t, row := range r.AccuracyMatrix {
		if len(row) != t+1 {
			return fmt.Errorf("accuracy_matrix row %d has %d values, want %d", t, len(row), t+1)
		}
		for _, a := range row {
			if a < 0 || a > 1 {
				return fmt.Errorf("accuracy_matrix row %d holds %g, which is no fraction", t, a)
			}
		}
	}
	for t, p := range r.Phases {
		if p.Accuracy < 0 || p.Accuracy > 1 {
			return fmt.Errorf("accuracy of phase %d is %g, which is no fraction", t, p.Accuracy)
		}
		if p.Classes < 1 || t > 0 && p.Classes < r.Phases[t-1].Classes {
			return fmt.Errorf("phase %d has seen %d classes: the count must be positive and never fall", t, p.Classes)
		}
	}
	return nil
}

// distinct returns an error where two runs are the same one but for the folder.
func distinct(runs []Run) error {
	type id struct {
		key  string
		seed uint64
	}
	first := map[id]Run{}
	for _, r := range runs {
		k := id{groupKey(r), r.Report.Seed}
		o, ok := first[k]
		switch {
		case !ok:
			first[k] = r
		case o.Settings.Digest == r.Settings.Digest:
			return fmt.Errorf("%s and %s are the same run (settings and seed %d): name one of them", o.Dir, r.Dir, r.Report.Seed)
		default:
			return fmt.Errorf("%s and %s have the same settings and seed %d, but other data or weights (digests %s, %s): report them separately",
				o.Dir, r.Dir, r.Report.Seed, o.Settings.Digest, r.Settings.Digest)
		}
	}
	return nil
}
