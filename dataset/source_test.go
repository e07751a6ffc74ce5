package dataset_test

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
	"github.com/mcil/mcil/schemas"
)

// checkSource compares a source with the files that it was made of.
func checkSource(t *testing.T, s dataset.Source, files []file) {
	t.Helper()
	want := []dataset.Class{{goldfish, "goldfish"}, {shark, "great_white_shark"}, {leopard, "snow_leopard"}}
	if !slices.Equal(s.Classes(), want) {
		t.Errorf("classes %v, want %v", s.Classes(), want)
	}
	bodies := map[dataset.ID][]byte{}
	for _, f := range files {
		if f.name != "README.txt" && f.kind == 0 {
			bodies[dataset.ID(f.name)] = f.body
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
	files := layout(t, 7)
	long := file{name: leopard + "/" + strings.Repeat("very", 40) + "_3.jpg", body: files[0].body}
	nonASCII := file{name: goldfish + "/sketch_ü_9.jpg", body: files[0].body}
	global := file{name: "pax_global_header", kind: tar.TypeXGlobalHeader}
	for name, spec := range map[string]string{
		"folder":      writeFolder(t, append([]file{long, nonASCII}, files...)),
		"with a kind": "imagenet-r:" + writeTar(t, "imagenet-r/", tar.FormatPAX, append([]file{long, nonASCII}, files...)),
		"pax":         writeTar(t, "imagenet-r/", tar.FormatPAX, append([]file{global, long, nonASCII}, files...)),
		"gnu":         writeTar(t, "imagenet-r/", tar.FormatGNU, append([]file{long, nonASCII}, files...)),
		"no top":      writeTar(t, "", tar.FormatUnknown, append([]file{long, nonASCII}, files...)),
		"dot":         writeTar(t, "./", tar.FormatUnknown, append([]file{long, nonASCII}, files...)),
		"dot and top": writeTar(t, "./imagenet-r/", tar.FormatUnknown, append([]file{long, nonASCII}, files...)),
	} {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, spec)
			checkSource(t, s, append([]file{long, nonASCII}, files...))
			if want := "imagenet-r:" + strings.TrimPrefix(spec, "imagenet-r:"); s.Spec() != want {
				t.Errorf("spec %q, want %q", s.Spec(), want)
			}
		})
	}
}

// The README's content is read in passing: what follows it must still be found at its place.
func TestSourceTarReadmePlaces(t *testing.T) {
	files := layout(t, 2)
	at := slices.IndexFunc(files, func(f file) bool { return f.name == "README.txt" })
	text := files[at]
	files = slices.Delete(files, at, at+1)
	big := file{name: text.name, body: append(slices.Clone(text.body), bytes.Repeat([]byte("\nlicence"), 1<<16)...)}
	for name, files := range map[string][]file{
		"first": append([]file{text}, files...), "last": append(slices.Clone(files), text), "big and first": append([]file{big}, files...),
	} {
		t.Run(name, func(t *testing.T) { checkSource(t, openSource(t, writeTar(t, "imagenet-r/", 0, files)), files) })
	}
	t.Run("absent", func(t *testing.T) {
		s := openSource(t, writeTar(t, "imagenet-r/", 0, files))
		if got := s.Classes()[0]; got != (dataset.Class{WNID: goldfish, Name: goldfish}) {
			t.Errorf("class without a name is %v", got)
		}
	})
}

func TestSourceFolderBehindALink(t *testing.T) {
	files := layout(t, 2)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(writeFolder(t, files), link); err != nil {
		t.Skip(err)
	}
	checkSource(t, openSource(t, link), files)
}

