package train

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/hub"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// OpenOptions say how a run is opened for use. Zero means the default.
type OpenOptions struct {
	Phase    int    // after which of its phases, from 1; default: the last one that is finished
	Weights  string // of the encoder, as [Options] take them; default: where the run had them. They must be the same
	Workers  int    // that decode pictures; default 1
	Pictures PictureCache

	Getenv   func(string) string // reads the Hub's variables: see hub.Environment; default: none is set
	Progress func(Event)         // may be nil
}

// Model is a run that can be used: its encoder with what it had learned after a phase. It is not safe for concurrent use.
type Model struct {
	Dir     string             // of the run
	Classes []schemas.RunClass // that it tells apart, in the order learned
	Phase   int                // after which it is as it was, from 1
	Phases  int                // of the run, finished or not

	all      int // classes of the whole run
	encoding *dataset.Encoding
	learner  method.Learner
	progress func(Event)
	workers  int
}

// Open makes a model of a run folder. The run may be unfinished; one phase must be done. Weights that are not those which
// the run was trained on are refused: its tuned values mean nothing beside others.
func Open(ctx context.Context, dir string, o OpenOptions) (_ *Model, err error) {
	var run schemas.Run
	if err := schemas.ReadJSON(filepath.Join(dir, "run.json"), schemas.RunHeader, &run); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	if run.WeightsDigest == "" || len(run.Classes) == 0 {
		return nil, fmt.Errorf("run %s: was made by an mcil whose run.json does not tell weights and classes: train it again: %w", dir, dataset.ErrRefused)
	}
	m := &Model{Dir: dir, Phases: run.Classes[len(run.Classes)-1].Phase + 1, all: len(run.Classes), progress: o.Progress, workers: o.Workers}
	if m.Phase, err = phaseToOpen(dir, o.Phase, m.Phases); err != nil {
		return nil, err
	}
	for _, c := range run.Classes {
		if c.Phase < m.Phase {
			m.Classes = append(m.Classes, c)
		}
	}
	s, err := optionsOf(run.Settings)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	b, err := backboneOf(ctx, run, s, o)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	m.encoding = b.encoding(0, s.ApplyOrientation)
	if m.encoding.Disk, err = o.Pictures.open(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	options := s.methodOptions()
	options.Phases = m.Phases
	if m.learner, err = method.New(s.Method, b.weights, m.all, options); err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	if err = beginAll(m.learner, m.Classes); err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	if err = restoreTuner(m.learner, filepath.Join(dir, phaseName(m.Phase-1))); err != nil {
		return nil, err
	}
	return m, nil
}

// beginAll begins the phases of classes in turn, as far as the last one's: a learner's state may grow with each.
func beginAll(l method.Learner, classes []schemas.RunClass) error {
	old := 0
	for i, c := range classes {
		if i+1 < len(classes) && classes[i+1].Phase == c.Phase {
			continue
		}
		if err := l.Begin(method.Phase{Index: c.Phase, Old: old, Seen: i + 1}); err != nil {
			return err
		}
		old = i + 1
	}
	return nil
}

// Close gives memory and the cache back.
func (m *Model) Close() error {
	var err error
	if m.learner != nil {
		err = m.learner.Close()
	}
	tellCache(m.encoding.Disk, m.progress)
	return errors.Join(err, m.encoding.Disk.Close())
}

// phaseName is the folder of phase t, from 0.
func phaseName(t int) string { return fmt.Sprintf("phase-%02d", t) }

// phaseToOpen is the phase asked for, or the last finished one, from 1.
func phaseToOpen(dir string, asked, phases int) (int, error) {
	done := 0
	for ; done < phases; done++ {
		var c schemas.Checkpoint
		err := schemas.ReadJSON(filepath.Join(dir, phaseName(done), "phase.json"), schemas.PhaseHeader, &c)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("run: %w", err)
		}
	}
	switch {
	case asked < 0 || asked > phases:
		return 0, fmt.Errorf("phase %d: run %s has phases 1 to %d: %w", asked, dir, phases, ErrOptions)
	case done == 0:
		return 0, fmt.Errorf("run %s: none of its %d phases is finished: run the same mcil train again, which goes on: %w", dir, phases, dataset.ErrRefused)
	case asked > done:
		return 0, fmt.Errorf("run %s: %d of %d phases are finished, not %d: run the same mcil train again, which goes on: %w", dir, done, phases, asked, dataset.ErrRefused)
	}
	return cmp.Or(asked, done), nil
}

