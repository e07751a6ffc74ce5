package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// run is one run in progress.
type run struct {
	o               Options
	acrossPhases    string // see Options.acrossPhases
	cpu             string
	commit          string // of weights on the Hub
	weights         string // digest of the encoder alone
	rows            string // digest of the dataset's rows
	data            *dataset.Dataset
	encoding        *dataset.Encoding
	shape           vilt.Config // of the encoder
	learner         method.Learner
	phases          [][]int     // labels of the dataset, by phase
	position        map[int]int // label of the dataset to place in the order learned
	store           memory.Store
	worths          map[int]memory.Worth         // by place in the order learned, where a budget in all is counted in samples
	chosen          map[int]schemas.ClassQuality // of mrdc: of the last phase's classes, by place in the order learned
	matrix          Matrix
	reports         []schemas.Phase
	gallery         []schemas.GalleryExemplar
	digest          string
	halfway         halfway       // of the phase that comes next
	peak            float64       // FLOP/s of [measurePeak]
	prefix          *cache.Folder // the run's own, with Options.TuneFromBlock and without Options.Pictures
	computedForRate int           // outputs of blocks that are not tuned, for [run.answerRate] alone
}

// newRun is a run that has not begun, of options as they were given.
func newRun(o Options) (*run, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &run{o: o.WithDefaults(), acrossPhases: o.acrossPhases()}, nil
}

// Run learns the classes of a dataset phase by phase and writes the run folder. A finished run is returned as it stands. o is as
// it was given: see [Options.Validate].
func Run(ctx context.Context, o Options) (schemas.Report, error) {
	r, err := newRun(o)
	if err != nil {
		return schemas.Report{}, err
	}
	defer r.close()
	if r.cpu, err = cpuPath(); err != nil {
		return schemas.Report{}, err
	}
	digest, err := r.prepare(ctx)
	if err != nil {
		return schemas.Report{}, err
	}
	r.digest = digest
	release, err := lockRun(r.o.Out)
	if err != nil {
		return schemas.Report{}, err
	}
	defer release()
	report, done, err := r.claim(digest)
	if err != nil || done {
		return report, err
	}
	if err := r.keepPrefix(); err != nil {
		return schemas.Report{}, err
	}
	r.peak = measurePeak()
	plan, err := r.footprint()
	if err != nil {
		return schemas.Report{}, err
	}
	defer collectEarly(plan)()
	r.tell(plan.String(), 0, 0, "")
	for t := len(r.reports); t < len(r.phases); t++ {
		if err := r.phase(ctx, t); err != nil {
			return schemas.Report{}, fmt.Errorf("phase %d of %d: %w", t+1, len(r.phases), err)
		}
	}
	tellCache(r.encoding.Disk, r.o.Progress)
	if err := r.dropPrefix(); err != nil {
		return schemas.Report{}, err
	}
	return r.finish()
}

func (r *run) close() {
	if r.learner != nil {
		r.learner.Close()
	}
	if r.data != nil {
		r.data.Close()
	}
	if r.encoding != nil {
		r.encoding.Disk.Close()
	}
	r.prefix.Close()
}

// prepare opens data and weights and returns the digest of all that decides the result.
func (r *run) prepare(ctx context.Context) (string, error) {
	var err error
	if r.data, err = layout.Open(r.o.Data); err != nil {
		return "", err
	}
	labels, err := SelectClasses(r.data.Classes, r.o.Classes)
	if err != nil {
		return "", err
	}
	if labels, err = inOrder(labels, r.o.ClassOrder, r.data); err != nil {
		return "", err
	}
	if r.phases, err = r.o.deal(labels); err != nil {
		return "", err
	}
	if r.acrossPhases != "" && len(r.phases) == 1 { // which init and increment show with the classes only
		return "", fmt.Errorf("%s has no effect in a single phase, which these %d classes are: leave it out, or choose more phases: %w", r.acrossPhases, len(labels), ErrOptions)
	}
	if err := r.checkRows(labels); err != nil {
		return "", err
	}
	r.position = map[int]int{}
	for _, phase := range r.phases {
		for _, label := range phase {
			r.position[label] = len(r.position)
		}
	}
	backbone, err := loadBackbone(ctx, r.o.Weights, r.o.Model, r.o.Seed, r.data, labels, r.o.Getenv, r.o.Progress)
	if err != nil {
		return "", err
	}
	if r.o.MaxText == backbone.weights.Config.MaxText {
		r.o.MaxText = 0 // one run, whether it is said or not
	}
	if err := backbone.extendText(r.o.MaxText); err != nil {
		return "", err
	}
	for _, label := range labels {
		if wnid := r.data.Classes[label].WNID; backbone.seen[wnid] {
			return "", fmt.Errorf("weights %s were pretrained on class %s (%s), so it is not new: leave it out with --classes: %w", r.o.Weights, wnid, r.data.Classes[label].Name, dataset.ErrRefused)
		}
	}
	r.commit, r.weights = backbone.commit, backbone.identity()
	if err := r.prepareMemory(backbone.weights.Config); err != nil {
		return "", err
	}
	r.encoding = backbone.encoding(r.o.CacheBytes, r.o.ApplyOrientation)
	if r.encoding.Disk, err = r.o.Pictures.open(); err != nil {
		return "", err
	}
	if err := checkSizes(r.o.Data, r.data, r.encoding.Processor, labels, dataset.Train, r.o.Evaluate); err != nil {
		return "", err
	}
	if r.rows, err = r.rowsRead(); err != nil {
		return "", err
	}
	if err := r.prepareLearner(backbone.weights, len(labels)); err != nil {
		if errors.Is(err, method.ErrMisfit) {
			err = fmt.Errorf("%w: %w", err, ErrOptions)
		}
		return "", err
	}
	return digestOf(r.o.Settings(), r.rows, backbone.digest, fmt.Sprint(r.phases))
}

