package dataset_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
)

// put writes body to a file that all runs of one fuzzing process share.
func put(t *testing.T, file string, body []byte) {
	t.Helper()
	if err := os.WriteFile(file, body, 0o666); err != nil {
		t.Fatal(err)
	}
}

// Whatever an archive holds: no panic, and what is read in place is what reading the archive in order gives.
func FuzzTarSource(f *testing.F) {
	files := append(layout(f, 1), file{name: "pax_global_header", kind: tar.TypeXGlobalHeader}, file{name: "link", kind: tar.TypeSymlink},
		file{name: goldfish + "/" + strings.Repeat("long", 40) + "_0.jpg", body: []byte("x")})
	for i := range files { // small bodies make small seeds
		files[i].body = files[i].body[:min(len(files[i].body), 20)]
	}
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatUnknown} {
		f.Add(tarBytes(f, "imagenet-r/", format, files), true)
	}
	f.Add([]byte{}, false)
	f.Add(make([]byte, 1024), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, archive []byte, repair bool) {
		archive = bytes.Clone(archive)
		if repair {
			repairChecksums(archive)
		}
		spec := filepath.Join(dir, "x.tar")
		put(t, spec, archive)
		s, err := dataset.OpenSource(t.Context(), spec)
		if err != nil {
			return
		}
		defer s.Close()
		inOrder := map[string][]byte{} // the first of each name
		r := tar.NewReader(bytes.NewReader(archive))
		for {
			h, err := r.Next()
			if err != nil {
				break
			}
			if h.Typeflag != tar.TypeReg || strings.Contains("/"+h.Name+"/", "/../") || path.IsAbs(h.Name) || h.Size > 1<<20 {
				continue
			}
			b, err := io.ReadAll(r)
			if err != nil {
				break
			}
			name := path.Clean(h.Name)
			_, below, _ := strings.Cut(name, "/")
			for _, key := range []string{name, below} {
				if _, twice := inOrder[key]; !twice {
					inOrder[key] = b
				}
			}
		}
		for _, e := range s.Entries() {
			if want, ok := inOrder[string(e.ID)]; ok {
				got, err := s.Read(t.Context(), e)
				if err != nil || int64(len(got)) != e.SizeBytes {
					t.Errorf("%q: %d bytes, %v", e.ID, len(got), err)
				} else if !bytes.Equal(got, want) && !duplicated(s, e.ID) {
					t.Errorf("%q: read in place %q, in order %q", e.ID, got, want)
				}
			}
		}
	})
}

// repairChecksums makes every block with tar's magic a header with the right sum, so that changes get past the sum.
func repairChecksums(archive []byte) {
	for at := 0; at+512 <= len(archive); at += 512 {
		h := archive[at : at+512]
		if string(h[257:262]) != "ustar" {
			continue
		}
		copy(h[148:156], "        ")
		sum := 0
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	}
}

// duplicated says whether the name of a picture occurs under several top folders, so that the order decides.
func duplicated(s dataset.Source, id dataset.ID) bool {
	for _, r := range s.Refused() {
		if r.Name == string(id) {
			return true
		}
	}
	return false
}

func FuzzSplitText(f *testing.F) {
	s := counted(f, map[string]int{goldfish: 2, shark: 2})
	f.Add("train\n" + goldfish + "/sketch_0.jpg\n" + shark + "/sketch_1.jpg\ntest\n" + goldfish + "/sketch_1.jpg\n" + shark + "/sketch_0.jpg\n")
	f.Add("train\ntrain\n/\n//\n../..\n\x00")
	f.Add("")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		spec := filepath.Join(dir, "split.txt")
		put(t, spec, []byte(text))
		p, err := dataset.NewSplit(s, dataset.SplitOptions{Spec: spec})
		if err != nil {
			return
		}
		var again strings.Builder
		p.WriteTo(&again)
		put(t, spec, []byte(again.String()))
		q, err := dataset.NewSplit(s, dataset.SplitOptions{Spec: spec})
		if err != nil {
			t.Fatalf("%q is read, and written again as %q is not: %v", text, again.String(), err)
		}
		var third strings.Builder
		q.WriteTo(&third)
		if again.String() != third.String() {
			t.Errorf("%q, then %q", again.String(), third.String())
		}
	})
}

