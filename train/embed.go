package train

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/hub"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// EmbedOptions say what to write. Zero means the default.
type EmbedOptions struct {
	Weights   string // folder or file of weights, or hf:OWNER/NAME
	Out       string // NAME.npy: the features; NAME.jsonl and NAME.json lie beside it
	Attention string // NAME.npy: the class token's attention; default: none
	// MaxText is the number of tokens, [CLS] and [SEP] included, that longer captions are cut to; 0: as many as the model has
	// positions for.
	MaxText          int
	ApplyOrientation bool // turn pictures as their EXIF orientation says; ViLT's own reader does not
	BatchSize        int  // pictures at a time; default [DefaultEmbedBatch]. The result does not depend on it
	Workers          int  // that decode pictures; default 1
	Pictures         PictureCache
	Force            bool // start afresh where files of mcil embed are

	Program  schemas.Program
	Getenv   func(string) string // reads the Hub's variables: see hub.Environment; default: none is set
	Progress func(Event)         // may be nil
}

// DefaultEmbedBatch is the BatchSize of the zero [EmbedOptions].
const DefaultEmbedBatch = 8

// embeddedVersion is the version of [schemas.EmbeddedRow].
const embeddedVersion = 1

// Validate refuses what cannot be. The error wraps [ErrOptions].
func (o EmbedOptions) Validate() error {
	err := checkMaxText(o.MaxText)
	if err == nil && strings.HasPrefix(o.Weights, hub.Scheme) {
		_, err = hub.Parse(o.Weights)
	}
	switch {
	case err != nil:
	case o.Weights == "" || o.Weights == "random":
		err = errors.New("weights: give those of a model: random ones have no features to speak of")
	case !strings.HasSuffix(o.Out, ".npy"):
		err = fmt.Errorf("out %q: give a name that ends in .npy", o.Out)
	case o.Attention != "" && !strings.HasSuffix(o.Attention, ".npy"):
		err = fmt.Errorf("attention %q: give a name that ends in .npy", o.Attention)
	case o.Attention != "" && newEmbedFiles(o.Out, "").relative(o.Attention) == filepath.Base(o.Out):
		err = fmt.Errorf("attention %q: is where the features go: give another name", o.Attention)
	case o.BatchSize < 0 || o.BatchSize > method.MostBatch:
		err = fmt.Errorf("batch size: %d: must be between 1 and %d", o.BatchSize, method.MostBatch)
	default:
		err = o.Pictures.validate()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrOptions)
	}
	return nil
}