func TestSourceStyles(t *testing.T) {
	body := []byte("x")
	s := openSource(t, writeFolder(t, []file{
		{name: goldfish + "/sketch_12.jpg", body: body}, {name: goldfish + "/video_game_0.PNG", body: body},
		{name: goldfish + "/plain.jpg", body: body}, {name: goldfish + "/12.jpeg", body: body},
		{name: shark + "/_7.webp", body: body}, {name: shark + "/art_x.gif", body: body}, {name: shark + "/toy_1.tar.bmp", body: body},
	}))
	want := map[dataset.ID]string{
		goldfish + "/sketch_12.jpg": "sketch", goldfish + "/video_game_0.PNG": "video_game", goldfish + "/plain.jpg": "unknown",
		goldfish + "/12.jpeg": "unknown", shark + "/_7.webp": "unknown", shark + "/art_x.gif": "unknown", shark + "/toy_1.tar.bmp": "unknown",
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
		file
		refused, reason string
	}{
		{file{name: goldfish + "/link.jpg", kind: tar.TypeSymlink}, goldfish + "/link.jpg", notRegular},
		{file{name: goldfish + "/hard.jpg", kind: tar.TypeLink}, goldfish + "/hard.jpg", notRegular},
		{file{name: goldfish + "/device.jpg", kind: tar.TypeChar}, goldfish + "/device.jpg", notRegular},
		{file{name: goldfish + "/pipe.jpg", kind: tar.TypeFifo}, goldfish + "/pipe.jpg", notRegular},
		{file{name: goldfish + "/.hidden_1.jpg", body: ok}, goldfish + "/.hidden_1.jpg", "hidden file"},
		{file{name: goldfish + "/._sketch_0.jpg", body: ok}, goldfish + "/._sketch_0.jpg", "hidden file"},
		{file{name: goldfish + "/notes.txt", body: ok}, goldfish + "/notes.txt", "not named as a picture"},
		{file{name: goldfish + "/noending", body: ok}, goldfish + "/noending", "not named as a picture"},
		{file{name: goldfish + "/empty_0.jpg"}, goldfish + "/empty_0.jpg", "empty file"},
		{file{name: "goldfish/sketch_0.jpg", body: ok}, "goldfish/sketch_0.jpg", notInClass},
		{file{name: goldfish + "/deeper/sketch_0.jpg", body: ok}, goldfish + "/deeper/sketch_0.jpg", notInClass},
		{file{name: goldfish + "0/sketch_0.jpg", body: ok}, goldfish + "0/sketch_0.jpg", notInClass},
		{file{name: "sketch_0.jpg", body: ok}, "sketch_0.jpg", notInClass},
		{file{name: goldfish + "/two\nlines_0.jpg", body: ok}, goldfish + "/two\nlines_0.jpg", badName},
		{file{name: goldfish + "/b\xff_0.jpg", body: ok}, goldfish + "/b\uFFFD_0.jpg", badName},
	}
	files := layout(t, 1)
	var want []schemas.Refusal
	for _, o := range odd {
		files = append(files, o.file)
		want = append(want, schemas.Refusal{Name: o.refused, Reason: o.reason})
	}
	files = append(files, file{name: "LICENSE", body: ok}) // at the top and no picture: nothing to say about it
	sortRefused(want)
	s := openSource(t, writeTar(t, "imagenet-r/", tar.FormatGNU, files))
	if !slices.Equal(s.Refused(), want) {
		t.Errorf("refused\n%q, want\n%q", s.Refused(), want)
	}
	if len(s.Entries()) != 3 {
		t.Errorf("%d entries, want 3", len(s.Entries()))
	}
}

func sortRefused(r []schemas.Refusal) {
	slices.SortFunc(r, func(a, b schemas.Refusal) int { return strings.Compare(a.Name, b.Name) })
}

func TestSourceTarPathsThatLeadOut(t *testing.T) {
	files := layout(t, 1)
	for _, name := range []string{"/imagenet-r/n01443537/sketch_9.jpg", "../n01443537/sketch_9.jpg", "imagenet-r/../n01443537/sketch_9.jpg", ".."} {
		files = append(files, file{name: name, body: []byte("x")})
	}
	s := openSource(t, writeTar(t, "", 0, files))
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
	var files []file
	for i := range 40 { // many: an unstable sort would keep any of them
		files = append(files, file{name: goldfish + "/sketch_0.jpg", body: []byte{byte(i + 1)}})
	}
	files = append(files, file{name: shark + "/sketch_0.jpg", body: []byte("x")})
	s := openSource(t, writeTar(t, "imagenet-r/", 0, files))
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
		{Name: goldfish + "/sketch_0.jpg", Size: 512, Format: tar.FormatPAX, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"comment": "GNUxsparsexmajor"}},
		{Name: goldfish + "/sketch_1.jpg", Size: 512}, {Name: shark + "/sketch_0.jpg", Size: 512},
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
	s, err := dataset.OpenSource(t.Context(), writeTemp(t, "sparse.tar", archive))
	if err != nil { // damaged is an answer too; wrong bytes are not
		wantError(t, err, dataset.ErrRefused)
		return
	}
	defer s.Close()
	for _, e := range s.Entries() {
		if e.ID == goldfish+"/sketch_0.jpg" {
			t.Error("a sparse file is an entry")
		}
	}
}

