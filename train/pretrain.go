package train

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// PretrainOptions say how to make a backbone. Zero means the default.
type PretrainOptions struct {
	Data       string // folder of a prepared dataset
	Out        string // folder of weights
	Model      string // preset: vilt-b32, small or tiny (the default)
	Classes    string // base classes: see SelectClasses; default all
	Seed       uint64 // default 1
	CacheBytes int64  // memory for processed pictures; default 1 GiB
	Pictures   PictureCache
	Drop       float64 // share of patches and tokens left out at random; default 0.4, negative: none
	// ApplyOrientation turns pictures as their EXIF orientation says. ViLT's own reader does not.
	ApplyOrientation bool
	MaxText          int             // tokens that captions are cut to, and text positions of the model; default: the preset's
	Force            bool            // start afresh where weights exist
	Schedule         method.Schedule // default learning rate here: 1e-3; epochs: 20

	Program  schemas.Program
	Progress func(Event) // may be nil
}

// hold says whether row i of a class's n train rows is kept from pretraining, to measure it: every tenth, or the last one
// where there are fewer. A class of one row has none to spare.
func hold(i, n int) bool {
	every := min(10, n)
	return n > 1 && i%every == every-1
}

// Pretrain trains every weight of a ViLT from a random start to tell the base classes apart, and saves it with its
// vocabulary. It stands in for published weights where a small model is to run in minutes. Test rows are not read. One
// that was interrupted goes on after its last whole epoch and ends with the same bytes (times apart).
func Pretrain(ctx context.Context, o PretrainOptions) (schemas.WeightsManifest, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return schemas.WeightsManifest{}, err
	}
	cpu, err := cpuPath()
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	data, err := layout.Open(o.Data)
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	defer data.Close()
	labels, err := SelectClasses(data.Classes, o.Classes)
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	settings := o.Settings()
	rows, err := rowsDigest(data, dataset.Train, dataset.Test)
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	digest, err := digestOf(settings, rows)
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	m := schemas.WeightsManifest{Header: schemas.WeightsHeader, Data: o.Data, Settings: settings, Digest: digest, CPU: cpu, Program: o.Program}
	for _, label := range labels {
		m.Classes = append(m.Classes, data.Classes[label].WNID)
	}
	old, done, err := claimWeights(o.Out, digest, o.Force)
	if err != nil || done {
		return old, err
	}
	err = pretrain(ctx, o, data, labels, &m)
	return m, err
}

// WithDefaults returns o with every zero field at its default. Doing it twice changes nothing.
func (o PretrainOptions) WithDefaults() PretrainOptions {
	if o.Model == "" {
		o.Model = "tiny"
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 30
	}
	if o.Drop == 0 {
		o.Drop = 0.4
	}
	if c, err := vilt.Preset(o.Model); err == nil && o.MaxText == c.MaxText {
		o.MaxText = 0 // the same weights, whether it is said or not
	}
	if o.Schedule.LearningRate == 0 {
		o.Schedule.LearningRate = 1e-3
	}
	if o.Schedule.Epochs == 0 {
		o.Schedule.Epochs = 20
	}
	o.Schedule = o.Schedule.WithDefaults()
	return o
}

// Validate refuses what cannot be. The error wraps [ErrOptions].
func (o PretrainOptions) Validate() error {
	err := o.Schedule.Validate()
	if err == nil && !(o.Drop < 1) {
		err = fmt.Errorf("drop: %g: must be a share from 0 to below 1", o.Drop)
	}
	if err == nil {
		err = checkMaxText(o.MaxText)
	}
	if err == nil {
		err = o.Pictures.validate()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrOptions)
	}
	return nil
}

// Settings is what mcil.json shows: everything that the user can set and that decides the result, as it takes effect.
func (o PretrainOptions) Settings() map[string]any {
	o = o.WithDefaults()
	s := map[string]any{
		"data": o.Data, "model": o.Model, "classes": o.Classes, "seed": o.Seed, "drop": max(0, o.Drop), "epochs": o.Schedule.Epochs,
		"batch_size": o.Schedule.BatchSize, "learning_rate": o.Schedule.LearningRate, "weight_decay": o.Schedule.Decay(),
		"warmup_fraction": o.Schedule.Warmup(),
	}
	if o.ApplyOrientation {
		s["exif_orientation"] = true
	}
	if o.MaxText != 0 {
		s["max_text"] = o.MaxText
	}
	return s
}

