package verify_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/verify"
	"github.com/mcil/mcil/schemas"
)

// prepared is a dataset of 30 rows in three layouts; some captions name their class, and two pictures are the same.
func prepared(t *testing.T, o build.Options) string {
	t.Helper()
	files := datasettest.Layout(t, 10)
	files[len(files)-1].Body = files[0].Body
	s := open(t, datasettest.WriteFolder(t, files))
	o.Name, o.Layouts = "dataset", layout.Kinds()
	o.Captions = func(id dataset.ID) (dataset.Caption, bool) {
		text := fmt.Sprintf("A picture, %d letters of café.", len(id))
		if strings.HasSuffix(string(id), "3.jpg") {
			text = "A snow leopard and a goldfish."
		}
		c := dataset.Caption{Text: text, CaptionInfo: dataset.CaptionInfo{Raw: text, Model: "painter"}}
		if strings.HasSuffix(string(id), "4.jpg") {
			c.Flags, c.FlagValues = []string{"cut_off"}, []float64{4}
		}
		return c, true
	}
	dir := filepath.Join(t.TempDir(), "d")
	if _, err := build.Build(t.Context(), s, dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, spec string) dataset.Source {
	t.Helper()
	s, err := source.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// lines is what is wrong with a dataset.
func lines(t *testing.T, dir string) []string {
	t.Helper()
	r, err := verify.Dataset(t.Context(), dir, verify.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return linesOf(r)
}

func linesOf(r verify.Result) []string {
	var all []string
	for _, w := range r.Wrong {
		all = append(all, w.Name+": "+w.Reason)
	}
	return all
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("wrong is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func wantLine(t *testing.T, got []string, want string) {
	t.Helper()
	if !slices.Contains(got, want) {
		t.Errorf("wrong is\n\t%s\nwant among them\n\t%s", strings.Join(got, "\n\t"), want)
	}
}

func change(t *testing.T, file string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, f(b), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// editManifest changes the manifest, and does the digests of all files anew.
func editManifest(t *testing.T, dir string, edit func(m *schemas.DatasetManifest)) {
	t.Helper()
	var m schemas.DatasetManifest
	file := filepath.Join(dir, "manifest.json")
	if err := schemas.ReadJSON(file, schemas.DatasetHeader, &m); err != nil {
		t.Fatal(err)
	}
	edit(&m)
	m.Files = nil
	var sums strings.Builder
	files := datasettest.Tree(t, dir)
	for name, body := range files {
		if name != "manifest.json" {
			m.Files = append(m.Files, schemas.FileDigest{Path: name, Bytes: int64(len(body)), SHA256: dataset.Digest([]byte(body))})
		}
	}
	slices.SortFunc(m.Files, func(a, b schemas.FileDigest) int { return cmp.Compare(a.Path, b.Path) })
	for _, f := range m.Files {
		fmt.Fprintf(&sums, "%s  %s\n", f.SHA256, f.Path)
	}
	m.Digest = dataset.Digest([]byte(sums.String()))
	m.Split.SHA256, m.Order.SHA256 = dataset.Digest([]byte(files["split.txt"])), dataset.Digest([]byte(files["class-order.txt"]))
	if err := schemas.WriteJSON(file, m); err != nil {
		t.Fatal(err)
	}
}

func TestWholeDatasetPasses(t *testing.T) {
	for name, o := range map[string]build.Options{"plain": {}, "masked": {MaskNames: true}, "shards": {ShardBytes: 3000}} {
		t.Run(name, func(t *testing.T) {
			dir := prepared(t, o)
			next, of := 1, 0
			r, err := verify.Dataset(t.Context(), dir, verify.Options{Workers: 3, Progress: func(done, total int) {
				if done != next || total < done {
					t.Errorf("progress %d of %d, want %d", done, total, next)
				}
				next, of = done+1, total
			}})
			if err != nil {
				t.Fatal(err)
			}
			files := datasettest.Tree(t, dir)
			var bytes int64
			for name, body := range files {
				if name != "manifest.json" {
					bytes += int64(len(body))
				}
			}
			wantLines(t, linesOf(r))
			if r.Wrong == nil || r.Files != len(files)-1 || r.Rows != 90 || r.Pictures != 30 || r.Bytes != bytes {
				t.Errorf("result %+v, want %d files, 90 rows, 30 pictures, %d bytes, and a list", r, len(files)-1, bytes)
			}
			if next-1 != of || of != len(files)-1+90 {
				t.Errorf("progress ended at %d of %d, want %d", next-1, of, len(files)-1+90)
			}
		})
	}
}

func TestFilesOfADataset(t *testing.T) {
	dir := prepared(t, build.Options{})
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// What datasets leaves: passed over, in the split folders of hf only.
	write("hf/train/cache-0123456789abcdef.arrow")
	write("hf/test/tmpabcd")
	wantLines(t, lines(t, dir))
	write("hf/cache-1.arrow")
	write("vilt/cache-1.arrow")
	write("hf/train/cache-1.txt")
	write("tmp1")
	change(t, filepath.Join(dir, "hub", "README.md"), func(b []byte) []byte { return append(b, 'x') })
	change(t, filepath.Join(dir, "class-order.txt"), func(b []byte) []byte { return append(b[1:], '\n') })
	if err := os.Remove(filepath.Join(dir, "split.txt")); err != nil {
		t.Fatal(err)
	}
	got := lines(t, dir)
	for _, name := range []string{"hf/cache-1.arrow", "vilt/cache-1.arrow", "hf/train/cache-1.txt", "tmp1"} {
		wantLine(t, got, name+": not in the manifest")
	}
	wantLine(t, got, "split.txt: missing")
	wantLine(t, got, "class-order.txt: its digest is not the manifest's: the content has changed")
	i := slices.IndexFunc(got, func(l string) bool { return strings.HasPrefix(l, "hub/README.md: ") })
	if i < 0 || !strings.Contains(got[i], "bytes, and the manifest says") {
		t.Errorf("no line on the size of hub/README.md: %q", got)
	}
}

func TestAByteOfAShard(t *testing.T) {
	dir := prepared(t, build.Options{})
	d, err := layout.Open(filepath.Join(dir, "vilt"))
	if err != nil {
		t.Fatal(err)
	}
	image, err := d.Splits[dataset.Test].Image(1)
	if err != nil {
		t.Fatal(err)
	}
	image, id := slices.Clone(image), d.Splits[dataset.Test].ID(1)
	d.Close()
	file := filepath.Join(dir, "vilt", "dataset_test.arrow")
	change(t, file, func(b []byte) []byte {
		at := strings.Index(string(b), string(image))
		b[at+len(image)/2] ^= 1
		return b
	})
	got := lines(t, dir)
	wantLine(t, got, "vilt/dataset_test.arrow: its digest is not the manifest's: the content has changed")
	wantLine(t, got, fmt.Sprintf("vilt test row 1 (%s): the picture's digest is not the row's", id))
	wantLine(t, got, "vilt: its test rows are not those of layout hf")

	// A file that cannot be opened is not what the others are compared with.
	if err := os.Remove(filepath.Join(dir, "hf", "dataset_dict.json")); err != nil {
		t.Fatal(err)
	}
	got = lines(t, dir)
	wantLine(t, got, "hf/dataset_dict.json: missing")
	wantLine(t, got, "hub: its test rows are not those of layout vilt")
}

func TestNumbersOfTheManifest(t *testing.T) {
	dir := prepared(t, build.Options{MaskNames: true})
	whole, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func(m *schemas.DatasetManifest){
		"numbers of rows of class n01484850":             func(m *schemas.DatasetManifest) { m.Classes[1].Rows["train"]++ },
		"numbers of rows by style":                       func(m *schemas.DatasetManifest) { m.Styles["sketch"]-- },
		"caption flags":                                  func(m *schemas.DatasetManifest) { m.Captions.Flags["cut_off"]++ },
		"captions with masked names":                     func(m *schemas.DatasetManifest) { m.Captions.NamesMasked++ },
		"caption statistics":                             func(m *schemas.DatasetManifest) { m.Captions.Statistics.Words.Mean += 0.01 },
		"shares of captions that name a class":           func(m *schemas.DatasetManifest) { m.Leakage.All.Named = 0.5 },
		"shares of captions that name a class, by class": func(m *schemas.DatasetManifest) { m.Leakage.Classes[2].Other = 1 },
		"results with bags of words": func(m *schemas.DatasetManifest) {
			m.Leakage.BagOfWords = &schemas.BagOfWords{Classifier: "another", Accuracy: 1}
		},
		"bytes of pictures":                           func(m *schemas.DatasetManifest) { m.Pictures.Bytes++ },
		"picture formats":                             func(m *schemas.DatasetManifest) { m.Pictures.Formats["png"] = 1 },
		"picture modes":                               func(m *schemas.DatasetManifest) { m.Pictures.Modes = nil },
		"picture orientations":                        func(m *schemas.DatasetManifest) { m.Pictures.Orientations["6"] = 1 },
		"smallest sides of pictures":                  func(m *schemas.DatasetManifest) { m.Pictures.MinSide-- },
		"largest sides of pictures":                   func(m *schemas.DatasetManifest) { m.Pictures.MaxSide++ },
		"numbers of identical pictures":               func(m *schemas.DatasetManifest) { m.Pictures.Identical = 0 },
		"numbers of identical pictures across splits": func(m *schemas.DatasetManifest) { m.Pictures.IdenticalAcrossSplits++ },
	} {
		editManifest(t, dir, edit)
		wantLines(t, lines(t, dir), "manifest.json: its "+what+" are not those of the rows")
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), whole, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, lines(t, dir))
	editManifest(t, dir, func(m *schemas.DatasetManifest) { m.Layouts = []string{"hf", "../d", "vilt"} })
	got := lines(t, dir)
	wantLine(t, got, "../d: the manifest lists a layout of this name, and there are [hf vilt hub]")
	wantLine(t, got, "manifest.json: it lists files in hub, and no such layout")
	editManifest(t, dir, func(m *schemas.DatasetManifest) { m.Layouts, m.Classes = []string{"hf", "vilt", "hub"}, m.Classes[:2] })
	wantLine(t, lines(t, dir), "vilt: 3 classes, and the manifest says 2")
}

func TestSplitAndOrderFiles(t *testing.T) {
	dir := prepared(t, build.Options{})
	splitFile, orderFile := filepath.Join(dir, "split.txt"), filepath.Join(dir, "class-order.txt")
	before, err := os.ReadFile(splitFile)
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(*schemas.DatasetManifest) {}
	for name, c := range map[string]struct {
		edit func(text string) string
		want string
	}{
		"exchanged": {func(s string) string {
			l := strings.Split(s, "\n")
			l[1], l[2] = l[2], l[1]
			return strings.Join(l, "\n")
		}, "split.txt: its train pictures are not those of the rows, in order"},
		"one less":  {func(s string) string { return s[:strings.LastIndex(strings.TrimSpace(s), "\n")+1] }, "split.txt: its test pictures are not those of the rows, in order"},
		"part more": {func(s string) string { return s + "extra\nn01443537/a.jpg\n" }, `split.txt: it has a split "extra", and there are no such rows`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(splitFile, []byte(c.edit(string(before))), 0o666); err != nil {
				t.Fatal(err)
			}
			editManifest(t, dir, nothing)
			wantLines(t, lines(t, dir), c.want)
		})
	}
	if err := os.WriteFile(splitFile, before, 0o666); err != nil {
		t.Fatal(err)
	}
	change(t, orderFile, func(b []byte) []byte { return append(b, "n99999999\n"...) })
	editManifest(t, dir, nothing)
	wantLines(t, lines(t, dir), "class-order.txt: it names more than the 3 classes")
	change(t, orderFile, func(b []byte) []byte { return []byte("n01443537\nn01484850\n") })
	editManifest(t, dir, nothing)
	got := lines(t, dir)
	if len(got) != 1 || !strings.HasPrefix(got[0], "class-order.txt: names 2 of 3 classes") {
		t.Errorf("wrong is %q", got)
	}
	editManifest(t, dir, nothing)
	change(t, filepath.Join(dir, "manifest.json"), func(b []byte) []byte { // not in the list, though there
		return []byte(strings.Replace(string(b), `"path": "split.txt"`, `"path": "other.txt"`, 1))
	})
	wantLine(t, lines(t, dir), "manifest.json: it does not list split.txt")
}

// writeLayout writes rows, the same in both splits but for their IDs, in one layout.
func writeLayout(t *testing.T, dir string, kind layout.Kind, rows []dataset.Row) {
	t.Helper()
	w, err := layout.Create(dir, []layout.Kind{kind}, layout.Options{ClassNames: []string{"goldfish", "great_white_shark", "snow_leopard"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, name := range []string{dataset.Train, dataset.Test} {
		err = errors.Join(err, w.Begin(name))
		for _, r := range rows {
			err = errors.Join(err, w.Append(r))
		}
		err = errors.Join(err, w.End())
	}
	if err = errors.Join(err, w.Finish(schemas.DatasetManifest{})); err != nil {
		t.Fatal(err)
	}
}

func TestRowsThatWereWrittenWrong(t *testing.T) {
	dir := t.TempDir()
	rows := datasettest.SomeRows(t, 2).All
	writeLayout(t, dir, layout.HF, rows)
	other := slices.Clone(rows)
	other[0].Image = datasettest.JPEG(t, datasettest.Paint(40, 36, 77)) // not of its digest
	other[1].Width++
	other[2].Caption, other[2].Raw = "picture number 2, café raw", ""
	other[3].Image = other[3].Image[:len(other[3].Image)/2]
	writeLayout(t, dir, layout.ViLT, other)
	m := schemas.DatasetManifest{Header: schemas.DatasetHeader, Layouts: []string{"hf", "vilt"}, Rows: map[string]int{"train": 6, "test": 6}}
	if err := schemas.WriteJSON(filepath.Join(dir, "manifest.json"), m); err != nil {
		t.Fatal(err)
	}
	for _, layouts := range [][]string{{"hf", "vilt"}, {"vilt", "hf"}} {
		editManifest(t, dir, func(m *schemas.DatasetManifest) { m.Layouts = layouts })
		got := lines(t, dir)
		wantLine(t, got, "vilt train row 0 (n01443537/sketch_0.jpg): the picture's digest is not the row's")
		wantLine(t, got, "vilt test row 1 (n01443537/art_1.jpg): the row says 42 by 36 pixels, orientation 1; the picture 41 by 36, 1")
		wantLine(t, got, fmt.Sprintf("%s: its train rows are not those of layout %s", layouts[1], layouts[0]))
		if !slices.ContainsFunc(got, func(l string) bool {
			return strings.HasPrefix(l, "vilt train row 3 (n01484850/art_1.jpg): ") && !strings.Contains(l, "digest")
		}) {
			t.Errorf("half a picture is not among %q", got)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "vilt")); err != nil {
		t.Fatal(err)
	}
	writeLayout(t, dir, layout.ViLT, rows)
	editManifest(t, dir, func(m *schemas.DatasetManifest) { m.Rows["validation"] = 2 })
	got := lines(t, dir)
	wantLine(t, got, "vilt: has no split validation, which the manifest has")
	wantLine(t, got, "hf: has no split validation, which the manifest has")

	// Two rows that print alike, and are not.
	a, b := slices.Clone(rows), slices.Clone(rows)
	a[0].Style, a[0].WNID, a[0].ClassName = "sketch x", rows[0].WNID, "goldfish"
	a[0].Raw, a[0].Model = "one two", "three"
	b[0].Style, b[0].Raw, b[0].Model = "sketch x", "one", "two three"
	for _, name := range []string{"hf", "vilt"} {
		os.RemoveAll(filepath.Join(dir, name))
	}
	writeLayout(t, dir, layout.HF, a)
	writeLayout(t, dir, layout.ViLT, b)
	editManifest(t, dir, func(m *schemas.DatasetManifest) { delete(m.Rows, "validation"); m.Layouts = []string{"hf", "vilt"} })
	wantLine(t, lines(t, dir), "vilt: its train rows are not those of layout hf")
}

func TestFileOfEachForm(t *testing.T) {
	dir := prepared(t, build.Options{})
	for _, name := range []string{"hf/test/data-00000-of-00001.arrow", "vilt/dataset_test.arrow", "hub/data/test-00000-of-00001.parquet"} {
		last := 0
		r, err := verify.File(t.Context(), filepath.Join(dir, filepath.FromSlash(name)), verify.Options{Progress: func(done, total int) {
			if last++; done != last || total != 6 {
				t.Errorf("progress %d of %d", done, total)
			}
		}})
		if err != nil || r.Rows != 6 || r.Pictures != 6 || len(r.Wrong) != 0 || last != 6 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := verify.File(t.Context(), filepath.Join(dir, "split.txt"), verify.Options{}); err == nil {
		t.Error("a text passes as a shard")
	}
	rows := datasettest.SomeRows(t, 2).All
	rows[2].Image = rows[2].Image[:len(rows[2].Image)/2]
	broken := t.TempDir()
	writeLayout(t, broken, layout.ViLT, rows)
	r, err := verify.File(t.Context(), filepath.Join(broken, "vilt", "dataset_train.arrow"), verify.Options{})
	if err != nil || r.Rows != 6 || r.Pictures != 5 || len(r.Wrong) != 2 {
		t.Errorf("half a picture: %+v, %v, want 5 pictures decoded, its digest and its end wrong", r, err)
	}
}

func TestSource(t *testing.T) {
	files := datasettest.Layout(t, 2)
	files[0].Body = files[0].Body[:len(files[0].Body)/2]
	files = append(files, datasettest.File{Name: datasettest.Shark + "/notes.txt", Body: []byte("x")})
	s := open(t, datasettest.WriteFolder(t, files))
	last := 0
	r, err := verify.Source(t.Context(), s, verify.Options{Workers: 2, Progress: func(done, total int) {
		if last++; done != last || total != 6 {
			t.Errorf("progress %d of %d", done, total)
		}
	}})
	if err != nil || r.Pictures != 5 || last != 6 || r.Rows != 0 || r.Files != 0 {
		t.Errorf("%+v, %v, want 5 pictures of 6", r, err)
	}
	got := linesOf(r)
	if len(got) != 2 || !strings.HasPrefix(got[0], datasettest.Shark+"/notes.txt: ") || !strings.HasPrefix(got[1], files[0].Name+": ") {
		t.Errorf("wrong is %q", got)
	}
}

func TestCancel(t *testing.T) {
	dir := prepared(t, build.Options{})
	const files = 19 // then come rows
	for _, at := range []int{1, files + 10} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := verify.Dataset(ctx, dir, verify.Options{Progress: func(done, total int) {
			if done == at {
				cancel()
			}
			if done > at+1 {
				t.Errorf("goes on to %d of %d, canceled at %d", done, total, at)
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("canceled at %d: %v", at, err)
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verify.Source(ctx, open(t, datasettest.WriteFolder(t, datasettest.Layout(t, 2))), verify.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("source: %v", err)
	}
	if _, err := verify.File(ctx, filepath.Join(dir, "vilt", "dataset_test.arrow"), verify.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("file: %v", err)
	}
	if _, err := verify.Dataset(t.Context(), t.TempDir(), verify.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no manifest: %v", err)
	}
}
