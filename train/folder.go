package train

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// claimFolder makes dir where it is absent. It refuses one that holds anything but a killed run's temporary files, and
// touches nothing there before that is known.
func claimFolder(what, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	left, err := os.ReadDir(dir)
	if err == nil && slices.ContainsFunc(left, func(e fs.DirEntry) bool { return !schemas.IsTemporary(e.Name()) }) {
		err = fmt.Errorf("the folder holds other things: give another --out: %w", dataset.ErrRefused)
	}
	if err == nil {
		err = schemas.RemoveTemporary(dir)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, dir, err)
	}
	return nil
}

// Endings of folders of a phase, and of the run's own cache, that are not whole.
const (
	partialPhase = ".partial" // being written
	removedPhase = ".removed" // being deleted
)

// tidyRun deletes what a killed process may have left in a run folder.
func tidyRun(dir string) error {
	if err := schemas.RemoveTemporary(dir); err != nil {
		return err
	}
	for _, ending := range []string{partialPhase, removedPhase} {
		left, err := fs.Glob(os.DirFS(dir), "phase-[0-9]*"+ending)
		if err != nil {
			return err
		}
		left = append(left, prefixFolder+ending)
		for _, name := range left {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeRun deletes a run's files but run.json, which tells whose the folder is and is to be replaced, and nothing that is
// not a run's. Killed at any moment it leaves a shorter run, each phase of which is whole.
func removeRun(dir string) error {
	if err := tidyRun(dir); err != nil {
		return err
	}
	names, err := runFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if strings.HasPrefix(name, "phase-") || name == prefixFolder { // a folder is not deleted at once
			if err := errors.Join(os.Rename(path, path+removedPhase), schemas.SyncDir(dir)); err != nil {
				return err
			}
			path += removedPhase
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// runFiles lists what [removeRun] deletes, in this order: what says that the run is finished goes first, then the phases
// from the last one.
func runFiles(dir string) ([]string, error) {
	phases, err := fs.Glob(os.DirFS(dir), "phase-[0-9]*")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(phases, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a)) })
	own, err := fs.Glob(os.DirFS(dir), prefixFolder)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]string{"report.json", "gallery.json"}, phases, own, []string{"log.jsonl"}), nil
}

// removeFile deletes a file that may be absent.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