func TestSourceFolderRefusals(t *testing.T) {
	files := append(layout(t, 1), file{name: goldfish + "/._sketch_0.jpg", body: []byte("x")}, file{name: goldfish + "/Thumbs.db", body: []byte("x")},
		file{name: goldfish + "/deep/sketch_0.jpg", body: []byte("x")}, file{name: "top_0.jpg", body: []byte("x")},
		file{name: goldfish + "/zero_0.jpg"}, file{name: ".DS_Store", body: []byte("x")})
	dir := writeFolder(t, files)
	want := []schemas.Refusal{
		{Name: goldfish + "/._sketch_0.jpg", Reason: "hidden file"}, {Name: goldfish + "/Thumbs.db", Reason: "not named as a picture"},
		{Name: goldfish + "/deep/sketch_0.jpg", Reason: notInClass}, {Name: goldfish + "/zero_0.jpg", Reason: "empty file"},
		{Name: "top_0.jpg", Reason: notInClass},
	}
	if err := os.Symlink(filepath.Join(dir, "README.txt"), filepath.Join(dir, goldfish, "link_0.jpg")); err == nil {
		want = append(want, schemas.Refusal{Name: goldfish + "/link_0.jpg", Reason: notRegular})
	}
	sortRefused(want)
	if got := openSource(t, dir).Refused(); !slices.Equal(got, want) {
		t.Errorf("refused\n%q, want\n%q", got, want)
	}
}

func TestSourceErrors(t *testing.T) {
	whole := tarBytes(t, "imagenet-r/", 0, layout(t, 3))
	one := []file{{name: goldfish + "/sketch_0.jpg", body: bytes.Repeat([]byte{7}, 512)}, {name: goldfish + "/sketch_1.jpg", body: []byte("y")}}
	betweenEntries := tarBytes(t, "", 0, append(one, file{name: shark + "/sketch_0.jpg", body: bytes.Repeat([]byte{7}, 512)}))
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
		{"empty file", writeTemp(t, "empty.tar", nil), dataset.ErrRefused, []string{"holds no pictures in class folders"}},
		{"empty archive", writeTar(t, "", 0, nil), dataset.ErrRefused, []string{"holds no pictures in class folders"}},
		{"one class", writeTar(t, "", 0, one), dataset.ErrRefused, []string{"one class", goldfish}},
		{"gzip", writeTemp(t, "x.tar.gz", append([]byte{0x1f, 0x8b, 8, 0}, make([]byte, 4000)...)), dataset.ErrRefused, []string{"not a tar archive", "unpack"}},
		{"text", writeTemp(t, "x.tar", []byte(strings.Repeat("hello ", 200))), dataset.ErrRefused, []string{"not a tar archive"}},
		{"cut in a picture", writeTemp(t, "x.tar", whole[:len(whole)/2+100]), dataset.ErrRefused, []string{"the archive is damaged after"}},
		{"cut between entries", writeTemp(t, "x.tar", betweenEntries), dataset.ErrRefused, []string{"without its end mark", "3 entries"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := dataset.OpenSource(t.Context(), c.spec)
			if err == nil {
				s.Close()
			}
			wantError(t, err, c.target, c.words...)
		})
	}
}

func TestSourceCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	folder, archive := writeFolder(t, layout(t, 1)), writeTar(t, "", 0, layout(t, 1))
	s := openSource(t, archive)
	cancel()
	for _, spec := range []string{folder, archive} {
		if _, err := dataset.OpenSource(ctx, spec); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", spec, err)
		}
	}
	if _, err := s.Read(ctx, s.Entries()[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v, want the context's error", err)
	}
}

func TestSourceReadNamesThePicture(t *testing.T) {
	dir := writeFolder(t, layout(t, 1))
	s := openSource(t, dir)
	e := s.Entries()[1]
	if err := os.Remove(filepath.Join(dir, string(e.ID))); err != nil {
		t.Fatal(err)
	}
	_, err := s.Read(t.Context(), e)
	wantError(t, err, os.ErrNotExist, string(e.ID))
}
