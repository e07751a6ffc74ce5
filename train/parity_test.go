//go:build parity

package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

const (
	parityPictures  = 50
	parityTolerance = 1e-3
)

// script runs one of parity_vilt.py's commands.
func script(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("MCIL_PYTHON"), append([]string{"testdata/parity_vilt.py"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
	t.Logf("%s: %s", args[0], bytes.TrimSpace(out))
}

// example is a picture in the test's folder, with its caption.
type example struct {
	Path    string `json:"path"`
	Caption string `json:"caption"`
}

// reference is what transformers makes of an example.
type reference struct {
	IDs       []int32   `json:"ids"`
	GridH     int       `json:"grid_h"`
	GridW     int       `json:"grid_w"`
	Attention []float32 `json:"attention"` // of [CLS] in the last block, averaged over heads

	feature []float32
}

// TestParityViLT compares a ViLT-B/32 of random weights with transformers' ViltModel, from encoded pictures and captions to
// pooled features: read from what transformers saves, and written for it to read. MCIL_PARITY_TAR is an archive in
// ImageNet-R's layout to take pictures from; otherwise they are drawn. MCIL_VOCABULARY is BERT's vocab.txt; otherwise one is
// made. Where MCIL_BIN names the program, mcil embed is compared as well.
func TestParityViLT(t *testing.T) {
	if os.Getenv("MCIL_PYTHON") == "" {
		t.Skip("MCIL_PYTHON names no interpreter")
	}
	dir := t.TempDir()
	data, models := filepath.Join(dir, "data"), filepath.Join(dir, "models")
	examples := writeExamples(t, data)
	if err := os.Mkdir(models, 0o777); err != nil {
		t.Fatal(err)
	}
	script(t, "make", models)
	published, torch := filepath.Join(models, "safetensors"), filepath.Join(models, "torch")
	vocabulary := parityVocabulary(t, examples)
	for _, folder := range []string{published, torch} {
		if err := os.WriteFile(filepath.Join(folder, vilt.VocabFile), vocabulary, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := references(t, published, data, examples)

	w, err := vilt.Load(published)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("chain", func(t *testing.T) { compareChain(t, w, nil, published, data, examples, want) })
	t.Run("pickled", func(t *testing.T) {
		pickled, err := vilt.Load(torch)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range pickled.Tensors() {
			if y := w.Tensors()[i]; x.Name != y.Name || !slices.Equal(x.Data, y.Data) {
				t.Errorf("%s of pytorch_model.bin differs from %s of model.safetensors", x.Name, y.Name)
			}
		}
	})
	t.Run("embed", func(t *testing.T) { compareEmbed(t, torch, data, examples, want) })
	t.Run("saved", func(t *testing.T) {
		saved := filepath.Join(models, "saved")
		if err := vilt.Save(saved, w); err != nil {
			t.Fatal(err)
		}
		script(t, "same", published, saved)
	})
	// Longer texts and SSF are ours; merged and saved, they are a ViltModel like any other.
	t.Run("tuned", func(t *testing.T) {
		longer, err := w.WithMaxText(64)
		if err != nil {
			t.Fatal(err)
		}
		ssf := tune.NewSSF(longer.Config, 5)
		rng := rand.New(rand.NewPCG(5, 5))
		for _, x := range ssf.Tensors() {
			for i := range x.Data {
				x.Data[i] += float32(0.1 * rng.NormFloat64())
			}
		}
		merged := filepath.Join(models, "merged")
		if err := vilt.Save(merged, ssf.Merge(longer)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(merged, vilt.VocabFile), vocabulary, 0o666); err != nil {
			t.Fatal(err)
		}
		few := examples[:6]
		listExamples(t, data, few)
		compareChain(t, longer, ssf, merged, data, few, references(t, merged, data, few))
	})
}

// writeExamples fills folder with class folders of pictures, and lists them with captions.
func writeExamples(t *testing.T, folder string) (examples []example) {
	t.Helper()
	spec := "imagenet-r:" + os.Getenv("MCIL_PARITY_TAR")
	if os.Getenv("MCIL_PARITY_TAR") == "" {
		drawn := t.TempDir()
		if err := synth.Write(t.Context(), drawn, synth.Options{Classes: 10, PerClass: 8, Seed: 5}); err != nil {
			t.Fatal(err)
		}
		spec = "imagenet-r:" + drawn
	}
	s, err := source.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	words := strings.Fields(`a the of in with and drawing sketch photograph cartoon street wall's well-known café naïve Zürich sitting standing
		beside under large small red blue green bright dark, old. new! (left) "quoted" 1990s 3.14 50% striped spotted`)
	rng := rand.New(rand.NewPCG(5, 50))
	entries := s.Entries()
	if len(entries) < parityPictures {
		t.Fatalf("%s has %d pictures", spec, len(entries))
	}
	for i := range parityPictures {
		e := entries[i*len(entries)/parityPictures]
		encoded, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		name := string(e.ID)
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), encoded, 0o666); err != nil {
			t.Fatal(err)
		}
		caption := []string{strings.ReplaceAll(s.Classes()[e.Label].Name, "_", " ")}
		for range rng.IntN(60) { // many longer than the model's 40
			caption = append(caption, words[rng.IntN(len(words))])
		}
		examples = append(examples, example{name, strings.Join(caption, " ")})
	}
	t.Logf("%d pictures of %s", len(examples), spec)
	listExamples(t, folder, examples)
	return examples
}

func listExamples(t *testing.T, folder string, examples []example) {
	t.Helper()
	var b bytes.Buffer
	for _, e := range examples {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	if err := os.WriteFile(filepath.Join(folder, "captions.jsonl"), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// parityVocabulary is a vocab.txt of 30522 pieces: the one that is given, or the captions' own pieces among others that
// occur nowhere, so that ids are spread over the whole table.
func parityVocabulary(t *testing.T, examples []example) []byte {
	t.Helper()
	const size = 30522
	if file := os.Getenv("MCIL_VOCABULARY"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var captions []string
	for _, e := range examples {
		captions = append(captions, e.Caption)
	}
	tok, err := dataset.BuildVocabulary(captions, size)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	used := 0
	for i := range size {
		if i*tok.Len()/size == used && used < tok.Len() {
			fmt.Fprintln(&b, tok.Piece(int32(used)))
			used++
		} else {
			fmt.Fprintf(&b, "[unused%d]\n", i)
		}
	}
	return b.Bytes()
}

// references runs transformers on the examples.
func references(t *testing.T, model, data string, examples []example) []reference {
	t.Helper()
	out := filepath.Join(t.TempDir(), "reference")
	script(t, "run", model, data, out)
	b, err := os.ReadFile(out + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var want []reference
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(out + ".f32"); err != nil {
		t.Fatal(err)
	}
	features := make([]float32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, features); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(examples) || len(features)%len(examples) != 0 {
		t.Fatalf("%d rows and %d values of %d examples", len(want), len(features), len(examples))
	}
	d := len(features) / len(examples)
	for i := range want {
		want[i].feature = features[i*d : (i+1)*d]
	}
	apart := math.Inf(1)
	for i := range want {
		for j := range i {
			apart = min(apart, largest(want[i].feature, want[j].feature))
		}
	}
	t.Logf("two pictures' features are at least %.2g apart", apart)
	if apart < 20*parityTolerance {
		t.Error("that is too close: this model would hide a mistake")
	}
	return want
}

// largest is the largest deviation of one vector from the other.
func largest(a, b []float32) (most float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		most = max(most, d)
	}
	return most
}

// compareChain goes from files to pooled features with this module's packages, in batches of four.
func compareChain(t *testing.T, w *vilt.Weights, ssf *tune.SSF, folder, data string, examples []example, want []reference) {
	t.Helper()
	tok, err := dataset.ReadVocabulary(filepath.Join(folder, vilt.VocabFile))
	if err != nil {
		t.Fatal(err)
	}
	c := w.Config
	processor := dataset.Processor{Short: c.ImageSize, Long: vilt.LongSide(c.ImageSize), Patch: c.Patch}
	var samples []dataset.Sample
	longest := 0
	for i, e := range examples {
		encoded, err := os.ReadFile(filepath.Join(data, e.Path))
		if err != nil {
			t.Fatal(err)
		}
		s := dataset.Sample{ID: dataset.ID(e.Path), Tokens: tok.Encode(e.Caption, c.MaxText)}
		if s.GridH, s.GridW, s.Pixels, err = processor.Patches(encoded); err != nil {
			t.Fatal(err)
		}
		if r := want[i]; s.GridH != r.GridH || s.GridW != r.GridW || !slices.Equal(s.Tokens, r.IDs) {
			t.Errorf("%s: grid %d by %d, tokens %v: the reference has %d by %d, %v", e.Path, s.GridH, s.GridW, s.Tokens, r.GridH, r.GridW, r.IDs)
		}
		for p := range s.GridH * s.GridW {
			s.PatchPos = append(s.PatchPos, int32(p))
		}
		for p := range s.Tokens {
			s.TokenPos = append(s.TokenPos, int32(p))
		}
		longest = max(longest, len(s.Tokens))
		samples = append(samples, s)
	}
	t.Logf("the longest text has %d tokens", longest)
	infer, err := forward(w, ssf, 4)
	if err != nil {
		t.Fatal(err)
	}
	var worst, worstAttention float64
	i := 0
	for batch := range slices.Chunk(samples, 4) {
		out, err := infer(batch)
		if err != nil {
			t.Fatal(err)
		}
		for k := range batch {
			worst = max(worst, largest(out.Features[k*c.Width:(k+1)*c.Width], want[i].feature))
			worstAttention = max(worstAttention, largest(out.Probs[k][:len(want[i].Attention)], want[i].Attention))
			i++
		}
	}
	judge(t, worst, worstAttention)
}

func judge(t *testing.T, features, attention float64) {
	t.Helper()
	t.Logf("largest deviation: features %.2g, attention of [CLS] %.2g", features, attention)
	if features > parityTolerance || attention > parityTolerance {
		t.Errorf("features %g and attention %g from the reference", features, attention)
	}
}

// forward is the network of either kind.
func forward(w *vilt.Weights, ssf *tune.SSF, maxBatch int) (func(batch []dataset.Sample) (method.Output, error), error) {
	if ssf == nil {
		e, err := method.NewEncoder(w, maxBatch)
		if err != nil {
			return nil, err
		}
		return func(batch []dataset.Sample) (method.Output, error) { return e.Infer(batch, &method.Attention{}) }, nil
	}
	g := gorgonia.NewGraph()
	o := vilt.Options{ForwardOnly: true}
	ssf.Into(g, &o)
	e, err := vilt.Build(g, w, maxBatch, o)
	if err != nil {
		return nil, err
	}
	vm := gorgonia.NewTapeMachine(g)
	return func(batch []dataset.Sample) (method.Output, error) {
		defer vm.Reset()
		e.Packing.Reset()
		for _, s := range batch {
			dataset.Normalise(e.PatchPixels(len(e.Packing.PatchPos))[:len(s.Pixels)], s.Pixels)
			e.Packing.Add(s.Tokens, s.TokenPos, s.PatchPos, s.GridH, s.GridW, 0)
		}
		if err := vm.RunAll(); err != nil {
			return method.Output{}, err
		}
		out := method.Output{Features: e.Features.Value().Data().([]float32)}
		probs := e.Attention(nil)
		for i := range batch {
			s := e.Packing.Offsets[i+1] - e.Packing.Offsets[i]
			out.Probs = append(out.Probs, probs[:s*s])
			probs = probs[s*s:]
		}
		return out, nil
	}, nil
}

// compareEmbed has the program itself embed the same pictures with the same captions.
func compareEmbed(t *testing.T, weights, data string, examples []example, want []reference) {
	program := os.Getenv("MCIL_BIN")
	if program == "" {
		t.Skip("MCIL_BIN names no program")
	}
	dir := t.TempDir()
	features, attention := filepath.Join(dir, "features.npy"), filepath.Join(dir, "attention.npy")
	out, err := exec.CommandContext(t.Context(), program, "embed", "--source", "folder:"+data, "--captions", filepath.Join(data, "captions.jsonl"),
		"--weights", weights, "--out", features, "--attention", attention).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	order := map[string]int{}
	for i, e := range examples {
		order[e.Path] = i
	}
	f, err := os.Open(filepath.Join(dir, "features.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, lines := npy(t, features), json.NewDecoder(f)
	attentions := npy(t, attention)
	var worst, worstAttention float64
	n := 0
	for ; ; n++ {
		var row struct{ ID string }
		if err := lines.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		i, ok := order[row.ID]
		if !ok {
			t.Fatalf("row %d is of %s", n, row.ID)
		}
		worst = max(worst, largest(rows[n], want[i].feature))
		padded := make([]float32, len(attentions[n]))
		copy(padded, want[i].Attention)
		worstAttention = max(worstAttention, largest(attentions[n], padded))
	}
	if n != len(examples) || len(rows) != n {
		t.Errorf("%d lines and %d rows of %d pictures", n, len(rows), len(examples))
	}
	judge(t, worst, worstAttention)
}

// npy reads a matrix of float32 in numpy's format 1.0.
func npy(t *testing.T, file string) (rows [][]float32) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	header := string(b[10:begin])
	_, shape, _ := strings.Cut(header, "'shape': (")
	var n, d int
	if _, err := fmt.Sscanf(shape, "%d, %d)", &n, &d); err != nil || !strings.Contains(header, "'<f4'") || len(b) != begin+4*n*d {
		t.Fatalf("%s: %q, %d bytes (%v)", file, header, len(b), err)
	}
	values := make([]float32, n*d)
	if _, err := binary.Decode(b[begin:], binary.LittleEndian, values); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(slices.Chunk(values, d))
}