// prepareLearner makes the learner, and has the options as they take effect on the encoder.
func (r *run) prepareLearner(w *vilt.Weights, classes int) error {
	spec, err := method.SpecOf(r.o.Method)
	if err != nil {
		return err
	}
	if r.o.Learning.Prompts, err = spec.FitPrompts(r.o.Learning.Prompts, w.Config.Depth, len(r.phases)); err != nil {
		return err
	}
	r.o.Learning = r.o.Learning.withDefaults(spec, r.o.Memory.keeps(), len(r.phases))
	options := r.o.methodOptions()
	options.Phases = len(r.phases)
	r.learner, err = method.New(r.o.Method, w, classes, options)
	return err
}

// rowsRead is the digest of the rows that decide the result. Test rows are in it whatever is evaluated.
func (r *run) rowsRead() (string, error) {
	splits := []string{dataset.Train, dataset.Test}
	if !slices.Contains(splits, r.o.Evaluate) {
		splits = append(splits, r.o.Evaluate)
	}
	return rowsDigest(r.data, splits...)
}

// checkSizes refuses pictures of the splits that the encoder cannot take, before anything is learned. The splits are there.
func checkSizes(path string, data *dataset.Dataset, p dataset.Processor, labels []int, splits ...string) error {
	for _, split := range splits {
		rows := data.Splits[split]
		if err := p.Check(rows, dataset.OfClasses(rows, labels...)); err != nil {
			return fmt.Errorf("dataset %s: %w", path, err)
		}
	}
	return nil
}

// claim makes the run folder ours: it is new, resumed after its last whole phase, or done.
func (r *run) claim(digest string) (schemas.Report, bool, error) {
	var report schemas.Report
	var old schemas.Run
	file := filepath.Join(r.o.Out, "run.json")
	begin := func() error {
		return schemas.WriteJSON(file, schemas.Run{Header: schemas.RunHeader, Settings: r.o.Settings(), Digest: digest, WeightsCommit: r.commit, WeightsDigest: r.weights, DataDigest: r.rows, Classes: r.classes(), CPU: r.cpu, Program: r.o.Program})
	}
	err := schemas.ReadJSON(file, schemas.RunHeader, &old)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := claimFolder("run", r.o.Out); err != nil {
			return report, false, err
		}
		return report, false, begin()
	case r.o.Force && (err == nil || errors.Is(err, schemas.ErrDamaged)):
		if err := removeRun(r.o.Out); err != nil {
			return report, false, fmt.Errorf("run %s: %w", r.o.Out, err)
		}
		return report, false, begin()
	case err != nil:
		return report, false, fmt.Errorf("run: %w", err)
	case old.Digest != digest && old.WeightsCommit != "" && r.commit != "" && old.WeightsCommit != r.commit:
		name, _, _ := strings.Cut(r.o.Weights, "@")
		return report, false, fmt.Errorf("run %s: %s was at %s, and is at %s now: give %s@%s to go on, --force to start afresh, or another --out: %w",
			r.o.Out, name, old.WeightsCommit, r.commit, name, old.WeightsCommit, dataset.ErrRefused)
	case old.Digest != digest:
		return report, false, fmt.Errorf("run %s: was made with other settings, data or weights: give --force to start afresh, or another --out: %w", r.o.Out, dataset.ErrRefused)
	}
	err = schemas.ReadJSON(filepath.Join(r.o.Out, "report.json"), schemas.ReportHeader, &report)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return report, err == nil, err
	}
	return report, false, r.resume()
}

