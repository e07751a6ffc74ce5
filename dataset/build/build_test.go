package build_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

func TestBuildAndOpenGiveBackWhatWentIn(t *testing.T) {
	s := openSource(t, datasettest.WriteTar(t, "imagenet-r/", 0, datasettest.Layout(t, 10)))
	captions := captionsOf(t, s, nil)
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	var told []int
	about := schemas.CaptionsSummary{Model: "painter", Prompt: "Describe.", Recipe: "r1"}
	m := mustBuild(t, s, dir, build.Options{Captions: captions, About: about, Progress: func(done, total int) { told = append(told, done, total) }})
	for i := 0; i < len(told); i += 2 {
		if told[i] != i/2+1 || told[i+1] != 30 {
			t.Errorf("progress %d of %d, want %d of 30", told[i], told[i+1], i/2+1)
		}
	}
	if len(told) != 2*30 {
		t.Errorf("progress %v", told)
	}
	d := open(t, dir)
	if !slices.Equal(d.Classes, s.Classes()) {
		t.Errorf("classes %v, want %v", d.Classes, s.Classes())
	}
	parts := newSplit(t, s, split.Options{})
	entries := map[dataset.ID]dataset.Entry{}
	for _, e := range s.Entries() {
		entries[e.ID] = e
	}
	for _, part := range parts.Names() {
		rows := d.Splits[part]
		if rows.Len() != len(parts[part]) {
			t.Fatalf("%s: %d rows, want %d", part, rows.Len(), len(parts[part]))
		}
		for i, id := range parts[part] {
			e := entries[id]
			encoded, err := s.Read(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			info, err := picture.Inspect(encoded)
			if err != nil {
				t.Fatal(err)
			}
			c, _ := captions(id)
			class := s.Classes()[e.Label]
			want := dataset.Row{
				ID: id, Image: encoded, Label: e.Label, Caption: c.Text, WNID: class.WNID, ClassName: class.Name, Style: e.Style,
				Width: info.Width, Height: info.Height, Orientation: 1, ImageSHA256: dataset.Digest(encoded), CaptionInfo: c.CaptionInfo,
			}
			if got, err := rows.Row(i); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s row %d:\n%+v, %v, want\n%+v", part, i, got, err, want)
			}
			image, err := rows.Image(i)
			if err != nil || rows.ID(i) != id || rows.Label(i) != e.Label || rows.Caption(i) != c.Text || !bytes.Equal(image, encoded) {
				t.Errorf("%s row %d: the single columns differ from the row", part, i)
			}
		}
	}
	if m.Rows[dataset.Train] != 24 || m.Rows[dataset.Test] != 6 || m.Classes[2].Rows[dataset.Train] != 8 || m.Styles["sketch"] != 12 {
		t.Errorf("counts %v %v %v", m.Rows, m.Classes, m.Styles)
	}
	if m.Captions.Flags["cut_off"] != 8 || m.Captions.Flags["repeating"] != 4 || m.Captions.Statistics.Words.Mean != 4 || m.Captions.Prompt != "Describe." {
		t.Errorf("captions %+v", m.Captions)
	}
	if m.Split.Spec != "ratio:0.8" || m.Source.Spec != s.Spec() || m.Source.Pictures != 30 || m.Program != program || len(m.Refused) != 0 {
		t.Errorf("manifest %+v", m)
	}
}

