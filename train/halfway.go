package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/vilt"
)

// Files of a folder of weights beside those of package vilt.
const (
	manifestFile = "mcil.json"            // written last: the weights are finished
	halfwayFile  = "pretrain.safetensors" // pretraining is under way: weights, classifier and optimizer after an epoch
)

// claimWeights makes the folder of weights ours: it is new, halfway, or done. What this program did not make is left alone.
func claimWeights(dir, digest string, force bool) (old schemas.WeightsManifest, done bool, err error) {
	manifest, halfway := filepath.Join(dir, manifestFile), filepath.Join(dir, halfwayFile)
	err = schemas.ReadJSON(manifest, schemas.WeightsHeader, &old)
	finished := !errors.Is(err, fs.ErrNotExist)
	switch {
	case finished && force && (err == nil || errors.Is(err, schemas.ErrDamaged)):
		return old, false, removeWeights(dir)
	case finished && err != nil:
		return old, false, err
	case finished && old.Digest != digest:
		return old, false, fmt.Errorf("weights %s: were made with other settings or data: give --force to start afresh, or another --out: %w", dir, dataset.ErrRefused)
	case finished && !hasWeights(dir): // a --force was killed
		return old, false, removeWeights(dir)
	case finished:
		return old, true, removeFile(halfway) // which is there where the program was killed after it wrote the manifest
	}
	if _, err := os.Stat(halfway); err == nil && force {
		return old, false, removeWeights(dir)
	} else if err == nil {
		return old, false, schemas.RemoveTemporary(dir)
	}
	if _, err := os.Stat(filepath.Join(dir, vilt.WeightsFile)); err == nil {
		return old, false, fmt.Errorf("weights %s: %s is not from mcil pretrain and would be overwritten: give another --out: %w", dir, vilt.WeightsFile, dataset.ErrRefused)
	}
	return old, false, claimFolder("weights", dir)
}

// removeWeights takes the weights away before what tells whose they are.
func removeWeights(dir string) error {
	for _, name := range []string{vilt.WeightsFile, vilt.ConfigFile, vilt.VocabFile, halfwayFile, manifestFile} {
		if err := removeFile(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// hasWeights says whether all files of weights are there. The manifest alone does not: [removeWeights] takes it last.
func hasWeights(dir string) bool {
	for _, name := range []string{vilt.WeightsFile, vilt.ConfigFile, vilt.VocabFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// writeHalfway saves what pretraining needs to go on after an epoch.
func writeHalfway(dir, digest string, epochs int, tensors ...[]*vilt.Tensor) error {
	metadata := schemas.PretrainHeader.Metadata()
	metadata["digest"], metadata["epochs"] = digest, strconv.Itoa(epochs)
	return vilt.WriteSafetensors(filepath.Join(dir, halfwayFile), slices.Concat(tensors...), metadata)
}

// readHalfway returns the tensors of [writeHalfway] and the number of epochs done; none where there is no such file.
func readHalfway(dir, digest string) ([]*vilt.Tensor, int, error) {
	file := filepath.Join(dir, halfwayFile)
	tensors, metadata, err := vilt.ReadSafetensorsMetadata(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("resume: %w: remove it to start afresh", err)
	}
	if err := schemas.PretrainHeader.CheckMetadata(file, metadata); err != nil {
		return nil, 0, fmt.Errorf("resume: %w", err)
	}
	epochs, err := strconv.Atoi(metadata["epochs"])
	if err != nil || epochs < 1 {
		return nil, 0, fmt.Errorf("resume: %s: says that %q epochs are done: remove it to start afresh: %w", file, metadata["epochs"], schemas.ErrDamaged)
	}
	if metadata["digest"] != digest {
		return nil, 0, fmt.Errorf("weights %s: were begun with other settings or data: give --force to start afresh, or another --out: %w", dir, dataset.ErrRefused)
	}
	return tensors, epochs, nil
}

// checkFinished refuses a folder whose pretraining was interrupted.
func checkFinished(dir string) error {
	_, halfway := os.Stat(filepath.Join(dir, halfwayFile))
	if _, manifest := os.Stat(filepath.Join(dir, manifestFile)); halfway == nil && manifest != nil {
		return fmt.Errorf("weights %s: their pretraining is not finished: run mcil pretrain again to go on: %w", dir, dataset.ErrRefused)
	}
	return nil
}