// phase learns the classes of phase t, fills the memory, evaluates, and saves.
func (r *run) phase(ctx context.Context, t int) error {
	start := time.Now()
	seen := r.seen(t)
	stage := fmt.Sprintf("phase %d of %d", t+1, len(r.phases))
	spent, err := r.learn(ctx, t, stage)
	if err != nil {
		return err
	}
	gallery, err := r.remember(ctx, t, stage)
	if err != nil {
		return fmt.Errorf("fill the memory: %w", err)
	}
	r.encoding.Forget(r.data.Splits[dataset.Train]) // the next phase's need the room
	result, err := r.evaluate(ctx, t, stage)
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	r.matrix = append(r.matrix, result.byPhase)
	p := schemas.Phase{
		Phase: t, Classes: seen, MemoryBudgetBytes: int64(r.store.Budget()), MemoryUsedBytes: r.store.Used().StoredBytes,
		Seconds: (spent.before + time.Since(start)).Seconds(), LearnSeconds: spent.seconds(), WaitSeconds: spent.waited.Seconds(),
		LearnPicturesPerSecond: spent.perSecond(),
	}
	result.fill(&p, seen-len(r.phases[t]))
	r.costs(&p, seen)
	r.reports = append(r.reports, p)
	r.gallery = append(r.gallery, gallery...)
	if err := r.save(t, gallery); err != nil {
		return err
	}
	return r.emptyPrefix()
}

// seen is the number of classes of phases 0..t.
func (r *run) seen(t int) int {
	n := 0
	for _, labels := range r.phases[:t+1] {
		n += len(labels)
	}
	return n
}

// subset is the rows of some classes, labelled by the order learned.
func (r *run) subset(rows dataset.Rows, labels []int) dataset.Subset {
	return dataset.Subset{
		Encoding: r.encoding, Rows: rows, Indices: dataset.OfClasses(rows, labels...),
		Relabel: func(label int) int { return r.position[label] },
	}
}

func (r *run) tell(stage string, done, total int, note string) {
	if r.o.Progress != nil {
		r.o.Progress(Event{Stage: stage, Done: done, Total: total, Note: note})
	}
}

// keptBytes is what later phases need beside the encoder: exemplars as they are stored, and the learner's state, in float32. One
// that learns all rows anew needs those, as raw exemplars, and no state.
func (r *run) keptBytes() (n int64, err error) {
	if spec, _ := method.SpecOf(r.o.Method); spec.Joint {
		return r.wholeBytes()
	}
	for _, e := range r.store.All() {
		n += memory.CostOf(e).StoredBytes
	}
	return n + 4*int64(method.StateValues(r.learner)), nil
}

// finish writes the gallery and, last, the report.
func (r *run) finish() (schemas.Report, error) {
	kept, err := r.keptBytes()
	if err != nil {
		return schemas.Report{}, err
	}
	report := schemas.Report{
		Header: schemas.ReportHeader, Method: r.o.Method, Exemplars: r.o.Memory.Exemplars, Seed: r.o.Seed,
		AccuracyMatrix: r.matrix, MacroAverageAccuracy: r.matrix.MacroAverage(), Forgetting: r.matrix.Forgetting(),
		CodaForgetting: r.matrix.CodaForgetting(), Phases: r.reports, Split: r.o.Evaluate,
		TrainedParameters: int64(r.learner.Trained()), KeptBytes: kept, Program: r.o.Program,
	}
	pooled := make([]float64, len(r.reports))
	for t, p := range r.reports {
		pooled[t] = p.Accuracy
	}
	report.AverageAccuracy, report.LastAccuracy = AverageAccuracy(pooled), pooled[len(pooled)-1]
	report.Classes = r.classes()
	if len(r.gallery) > 0 {
		report.Gallery = "gallery.json"
		g := schemas.Gallery{Header: schemas.GalleryHeader, Exemplars: r.gallery}
		if err := schemas.WriteJSON(filepath.Join(r.o.Out, report.Gallery), g); err != nil {
			return report, err
		}
	}
	return report, schemas.WriteJSON(filepath.Join(r.o.Out, "report.json"), report)
}
