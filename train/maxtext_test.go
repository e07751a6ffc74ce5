package train

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/vilt"
)

func TestExtendText(t *testing.T) {
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	load := func() *backbone {
		b, err := loadBackbone(t.Context(), dirs.weights, "", 1, nil, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := load()
	own := b.weights.Config.MaxText
	for _, n := range []int{0, own} {
		w := b.weights
		if err := b.extendText(n); err != nil || b.weights != w {
			t.Errorf("%d: the weights became others (%v)", n, err)
		}
	}
	text := strings.Repeat("a red fox ", 40)
	for _, n := range []int{3, own - 1, own + 13, 100} {
		b := load()
		if err := b.extendText(n); err != nil {
			t.Fatal(err)
		}
		e := b.encoding(0, false)
		if e.MaxText != n || b.weights.Config.MaxText != n || len(e.Tokenizer.Encode(text, e.MaxText)) != n {
			t.Errorf("%d: the encoding takes %d tokens, the weights %d", n, e.MaxText, b.weights.Config.MaxText)
		}
	}
	for _, n := range []int{-1, 2, vilt.MostMaxText + 1} {
		if err := b.extendText(n); err == nil {
			t.Errorf("%d was taken", n)
		}
		if err := (Options{MaxText: n}).Validate(); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "must be between 3 and 4096 tokens") {
			t.Errorf("%d: run: %v", n, err)
		}
		if err := (PretrainOptions{MaxText: n}).Validate(); !errors.Is(err, ErrOptions) {
			t.Errorf("%d: pretrain: %v", n, err)
		}
	}
}

// TestRunMaxText: a run cuts texts where it is told to, goes on after a stop with the same bytes, and is not taken for one
// of other texts.
func TestRunMaxText(t *testing.T) {
	for _, n := range []int{5, 33} {
		o := testRun(t)
		o.MaxText, o.Memory.Exemplars = n, "raw"
		mustRun(t, o)
		var saved schemas.Run
		if err := schemas.ReadJSON(filepath.Join(o.Out, "run.json"), schemas.RunHeader, &saved); err != nil || saved.Settings["max_text"] != float64(n) {
			t.Errorf("%d: run.json says %v (%v)", n, saved.Settings["max_text"], err)
		}
		exemplars, err := schemas.ReadExemplars(filepath.Join(o.Out, "phase-02", "memory.arrow"))
		if err != nil || len(exemplars) == 0 {
			t.Fatalf("%d exemplars (%v)", len(exemplars), err)
		}
		longest := slices.MaxFunc(exemplars, func(a, b schemas.Exemplar) int { return a.TextLen - b.TextLen }).TextLen
		if longest > n || n == 5 && longest != n {
			t.Errorf("%d: the longest text has %d tokens", n, longest)
		}
		again := o
		again.Out = filepath.Join(t.TempDir(), "run")
		stopAt(t, again, "phase 2 of 3: learn")
		mustRun(t, again)
		sameRun(t, again.Out, o.Out)
		o.MaxText++
		if _, err := Run(t.Context(), o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "other settings") {
			t.Errorf("a run of %d tokens went on as one of %d: %v", n, o.MaxText, err)
		}
	}
}

// TestPretrainMaxText: the positions are in the weights that are written.
func TestPretrainMaxText(t *testing.T) {
	o := testPretrain(t)
	o.MaxText = 70
	m, err := Pretrain(t.Context(), o)
	if err != nil || m.Settings["max_text"] != 70 {
		t.Fatalf("settings %v (%v)", m.Settings, err)
	}
	if w, err := vilt.Load(o.Out); err != nil || w.Config.MaxText != 70 {
		t.Errorf("weights of %d text positions (%v)", w.Config.MaxText, err)
	}
}
