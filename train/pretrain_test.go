package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

func testPretrain(t *testing.T) PretrainOptions {
	t.Helper()
	o := testRun(t)
	return PretrainOptions{Data: o.Data, Out: filepath.Join(t.TempDir(), "weights"), Schedule: method.Schedule{Epochs: 2, BatchSize: 8}}
}

func stopPretrain(t *testing.T, o PretrainOptions, step int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(e Event) {
		if e.Done == step {
			cancel()
		}
	}
	if _, err := Pretrain(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped at step %d with %v", step, err)
	}
}

func TestPretrainResumes(t *testing.T) {
	whole := testPretrain(t)
	m, err := Pretrain(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Classes) != testClasses || m.Digest == "" {
		t.Errorf("the manifest is %+v", m)
	}
	var disk schemas.WeightsManifest
	if err := schemas.ReadJSON(filepath.Join(whole.Out, manifestFile), schemas.WeightsHeader, &disk); err != nil {
		t.Fatal(err)
	}
	if rows := float64(testClasses); m.Accuracy*rows != math.Round(m.Accuracy*rows) { // one row of each class is held out
		t.Errorf("accuracy %g is not of %g rows", m.Accuracy, rows)
	}
	if disk.Seconds != m.Seconds || disk.Accuracy != m.Accuracy || m.Seconds <= 0 {
		t.Errorf("returned %+v, written %+v", m, disk)
	}

	o := testPretrain(t)
	o.Schedule.Workers = 3
	stopPretrain(t, o, 2) // in the first epoch of four steps: nothing to go on from
	if _, err := os.Stat(filepath.Join(o.Out, halfwayFile)); err == nil {
		t.Error("half an epoch was saved")
	}
	stopPretrain(t, o, 6) // in the second
	if _, err := loadBackbone(t.Context(), o.Out, "", 1, nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("weights that are not finished: %v", err)
	}
	other := o
	other.Seed = 9
	if _, err := Pretrain(t.Context(), other); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings than those of a begun one: %v", err)
	}
	first := 0
	o.Progress = func(e Event) {
		if first == 0 {
			first = e.Done
		}
	}
	resumed, err := Pretrain(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if first != 5 {
		t.Errorf("it went on at step %d, not 5", first)
	}
	if resumed.Accuracy != m.Accuracy || resumed.Digest != m.Digest {
		t.Errorf("resumed: %+v, not %+v", resumed, m)
	}
	for _, name := range []string{vilt.WeightsFile, vilt.ConfigFile, vilt.VocabFile} {
		x, errX := os.ReadFile(filepath.Join(o.Out, name))
		y, errY := os.ReadFile(filepath.Join(whole.Out, name))
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs after going on (%v, %v)", name, errX, errY)
		}
	}
	if _, err := os.Stat(filepath.Join(o.Out, halfwayFile)); err == nil {
		t.Error("the state of pretraining was left behind")
	}
	o.Progress = func(Event) { t.Error("finished weights are made again") }
	if again, err := Pretrain(t.Context(), o); err != nil || !reflect.DeepEqual(again.Classes, m.Classes) {
		t.Errorf("finished weights: %+v (%v)", again, err)
	}
	other.Force, other.Schedule.Epochs = true, 1
	if forced, err := Pretrain(t.Context(), other); err != nil || forced.Digest == m.Digest {
		t.Errorf("forced: %+v (%v)", forced, err)
	}
}

func TestHold(t *testing.T) {
	for n, want := range map[int][]int{0: nil, 1: nil, 2: {1}, 6: {5}, 10: {9}, 19: {9}, 25: {9, 19}} {
		var held []int
		for i := range n {
			if hold(i, n) {
				held = append(held, i)
			}
		}
		if !slices.Equal(held, want) {
			t.Errorf("of %d rows %v are held out, not %v", n, held, want)
		}
	}
}

// TestPretrainAfterKilledForce: weights of which --force has taken a file, and not yet the manifest, are made again.
func TestPretrainAfterKilledForce(t *testing.T) {
	p := testPretrain(t)
	p.Schedule.Epochs = 1
	if _, err := Pretrain(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.Out, vilt.WeightsFile)
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Pretrain(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the weights were not made again (%v)", err)
	}
}

