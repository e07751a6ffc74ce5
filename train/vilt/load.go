package vilt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of files in a folder of weights, as transformers names them.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
	VocabFile   = "vocab.txt"
)

// Load reads a folder of weights: config.json and model.safetensors. Tensors that are missing, extra or misshapen are
// named all at once.
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
	w := newWeights(c)
	var wrong []string
	missing := map[string]*Tensor{}
	for _, t := range w.disk() {
		missing[t.Name] = t
	}
	for _, f := range found {
		name := strings.TrimPrefix(f.Name, "vilt.")
		t := missing[name]
		switch {
		case t == nil:
			wrong = append(wrong, "extra "+f.Name)
		case !slices.Equal(t.Shape, f.Shape):
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %v", name, f.Shape, t.Shape))
			delete(missing, name)
		default:
			copy(t.Data, f.Data)
			delete(missing, name)
		}
	}
	for name := range missing {
		wrong = append(wrong, "missing "+name)
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return nil, fmt.Errorf("weights %s do not fit %s: %s", file, ConfigFile, strings.Join(wrong, "; "))
	}
	return w, nil
}

// Save writes w as [Load] and transformers' ViltModel.from_pretrained read it.
func Save(dir string, w *Weights) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := WriteSafetensors(filepath.Join(dir, WeightsFile), w.disk(), map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return WriteConfig(filepath.Join(dir, ConfigFile), w.Config)
}

// disk lists the tensors as they are on disk, sharing memory with w: query, key and value apart.
func (w *Weights) disk() []*Tensor {
	var out []*Tensor
	d := w.Config.Width
	for _, t := range w.tensors {
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