func pretrain(ctx context.Context, o PretrainOptions, data *dataset.Dataset, labels []int, m *schemas.WeightsManifest) error {
	start := time.Now()
	rows := data.Splits[dataset.Train]
	b, err := randomBackbone(o.Model, o.Seed, rows, labels)
	if err != nil {
		return err
	}
	if err := b.extendText(o.MaxText); err != nil {
		return err
	}
	position := map[int]int{}
	var train, held []int
	for k, label := range labels {
		position[label] = k
		own := dataset.OfClasses(rows, label)
		for i, row := range own {
			if hold(i, len(own)) {
				held = append(held, row)
			} else {
				train = append(train, row)
			}
		}
	}
	relabel := func(label int) int { return position[label] }
	encoding := b.encoding(o.CacheBytes, o.ApplyOrientation)
	if err := checkSizes(o.Data, data, encoding.Processor, labels, dataset.Train); err != nil {
		return err
	}
	if encoding.Disk, err = o.Pictures.open(); err != nil {
		return err
	}
	defer encoding.Disk.Close()
	network, err := method.NewNetwork(b.weights, nil, len(labels), o.Schedule.BatchSize)
	if err != nil {
		return err
	}
	defer network.Close()
	tell := func(stage string, done, total int, note string) {
		if o.Progress != nil {
			o.Progress(Event{Stage: stage, Done: done, Total: total, Note: note})
		}
	}
	plan, err := o.footprint(network.Plan(), encoding, rows, train, held)
	if err != nil {
		return err
	}
	defer collectEarly(plan)()
	tell(plan.String(), 0, 0, "")
	items := dataset.Thin{Items: dataset.Subset{Encoding: encoding, Rows: rows, Indices: train, Relabel: relabel}, Drop: o.Drop}
	saved, epochs, err := readHalfway(o.Out, m.Digest)
	if err != nil {
		return err
	}
	if epochs > 0 {
		if err := method.CopyInto(network.Trained(), saved); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
	}
	pace := pace{peak: measurePeak()}
	err = network.Fit(ctx, o.Schedule, items, method.FitOptions{
		Seed: o.Seed, Epochs: epochs, From: saved,
		Progress: func(s method.Step) { tell("pretrain", s.Done, s.Total, pace.note(s)) },
		After: func(epochs int, solver []*vilt.Tensor) error {
			return writeHalfway(o.Out, m.Digest, epochs, network.Trained(), solver)
		},
	})
	if err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	if len(held) > 0 {
		loader := dataset.Loader{Items: dataset.Subset{Encoding: encoding, Rows: rows, Indices: held, Relabel: relabel}, BatchSize: o.Schedule.BatchSize, Workers: o.Schedule.Workers}
		right := 0
		for batch, err := range loader.Epoch(ctx, 0) {
			if err != nil {
				return err
			}
			out, err := network.Infer(batch, nil)
			if err != nil {
				return err
			}
			for i, s := range batch {
				if argmax(out.Logits[i*len(labels):(i+1)*len(labels)]) == s.Label {
					right++
				}
			}
		}
		m.Accuracy = float64(right) / float64(len(held))
	}
	tellCache(encoding.Disk, o.Progress)
	m.Seconds, m.LearnSeconds, m.WaitSeconds = time.Since(start).Seconds(), pace.whole.seconds(), pace.whole.waited.Seconds()
	if err := saveBackbone(o.Out, b, *m); err != nil {
		return err
	}
	return os.Remove(filepath.Join(o.Out, halfwayFile))
}

// saveBackbone writes the manifest last: a folder without it is not finished.
func saveBackbone(dir string, b *backbone, m schemas.WeightsManifest) error {
	if err := vilt.Save(dir, b.weights); err != nil {
		return err
	}
	err := schemas.WriteFile(filepath.Join(dir, vilt.VocabFile), func(w io.Writer) error { _, err := b.tokenizer.WriteTo(w); return err })
	if err != nil {
		return err
	}
	return schemas.WriteJSON(filepath.Join(dir, manifestFile), m)
}
