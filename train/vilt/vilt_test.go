package vilt

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func small() Config {
	return Config{
		ModelType: "vilt", Vocab: 9, MaxText: 5, Width: 8, Depth: 2, Heads: 2, Hidden: 12, ImageSize: 8, Patch: 4, Channels: 3,
		Eps: 1e-12, TypeVocab: 2, Modalities: 2,
	}
}

// b32Names is the published state dict of ViltModel, written out from its table of names and shapes.
func b32Names() map[string]string {
	const d, m = 768, 3072
	want := map[string]string{
		"embeddings.cls_token":                                    "[1 1 768]",
		"embeddings.position_embeddings":                          "[1 145 768]",
		"embeddings.text_embeddings.word_embeddings.weight":       "[30522 768]",
		"embeddings.text_embeddings.position_embeddings.weight":   "[40 768]",
		"embeddings.text_embeddings.token_type_embeddings.weight": "[2 768]",
		"embeddings.text_embeddings.LayerNorm.weight":             "[768]",
		"embeddings.text_embeddings.LayerNorm.bias":               "[768]",
		"embeddings.patch_embeddings.projection.weight":           "[768 3 32 32]",
		"embeddings.patch_embeddings.projection.bias":             "[768]",
		"embeddings.token_type_embeddings.weight":                 "[2 768]",
		"layernorm.weight":                                        "[768]",
		"layernorm.bias":                                          "[768]",
	}
	dense := func(name string, out, in int) {
		want[name+".weight"], want[name+".bias"] = fmt.Sprint([]int{out, in}), fmt.Sprint([]int{out})
	}
	dense("pooler.dense", d, d)
	for i := range 12 {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		for _, part := range []string{"query", "key", "value"} {
			dense(layer+"attention.attention."+part, d, d)
		}
		dense(layer+"attention.output.dense", d, d)
		dense(layer+"intermediate.dense", m, d)
		dense(layer+"output.dense", d, m)
		for _, norm := range []string{"layernorm_before", "layernorm_after"} {
			want[layer+norm+".weight"], want[layer+norm+".bias"] = "[768]", "[768]"
		}
	}
	return want
}

func TestB32IsThePublishedModel(t *testing.T) {
	c, err := Preset("vilt-b32")
	if err != nil {
		t.Fatal(err)
	}
	c.Vocab = 30522
	want := b32Names()
	if len(want) != 206 {
		t.Fatalf("the test lists %d tensors, not 206", len(want))
	}
	parameters := 0
	for _, x := range apart(layout(c), c.Width) { // no data: 446 MB
		if want[x.Name] != fmt.Sprint(x.Shape) {
			t.Errorf("%s is %v, not %s", x.Name, x.Shape, want[x.Name])
		}
		delete(want, x.Name)
		parameters += Size(x.Shape)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", slices.Sorted(maps.Keys(want)))
	}
	if parameters != 111_595_008 {
		t.Errorf("%d parameters, not 111595008", parameters)
	}
	if LongSide(384) != 639 || c.MaxPatches() != 228 || c.Grid() != 12 || c.PatchSize() != 3072 {
		t.Errorf("long side %d, %d patches at most, grid %d, patches of %d values: not 639, 228, 12, 3072", LongSide(384), c.MaxPatches(), c.Grid(), c.PatchSize())
	}
	scaled := 0
	for _, p := range Places(c) {
		scaled += 2 * p.Width
	}
	if scaled != 205_824 {
		t.Errorf("scale and shift have %d values, not 205824", scaled)
	}
}

func TestSaveLoad(t *testing.T) {
	w, err := Random(small(), 7)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "weights")
	if err := Save(dir, w); err != nil {
		t.Fatal(err)
	}
	back, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Config, w.Config) || !reflect.DeepEqual(back.Tensors(), w.Tensors()) {
		t.Error("what is loaded is not what was saved")
	}
	file := filepath.Join(dir, WeightsFile)
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := Save(dir, back); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(file); err != nil || !slices.Equal(first, second) {
		t.Errorf("the same weights give other bytes (%v)", err)
	}
	found, err := ReadSafetensors(file)
	if err != nil {
		t.Fatal(err)
	}
	joined := w.get("encoder.layer.1." + qkvWeight).Data
	for i, part := range []string{"query", "key", "value"} {
		k := slices.IndexFunc(found, func(t *Tensor) bool { return t.Name == "encoder.layer.1.attention.attention."+part+".weight" })
		if k < 0 || !slices.Equal(found[k].Data, joined[i*64:(i+1)*64]) {
			t.Errorf("%s is not rows %d to %d of the joined map", part, 8*i, 8*i+7)
		}
	}
	if other, err := Random(small(), 8); err != nil || slices.Equal(other.get("pooler.dense.weight").Data, w.get("pooler.dense.weight").Data) {
		t.Errorf("another seed gives the same weights (%v)", err)
	}
}

