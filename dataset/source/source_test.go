package source_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
)

// checkSource compares a source with the files that it was made of.
func checkSource(t *testing.T, s dataset.Source, files []datasettest.File) {
	t.Helper()
	want := []dataset.Class{
		{WNID: datasettest.Goldfish, Name: "goldfish"}, {WNID: datasettest.Shark, Name: "great_white_shark"}, {WNID: datasettest.Leopard, Name: "snow_leopard"},
	}
	if !slices.Equal(s.Classes(), want) {
		t.Errorf("classes %v, want %v", s.Classes(), want)
	}
	bodies := map[dataset.ID][]byte{}
	for _, f := range files {
		if f.Name != "README.txt" && f.Kind == 0 {
			bodies[dataset.ID(f.Name)] = f.Body
		}
	}
	entries := s.Entries()
	if len(entries) != len(bodies) {
		t.Fatalf("%d entries, want %d", len(entries), len(bodies))
	}
	if !slices.IsSortedFunc(entries, func(a, b dataset.Entry) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
		t.Error("entries are not sorted by ID")
	}
	for _, e := range entries {
		b, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, bodies[e.ID]) || e.SizeBytes != int64(len(b)) {
			t.Errorf("%s: %d bytes read, %d announced: not what was stored", e.ID, len(b), e.SizeBytes)
		}
		if got := s.Classes()[e.Label].WNID; got != e.ID.WNID() {
			t.Errorf("%s: label %d is %s", e.ID, e.Label, got)
		}
	}
	if len(s.Refused()) != 0 {
		t.Errorf("refused %v", s.Refused())
	}
}

func TestSourceFolderAndTarAreAlike(t *testing.T) {
	files := datasettest.Layout(t, 7)
	long := datasettest.File{Name: datasettest.Leopard + "/" + strings.Repeat("very", 40) + "_3.jpg", Body: files[0].Body}
	nonASCII := datasettest.File{Name: datasettest.Goldfish + "/sketch_ü_9.jpg", Body: files[0].Body}
	global := datasettest.File{Name: "pax_global_header", Kind: tar.TypeXGlobalHeader}
	for name, spec := range map[string]string{
		"folder":      datasettest.WriteFolder(t, append([]datasettest.File{long, nonASCII}, files...)),
		"with a kind": "imagenet-r:" + datasettest.WriteTar(t, "imagenet-r/", tar.FormatPAX, append([]datasettest.File{long, nonASCII}, files...)),
		"pax":         datasettest.WriteTar(t, "imagenet-r/", tar.FormatPAX, append([]datasettest.File{global, long, nonASCII}, files...)),
		"gnu":         datasettest.WriteTar(t, "imagenet-r/", tar.FormatGNU, append([]datasettest.File{long, nonASCII}, files...)),
		"no top":      datasettest.WriteTar(t, "", tar.FormatUnknown, append([]datasettest.File{long, nonASCII}, files...)),
		"dot":         datasettest.WriteTar(t, "./", tar.FormatUnknown, append([]datasettest.File{long, nonASCII}, files...)),
		"dot and top": datasettest.WriteTar(t, "./imagenet-r/", tar.FormatUnknown, append([]datasettest.File{long, nonASCII}, files...)),
	} {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, spec)
			checkSource(t, s, append([]datasettest.File{long, nonASCII}, files...))
			if want := "imagenet-r:" + strings.TrimPrefix(spec, "imagenet-r:"); s.Spec() != want {
				t.Errorf("spec %q, want %q", s.Spec(), want)
			}
		})
	}
}