// Embed writes the pooled features of pictures with their texts, and the class token's attention where that is asked for:
// see [schemas.Embedding]. Rows are in the order of the input. A picture that cannot be used has no row and is listed in
// the manifest with its reason. Features that were made from the same input with the same settings are left alone, and a
// run that was stopped goes on after its last whole batch and ends with the same bytes.
func Embed(ctx context.Context, in EmbedInput, o EmbedOptions) (schemas.Embedding, error) {
	var m schemas.Embedding
	if err := o.Validate(); err != nil {
		return m, err
	}
	o.BatchSize = cmp.Or(o.BatchSize, DefaultEmbedBatch)
	cpu, err := cpuPath()
	if err != nil {
		return m, err
	}
	b, err := loadBackbone(ctx, o.Weights, "", 0, nil, nil, o.Getenv, o.Progress)
	if err != nil {
		return m, err
	}
	if err := b.extendText(o.MaxText); err != nil {
		return m, err
	}
	c, files := b.weights.Config, newEmbedFiles(o.Out, o.Attention)
	m = schemas.Embedding{
		Header: schemas.EmbeddingHeader, Settings: map[string]any{"max_text": c.MaxText}, Source: in.Spec, Weights: o.Weights, WeightsDigest: b.digest,
		WeightsCommit: b.commit, Captions: in.Captions, Width: c.Width, Files: []schemas.FileDigest{}, Refused: []schemas.Refusal{}, CPU: cpu, Program: o.Program,
	}
	if o.ApplyOrientation {
		m.Settings["exif_orientation"] = true
	}
	if o.Attention != "" {
		m.Settings["attention"] = files.relative(o.Attention)
		m.Attention = &schemas.EmbeddingAttention{Block: c.Depth, Length: c.MaxText + 1 + c.MaxPatches()}
	}
	if m.Digest, err = in.digest(m); err != nil {
		return m, err
	}
	e := &embedding{EmbedOptions: o, in: in, files: files, manifest: &m, config: c, length: 1}
	if m.Attention != nil {
		e.length = m.Attention.Length
	}
	encoding := b.encoding(0, o.ApplyOrientation)
	if encoding.Disk, err = o.Pictures.open(); err != nil {
		return m, err
	}
	defer encoding.Disk.Close()
	e.items = &embedItems{pictures: in.pictures, encoding: encoding, sha256: map[int]string{}, refused: map[int]string{}}
	if e.encoder, err = method.NewEncoder(b.weights, o.BatchSize); err != nil {
		return m, err
	}
	defer e.encoder.Close()
	found, release, err := files.claim(m, o.Force, e.notice)
	defer release()
	if err != nil || found.finished && !o.Force {
		return found.Embedding, err
	}
	if err := e.run(ctx); err != nil {
		return m, fmt.Errorf("embed: %w", err)
	}
	tellCache(encoding.Disk, o.Progress)
	return m, nil
}

// digest is of all that decides the bytes, as far as that is known without reading pictures: paths of source and weights do
// not enter. It refuses an input without any text.
func (in EmbedInput) digest(m schemas.Embedding) (string, error) {
	h := sha256.New()
	b, err := json.Marshal([]any{m.Header, m.Settings, m.Captions, m.WeightsDigest, in.Classes, in.Refused})
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%s\n", b)
	texts := 0
	for i := range in.pictures.Len() {
		stamp, err := in.pictures.stamp(i)
		if err != nil {
			return "", fmt.Errorf("%s: %w", in.pictures.ID(i), err)
		}
		c, ok := in.pictures.caption(i)
		if ok {
			texts++
		}
		fmt.Fprintf(h, "%q %s %d %t %q %s\n", in.pictures.ID(i), stamp, in.pictures.Label(i), ok, c.Text, c.ImageSHA256)
	}
	if texts == 0 {
		return "", fmt.Errorf("none of %d pictures of %s has a caption: %w", in.pictures.Len(), in.Spec, dataset.ErrRefused)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// embedding is one run of [Embed].
type embedding struct {
	EmbedOptions
	in       EmbedInput
	files    embedFiles
	manifest *schemas.Embedding
	items    *embedItems
	encoder  *method.Encoder
	config   vilt.Config
	length   int // of a row of attention
}

func (e *embedding) run(ctx context.Context) (err error) {
	first, rows, end, err := e.resume(ctx)
	if err != nil {
		return err
	}
	w, err := e.files.open(e.manifest.Width, e.length, rows, end)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	e.tell(first, "")
	pace := pace{peak: measurePeak()}
	asked := time.Now()
	loader := dataset.Loader{Items: e.items, BatchSize: e.BatchSize, Workers: e.Workers}
	for batch, err := range loader.EpochFrom(ctx, 0, (first+e.BatchSize-1)/e.BatchSize) {
		if err != nil {
			return err
		}
		began := time.Now()
		if err := e.batch(w, first, batch); err != nil {
			return err
		}
		first += len(batch)
		step := method.Step{Samples: len(batch), Waited: began.Sub(asked), Took: time.Since(began)}
		step.Tokens, step.FLOP = method.Count(e.config, slices.DeleteFunc(batch, refused), 0, vilt.LearnsNothing)
		e.tell(first, pace.text(step))
		asked = time.Now()
	}
	for i, why := range e.items.refused {
		e.manifest.Refused = append(e.manifest.Refused, schemas.Refusal{Name: string(e.items.pictures.ID(i)), Reason: why})
	}
	e.manifest.Refused = append(e.manifest.Refused, e.in.Refused...)
	slices.SortFunc(e.manifest.Refused, func(x, y schemas.Refusal) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Reason, y.Reason))
	})
	if e.manifest.Rows = w.features.rows; e.manifest.Rows == 0 {
		err := fmt.Errorf("no picture of %s can be used: the first is %s: %s: %w", e.in.Spec, e.items.pictures.ID(0), e.items.refused[0], dataset.ErrRefused)
		return errors.Join(err, e.files.abandon())
	}
	if err := w.finish(); err != nil {
		return err
	}
	return e.files.publish(e.manifest)
}

