package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// PretrainOptions say how to make a backbone. Zero means the default.
type PretrainOptions struct {
	Data       string          // folder of a prepared dataset
	Out        string          // folder of weights
	Model      string          // preset: vilt-b32, small or tiny (the default)
	Classes    string          // base classes: see SelectClasses; default all
	Seed       uint64          // default 1
	CacheBytes int64           // memory for processed pictures; default 1 GiB
	Force      bool            // start afresh where weights exist
	Schedule   method.Schedule // default learning rate here: 1e-3; epochs: 20

	Program  schemas.Program
	Progress func(Event) // may be nil
}

// heldOut is one in how many train rows of each class is kept from pretraining, to measure it: every tenth.
const heldOut = 10

// Pretrain trains every weight of a ViLT from a random start to tell the base classes apart, and saves it with its
// vocabulary. It stands in for published weights where a small model is to run in minutes. Test rows are not read.
func Pretrain(ctx context.Context, o PretrainOptions) (schemas.WeightsManifest, error) {
	o = o.withDefaults()
	data, err := dataset.Open(o.Data)
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	defer data.Close()
	labels, err := SelectClasses(data.Classes, o.Classes)
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	settings := o.settings()
	digest, err := digestOf(settings, rowsDigest(data))
	if err != nil {
		return schemas.WeightsManifest{}, err
	}
	m := schemas.WeightsManifest{Header: schemas.WeightsHeader, Data: o.Data, Settings: settings, Digest: digest, Program: o.Program}
	for _, label := range labels {
		m.Classes = append(m.Classes, data.Classes[label].WNID)
	}
	var old schemas.WeightsManifest
	err = schemas.ReadJSON(filepath.Join(o.Out, "mcil.json"), schemas.WeightsHeader, &old)
	switch {
	case err == nil && !o.Force && old.Digest == digest:
		return old, nil
	case err == nil && !o.Force:
		return m, fmt.Errorf("weights %s: were made with other settings or data: give --force to start afresh, or another --out", o.Out)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return m, err
	}
	return m, pretrain(ctx, o, data, labels, &m)
}

func (o PretrainOptions) withDefaults() PretrainOptions {
	if o.Model == "" {
		o.Model = "tiny"
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 30
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

func (o PretrainOptions) settings() map[string]any {
	return map[string]any{
		"data": o.Data, "model": o.Model, "classes": o.Classes, "seed": o.Seed, "epochs": o.Schedule.Epochs,
		"batch_size": o.Schedule.BatchSize, "learning_rate": o.Schedule.LearningRate, "weight_decay": o.Schedule.WeightDecay,
		"warmup_fraction": o.Schedule.WarmupFraction,
	}
}

func pretrain(ctx context.Context, o PretrainOptions, data *dataset.Dataset, labels []int, m *schemas.WeightsManifest) error {
	start := time.Now()
	rows := data.Splits[dataset.Train]
	b, err := randomBackbone(o.Model, o.Seed, rows, labels)
	if err != nil {
		return err
	}
	position := map[int]int{}
	var train, held []int
	for k, label := range labels {
		position[label] = k
		for i, row := range rows.OfClasses(label) {
			if i%heldOut == heldOut-1 {
				held = append(held, row)
			} else {
				train = append(train, row)
			}
		}
	}
	relabel := func(label int) int { return position[label] }
	encoding := b.encoding(o.CacheBytes)
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
	items := dataset.Subset{Encoding: encoding, Rows: rows, Indices: train, Relabel: relabel}
	err = network.Fit(ctx, o.Schedule, items, 0, o.Seed, func(s method.Step) {
		tell("pretrain", s.Done, s.Total, fmt.Sprintf("loss %.3f", s.Loss))
	}, nil)
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
			out, err := network.Infer(batch, false)
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
	m.Seconds = time.Since(start).Seconds()
	return saveBackbone(o.Out, b, *m)
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
	return schemas.WriteJSON(filepath.Join(dir, "mcil.json"), m)
}