// The README's content is read in passing: what follows it must still be found at its place.
func TestSourceTarReadmePlaces(t *testing.T) {
	files := datasettest.Layout(t, 2)
	at := slices.IndexFunc(files, func(f datasettest.File) bool { return f.Name == "README.txt" })
	text := files[at]
	files = slices.Delete(files, at, at+1)
	big := datasettest.File{Name: text.Name, Body: append(slices.Clone(text.Body), bytes.Repeat([]byte("\nlicence"), 1<<16)...)}
	for name, files := range map[string][]datasettest.File{
		"first": append([]datasettest.File{text}, files...), "last": append(slices.Clone(files), text), "big and first": append([]datasettest.File{big}, files...),
	} {
		t.Run(name, func(t *testing.T) {
			checkSource(t, openSource(t, datasettest.WriteTar(t, "imagenet-r/", 0, files)), files)
		})
	}
	t.Run("absent", func(t *testing.T) {
		s := openSource(t, datasettest.WriteTar(t, "imagenet-r/", 0, files))
		if got := s.Classes()[0]; got != (dataset.Class{WNID: datasettest.Goldfish, Name: datasettest.Goldfish}) {
			t.Errorf("class without a name is %v", got)
		}
	})
}

func TestSourceFolderBehindALink(t *testing.T) {
	files := datasettest.Layout(t, 2)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(datasettest.WriteFolder(t, files), link); err != nil {
		t.Skip(err)
	}
	checkSource(t, openSource(t, link), files)
}

func TestSourceStyles(t *testing.T) {
	body := []byte("x")
	s := openSource(t, datasettest.WriteFolder(t, []datasettest.File{
		{Name: datasettest.Goldfish + "/sketch_12.jpg", Body: body}, {Name: datasettest.Goldfish + "/video_game_0.PNG", Body: body},
		{Name: datasettest.Goldfish + "/plain.jpg", Body: body}, {Name: datasettest.Goldfish + "/12.jpeg", Body: body},
		{Name: datasettest.Shark + "/_7.webp", Body: body}, {Name: datasettest.Shark + "/art_x.gif", Body: body}, {Name: datasettest.Shark + "/toy_1.tar.bmp", Body: body},
	}))
	want := map[dataset.ID]string{
		datasettest.Goldfish + "/sketch_12.jpg": "sketch", datasettest.Goldfish + "/video_game_0.PNG": "video_game", datasettest.Goldfish + "/plain.jpg": "unknown",
		datasettest.Goldfish + "/12.jpeg": "unknown", datasettest.Shark + "/_7.webp": "unknown", datasettest.Shark + "/art_x.gif": "unknown", datasettest.Shark + "/toy_1.tar.bmp": "unknown",
	}
	for _, e := range s.Entries() {
		if e.Style != want[e.ID] {
			t.Errorf("%s: style %q, want %q", e.ID, e.Style, want[e.ID])
		}
	}
	if len(s.Entries()) != len(want) {
		t.Errorf("%d entries, want %d", len(s.Entries()), len(want))
	}
}

const (
	notInClass = "not in a class folder named as a wnid (n and eight digits)"
	notRegular = "not a regular file"
	leadsOut   = "the path leads out of the archive"
	badName    = "the name has control characters or is not UTF-8"
)