func TestBuildManifestMatchesTheFiles(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 6)))
	dir := filepath.Join(t.TempDir(), "data")
	built := mustBuild(t, s, dir, build.Options{})
	var m schemas.DatasetManifest
	if err := schemas.ReadJSON(filepath.Join(dir, "manifest.json"), schemas.DatasetHeader, &m); err != nil || !reflect.DeepEqual(m, built) {
		t.Fatalf("manifest on disk %+v, %v, want what Build returned %+v", m, err, built)
	}
	files := datasettest.Tree(t, dir)
	delete(files, "manifest.json")
	if len(m.Files) != len(files) || !slices.IsSortedFunc(m.Files, func(a, b schemas.FileDigest) int { return cmp.Compare(a.Path, b.Path) }) {
		t.Errorf("manifest lists %v, the folder has %v", m.Files, slices.Sorted(maps.Keys(files)))
	}
	for _, f := range m.Files {
		if body := files[f.Path]; f.Bytes != int64(len(body)) || f.SHA256 != dataset.Digest([]byte(body)) {
			t.Errorf("%s: digest or size differs", f.Path)
		}
	}
	if m.Split.SHA256 != dataset.Digest([]byte(files["split.txt"])) {
		t.Error("split's digest")
	}
	if m.Order.SHA256 != dataset.Digest([]byte(files["class-order.txt"])) {
		t.Error("class order's digest")
	}
	// The dataset's own split file makes the same split again.
	again := newSplit(t, s, split.Options{Spec: filepath.Join(dir, "split.txt")})
	if !reflect.DeepEqual(again, newSplit(t, s, split.Options{})) {
		t.Error("split.txt does not give the same split")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(datasettest.Tree(t, dir)["manifest.json"]), &raw); err != nil || string(raw["refused"]) != "[]" {
		t.Errorf("refused is %s, want []", raw["refused"])
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 45))) // 108 rows to train: two record batches
	captions := captionsOf(t, s, nil)
	var first map[string]string
	for _, workers := range []int{1, 4, 1} {
		dir := filepath.Join(t.TempDir(), "data")
		mustBuild(t, s, dir, build.Options{Captions: captions, Workers: workers})
		if first == nil {
			first = datasettest.Tree(t, dir)
		}
		datasettest.SameTree(t, datasettest.Tree(t, dir), first)
	}
}

func TestBuildShards(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 45)))
	captions := captionsOf(t, s, nil)
	whole, parted := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	mustBuild(t, s, whole, build.Options{Captions: captions})
	mustBuild(t, s, parted, build.Options{Captions: captions, ShardBytes: 40_000, Workers: 3})
	files := datasettest.Tree(t, parted)
	var shards []string
	for name := range files {
		if strings.HasPrefix(name, "hf/train/data-") {
			shards = append(shards, strings.TrimPrefix(name, "hf/train/"))
		}
	}
	slices.Sort(shards)
	if len(shards) < 2 || shards[0] != "data-00000-of-"+shards[0][14:] {
		t.Fatalf("shards %v, want several", shards)
	}
	var state struct {
		Files []struct{ Filename string } `json:"_data_files"`
		Split string                      `json:"_split"`
	}
	if err := json.Unmarshal([]byte(files["hf/train/state.json"]), &state); err != nil || state.Split != "train" || len(state.Files) != len(shards) {
		t.Fatalf("state %+v, %v", state, err)
	}
	a, b := open(t, whole), open(t, filepath.Join(parted, "hf"))
	for part, rows := range a.Splits {
		if rows.Len() != b.Splits[part].Len() {
			t.Fatalf("%s: %d rows in shards, want %d", part, b.Splits[part].Len(), rows.Len())
		}
		for i := range rows.Len() {
			one, err := rows.Row(i)
			other, err2 := b.Splits[part].Row(i)
			if err != nil || err2 != nil || !reflect.DeepEqual(one, other) {
				t.Fatalf("%s row %d differs (%v, %v)", part, i, err, err2)
			}
		}
	}
	// More shards than pictures make no sense and no empty files.
	tiny := filepath.Join(t.TempDir(), "c")
	mustBuild(t, openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 2))), tiny, build.Options{ShardBytes: 1})
	if got := open(t, tiny).Splits[dataset.Train].Len(); got != 3 {
		t.Errorf("%d rows, want 3", got)
	}
}

