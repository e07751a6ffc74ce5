package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/method"
)

// prefixFolder is the cache of a run that has no other, in its folder, of what comes out of the blocks that are not tuned. It
// is for a run that is resumed; one that is done has none.
const prefixFolder = "prefix"

// keepPrefix gives the learner the cache for the outputs of the blocks that are not tuned: that of pictures, or the run's own.
func (r *run) keepPrefix() error {
	keeper, ok := r.learner.(method.Keeper)
	if !ok || r.o.TuneFromBlock == 0 || len(r.reports) == len(r.phases) {
		return nil
	}
	if r.encoding.Disk != nil {
		return keeper.Keep(r.encoding.Disk)
	}
	var err error
	if r.prefix, err = r.o.Pictures.openIn(filepath.Join(r.o.Out, prefixFolder)); err != nil {
		return err
	}
	return keeper.Keep(r.prefix)
}

// emptyPrefix makes room in the run's own cache, where it is full: most of what a phase has put there is of train rows that no
// other phase reads. One that learns all rows in each phase reads them again, so what is there is left to it.
func (r *run) emptyPrefix() error {
	if spec, _ := method.SpecOf(r.o.Method); spec.Joint {
		return nil
	}
	if !errors.Is(r.prefix.Stats().Stopped, cache.ErrFull) {
		return nil
	}
	tellFull("cache of "+r.untuned(), r.prefix, r.o.Progress)
	if err := r.removePrefix(); err != nil {
		return err
	}
	return r.keepPrefix()
}

// removePrefix deletes the run's own cache: at once, for without its tag it would be no cache.
func (r *run) removePrefix() error {
	path := filepath.Join(r.o.Out, prefixFolder)
	err := r.prefix.Close()
	r.prefix = nil
	if _, there := os.Lstat(path); there == nil { // it may be of a process that was killed
		err = errors.Join(err, os.RemoveAll(path+removedPhase), os.Rename(path, path+removedPhase), os.RemoveAll(path+removedPhase))
	}
	return err
}

// dropPrefix says what was kept, and deletes it where it is the run's own.
func (r *run) dropPrefix() error {
	if r.o.TuneFromBlock == 0 {
		return nil
	}
	if keeper, ok := r.learner.(method.Keeper); ok {
		found, computed := keeper.Kept()
		r.tell(fmt.Sprintf("%s: %d outputs computed, %d found in the cache", r.untuned(), computed-r.computedForRate, found), 0, 0, "")
	}
	tellFull("cache of "+r.untuned(), r.prefix, r.o.Progress)
	return r.removePrefix()
}

// computed is how many outputs of blocks that are not tuned were computed so far.
func (r *run) computed() int {
	keeper, ok := r.learner.(method.Keeper)
	if !ok {
		return 0
	}
	_, computed := keeper.Kept()
	return computed
}

// untuned names the blocks that are not tuned.
func (r *run) untuned() string {
	if r.o.TuneFromBlock == 1 {
		return "block 0"
	}
	return fmt.Sprintf("blocks 0 to %d", r.o.TuneFromBlock-1)
}