func TestSourceTarRefusals(t *testing.T) {
	ok := []byte("content")
	odd := []struct {
		datasettest.File
		refused, reason string
	}{
		{datasettest.File{Name: datasettest.Goldfish + "/link.jpg", Kind: tar.TypeSymlink}, datasettest.Goldfish + "/link.jpg", notRegular},
		{datasettest.File{Name: datasettest.Goldfish + "/hard.jpg", Kind: tar.TypeLink}, datasettest.Goldfish + "/hard.jpg", notRegular},
		{datasettest.File{Name: datasettest.Goldfish + "/device.jpg", Kind: tar.TypeChar}, datasettest.Goldfish + "/device.jpg", notRegular},
		{datasettest.File{Name: datasettest.Goldfish + "/pipe.jpg", Kind: tar.TypeFifo}, datasettest.Goldfish + "/pipe.jpg", notRegular},
		{datasettest.File{Name: datasettest.Goldfish + "/.hidden_1.jpg", Body: ok}, datasettest.Goldfish + "/.hidden_1.jpg", "hidden file"},
		{datasettest.File{Name: datasettest.Goldfish + "/._sketch_0.jpg", Body: ok}, datasettest.Goldfish + "/._sketch_0.jpg", "hidden file"},
		{datasettest.File{Name: datasettest.Goldfish + "/notes.txt", Body: ok}, datasettest.Goldfish + "/notes.txt", "not named as a picture"},
		{datasettest.File{Name: datasettest.Goldfish + "/list.JSON", Body: ok}, datasettest.Goldfish + "/list.JSON", "not named as a picture"},
		{datasettest.File{Name: datasettest.Goldfish + "/empty_0.jpg"}, datasettest.Goldfish + "/empty_0.jpg", "empty file"},
		{datasettest.File{Name: "goldfish/sketch_0.jpg", Body: ok}, "goldfish/sketch_0.jpg", notInClass},
		{datasettest.File{Name: datasettest.Goldfish + "/deeper/sketch_0.jpg", Body: ok}, datasettest.Goldfish + "/deeper/sketch_0.jpg", notInClass},
		{datasettest.File{Name: datasettest.Goldfish + "0/sketch_0.jpg", Body: ok}, datasettest.Goldfish + "0/sketch_0.jpg", notInClass},
		{datasettest.File{Name: "sketch_0.jpg", Body: ok}, "sketch_0.jpg", notInClass},
		{datasettest.File{Name: datasettest.Goldfish + "/two\nlines_0.jpg", Body: ok}, datasettest.Goldfish + "/two\nlines_0.jpg", badName},
		{datasettest.File{Name: datasettest.Goldfish + "/b\xff_0.jpg", Body: ok}, datasettest.Goldfish + "/b\uFFFD_0.jpg", badName},
	}
	files := datasettest.Layout(t, 1)
	var want []schemas.Refusal
	for _, o := range odd {
		files = append(files, o.File)
		want = append(want, schemas.Refusal{Name: o.refused, Reason: o.reason})
	}
	files = append(files, datasettest.File{Name: "LICENSE", Body: ok}, // at the top and no picture: nothing to say about it
		datasettest.File{Name: datasettest.Goldfish + "/noending", Body: ok}) // what it is, its content tells
	sortRefused(want)
	s := openSource(t, datasettest.WriteTar(t, "imagenet-r/", tar.FormatGNU, files))
	if !slices.Equal(s.Refused(), want) {
		t.Errorf("refused\n%q, want\n%q", s.Refused(), want)
	}
	if len(s.Entries()) != 4 {
		t.Errorf("%d entries, want 4", len(s.Entries()))
	}
}

func sortRefused(r []schemas.Refusal) {
	slices.SortFunc(r, func(a, b schemas.Refusal) int { return strings.Compare(a.Name, b.Name) })
}

func TestSourceTarPathsThatLeadOut(t *testing.T) {
	files := datasettest.Layout(t, 1)
	for _, name := range []string{"/imagenet-r/n01443537/sketch_9.jpg", "../n01443537/sketch_9.jpg", "imagenet-r/../n01443537/sketch_9.jpg", ".."} {
		files = append(files, datasettest.File{Name: name, Body: []byte("x")})
	}
	s := openSource(t, datasettest.WriteTar(t, "", 0, files))
	if len(s.Refused()) != 4 || len(s.Entries()) != 3 {
		t.Fatalf("%d refused, %d entries, want 4 and 3", len(s.Refused()), len(s.Entries()))
	}
	for _, r := range s.Refused() {
		if r.Reason != leadsOut {
			t.Errorf("%s: %q, want %q", r.Name, r.Reason, leadsOut)
		}
	}
}