// TestForceKeepsOthersFolders: --force replaces what mcil made, and does not write beside what it did not.
func TestForceKeepsOthersFolders(t *testing.T) {
	o, p := testRun(t), testPretrain(t)
	o.Force, p.Force = true, true
	for dir, begin := range map[string]func() error{
		o.Out: func() error { _, err := Run(t.Context(), o); return err },
		p.Out: func() error { _, err := Pretrain(t.Context(), p); return err },
	} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		names := []string{".thesis.tex.tmp-1", "thesis.tex"}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := begin(); !errors.Is(err, dataset.ErrRefused) {
			t.Errorf("%s: %v", dir, err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != len(names) {
			t.Errorf("%s holds %v (%v)", dir, left, err)
		}
	}
}

// TestPretrainedClassesAreRefused: a class that the backbone has seen is not new.
func TestPretrainedClassesAreRefused(t *testing.T) {
	o := testRun(t)
	data, err := layout.Open(o.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	base := data.Classes[0].WNID + "," + data.Classes[1].WNID
	p := testPretrain(t)
	p.Classes, p.Schedule.Epochs = base, 1
	m, err := Pretrain(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Classes) != 2 {
		t.Fatalf("pretrained on %v", m.Classes)
	}
	o.Weights = p.Out
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "pretrained on class") {
		t.Errorf("a run on classes of pretraining: %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("the refused run left a folder")
	}
	o.Classes, o.Phases, o.Schedule.Epochs = "!"+strings.ReplaceAll(base, ",", ",!"), 1, 1
	if r := mustRun(t, o); len(r.Classes) != 3 {
		t.Errorf("a run on the others has %d classes", len(r.Classes))
	}
}

// TestPretrainLeavesOthersWeights: weights that mcil did not make are not overwritten.
func TestPretrainLeavesOthersWeights(t *testing.T) {
	p := testPretrain(t)
	if err := os.MkdirAll(p.Out, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.Out, vilt.WeightsFile)
	if err := os.WriteFile(file, []byte("published"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		p.Force = force
		if _, err := Pretrain(t.Context(), p); err == nil || !strings.Contains(err.Error(), "would be overwritten") {
			t.Errorf("force %v: %v", force, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "published" {
		t.Errorf("the file is %q (%v)", b, err)
	}
}

// TestRandomLongerTexts: text positions that nothing is learned of yet are drawn, not stretched, which would make each one
// much like the next; learned ones are stretched.
func TestRandomLongerTexts(t *testing.T) {
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	data, err := layout.Open(dirs.data)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	const longer = 128 // tiny has 64
	for _, weights := range []string{"random", dirs.weights} {
		load := func(n int) (*backbone, []float32) {
			b, err := loadBackbone(t.Context(), weights, "tiny", 1, data, []int{0, 1}, nil, nil)
			if err == nil {
				err = b.extendText(n)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range b.weights.Tensors() {
				if strings.HasSuffix(x.Name, "text_embeddings.position_embeddings.weight") {
					return b, x.Data
				}
			}
			t.Fatal("no text positions")
			return nil, nil
		}
		own, positions := load(0)
		_, same := load(own.weights.Config.MaxText)
		_, shorter := load(10)
		if !slices.Equal(same, positions) || !slices.Equal(shorter, positions[:len(shorter)]) {
			t.Errorf("%s: other positions for texts that are no longer", weights)
		}
		b, positions := load(longer)
		d := b.weights.Config.Width
		var squares, products float64
		for i := range positions[d:] {
			squares += float64(positions[i]) * float64(positions[i])
			products += float64(positions[i]) * float64(positions[i+d])
		}
		if r := products / squares; len(positions) != longer*d || (math.Abs(r) < 0.1) != (weights == "random") {
			t.Errorf("%s: neighbours of %d positions correlate by %.2g", weights, len(positions)/d, r)
		}
		if (b.digest == own.digest) == (weights == "random") {
			t.Errorf("%s: digests %s and %s", weights, own.digest, b.digest)
		}
	}
}

// TestOwnMaxText: to ask for as many tokens as the model has is to ask for nothing.
func TestOwnMaxText(t *testing.T) {
	want, err := wholeRun()
	if err != nil {
		t.Fatal(err)
	}
	o := testRun(t)
	w, err := vilt.Load(o.Weights)
	if err != nil {
		t.Fatal(err)
	}
	stopAt(t, o, "phase 2 of 3: learn")
	o.MaxText = w.Config.MaxText
	mustRun(t, o)
	sameRun(t, o.Out, want)

	p := PretrainOptions{Model: "small"}
	said := p
	said.MaxText = 64
	if !reflect.DeepEqual(said.Settings(), p.Settings()) {
		t.Errorf("settings %v, and %v where it is said", p.Settings(), said.Settings())
	}
}