// saveAs writes a folder whose tensors are change's.
func saveAs(t *testing.T, change func([]*Tensor) []*Tensor) string {
	t.Helper()
	w, err := Random(small(), 7)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteConfig(filepath.Join(dir, ConfigFile), w.Config); err != nil {
		t.Fatal(err)
	}
	if err := WriteSafetensors(filepath.Join(dir, WeightsFile), change(apart(w.Tensors(), w.Config.Width)), nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadNamesAllThatIsWrong(t *testing.T) {
	_, err := Load(saveAs(t, func(ts []*Tensor) (out []*Tensor) {
		for _, x := range ts {
			switch x.Name {
			case "pooler.dense.bias", "encoder.layer.0.attention.attention.key.bias":
				continue
			case "layernorm.weight":
				x = &Tensor{Name: x.Name, Shape: []int{2, 4}, Data: x.Data}
			}
			out = append(out, x)
		}
		return append(out, &Tensor{Name: "pooler.gate", Shape: []int{1}, Data: []float32{1}})
	}))
	if err == nil {
		t.Fatal("was loaded")
	}
	for _, want := range []string{"missing pooler.dense.bias", "missing encoder.layer.0.attention.attention.key.bias", "layernorm.weight is [2 4], not [8]", "extra pooler.gate"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// TestLoadModelWithHead: published files of models with a head have a prefix on the encoder's names, and the head beside.
func TestLoadModelWithHead(t *testing.T) {
	w, err := Load(saveAs(t, func(ts []*Tensor) (out []*Tensor) {
		for _, x := range ts {
			out = append(out, &Tensor{Name: "vilt." + x.Name, Shape: x.Shape, Data: x.Data})
		}
		return append(out, &Tensor{Name: "mlm_score.bias", Shape: []int{2}, Data: []float32{1, 2}})
	}))
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := Random(small(), 7); !reflect.DeepEqual(w.Tensors(), want.Tensors()) {
		t.Error("the encoder is not the one that was saved")
	}
}

func TestLoadOfNothing(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "a folder of weights holds config.json") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestConfigValidation(t *testing.T) {
	if err := small().Validate(); err != nil {
		t.Errorf("a sound config: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"vocab_size": func(c *Config) { c.Vocab = 0 }, "hidden_size": func(c *Config) { c.Width = -8 },
		"not a multiple of num_attention_heads": func(c *Config) { c.Heads = 3 },
		"not a multiple of patch_size":          func(c *Config) { c.Patch = 3 },
		"num_channels":                          func(c *Config) { c.Channels = 1 },
		"modality_type_vocab_size":              func(c *Config) { c.Modalities = 1 },
		"intermediate_size":                     func(c *Config) { c.Hidden = 1 << 21 },
		"num_hidden_layers":                     func(c *Config) { c.Depth = 1001 },
		"layer_norm_eps":                        func(c *Config) { c.Eps = 0 },
	} {
		c := small()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), ConfigFile)
	const sound = `{"model_type":"vilt","vocab_size":9,"max_position_embeddings":5,"hidden_size":8,"num_hidden_layers":2,
		"num_attention_heads":2,"intermediate_size":12,"image_size":8,"patch_size":4`
	for _, text := range []string{`{"model_type":"bert"}`, `{`, `{"model_type":"vilt","hidden_size":"8"}`, `{"model_type":"vilt"}`,
		sound + `,"hidden_act":"relu"}`, sound + `,"qkv_bias":false}`, sound + `,"max_image_length":0}`, sound + `,"max_image_length":200}`} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if c, err := ReadConfig(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
	// transformers leaves defaults out
	c := small()
	if err := os.WriteFile(file, []byte(sound+`,"hidden_act":"gelu","qkv_bias":true,"max_image_length":-1,"hidden_dropout_prob":0.1}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadConfig(file); err != nil || got != c {
		t.Errorf("read %+v, not %+v (%v)", got, c, err)
	}
}

// TestHugeConfig: sizes that a file does not hold are an error, not an allocation.
func TestHugeConfig(t *testing.T) {
	dir := saveAs(t, func(ts []*Tensor) []*Tensor { return ts })
	c := small()
	c.Vocab, c.Width, c.Hidden = 1<<20, 1<<20, 1<<20
	if err := WriteConfig(filepath.Join(dir, ConfigFile), c); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("loaded: %v", err)
	}
}