// optionsOf are the options, of those that decide what the model is, in the settings of a run.json.
func optionsOf(settings map[string]any) (Options, error) {
	var s struct {
		Data, Weights, Method, Model, Head string
		Seed                               uint64
		BatchSize                          int      `json:"batch_size"`
		MaxText                            int      `json:"max_text"`
		TuneFromBlock                      int      `json:"tune_from_block"`
		Orient                             bool     `json:"exif_orientation"`
		AdapterWidth                       int      `json:"adapter_width"`
		AdapterScale                       float64  `json:"adapter_scale"`
		EaseAlpha                          *float64 `json:"ease_alpha"`
		method.Prompts
	}
	b, err := json.Marshal(settings)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return Options{}, fmt.Errorf("run.json: settings: %w: %w", err, schemas.ErrDamaged)
	}
	o := Options{
		Data: s.Data, Weights: s.Weights, Method: s.Method, Model: s.Model, Seed: s.Seed, MaxText: s.MaxText,
		TuneFromBlock: s.TuneFromBlock, ApplyOrientation: s.Orient,
		Learning: LearningOptions{Head: s.Head, AdapterWidth: s.AdapterWidth, AdapterScale: s.AdapterScale, Prompts: s.Prompts},
	}
	if s.EaseAlpha != nil {
		o.Learning.EaseAlpha = orNone(*s.EaseAlpha)
	}
	o.Schedule.BatchSize = s.BatchSize
	o = o.WithDefaults()
	if err := o.methodOptions().Validate(); err != nil {
		return Options{}, fmt.Errorf("run.json: settings: %w: %w", err, dataset.ErrRefused)
	}
	return o, nil
}