func TestSourceTarDuplicatesKeepTheFirst(t *testing.T) {
	var files []datasettest.File
	for i := range 40 { // many: an unstable sort would keep any of them
		files = append(files, datasettest.File{Name: datasettest.Goldfish + "/sketch_0.jpg", Body: []byte{byte(i + 1)}})
	}
	files = append(files, datasettest.File{Name: datasettest.Shark + "/sketch_0.jpg", Body: []byte("x")})
	s := openSource(t, datasettest.WriteTar(t, "imagenet-r/", 0, files))
	b, err := s.Read(t.Context(), s.Entries()[0])
	if err != nil || !bytes.Equal(b, []byte{1}) {
		t.Errorf("read %v, %v, want the first entry's content [1]", b, err)
	}
	if len(s.Entries()) != 2 || len(s.Refused()) != 39 || s.Refused()[0].Reason != "the name occurs twice; the first is kept" {
		t.Errorf("%d entries, refused %v", len(s.Entries()), s.Refused())
	}
}

// A sparse file's size in its header is not its size in the archive.
func TestSourceTarSparse(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: datasettest.Goldfish + "/sketch_0.jpg", Size: 512, Format: tar.FormatPAX, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"comment": "GNUxsparsexmajor"}},
		{Name: datasettest.Goldfish + "/sketch_1.jpg", Size: 512}, {Name: datasettest.Shark + "/sketch_0.jpg", Size: 512},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, 512))
	}
	w.Close()
	// The writer refuses these keys: put a record of the same length in their place (sparse format 0.1, one hole).
	archive := bytes.Replace(b.Bytes(), []byte("28 comment=GNUxsparsexmajor\n"), []byte("28 GNU.sparse.map=0,512,9,9\n"), 1)
	if bytes.Equal(archive, b.Bytes()) {
		t.Fatal("no record to replace")
	}
	s, err := source.Open(t.Context(), datasettest.WriteTemp(t, "sparse.tar", archive))
	if err != nil { // damaged is an answer too; wrong bytes are not
		datasettest.WantError(t, err, dataset.ErrRefused)
		return
	}
	defer s.Close()
	for _, e := range s.Entries() {
		if e.ID == datasettest.Goldfish+"/sketch_0.jpg" {
			t.Error("a sparse file is an entry")
		}
	}
}

func TestSourceFolderRefusals(t *testing.T) {
	files := append(datasettest.Layout(t, 1), datasettest.File{Name: datasettest.Goldfish + "/._sketch_0.jpg", Body: []byte("x")}, datasettest.File{Name: datasettest.Goldfish + "/Thumbs.db", Body: []byte("x")},
		datasettest.File{Name: datasettest.Goldfish + "/deep/sketch_0.jpg", Body: []byte("x")}, datasettest.File{Name: "top_0.jpg", Body: []byte("x")},
		datasettest.File{Name: datasettest.Goldfish + "/zero_0.jpg"}, datasettest.File{Name: ".DS_Store", Body: []byte("x")})
	dir := datasettest.WriteFolder(t, files)
	want := []schemas.Refusal{
		{Name: datasettest.Goldfish + "/._sketch_0.jpg", Reason: "hidden file"}, {Name: datasettest.Goldfish + "/Thumbs.db", Reason: "not named as a picture"},
		{Name: datasettest.Goldfish + "/deep/sketch_0.jpg", Reason: notInClass}, {Name: datasettest.Goldfish + "/zero_0.jpg", Reason: "empty file"},
		{Name: "top_0.jpg", Reason: notInClass},
	}
	if err := os.Symlink(filepath.Join(dir, "README.txt"), filepath.Join(dir, datasettest.Goldfish, "link_0.jpg")); err == nil {
		want = append(want, schemas.Refusal{Name: datasettest.Goldfish + "/link_0.jpg", Reason: notRegular})
	}
	sortRefused(want)
	if got := openSource(t, dir).Refused(); !slices.Equal(got, want) {
		t.Errorf("refused\n%q, want\n%q", got, want)
	}
}

