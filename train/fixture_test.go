package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// The test's dataset: five classes of eight drawn pictures, six of them to train. Made once.
const (
	testClasses  = 5
	testTrain    = 6 // rows a class
	testTest     = 2
	testPerClass = testTrain + testTest
)

var fixtureRoot string // of what fixture made, if it did

var fixture = sync.OnceValues(func() (dirs struct{ data, weights string }, err error) {
	root, err := os.MkdirTemp("", "mcil-train-test-")
	if err != nil {
		return dirs, err
	}
	fixtureRoot = root
	dirs.data, dirs.weights = filepath.Join(root, "data"), filepath.Join(root, "weights")
	ctx := context.Background()
	pictures := filepath.Join(root, "pictures")
	if err := synth.Write(ctx, pictures, synth.Options{Classes: testClasses, PerClass: testPerClass}); err != nil {
		return dirs, err
	}
	if err := shrink(pictures); err != nil {
		return dirs, err
	}
	s, err := source.Open(ctx, pictures)
	if err != nil {
		return dirs, err
	}
	defer s.Close()
	captions := map[dataset.ID]dataset.Caption{}
	for i, e := range s.Entries() {
		b, err := s.Read(ctx, e)
		if err != nil {
			return dirs, err
		}
		text := fmt.Sprintf("the picture shows a %s thing with %d parts, and beside it something %s on the floor.",
			[]string{"round", "long", "red", "flat", "pointed"}[e.Label], i%3, []string{"small", "large"}[i%2])
		captions[e.ID] = dataset.Caption{Text: text, ImageSHA256: dataset.Digest(b)}
	}
	_, err = build.Build(ctx, s, dirs.data, build.Options{
		Split:    split.Options{Spec: "ratio:0.75"},
		Captions: func(id dataset.ID) (dataset.Caption, bool) { c, ok := captions[id]; return c, ok },
	})
	if err != nil {
		return dirs, err
	}
	return dirs, smallWeights(dirs.weights, captions)
})

// shrink makes every picture below dir a third of its size: the race detector makes decoding and resizing slow.
func shrink(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "n*", "*.jpg"))
	if err != nil {
		return err
	}
	for _, f := range files {
		img, err := imaging.Open(f)
		if err != nil {
			return err
		}
		if err := imaging.Save(imaging.Resize(img, img.Bounds().Dx()/3, 0, imaging.Box), f); err != nil {
			return err
		}
	}
	return nil
}

// smallWeights writes random weights of an encoder that is smaller than any preset.
func smallWeights(dir string, captions map[dataset.ID]dataset.Caption) error {
	var texts []string
	for _, c := range captions {
		texts = append(texts, c.Text)
	}
	tokenizer, err := dataset.BuildVocabulary(texts, vocabularySize)
	if err != nil {
		return err
	}
	c, err := vilt.Preset("tiny")
	if err != nil {
		return err
	}
	c.Vocab, c.Width, c.Heads, c.Hidden, c.Depth, c.ImageSize, c.Patch, c.MaxText = tokenizer.Len(), 24, 3, 32, 2, 64, 16, 20
	w, err := vilt.Random(c, 1)
	if err != nil {
		return err
	}
	if err := saveBackbone(dir, &backbone{weights: w, tokenizer: tokenizer}, schemas.WeightsManifest{Header: schemas.WeightsHeader}); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, manifestFile)) // as published weights are
}

func TestMain(m *testing.M) {
	code := m.Run()
	if fixtureRoot != "" {
		os.RemoveAll(fixtureRoot)
	}
	os.Exit(code)
}

// testRun is options of a run in three phases of 3, 1 and 1 classes.
func testRun(t *testing.T) Options {
	t.Helper()
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	return testOptions(dirs.data, dirs.weights, filepath.Join(t.TempDir(), "run"))
}

func testOptions(data, weights, out string) Options {
	return Options{Data: data, Weights: weights, Out: out, Protocol: Protocol{Phases: 3}, Memory: MemoryOptions{Budget: 2}, Schedule: method.Schedule{Epochs: 2, BatchSize: 8}}
}

// wholeRun is the folder of testRun's own result, never interrupted. Made once.
var wholeRun = sync.OnceValues(func() (string, error) {
	dirs, err := fixture()
	if err != nil {
		return "", err
	}
	o := testOptions(dirs.data, dirs.weights, filepath.Join(filepath.Dir(dirs.data), "run"))
	_, err = Run(context.Background(), o)
	return o.Out, err
})

func mustWholeRun(t *testing.T) string {
	t.Helper()
	dir, err := wholeRun()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustRun(t *testing.T, o Options) schemas.Report {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// stopAt runs o until the first event of the given stage, and checks that it stopped for that reason.
func stopAt(t *testing.T, o Options, stage string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(e Event) {
		if strings.HasPrefix(e.Stage, stage) {
			cancel()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped at %q with %v", stage, err)
	}
}

// timeless is a report without what a clock says.
func timeless(r schemas.Report) schemas.Report {
	r.Phases = slices.Clone(r.Phases)
	for i := range r.Phases {
		r.Phases[i].Seconds, r.Phases[i].LearnSeconds, r.Phases[i].WaitSeconds = 0, 0, 0
		r.Phases[i].LearnPicturesPerSecond, r.Phases[i].TestPicturesPerSecond = 0, 0
	}
	return r
}

// timelessLog is a log without what a clock says, without the number of threads, and without what else work names.
func timelessLog(t *testing.T, log []byte, work ...string) (out []byte) {
	t.Helper()
	for line := range bytes.Lines(log) {
		var l map[string]any
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		for _, key := range append([]string{"seconds", "wait_seconds", "peak_flop_per_second", "threads"}, work...) {
			if v, ok := l[key].(float64); !ok || v < 0 {
				t.Errorf("the log's %s is %v", key, l[key])
			}
			delete(l, key)
		}
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, b...), '\n')
	}
	return out
}

// sameRun fails unless two run folders hold the same results to the byte, times apart, and of the log what work names.
func sameRun(t *testing.T, got, want string, work ...string) {
	t.Helper()
	var a, b schemas.Report
	for dir, r := range map[string]*schemas.Report{got: &a, want: &b} {
		if err := schemas.ReadJSON(filepath.Join(dir, "report.json"), schemas.ReportHeader, r); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(timeless(a), timeless(b)) {
		t.Errorf("the reports differ:\n%+v\n%+v", a, b)
	}
	files := []string{"gallery.json", "log.jsonl", "run.json"}
	for t := range b.Phases {
		files = append(files, fmt.Sprintf("phase-%02d/tuner.safetensors", t), fmt.Sprintf("phase-%02d/memory.arrow", t))
	}
	for _, name := range files {
		x, errX := os.ReadFile(filepath.Join(got, name))
		y, errY := os.ReadFile(filepath.Join(want, name))
		if name == "gallery.json" && errors.Is(errX, os.ErrNotExist) && errors.Is(errY, os.ErrNotExist) {
			continue
		}
		if name == "log.jsonl" {
			x, y = timelessLog(t, x, work...), timelessLog(t, y, work...)
		}
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, errX, errY)
		}
	}
}
