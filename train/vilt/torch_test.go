package vilt

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// known is value i of a tensor in testdata, as torch_files.py there has it.
func known(name string, i int) float32 {
	return float32(crc32.ChecksumIEEE([]byte(name))%97+uint32(i%31))/16 - 3
}

// folder holds a config and one file of testdata, called name.
func folder(t testing.TB, c Config, golden, name string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile(filepath.Join("testdata", golden))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(WriteConfig(filepath.Join(dir, ConfigFile), c), os.WriteFile(filepath.Join(dir, name), b, 0o666)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkKnown holds every value of w to the one that its name tells.
func checkKnown(t *testing.T, w *Weights) {
	t.Helper()
	for _, x := range apart(w.Tensors(), w.Config.Width) {
		for i, got := range x.Data {
			if want := known(x.Name, i); got != want {
				t.Fatalf("%s: value %d is %g, not %g", x.Name, i, got, want)
			}
		}
	}
}

// TestLoadTorch: both formats of torch.save, three types of number, transformers' names and the original release's, as a file
// and as a folder.
func TestLoadTorch(t *testing.T) {
	for _, golden := range []string{"mlm.bin", "mlm-legacy.bin", "half.bin", "brain.bin", "original.ckpt", "original-nlvr2.ckpt"} {
		t.Run(golden, func(t *testing.T) {
			w, err := Load(folder(t, small(), golden, TorchFile))
			if err != nil {
				t.Fatal(err)
			}
			checkKnown(t, w)
			w, err = Load(filepath.Join(folder(t, small(), golden, "any.name"), "any.name"))
			if err != nil {
				t.Fatal(err)
			}
			checkKnown(t, w)
		})
	}
}

// TestLongPickles: the instructions of a deep model, and of a checkpoint with the state of AdamW, are no attack.
func TestLongPickles(t *testing.T) {
	for golden, depth := range map[string]int{"deep.bin": 24, "adamw.ckpt": 12} {
		c := small()
		c.Depth = depth
		w, err := Load(folder(t, c, golden, TorchFile))
		if err != nil {
			t.Fatal(err)
		}
		checkKnown(t, w)
	}
}

// TestModalities: three rows are read as three where the config says so, two never are.
func TestModalities(t *testing.T) {
	c := small()
	c.Modalities = 3
	w, err := Load(folder(t, c, "original-nlvr2.ckpt", TorchFile))
	if err != nil {
		t.Fatal(err)
	}
	checkKnown(t, w)
	if _, err := Load(folder(t, c, "original.ckpt", TorchFile)); err == nil || !strings.Contains(err.Error(), "embeddings.token_type_embeddings.weight is [2 8], not [3 8]") {
		t.Errorf("two rows for three: %v", err)
	}
}

func TestSafetensorsBeforeTorch(t *testing.T) {
	dir := folder(t, small(), "mlm.bin", TorchFile)
	w, err := Random(small(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := Save(dir, w); err != nil {
		t.Fatal(err)
	}
	files, err := Find(dir)
	if want := (Files{filepath.Join(dir, ConfigFile), filepath.Join(dir, WeightsFile), filepath.Join(dir, VocabFile)}); err != nil || files != want {
		t.Errorf("found %v, not %v (%v)", files, want, err)
	}
	back, err := Load(dir)
	if err != nil || !slices.Equal(back.get("pooler.dense.weight").Data, w.get("pooler.dense.weight").Data) {
		t.Errorf("loaded something else (%v)", err)
	}
}

// TestWrongConfigForTorch: everything that does not fit is named under the published names.
func TestWrongConfigForTorch(t *testing.T) {
	c := small()
	c.Depth, c.MaxText = 1, 6
	for _, golden := range []string{"mlm.bin", "original.ckpt"} {
		_, err := Load(folder(t, c, golden, TorchFile))
		if !errors.Is(err, schemas.ErrDamaged) {
			t.Fatalf("%s: %v", golden, err)
		}
		for _, want := range []string{"extra encoder.layer.1.attention.attention.value.bias", "extra encoder.layer.1.layernorm_after.weight",
			"embeddings.text_embeddings.position_embeddings.weight is [5 8], not [6 8]"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", golden, err, want)
			}
		}
	}
}

// pickler writes pickles as torch.save does.
type pickler struct{ bytes.Buffer }

func (p *pickler) text(s string) {
	p.WriteByte('X')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
}

func (p *pickler) number(n int) {
	p.WriteByte('J')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func (p *pickler) global(module, name string) { fmt.Fprintf(p, "c%s\n%s\n", module, name) }

// tuple writes what f writes as a tuple.
func (p *pickler) tuple(f func()) {
	p.WriteByte('(')
	f()
	p.WriteByte('t')
}

// view is a tensor of a storage of float32.
type view struct {
	name, key      string
	values, offset int
	shape, stride  []int
	storage        string // default Float
}

func (p *pickler) tensor(v view) {
	if v.storage == "" {
		v.storage = "Float"
	}
	numbers := func(ns []int) func() {
		return func() {
			for _, n := range ns {
				p.number(n)
			}
		}
	}
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.tuple(func() {
		p.tuple(func() {
			p.text("storage")
			p.global("torch", v.storage+"Storage")
			p.text(v.key)
			p.text("cpu")
			p.number(v.values)
		})
		p.WriteByte('Q')
		p.number(v.offset)
		p.tuple(numbers(v.shape))
		p.tuple(numbers(v.stride))
		p.WriteByte(0x89) // False
		p.global("collections", "OrderedDict")
		p.WriteString(")R")
	})
	p.WriteByte('R')
}

func rowMajor(shape []int) []int {
	stride, step := make([]int, len(shape)), 1
	for i, n := range slices.Backward(shape) {
		stride[i] = step
		step *= n
	}
	return stride
}

// dict is a whole pickle of tensors by name.
func dict(views ...view) []byte {
	p := &pickler{}
	p.WriteString("\x80\x02}(")
	for _, v := range views {
		p.text(v.name)
		p.tensor(v)
	}
	p.WriteString("u.")
	return p.Bytes()
}

// archive is a file of torch.save with a pickle and one storage, "0".
func archive(pickle, storage []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, r := range []struct {
		name    string
		content []byte
	}{{"archive/data.pkl", pickle}, {"archive/byteorder", []byte("little")}, {"archive/data/0", storage}} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: r.name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(r.content)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestTorchViews(t *testing.T) {
	b := archive(dict(
		view{name: "whole", key: "0", values: 6, shape: []int{2, 3}, stride: []int{3, 1}},
		view{name: "row", key: "0", values: 6, offset: 3, shape: []int{1, 3}, stride: []int{77, 1}}, // the stride of one row says nothing
		view{name: "scalar", key: "0", values: 6, offset: 5},
		view{name: "none", key: "0", values: 6, shape: []int{0, 3}, stride: []int{3, 1}},
	), []byte(strings.Repeat("\x00\x00\x80\x3f\x00\x00\x00\xc0", 3)))
	found, err := parseTorch(b)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float32{"whole": {1, -2, 1, -2, 1, -2}, "row": {-2, 1, -2}, "scalar": {-2}, "none": {}}
	for _, s := range found {
		got := make([]float32, Size(s.shape))
		s.read(mapped{bytes: b}, got)
		if !slices.Equal(got, want[s.name]) {
			t.Errorf("%s is %v, not %v", s.name, got, want[s.name])
		}
		delete(want, s.name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

// TestHostileTorch: what a pickle must not do, each with what the error says.
func TestHostileTorch(t *testing.T) {
	ones := make([]byte, 24)
	raw := func(s string) []byte { return archive([]byte(s), ones) }
	sound := view{name: "a", key: "0", values: 6, shape: []int{6}, stride: []int{1}}
	with := func(change func(*view)) []byte {
		v := sound
		change(&v)
		return archive(dict(v), ones)
	}
	if _, err := parseTorch(archive(dict(sound), ones)); err != nil {
		t.Fatalf("the sound one: %v", err)
	}
	huge := string([]byte{0xff, 0xff, 0xff, 0x7f})
	for name, x := range map[string]struct {
		file []byte
		says string
	}{
		"runs a command":        {raw("\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR."), `names "os.system"`},
		"runs it as an import":  {raw("\x80\x02cposix\nsystem\n(X\x04\x00\x00\x00truetR."), `names "posix.system"`},
		"evaluates":             {raw("\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR."), `names "builtins.eval"`},
		"rebuilds any object":   {raw("\x80\x02ccopy_reg\n_reconstructor\n(tR."), `names "copy_reg._reconstructor"`},
		"an array":              {raw("\x80\x02carray\n_array_reconstructor\n(tR."), `names "array._array_reconstructor"`},
		"in the name of torch":  {raw("\x80\x02ctorch\nload\n(tR."), `names "torch.load"`},
		"by an instance":        {raw("\x80\x02(ios\nsystem\n."), "0x69"},
		"by names on the stack": {raw("\x80\x02X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93."), "0x93"},
		"by an extension":       {raw("\x80\x02\x82\x01."), "0x82"},
		"makes a callback":      {raw("\x80\x02cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n)R."), "requires a Callable"},
		"new object":            {raw("\x80\x02ccollections\nOrderedDict\n)\x81."), "0x81"},
		"protocol 4":            {raw("\x80\x04\x95" + huge + huge + "."), "protocol 4"},
		"frame":                 {raw("\x80\x02\x95" + huge + huge + "."), "0x95"},
		"long text":             {raw("\x80\x02X" + huge + "a."), "takes 2147483651 bytes"},
		"long bytes":            {raw("\x80\x02B" + huge + "a."), "takes 2147483651 bytes"},
		"longer bytes":          {raw("\x80\x02\x8e" + huge + huge + "a."), "0x8e"},
		"long number":           {raw("\x80\x02\x8b" + huge + "a."), "0x8b"},
		"empty number":          {raw("\x80\x02\x8a\x00."), "index out of range"},
		"many marks":            {raw("\x80\x02" + strings.Repeat("(", 1<<20)), "more instructions"},
		"holds itself":          {raw("\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."), `entry "a" is not a tensor`},
		"state of itself":       {raw("\x80\x02}q\x00X\x0a\x00\x00\x00state_dicth\x00s."), `entry "state_dict" is not a tensor`},
		"a key that is no key":  {raw("\x80\x02ccollections\nOrderedDict\n)RC\x01aNs."), "unhashable"},
		"pairs that are odd":    {raw("\x80\x02}(Nu."), "index out of range"},
		"nothing":               {raw(""), "does not end"},
		"no end":                {raw("\x80\x02N"), "does not end"},
		"ends within a name":    {raw("\x80\x02cos"), "within a name"},
		"none on the stack":     {raw("\x80\x02."), "empty"},
		"no dict":               {raw("\x80\x02N."), "no state dict"},
		"not of tensors":        {raw("\x80\x02}X\x01\x00\x00\x00aNs."), `entry "a" is not a tensor`},
		"calls a list":          {raw("\x80\x02])R."), "no state dict"},
		"huge storage":          {with(func(v *view) { v.values = 1 << 30 }), "of 1073741824 values"},
		"other storage":         {with(func(v *view) { v.values = 5 }), "not 5 values"},
		"storage below zero":    {with(func(v *view) { v.values = -1 }), "of -1 values"},
		"absent storage":        {with(func(v *view) { v.key = "1" }), "no record data/1"},
		"storage outside":       {with(func(v *view) { v.key = "../data.pkl" }), "no record"},
		"unknown type":          {with(func(v *view) { v.storage = "Quantized" }), `names "torch.QuantizedStorage"`},
		"huge shape":            {with(func(v *view) { v.shape, v.stride = []int{1 << 30, 1 << 30, 1 << 30}, []int{0, 0, 0} }), "more than its storage"},
		"repeated value":        {with(func(v *view) { v.stride = []int{0} }), "row-major"},
		"transposed":            {with(func(v *view) { v.shape, v.stride = []int{2, 3}, []int{1, 2} }), "row-major"},
		"beyond its storage":    {with(func(v *view) { v.offset = 1 }), "more than its storage"},
		"before its storage":    {with(func(v *view) { v.offset = -1 }), "a tensor that is not"},
		"negative shape":        {with(func(v *view) { v.shape = []int{-6} }), "more than its storage"},
		"shape without strides": {with(func(v *view) { v.stride = nil }), "a tensor that is not"},
		"shape of nine":         {with(func(v *view) { v.shape, v.stride = slices.Repeat([]int{1}, 9), slices.Repeat([]int{1}, 9) }), "a tensor that is not"},
		"protocol in itself":    {oldProtocol(holdsItself), "that is no number"},
		"another protocol":      {oldProtocol("M\xea\x03"), "protocol 1002"},
		"two types of one":      {archive(dict(sound, view{name: "b", key: "0", values: 6, storage: "Int"}), ones), "is two things"},
	} {
		found, err := parseTorch(x.file)
		if err == nil {
			t.Errorf("%s: read as %v", name, found)
		} else if !strings.Contains(err.Error(), x.says) || errors.Is(err, ErrTorch) == errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v does not say %q", name, err, x.says)
		}
	}
}

// TestDamagedTorch: no file that is cut off is read, and none with a changed byte does more than give an error.
func TestDamagedTorch(t *testing.T) {
	for _, golden := range []string{"mlm.bin", "original-nlvr2.ckpt"} {
		b, err := os.ReadFile(filepath.Join("testdata", golden))
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(b) {
			if n%37 == 0 || n > len(b)-300 {
				if _, err := parseTorch(b[:n]); err == nil {
					t.Errorf("%s: its first %d of %d bytes are read", golden, n, len(b))
				}
			}
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			c := slices.Clone(b)
			c[rng.IntN(len(c))] = byte(rng.Uint32())
			if found, err := parseTorch(c); err == nil {
				for _, s := range found {
					checkPlace(t, s, c)
				}
			}
		}
	}
}

// TestOtherFiles: what people give in place of weights.
func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.bin")
	c := small()
	c.Hidden = 256 // 8192 values in the four maps that share 2048 below
	if err := WriteConfig(filepath.Join(dir, ConfigFile), c); err != nil {
		t.Fatal(err)
	}
	deflated := func() []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("archive/data.pkl")
		if err == nil {
			_, err = w.Write(dict())
		}
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	for says, b := range map[string][]byte{
		"git lfs pull": []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"),
		"neither safetensors nor a file of torch.save": []byte("hello"),
		"is compressed":      deflated,
		"tensors share":      archive(dict(sharing(c)...), make([]byte, 4*2048)),
		"none of torch.save": []byte("\x80\x02N."),
	} {
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), file) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil {
		t.Error("an empty file is loaded")
	}
	for _, absent := range []string{filepath.Join(dir, "absent"), t.TempDir()} {
		if _, err := Load(absent); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "model.safetensors or pytorch_model.bin, and vocab.txt") {
			t.Errorf("%s: %v", absent, err)
		}
	}
}

// sharing are the tensors of c as views of one storage, the same few values in each.
func sharing(c Config) (views []view) {
	for _, x := range apart(layout(c), c.Width) {
		views = append(views, view{name: x.Name, key: "0", values: 2048, shape: x.Shape, stride: rowMajor(x.Shape)})
	}
	return views
}

// checkPlace holds a tensor to the file that it is of.
func checkPlace(t *testing.T, s stored, b []byte) {
	t.Helper()
	if s.at < 0 || s.bytes < 0 || s.at > len(b)-s.bytes {
		t.Fatalf("%s lies at %d, %d bytes long, in a file of %d", s.name, s.at, s.bytes, len(b))
	}
	if w := width(s.dtype); w > 0 && s.bytes != w*Size(s.shape) {
		t.Fatalf("%s of shape %v and type %s has %d bytes", s.name, s.shape, s.dtype, s.bytes)
	}
}

// allocated is what this program has allocated since it began, bytes.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func FuzzTorch(f *testing.F) {
	var old bytes.Buffer // small seeds: TestDamagedTorch has the large ones
	if err := legacy(&old, []*Tensor{{Name: "a", Shape: []int{2, 3}, Data: make([]float32, 6)}}); err != nil {
		f.Fatal(err)
	}
	f.Add(old.Bytes())
	ones := make([]byte, 24)
	f.Add(archive(dict(view{name: "a", key: "0", values: 6, shape: []int{6}, stride: []int{1}}), ones))
	f.Add(archive([]byte("\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR."), ones))
	f.Add(oldProtocol(holdsItself))
	byName := greedy(200)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		f.Add(archive(byName[name], ones))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		found, err := parseTorch(b)
		if took := allocated() - before; took > greedyBytes(b) {
			t.Fatalf("%d bytes are allocated for a file of %d", took, len(b))
		}
		if err != nil {
			return
		}
		for _, s := range found {
			checkPlace(t, s, b)
		}
	})
}