func TestSourceErrors(t *testing.T) {
	whole := datasettest.TarBytes(t, "imagenet-r/", 0, datasettest.Layout(t, 3))
	one := []datasettest.File{{Name: datasettest.Goldfish + "/sketch_0.jpg", Body: bytes.Repeat([]byte{7}, 512)}, {Name: datasettest.Goldfish + "/sketch_1.jpg", Body: []byte("y")}}
	betweenEntries := datasettest.TarBytes(t, "", 0, append(one, datasettest.File{Name: datasettest.Shark + "/sketch_0.jpg", Body: bytes.Repeat([]byte{7}, 512)}))
	betweenEntries = betweenEntries[:len(betweenEntries)-1024]
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, spec string
		target     error
		words      []string
	}{
		{"missing", filepath.Join(t.TempDir(), "absent"), dataset.ErrNoSource, []string{"absent", "no such file or folder"}},
		{"unknown kind", "cifar:/data", dataset.ErrNoSource, []string{`unknown kind "cifar"`, "imagenet-r:PATH"}},
		{"windows path", `C:\data\imagenet-r`, dataset.ErrNoSource, []string{"C", "imagenet-r:PATH"}},
		{"colon in a path", "/no/such:place", dataset.ErrNoSource, []string{"/no/such:place", "no such file"}},
		{"colon in a relative path", "./a:b", dataset.ErrNoSource, []string{"./a:b", "no such file"}},
		{"no path", "imagenet-r:", dataset.ErrNoSource, []string{"names no path"}},
		{"nothing", "", dataset.ErrNoSource, []string{"names no path"}},
		{"pipe", pipe, dataset.ErrNoSource, []string{"neither a folder nor a file"}},
		{"empty folder", t.TempDir(), dataset.ErrRefused, []string{"holds no pictures in class folders"}},
		{"empty file", datasettest.WriteTemp(t, "empty.tar", nil), dataset.ErrRefused, []string{"holds no pictures in class folders"}},
		{"empty archive", datasettest.WriteTar(t, "", 0, nil), dataset.ErrRefused, []string{"holds no pictures in class folders"}},
		{"one class", datasettest.WriteTar(t, "", 0, one), dataset.ErrRefused, []string{"one class", datasettest.Goldfish}},
		{"gzip", datasettest.WriteTemp(t, "x.tar.gz", append([]byte{0x1f, 0x8b, 8, 0}, make([]byte, 4000)...)), dataset.ErrRefused, []string{"not a tar archive", "unpack"}},
		{"text", datasettest.WriteTemp(t, "x.tar", []byte(strings.Repeat("hello ", 200))), dataset.ErrRefused, []string{"not a tar archive"}},
		{"cut in a picture", datasettest.WriteTemp(t, "x.tar", whole[:len(whole)/2+100]), dataset.ErrRefused, []string{"the archive is damaged after"}},
		{"cut between entries", datasettest.WriteTemp(t, "x.tar", betweenEntries), dataset.ErrRefused, []string{"without its end mark", "3 entries"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := source.Open(t.Context(), c.spec)
			if err == nil {
				s.Close()
			}
			datasettest.WantError(t, err, c.target, c.words...)
		})
	}
}

func TestSourceCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	folder, archive := datasettest.WriteFolder(t, datasettest.Layout(t, 1)), datasettest.WriteTar(t, "", 0, datasettest.Layout(t, 1))
	s := openSource(t, archive)
	cancel()
	for _, spec := range []string{folder, archive} {
		if _, err := source.Open(ctx, spec); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", spec, err)
		}
	}
	if _, err := s.Read(ctx, s.Entries()[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v, want the context's error", err)
	}
}

func TestSourceReadNamesThePicture(t *testing.T) {
	dir := datasettest.WriteFolder(t, datasettest.Layout(t, 1))
	s := openSource(t, dir)
	e := s.Entries()[1]
	if err := os.Remove(filepath.Join(dir, string(e.ID))); err != nil {
		t.Fatal(err)
	}
	_, err := s.Read(t.Context(), e)
	datasettest.WantError(t, err, os.ErrNotExist, string(e.ID))
}