func TestBuildAgain(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 4)))
	dir := filepath.Join(t.TempDir(), "data")
	first := mustBuild(t, s, dir, build.Options{})
	before, err := os.Stat(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	files := datasettest.Tree(t, dir)
	for _, o := range []build.Options{{}, {Workers: 3}, {Split: split.Options{Spec: "ratio:0.8"}}} {
		if m := mustBuild(t, s, dir, o); !reflect.DeepEqual(m, first) {
			t.Errorf("%+v: another manifest", o)
		}
	}
	if after, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the same input was written again (%v)", err)
	}
	other := build.Options{Captions: captionsOf(t, s, nil), Split: split.Options{Seed: 9}, Program: program}
	_, err = build.Build(t.Context(), s, dir, other)
	datasettest.WantError(t, err, dataset.ErrRefused, dir, "--force")
	datasettest.SameTree(t, datasettest.Tree(t, dir), files)
	other.Force = true
	if m, err := build.Build(t.Context(), s, dir, other); err != nil || m.Split.Seed != 9 {
		t.Fatalf("forced: %+v, %v", m.Split, err)
	}
	clean := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, clean, other)
	datasettest.SameTree(t, datasettest.Tree(t, dir), datasettest.Tree(t, clean))
	noLeftovers(t, filepath.Dir(dir), "data")
}

// noLeftovers asserts that parent holds nothing but the named entries.
func noLeftovers(t *testing.T, parent string, want ...string) {
	t.Helper()
	var got []string
	left, err := os.ReadDir(parent)
	for _, d := range left {
		got = append(got, d.Name())
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s holds %v (%v), want %v", parent, got, err, want)
	}
}

func TestBuildKeepsOutOfOtherPeoplesFolders(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 2)))
	o := build.Options{Captions: captionsOf(t, s, nil)}
	for _, force := range []bool{false, true} { // --force replaces a dataset, never anything else
		o.Force = force
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), []byte("years of work"), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := build.Build(t.Context(), s, dir, o)
		datasettest.WantError(t, err, dataset.ErrRefused, dir, "holds other things", "--out")
		noLeftovers(t, dir, "thesis.tex")
		for _, text := range []string{`{"schema":"mcil.captions","version":1}`, `{"name":"somebody's web page"}`, `{`} {
			other := filepath.Dir(datasettest.WriteTemp(t, "manifest.json", []byte(text)))
			_, err = build.Build(t.Context(), s, other, o)
			datasettest.WantError(t, err, dataset.ErrRefused, other, "--out")
			noLeftovers(t, other, "manifest.json")
		}
		plain := datasettest.WriteTemp(t, "thesis.tex", []byte("years of work"))
		_, err = build.Build(t.Context(), s, plain, o)
		datasettest.WantError(t, err, dataset.ErrRefused, plain, "is a file")
		noLeftovers(t, filepath.Dir(plain), "thesis.tex")
		_, err = build.Build(t.Context(), s, filepath.Join(plain, "data"), o)
		datasettest.WantError(t, err, nil, plain)
	}
	empty := t.TempDir()
	mustBuild(t, s, empty, build.Options{})
	open(t, empty)
}

func TestBuildNewerManifest(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 2)))
	dir := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, dir, build.Options{})
	replaceIn(t, filepath.Join(dir, "manifest.json"), `"version": 3`, `"version": 4`)
	_, err := build.Build(t.Context(), s, dir, build.Options{Captions: captionsOf(t, s, nil)})
	datasettest.WantError(t, err, nil, "version 4", "use a newer mcil")
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, nil, "version 4", "use a newer mcil")
	mustBuild(t, s, dir, build.Options{Force: true})
	open(t, dir)
	replaceIn(t, filepath.Join(dir, "manifest.json"), `"version": 3`, `"version": 2`)
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, nil, "version 2", "reads version 3 and later: make it again")
}

