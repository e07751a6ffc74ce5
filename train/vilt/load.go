package vilt

import (
	"bytes"
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
	TorchFile   = "pytorch_model.bin" // in place of WeightsFile
	VocabFile   = "vocab.txt"
)

// Files are where the parts of published weights lie. The vocabulary may be absent: this package does not need it.
type Files struct{ Config, Weights, Vocab string }

// Find finds the files of weights. path is a folder that holds config.json, vocab.txt and model.safetensors or else
// pytorch_model.bin, or it is a file of weights (safetensors, a file of torch.save, a .ckpt of the original release) beside
// which config.json and vocab.txt lie. What is not there is named, with where it should be.
func Find(path string) (Files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Files{}, fmt.Errorf("weights %s: %w: %s", path, err, whatToBring)
	}
	dir, weights := path, ""
	if !info.IsDir() {
		dir, weights = filepath.Dir(path), path
	}
	f := Files{Config: filepath.Join(dir, ConfigFile), Weights: weights, Vocab: filepath.Join(dir, VocabFile)}
	if f.Weights == "" {
		f.Weights = filepath.Join(dir, WeightsFile)
		if torch := filepath.Join(dir, TorchFile); !exists(f.Weights) && exists(torch) {
			f.Weights = torch
		}
	}
	for _, file := range []string{f.Config, f.Weights} {
		if _, err := os.Stat(file); err != nil {
			return f, fmt.Errorf("weights %s: %w: %s", path, err, whatToBring)
		}
	}
	return f, nil
}

const whatToBring = "a folder of weights holds " + ConfigFile + ", " + WeightsFile + " or " + TorchFile + ", and " + VocabFile +
	", which lie beside a file of weights too; those of dandelin/vilt-b32-mlm are the published ones"

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Load reads the weights that [Find] finds at path. Tensors that are missing, extra or misshapen are named all at once.
// Heads are left out. The file is mapped, and its values are copied once, straight to where the model has them: no more
// memory is taken than the model's, where files can be mapped.
func Load(path string) (*Weights, error) {
	files, err := Find(path)
	if err != nil {
		return nil, err
	}
	c, err := ReadConfig(files.Config)
	if err != nil {
		return nil, err
	}
	m, err := mapFile(files.Weights)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	defer m.close()
	found, err := parse(m.bytes, files.Weights)
	if errors.Is(err, ErrSafetensors) || errors.Is(err, ErrTorch) {
		err = fmt.Errorf("%w: %w", err, schemas.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", files.Weights, err)
	}
	byName, err := match(found, apart(layout(c), c.Width), len(m.bytes))
	if err != nil {
		return nil, fmt.Errorf("weights %s do not fit %s: %w", files.Weights, ConfigFile, err)
	}
	w := newWeights(c) // not before the file is known to hold as much
	for _, t := range apart(w.tensors, c.Width) {
		byName[t.Name].read(m, t.Data)
	}
	return w, nil
}

// parse lists the tensors of a file by what it begins with: a blob of a cache has no telling name.
func parse(b []byte, path string) ([]stored, error) {
	switch {
	case strings.HasSuffix(path, ".safetensors") || len(b) > 8 && b[8] == '{':
		found, _, err := parseSafetensors(b)
		return found, err
	case isZip(b) || len(b) > 0 && b[0] == 0x80:
		return parseTorch(b)
	case bytes.HasPrefix(b, []byte("version https://git-lfs")):
		return nil, fmt.Errorf("holds a pointer of Git LFS in place of the weights: run git lfs pull: %w", ErrUnsupported)
	}
	return nil, fmt.Errorf("neither safetensors nor a file of torch.save: %w", ErrUnsupported)
}

// match finds each of want among the tensors of a file, and names, sorted, what is missing, extra, repeated, misshapen or of
// a type that is not read.
func match(found []stored, want []*Tensor, length int) (map[string]stored, error) {
	wanted := map[string]*Tensor{}
	for _, t := range want {
		wanted[t.Name] = t
	}
	byName := map[string]stored{}
	var wrong, types []string
	for _, s := range encoder(found) {
		t := wanted[s.name]
		if t == nil {
			wrong = append(wrong, "extra "+s.name)
			continue
		}
		if _, twice := byName[s.name]; twice {
			wrong = append(wrong, "twice "+s.name)
		}
		byName[s.name] = s
		switch {
		case !fits(s, t):
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %v", t.Name, s.shape, t.Shape))
		case !readable(s.dtype):
			types = append(types, fmt.Sprintf("%s is of type %s, and only F32, F16 and BF16 are read", t.Name, s.dtype))
		}
	}
	total := 0
	for _, t := range want {
		s, ok := byName[t.Name]
		if !ok {
			wrong = append(wrong, "missing "+t.Name)
		}
		total += s.bytes
	}
	kind := schemas.ErrDamaged
	if len(wrong) == 0 && len(types) > 0 {
		kind = ErrUnsupported
	}
	if wrong = append(wrong, types...); len(wrong) > 0 {
		slices.Sort(wrong)
		return nil, fmt.Errorf("%s: %w", strings.Join(wrong, "; "), kind)
	}
	if total > length { // or a small file could ask for much memory
		return nil, fmt.Errorf("tensors share their values: %w", kind)
	}
	return byName, nil
}

// fits says whether a tensor of a file is what t holds. A third row of modalities, which NLVR2 adds for its second picture,
// is left out where the config has two.
func fits(s stored, t *Tensor) bool {
	return slices.Equal(s.shape, t.Shape) ||
		t.Name == "embeddings.token_type_embeddings.weight" && len(s.shape) == 2 && s.shape[0] == 3 && t.Shape[0] == 2 && s.shape[1] == t.Shape[1]
}

// encoder lists what of a file is the encoder's, under its names as transformers' ViltModel has them: in files of models with
// a head they begin with "vilt.", and the original release has others.
func encoder(found []stored) (out []stored) {
	const prefix = "vilt."
	if isOriginal(found) {
		found = fromOriginal(found)
	}
	for _, s := range found {
		if isHead(s.name) {
			continue
		}
		s.name = strings.TrimPrefix(s.name, prefix)
		// buffers of older files: the numbers from 0 on, and zeros
		if s.name == "embeddings.text_embeddings.position_ids" || s.name == "embeddings.text_embeddings.token_type_ids" {
			continue
		}
		out = append(out, s)
	}
	return out
}

// isHead says whether a tensor is of what is put on an encoder: of transformers' models, of the original release's tasks
// (vqa_classifier, nlvr2_classifier, …) or of what was trained on them.
func isHead(name string) bool {
	part, _, _ := strings.Cut(name, ".")
	return part == "mlm_score" || part == "itm_score" || part == "mpp_score" || part == "rank_output" ||
		part == "classifier" || strings.HasSuffix(part, "_classifier")
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