// orNone is a setting as options have it, for which 0 is the default and less is none.
func orNone(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

// backboneOf loads the encoder that a run was trained on, and no other.
func backboneOf(ctx context.Context, run schemas.Run, s Options, o OpenOptions) (*backbone, error) {
	path := s.Weights
	if name, _, _ := strings.Cut(path, "@"); strings.HasPrefix(path, hub.Scheme) && run.WeightsCommit != "" {
		path = name + "@" + run.WeightsCommit
	}
	path = cmp.Or(o.Weights, path)
	var data *dataset.Dataset
	var labels []int
	if path == "random" { // its vocabulary is of the captions that it learned
		var err error
		if data, err = layout.Open(s.Data); err != nil {
			return nil, fmt.Errorf("its random weights have the vocabulary of its own dataset: %w", err)
		}
		defer data.Close()
		if labels, err = labelsOf(data, run.Classes); err != nil {
			return nil, err
		}
	}
	b, err := loadBackbone(ctx, path, s.Model, s.Seed, data, labels, o.Getenv, o.Progress)
	if errors.Is(err, fs.ErrNotExist) && o.Weights == "" {
		return nil, fmt.Errorf("%w: say with --weights where they are now", err)
	}
	if err != nil {
		return nil, err
	}
	if err := b.extendText(s.MaxText); err != nil {
		return nil, err
	}
	if b.identity() != run.WeightsDigest {
		return nil, fmt.Errorf("was trained on other weights than %s: give those: %w", path, dataset.ErrRefused)
	}
	return b, nil
}

// labelsOf are the labels that classes of a run have in a dataset, in increasing order.
func labelsOf(data *dataset.Dataset, classes []schemas.RunClass) ([]int, error) {
	var labels []int
	for _, c := range classes {
		label := slices.IndexFunc(data.Classes, func(d dataset.Class) bool { return d.WNID == c.WNID })
		if label < 0 {
			return nil, fmt.Errorf("dataset %s: has no class %s (%s): it is not what the run learned: %w", data.Dir, c.WNID, c.Name, dataset.ErrRefused)
		}
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return labels, nil
}

// identity is a digest of weights and vocabulary.
func (b *backbone) identity() string {
	if !b.random {
		return b.digest
	}
	h := sha256.New()
	fmt.Fprintln(h, b.digest)
	for id := range b.tokenizer.Len() {
		fmt.Fprintln(h, b.tokenizer.Piece(int32(id)))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// classes are those of the run in the order learned.
func (r *run) classes() (all []schemas.RunClass) {
	for t, labels := range r.phases {
		for _, label := range labels {
			c := r.data.Classes[label]
			all = append(all, schemas.RunClass{WNID: c.WNID, Name: c.Name, Phase: t})
		}
	}
	return all
}

// restoreTuner reads what a phase had learned into l.
func restoreTuner(l method.Learner, dir string) error {
	file := filepath.Join(dir, "tuner.safetensors")
	saved, metadata, err := vilt.ReadSafetensorsMetadata(file)
	if err == nil {
		err = schemas.TunerHeader.CheckMetadata(file, metadata)
	}
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if err := method.Restore(l, saved); err != nil {
		return fmt.Errorf("run: %s: %w: %w", file, err, schemas.ErrDamaged)
	}
	return nil
}

// Prediction is what the model says of one example.
type Prediction struct {
	Sample        dataset.Sample
	Class         int       // the likeliest, in [Model.Classes]
	Probabilities []float64 // [K] of each of them, in the order learned
	// Attention is what the text's [CLS] attends to in the last block, mean over heads: [P] by patch. Nil where it was not
	// asked for.
	Attention []float32

	logits []float32 // [K]
}

// Top are the n likeliest classes, the likeliest first.
func (p Prediction) Top(n int) []int {
	order := make([]int, len(p.logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.logits[b], p.logits[a]) })
	return order[:min(n, len(order))]
}

// Encode makes an example of a picture and its text. Of a picture that cannot be used the error wraps [dataset.ErrRefused].
func (m *Model) Encode(picture []byte, text string) (dataset.Sample, error) {
	return m.encoding.Encode(picture, text)
}

// PatchPx is the side of a patch in pixels.
func (m *Model) PatchPx() int { return m.encoding.Processor.Patch }

// Predict answers for items, in order. What it says of one does not depend on the others.
func (m *Model) Predict(ctx context.Context, items dataset.Items, attention bool) iter.Seq2[Prediction, error] {
	return func(yield func(Prediction, error) bool) {
		loader := dataset.Loader{Items: items, BatchSize: m.learner.BatchSize(), Workers: m.workers}
		var asked *method.Attention
		if attention {
			asked = &method.Attention{}
		}
		for batch, err := range loader.Epoch(ctx, 0) {
			if err != nil {
				yield(Prediction{}, err)
				return
			}
			out, err := m.learner.Infer(batch, asked)
			if err != nil {
				yield(Prediction{}, err)
				return
			}
			k := len(out.Logits) / len(batch)
			for i, s := range batch {
				p := Prediction{Sample: s, logits: slices.Clone(out.Logits[i*k : i*k+len(m.Classes)])}
				p.Class, p.Probabilities = argmax(p.logits), softmax(p.logits)
				if attention {
					p.Attention = slices.Clone(memory.Attention{Probs: out.Probs[i], Text: len(s.Tokens)}.Image(memory.TokenText))
				}
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

func softmax(logits []float32) []float64 {
	most, sum := float64(slices.Max(logits)), 0.0
	p := make([]float64, len(logits))
	for i, x := range logits {
		p[i] = math.Exp(float64(x) - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