func replaceIn(t testing.TB, path, old, new string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestBuildRefusesWithReasons(t *testing.T) {
	files := append(datasettest.Layout(t, 10), datasettest.File{Name: datasettest.Goldfish + "/._sketch_0.jpg", Body: []byte("x")}, datasettest.File{Name: datasettest.Goldfish + "/broken_0.jpg", Body: []byte("no picture")},
		datasettest.File{Name: datasettest.Leopard + "/bomb_0.png", Body: datasettest.HugePNG(60000, 60000)})
	s := openSource(t, datasettest.WriteFolder(t, files))
	const silent, changed = dataset.ID(datasettest.Shark + "/sketch_0.jpg"), dataset.ID(datasettest.Shark + "/art_1.jpg")
	captions := captionsOf(t, s, func(id dataset.ID) bool { return id == silent })
	o := build.Options{Captions: func(id dataset.ID) (dataset.Caption, bool) {
		c, ok := captions(id)
		if id == changed {
			c.ImageSHA256 = dataset.Digest([]byte("what it was"))
		}
		return c, ok
	}}
	dir := filepath.Join(t.TempDir(), "data")
	m := mustBuild(t, s, dir, o)
	want := []struct{ name, reason string }{
		{datasettest.Goldfish + "/._sketch_0.jpg", "hidden file"}, {datasettest.Goldfish + "/broken_0.jpg", "not a picture that can be read"},
		{datasettest.Shark + "/art_1.jpg", "the caption is of another picture of this name"}, {datasettest.Shark + "/sketch_0.jpg", "no caption"},
		{datasettest.Leopard + "/bomb_0.png", "60000 by 60000 pixels"},
	}
	if len(m.Refused) != len(want) {
		t.Fatalf("refused %v", m.Refused)
	}
	for i, w := range want {
		if m.Refused[i].Name != w.name || !strings.Contains(m.Refused[i].Reason, w.reason) {
			t.Errorf("refused %v, want %v", m.Refused[i], w)
		}
	}
	d := open(t, dir)
	if n := d.Splits[dataset.Train].Len() + d.Splits[dataset.Test].Len(); n != 28 || m.Rows[dataset.Train]+m.Rows[dataset.Test] != 28 {
		t.Errorf("%d rows, %v in the manifest, want 28", n, m.Rows)
	}
	if m.Classes[1].Rows[dataset.Train]+m.Classes[1].Rows[dataset.Test] != 8 {
		t.Errorf("class %v, want 8 rows", m.Classes[1])
	}
}

func TestBuildRecordsWhatTheSplitLeavesOut(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 3)))
	p := newSplit(t, s, split.Options{})
	left := p[dataset.Train][0]
	p[dataset.Train] = p[dataset.Train][1:]
	var text strings.Builder
	split.Write(&text, p)
	m := mustBuild(t, s, filepath.Join(t.TempDir(), "data"), build.Options{Split: split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text.String()))}})
	if want := (schemas.Refusal{Name: string(left), Reason: "in no part of the split"}); len(m.Refused) != 1 || m.Refused[0] != want {
		t.Errorf("refused %v, want %v", m.Refused, want)
	}
}

// A class without any caption keeps its place and its wnid.
func TestBuildClassWithoutRows(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 4)))
	dir := filepath.Join(t.TempDir(), "data")
	m := mustBuild(t, s, dir, build.Options{Captions: captionsOf(t, s, func(id dataset.ID) bool { return id.WNID() == datasettest.Shark })})
	if len(m.Refused) != 4 || len(m.Classes[1].Rows) != 0 {
		t.Errorf("refused %v, class %v", m.Refused, m.Classes[1])
	}
	if d := open(t, dir); !slices.Equal(d.Classes, s.Classes()) {
		t.Errorf("classes %v, want %v", d.Classes, s.Classes())
	}
}