// resume finds how far a run came that was stopped: the first picture still to be done, which begins a batch, the rows
// before it, and where their lines end.
func (e *embedding) resume(ctx context.Context) (first, rows int, end int64, err error) {
	indices, ends, err := e.files.written(e.manifest.Width, e.length)
	if err != nil || len(indices) == 0 {
		return 0, 0, 0, err
	}
	first = min(indices[len(indices)-1]+1, e.items.Len())
	if first < e.items.Len() {
		first = first / e.BatchSize * e.BatchSize
	}
	// What has no row was refused. It is looked at again for the reason, and taken where there is none.
	done := indices
	for i := 0; i < first; i++ {
		if len(done) > 0 && done[0] == i {
			done = done[1:]
			continue
		}
		if _, err := e.items.Sample(ctx, i, nil); err != nil {
			return 0, 0, 0, err
		}
		if e.items.refused[i] == "" {
			e.items.take(i)
			first = i / e.BatchSize * e.BatchSize
		}
	}
	rows, _ = slices.BinarySearch(indices, first)
	if rows > 0 {
		end = ends[rows-1]
	}
	return first, rows, end, nil
}

// batch runs the encoder on the pictures from the first one on.
func (e *embedding) batch(w *embedWriter, first int, batch []dataset.Sample) error {
	var samples []dataset.Sample
	for k, s := range batch {
		if refused(s) {
			continue
		}
		samples = append(samples, s)
		i := first + k
		label := e.items.pictures.Label(i)
		class := e.in.Classes[label]
		c, _ := e.items.pictures.caption(i)
		err := w.encoder.Encode(schemas.EmbeddedRow{
			Version: embeddedVersion, Index: i, ID: string(s.ID), Label: label, WNID: class.WNID, ClassName: class.Name, Caption: c.Text,
			TextTokens: len(s.Tokens), GridH: s.GridH, GridW: s.GridW, ImageSHA256: e.items.take(i),
		})
		if err != nil {
			return err
		}
	}
	if len(samples) == 0 {
		return nil
	}
	var attention *method.Attention
	if w.attention != nil {
		attention = &method.Attention{}
	}
	out, err := e.encoder.Infer(samples, attention)
	if err != nil {
		return err
	}
	for k, s := range samples {
		w.features.row(out.Features[k*e.manifest.Width:][:e.manifest.Width])
		if w.attention != nil {
			w.attention.row(out.Probs[k][:len(s.Tokens)+1+len(s.PatchPos)]) // the matrix' first row: [CLS]
		}
	}
	return w.flush()
}

// notice tells what the user would wonder at.
func (e *embedding) notice(line string) {
	if e.Progress != nil {
		e.Progress(Event{Stage: e.Out, Done: 1, Total: 1, Note: line})
	}
}

// refused tells a sample of a picture that cannot be used.
func refused(s dataset.Sample) bool { return len(s.Tokens) == 0 }

func (e *embedding) tell(done int, note string) {
	if e.Progress != nil {
		e.Progress(Event{Stage: "embed", Done: done, Total: e.items.Len(), Note: note})
	}
}
