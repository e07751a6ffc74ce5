package vilt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// Names of files in a folder of weights, as transformers names them.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
	VocabFile   = "vocab.txt"
)

// Load reads a folder of weights: config.json and model.safetensors. Tensors that are missing, extra or misshapen are
// named all at once. A file of a model with a head, whose encoder's names begin with "vilt.", is read without the head.
func Load(dir string) (*Weights, error) {
	c, err := ReadConfig(filepath.Join(dir, ConfigFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("weights %s: %w: a folder of weights holds %s, %s and %s", dir, err, ConfigFile, WeightsFile, VocabFile)
	}
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, WeightsFile)
	found, err := ReadSafetensors(file)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	byName, wrong := match(found, apart(layout(c), c.Width))
	if len(wrong) > 0 {
		return nil, fmt.Errorf("weights %s do not fit %s: %s: %w", file, ConfigFile, strings.Join(wrong, "; "), schemas.ErrDamaged)
	}
	w := newWeights(c) // not before the file is known to hold as much
	for _, t := range apart(w.tensors, c.Width) {
		copy(t.Data, byName[t.Name].Data)
	}
	return w, nil
}

// match finds each of want among found, and says, sorted, what is missing, extra or misshapen.
func match(found, want []*Tensor) (byName map[string]*Tensor, wrong []string) {
	const prefix = "vilt."
	head := slices.ContainsFunc(found, func(t *Tensor) bool { return strings.HasPrefix(t.Name, prefix) })
	byName = map[string]*Tensor{}
	for _, f := range found {
		name, encoder := strings.CutPrefix(f.Name, prefix)
		if head && !encoder {
			continue
		}
		if !slices.ContainsFunc(want, func(t *Tensor) bool { return t.Name == name }) {
			wrong = append(wrong, "extra "+f.Name)
		}
		byName[name] = f
	}
	for _, t := range want {
		switch f := byName[t.Name]; {
		case f == nil:
			wrong = append(wrong, "missing "+t.Name)
		case !slices.Equal(t.Shape, f.Shape):
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %v", t.Name, f.Shape, t.Shape))
		}
	}
	slices.Sort(wrong)
	return byName, wrong
}

// Save writes w as [Load] and transformers' ViltModel.from_pretrained read it.
func Save(dir string, w *Weights) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := WriteSafetensors(filepath.Join(dir, WeightsFile), apart(w.tensors, w.Config.Width), map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return WriteConfig(filepath.Join(dir, ConfigFile), w.Config)
}

// apart lists the parameters of an encoder of width d as they are on disk, sharing memory: query, key and value apart.
func apart(tensors []*Tensor, d int) (out []*Tensor) {
	for _, t := range tensors {
		prefix, kind, joined := strings.Cut(t.Name, "qkv.")
		if !joined {
			out = append(out, t)
			continue
		}
		shape := slices.Clone(t.Shape)
		shape[0] = d
		for i, part := range []string{"query", "key", "value"} {
			n := len(t.Data) / 3
			out = append(out, &Tensor{Name: prefix + part + "." + kind, Shape: shape, Data: t.Data[i*n : (i+1)*n]})
		}
	}
	return out
}