func TestBuildErrorsLeaveNothing(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 8)))
	captions := captionsOf(t, s, nil)
	twins := openSource(t, datasettest.WriteFolder(t, append(datasettest.Layout(t, 8), datasettest.File{Name: "README.txt", Body: []byte("n01443537 crane\nn01484850 crane\n")})))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name   string
		s      dataset.Source
		o      build.Options
		target error
		words  []string
	}{
		{"cancelled while writing", s, build.Options{Captions: captions, Progress: func(done, _ int) {
			if done == 10 {
				cancel()
			}
		}}, context.Canceled, nil},
		{"no captions", s, build.Options{Captions: func(dataset.ID) (dataset.Caption, bool) { return dataset.Caption{}, false }}, dataset.ErrRefused,
			[]string{"none of 24 pictures has a caption", "CLASS/FILE"}},
		{"no answers", s, build.Options{About: schemas.CaptionsSummary{From: schemas.CaptionsFromStore}, Captions: func(dataset.ID) (dataset.Caption, bool) { return dataset.Caption{}, false }}, dataset.ErrRefused,
			[]string{"mcil caption"}},
		{"read error", failing{s, broken}, build.Options{Captions: captions}, broken, []string{"disk on fire"}},
		{"two classes of one name", twins, build.Options{Captions: captionsOf(t, twins, nil)}, dataset.ErrRefused, []string{`two classes are called "crane"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := build.Build(ctx, c.s, filepath.Join(parent, "data"), c.o)
			datasettest.WantError(t, err, c.target, append(c.words, "data")...)
			noLeftovers(t, parent)
		})
		ctx = t.Context()
	}
}

// failing is a source whose last picture cannot be read.
type failing struct {
	dataset.Source
	err error
}

func (f failing) Read(ctx context.Context, e dataset.Entry) ([]byte, error) {
	if e.ID == f.Entries()[len(f.Entries())-1].ID {
		return nil, f.err
	}
	return f.Source.Read(ctx, e)
}

// A run that was killed leaves hidden folders; the next one clears them and gives what a clean one gives.
func TestBuildAfterAKill(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 4)))
	clean := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, clean, build.Options{})
	dir := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, dir, build.Options{Split: split.Options{Seed: 9}})
	for _, left := range []string{".data.partial/hf/train/data-00000-of-00001.arrow", ".data.partial/junk", ".data.replaced/manifest.json"} {
		p := filepath.Join(filepath.Dir(dir), left)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	mustBuild(t, s, dir, build.Options{Force: true})
	datasettest.SameTree(t, datasettest.Tree(t, dir), datasettest.Tree(t, clean))
	noLeftovers(t, filepath.Dir(dir), "data")
}

// Killed between the two renames of a replacement, the old dataset is there again with the next run, whatever comes of it.
func TestBuildAfterAKillBetweenRenames(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 4)))
	dir := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, dir, build.Options{})
	old := datasettest.Tree(t, dir)
	if err := os.Rename(dir, filepath.Join(filepath.Dir(dir), ".data.replaced")); err != nil {
		t.Fatal(err)
	}
	_, err := build.Build(t.Context(), s, dir, build.Options{Captions: captionsOf(t, s, nil), Split: split.Options{Seed: 9}})
	datasettest.WantError(t, err, dataset.ErrRefused, "--force")
	datasettest.SameTree(t, datasettest.Tree(t, dir), old)
	noLeftovers(t, filepath.Dir(dir), "data")
}

// The same pictures by another path, and another build of the program, are the same input.
func TestBuildAgainFromElsewhere(t *testing.T) {
	files := datasettest.Layout(t, 4)
	s, dir := openSource(t, datasettest.WriteFolder(t, files)), filepath.Join(t.TempDir(), "data")
	splitFile := filepath.Join(dir, "split.txt")
	first := mustBuild(t, s, dir, build.Options{})
	moved := openSource(t, datasettest.WriteTar(t, "imagenet-r/", 0, files))
	again, err := build.Build(t.Context(), moved, dir, build.Options{
		Captions: captionsOf(t, moved, nil), Program: schemas.Program{Name: "mcil", Version: "another", Go: "go9"}, Split: split.Options{Spec: splitFile},
	})
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("%+v, %v, want %+v", again, err, first)
	}
}

// The manifest is what its JSON Schema says, whatever the options.
func TestBuildManifestConforms(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../schemas/dataset.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s := openSource(t, datasettest.WriteFolder(t, append(datasettest.Layout(t, 8), datasettest.File{Name: datasettest.Goldfish + "/broken_0.jpg", Body: []byte("no picture")})))
	for _, o := range []build.Options{{}, {Split: split.Options{Validation: 0.2}, MaskNames: true, Layouts: layout.Kinds()}} {
		dir := filepath.Join(t.TempDir(), "data")
		mustBuild(t, s, dir, o)
		text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Error(err)
		}
		delete(v.(map[string]any), "leakage")
		if schema.Validate(v) == nil {
			t.Error("a manifest without leakage conforms")
		}
	}
}

// What is there is left alone only where it is whole; --force builds anew.
func TestBuildAgainWhereFilesAreMissing(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 4)))
	dir := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, dir, build.Options{})
	want := datasettest.Tree(t, dir)
	shard := filepath.Join(dir, "hf", "train", "data-00000-of-00001.arrow")
	for _, damage := range []func() error{
		func() error { return os.Remove(shard) },
		func() error { return os.Truncate(shard, 100) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		_, err := build.Build(t.Context(), s, dir, build.Options{Captions: captionsOf(t, s, nil), Program: program})
		datasettest.WantError(t, err, dataset.ErrRefused, "hf/train/data-00000-of-00001.arrow", "--force")
		mustBuild(t, s, dir, build.Options{Force: true})
		datasettest.SameTree(t, datasettest.Tree(t, dir), want)
	}
}

// A picture that changed in place is not looked for, and --force takes it.
func TestBuildForceReadsAgain(t *testing.T) {
	pictures := datasettest.WriteFolder(t, datasettest.Layout(t, 4))
	s := openSource(t, pictures)
	captions := func(id dataset.ID) (dataset.Caption, bool) { return dataset.Caption{Text: "a picture"}, true }
	dir := filepath.Join(t.TempDir(), "data")
	first := mustBuild(t, s, dir, build.Options{Captions: captions})
	file := filepath.Join(pictures, filepath.FromSlash(string(s.Entries()[0].ID)))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-10] ^= 1 // in the compressed pixels
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "hf", "train", "state.json")
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	second := mustBuild(t, s, dir, build.Options{Captions: captions, Force: true})
	after, err := os.ReadFile(state)
	if err != nil || second.Source.Digest == first.Source.Digest || second.Digest == first.Digest {
		t.Errorf("the changed picture was not read (%v)", err)
	}
	if inTrain := slices.Contains(newSplit(t, s, split.Options{})[dataset.Train], s.Entries()[0].ID); inTrain == bytes.Equal(before, after) {
		t.Error("the fingerprint by which datasets caches is not of the content")
	}
}

// Two builds into one folder: the second says so, and the first is not disturbed.
func TestBuildWhileAnotherBuilds(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 6)))
	captions := captionsOf(t, s, nil)
	dir := filepath.Join(t.TempDir(), "data")
	asked := false
	mustBuild(t, s, dir, build.Options{Captions: captions, Progress: func(done, _ int) {
		if asked {
			return
		}
		asked = true
		_, err := build.Build(t.Context(), s, dir, build.Options{Captions: captions})
		datasettest.WantError(t, err, dataset.ErrRefused, dir, "another build is writing it")
	}})
	clean := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, clean, build.Options{Captions: captions})
	datasettest.SameTree(t, datasettest.Tree(t, dir), datasettest.Tree(t, clean))
	noLeftovers(t, filepath.Dir(dir), "data")
}

// A link to a dataset stays one.
func TestBuildThroughALink(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 4)))
	parent := t.TempDir()
	real, link := filepath.Join(parent, "real"), filepath.Join(parent, "link")
	mustBuild(t, s, real, build.Options{Split: split.Options{Seed: 9}})
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	mustBuild(t, s, link, build.Options{Force: true})
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
	clean := filepath.Join(t.TempDir(), "data")
	mustBuild(t, s, clean, build.Options{})
	datasettest.SameTree(t, datasettest.Tree(t, real), datasettest.Tree(t, clean))
	noLeftovers(t, parent, "link", "real")
}