func FuzzPicture(f *testing.F) {
	small := paint(9, 7, 1)
	for _, b := range [][]byte{
		encodePNG(f, small), encodeJPEG(f, small), encodeGIF(f, small), fromBase64(f, cmykJPEG), fromBase64(f, webp), hugePNG(60000, 60000), {},
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		info, err := dataset.Inspect(encoded)
		if err != nil {
			if !errors.Is(err, dataset.ErrRefused) {
				t.Errorf("%v does not wrap ErrRefused", err)
			}
			return
		}
		if info.Width*info.Height > 4_000_000 {
			return
		}
		img, err := dataset.Decode(encoded)
		if err != nil {
			if !errors.Is(err, dataset.ErrRefused) {
				t.Errorf("%v does not wrap ErrRefused", err)
			}
			return
		}
		if img.Bounds().Dx() > dataset.MaxPictureSide || img.Bounds().Dy() > dataset.MaxPictureSide {
			t.Errorf("bounds %v, header %+v", img.Bounds(), info)
		}
		gridH, gridW, pixels, err := tiny.Patches(encoded)
		if err == nil && len(pixels) != gridH*gridW*3*64 {
			t.Errorf("%d bytes in %d by %d patches", len(pixels), gridH, gridW)
		}
	})
}

func FuzzTokenizer(f *testing.F) {
	f.Add(strings.Join(smallVocabulary, "\n"), "The dogs, café 中国!", 10)
	f.Add("[UNK]\n[CLS]\n[SEP]\n\n##\n", "\xff\u0345 ##", 2)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, vocabulary, text string, limit int) {
		file := filepath.Join(dir, "vocab.txt")
		put(t, file, []byte(vocabulary))
		limit = max(2, min(limit, 1000))
		tok, err := dataset.ReadVocabulary(file)
		if err != nil {
			tok = tokenizer(t, smallVocabulary)
		}
		ids := tok.Encode(text, limit)
		if len(ids) < 2 || len(ids) > limit || tok.Piece(ids[0]) != "[CLS]" || tok.Piece(ids[len(ids)-1]) != "[SEP]" {
			t.Errorf("%q: %v", text, ids)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Len() {
				t.Errorf("id %d of %d pieces", id, tok.Len())
			}
		}
		own, err := dataset.BuildVocabulary([]string{text, text}, 500)
		if err != nil {
			return
		}
		var written strings.Builder
		own.WriteTo(&written)
		put(t, file, []byte(written.String()))
		again, err := dataset.ReadVocabulary(file)
		if err != nil || again.Len() != own.Len() {
			t.Fatalf("the vocabulary of %q is not read back: %v", text, err)
		}
	})
}

func FuzzOpenStream(f *testing.F) {
	dir := saved(f)
	schema := rowSchema(f)
	f.Add(stream(f, schema, 2))
	f.Add(stream(f, schema, 1, 3))
	f.Add(stream(f, schema))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})
	state := []byte(`{"_data_files":[{"filename":"x.arrow"}]}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, split := range []string{"train", "test"} {
			put(t, filepath.Join(dir, split, "state.json"), state)
			put(t, filepath.Join(dir, split, "x.arrow"), body)
		}
		d, err := dataset.Open(dir)
		if err != nil {
			return
		}
		defer d.Close()
		for _, rows := range d.Splits {
			for i := range rows.Len() {
				rows.Row(i)
				rows.ID(i)
				rows.Caption(i)
				rows.Image(i)
				if l := rows.Label(i); l < 0 || l >= len(d.Classes) {
					t.Errorf("label %d of %d classes", l, len(d.Classes))
				}
			}
		}
	})
}
