package schemas_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/schemas"
)

func someExemplars(n int) []schemas.Exemplar {
	out := make([]schemas.Exemplar, n)
	for i := range out {
		out[i] = schemas.Exemplar{
			ID: "n01443537/sketch_" + strings.Repeat("ü", i%3), Label: i % 7, Codec: []string{schemas.CodecRaw, "jpeg"}[i%2], GridH: 1 + i%3, GridW: 2, PatchPx: 32, TextLen: 5 + i,
			PatchBits: []byte{byte(i), 1}, Pixels: bytes.Repeat([]byte{byte(i)}, 1+i%5), TokenBits: []byte{byte(i) | 1}, Tokens: []uint16{101, uint16(60000 + i), 102},
		}
	}
	for i := 2; i < n; i += 3 { // part of a picture, and the rest smaller
		out[i].Box, out[i].Ratio, out[i].Rest = &schemas.Box{X: i, Y: 2, W: 300, H: 65535}, 4, []byte{byte(i)}
		out[i].Quality, out[i].FullBytes = 75, 1<<20+i
	}
	if n > 1 { // nothing masked, nothing kept
		out[1].PatchBits, out[1].TokenBits, out[1].Pixels, out[1].Tokens = nil, nil, nil, nil
	}
	return out
}

func TestExemplarsRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 2, 256, 600} { // a batch holds 256
		p := filepath.Join(t.TempDir(), "memory.arrow")
		want := someExemplars(n)
		if err := schemas.WriteExemplars(p, want); err != nil {
			t.Fatal(err)
		}
		got, err := schemas.ReadExemplars(p)
		if err != nil || len(got) != n || n > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%d exemplars: read %d, %v", n, len(got), err)
		}
		first, _ := os.ReadFile(p)
		if err := schemas.WriteExemplars(p, want); err != nil {
			t.Fatal(err)
		}
		if second, _ := os.ReadFile(p); !bytes.Equal(first, second) {
			t.Error("written twice, the bytes differ")
		}
	}
}

// ipcFile is an Arrow file of one empty batch with the given schema.
func ipcFile(t testing.TB, s *arrow.Schema) []byte {
	t.Helper()
	p := filepath.Join(t.TempDir(), "x.arrow")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(s))
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	if err := w.Write(b.NewRecord()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestExemplarsErrors(t *testing.T) {
	p := filepath.Join(t.TempDir(), "memory.arrow")
	if _, err := schemas.ReadExemplars(p); !os.IsNotExist(err) {
		t.Errorf("absent: %v", err)
	}
	if err := schemas.WriteExemplars(p, someExemplars(3)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	header := func(h string, fields ...arrow.Field) []byte {
		md := arrow.NewMetadata([]string{schemas.MetadataKey}, []string{h})
		return ipcFile(t, arrow.NewSchema(append(fields, arrow.Field{Name: "id", Type: arrow.BinaryTypes.String}), &md))
	}
	huge := bytes.Clone(good) // the length of the footer
	binary.LittleEndian.PutUint32(huge[len(huge)-10:], 1<<31-1)
	for name, c := range map[string]struct {
		body  []byte
		words string
	}{
		"empty":         {nil, "not an Arrow IPC file"},
		"text":          {[]byte(strings.Repeat("text ", 50)), "not an Arrow IPC file"},
		"cut off":       {good[:len(good)-5], "not an Arrow IPC file"},
		"half":          {good[:len(good)/2], "not an Arrow IPC file"},
		"long footer":   {huge, "not an Arrow IPC file"},
		"no header":     {ipcFile(t, arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String}}, nil)), "not an exemplar memory"},
		"no JSON":       {header("x"), "not an exemplar memory"},
		"other kind":    {header(`{"schema":"mcil.rows","version":1}`), `its schema is "mcil.rows"`},
		"newer":         {header(`{"schema":"mcil.exemplars","version":3}`), "use a newer mcil"},
		"old columns":   {oldExemplars(t, 2), "other columns"},
		"other columns": {header(`{"schema":"mcil.exemplars","version":1}`), "other columns"},
	} {
		if err := os.WriteFile(p, c.body, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := schemas.ReadExemplars(p); err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		} else if c.words == "not an Arrow IPC file" && !errors.Is(err, schemas.ErrDamaged) {
			t.Errorf("%s: %v is not reported as damage", name, err)
		}
	}
}

// oldExemplars is a file with the columns of version 1, one exemplar long, that says it is of the given version.
func oldExemplars(t *testing.T, version int) []byte {
	t.Helper()
	header, err := json.Marshal(schemas.Header{Schema: schemas.ExemplarsHeader.Schema, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	md := arrow.NewMetadata([]string{schemas.MetadataKey}, []string{string(header)})
	var fields []arrow.Field
	row := map[string]any{}
	for _, c := range []struct {
		name  string
		kind  arrow.DataType
		value any
	}{
		{"id", arrow.BinaryTypes.String, "n1/a.jpg"}, {"label", arrow.PrimitiveTypes.Int32, 3},
		{"grid_h", arrow.PrimitiveTypes.Int32, 1}, {"grid_w", arrow.PrimitiveTypes.Int32, 2}, {"patch_px", arrow.PrimitiveTypes.Int32, 1},
		{"patch_bits", arrow.BinaryTypes.Binary, []byte{2}}, {"pixels", arrow.BinaryTypes.Binary, []byte{7, 8, 9}},
		{"text_len", arrow.PrimitiveTypes.Int32, 2}, {"token_bits", arrow.BinaryTypes.Binary, []byte{}},
		{"tokens", arrow.ListOf(arrow.PrimitiveTypes.Uint16), []int{101, 102}}, {"codec", arrow.BinaryTypes.String, "raw"},
	} {
		fields, row[c.name] = append(fields, arrow.Field{Name: c.name, Type: c.kind}), c.value
	}
	body, err := json.Marshal([]any{row})
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema(fields, &md)
	record, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	file, err := os.Create(filepath.Join(t.TempDir(), "old.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := ipc.NewFileWriter(file, ipc.WithSchema(schema))
	if err := errors.Join(err, w.Write(record), w.Close()); err != nil {
		t.Fatal(err)
	}
	if body, err = os.ReadFile(file.Name()); err != nil {
		t.Fatal(err)
	}
	return body
}

// TestOldExemplars: files of version 1 are read, and hold raw pixels.
func TestOldExemplars(t *testing.T) {
	p := filepath.Join(t.TempDir(), "memory.arrow")
	if err := os.WriteFile(p, oldExemplars(t, 1), 0o666); err != nil {
		t.Fatal(err)
	}
	want := []schemas.Exemplar{{
		ID: "n1/a.jpg", Label: 3, Codec: schemas.CodecRaw, GridH: 1, GridW: 2, PatchPx: 1, PatchBits: []byte{2}, Pixels: []byte{7, 8, 9},
		TextLen: 2, Tokens: []uint16{101, 102},
	}}
	if got, err := schemas.ReadExemplars(p); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, not %+v (%v)", got, want, err)
	}
}

// A byte wrong anywhere gives an error or other values, never a panic or a lack of memory.
func TestExemplarsDamage(t *testing.T) {
	p := filepath.Join(t.TempDir(), "memory.arrow")
	if err := schemas.WriteExemplars(p, someExemplars(2)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 0x7F
		if err := os.WriteFile(p, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := schemas.ReadExemplars(p); err != nil {
			failed++
		}
	}
	if failed < 100 {
		t.Errorf("only %d damages of %d noticed", failed, len(good))
	}
}

func FuzzReadExemplars(f *testing.F) {
	dir := f.TempDir()
	p := filepath.Join(dir, "memory.arrow")
	for _, n := range []int{0, 1, 3} {
		if err := schemas.WriteExemplars(p, someExemplars(n)); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("ARROW1\x00\x00ARROW1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := os.WriteFile(p, body, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := schemas.ReadExemplars(p)
		if err == nil && len(got) > len(body) {
			t.Errorf("%d exemplars in %d bytes", len(got), len(body))
		}
	})
}

func TestRowsSchema(t *testing.T) {
	s, err := schemas.Rows([]string{"goldfish", "great_white_shark"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"image", "label", "caption", "id", "wnid", "class_name", "style", "width", "height", "orientation", "image_sha256", "caption_raw",
		"caption_model", "caption_prompt", "request_fingerprint", "caption_flags", "flag_values",
	}
	var got []string
	for _, f := range s.Fields() {
		got = append(got, f.Name)
		if !f.Nullable {
			t.Errorf("%s is not nullable: datasets would not honour its feature", f.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("columns %v, want %v", got, want)
	}
	if f := s.Field(schemas.ColImage).Type.String(); f != "struct<bytes: binary, path: utf8>" {
		t.Errorf("image is %s", f)
	}
	if s.Field(schemas.ColFlags).Name != "caption_flags" || s.Field(schemas.ColFlagValues).Name != "flag_values" || schemas.NumColumns != len(want) || s.Field(schemas.ColFingerprint).Name != "request_fingerprint" {
		t.Error("the column numbers are not those of the schema")
	}
	names, err := schemas.ClassNames(s.Metadata())
	if err != nil || !slices.Equal(names, []string{"goldfish", "great_white_shark"}) {
		t.Errorf("class names %v, %v", names, err)
	}
	features, err := schemas.Features([]string{"goldfish", "great_white_shark"})
	if err != nil || len(features) != len(want) {
		t.Fatalf("%d features, %v", len(features), err)
	}
	text, err := json.Marshal(map[string]any{"image": features["image"], "label": features["label"], "caption_flags": features["caption_flags"], "width": features["width"]})
	if err != nil || string(text) != `{"caption_flags":{"_type":"Sequence","feature":{"_type":"Value","dtype":"string"}},"image":{"_type":"Image"},`+
		`"label":{"_type":"ClassLabel","names":["goldfish","great_white_shark"]},"width":{"_type":"Value","dtype":"int32"}}` {
		t.Errorf("features %s, %v", text, err)
	}
	for _, name := range want {
		if features[name] == nil {
			t.Errorf("no feature for column %s", name)
		}
	}
	if _, err := schemas.Rows([]string{"crane", "crane"}); err == nil || !strings.Contains(err.Error(), `two classes are called "crane"`) {
		t.Errorf("two classes of one name: %v", err)
	}
	for words, md := range map[string]arrow.Metadata{
		`no "huggingface" metadata`: arrow.NewMetadata(nil, nil),
		"ClassLabel names":          arrow.NewMetadata([]string{"huggingface"}, []string{`{"info":{"features":{"label":{"dtype":"int64"}}}}`}),
		"metadata: ":                arrow.NewMetadata([]string{"huggingface"}, []string{`{`}),
	} {
		if _, err := schemas.ClassNames(md); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
}

func TestViLTSchema(t *testing.T) {
	s, err := schemas.ViLT([]string{"goldfish", "great_white_shark"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range s.Fields() {
		if !f.Nullable {
			t.Errorf("%s is not nullable", f.Name)
		}
		got = append(got, f.Name+" "+f.Type.String())
	}
	want := []string{
		"image binary", "text list<item: utf8, nullable>", "label int64", "image_id utf8", "split utf8", // ViLT's own come first
		"id utf8", "wnid utf8", "class_name utf8", "style utf8", "width int32", "height int32", "orientation int32", "image_sha256 utf8",
		"caption_raw utf8", "caption_model utf8", "caption_prompt utf8", "request_fingerprint utf8", "caption_flags list<item: utf8, nullable>",
		"flag_values list<item: float64, nullable>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("columns\n%q, want\n%q", got, want)
	}
	if names, err := schemas.ClassNames(s.Metadata()); err != nil || !slices.Equal(names, []string{"goldfish", "great_white_shark"}) {
		t.Errorf("class names %v, %v", names, err)
	}
	md := s.Metadata()
	if text, _ := md.GetValue("huggingface"); text != `{"info":{"features":{"label":{"_type":"ClassLabel","names":["goldfish","great_white_shark"]}}}}` {
		t.Errorf("huggingface metadata %s", text)
	}
	if text, _ := md.GetValue("mcil"); text != `{"schema":"mcil.vilt","version":2}` {
		t.Errorf("mcil metadata %s", text)
	}
	if _, err := schemas.ViLT([]string{"crane", "crane"}); err == nil {
		t.Error("two classes of one name pass")
	}
}

func TestBoundedAllocator(t *testing.T) {
	a := &schemas.BoundedAllocator{MaxBytes: 100}
	b := a.Allocate(100)
	if b = a.Reallocate(64, b); len(b) != 64 {
		t.Errorf("%d bytes, want 64", len(b))
	}
	for _, size := range []int{-1, 5000, 1 << 50} {
		for _, alloc := range []func(){func() { a.Allocate(size) }, func() { a.Reallocate(size, b) }} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%d bytes are allowed", size)
					}
				}()
				alloc()
			}()
		}
	}
}

// A schema's message, as an Arrow stream begins with it, less the 8 bytes before it.
func schemaMessage(t *testing.T, s *arrow.Schema) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(s))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[8 : 8+binary.LittleEndian.Uint32(b.Bytes()[4:])]
}

func TestCheckArrowMessage(t *testing.T) {
	s, err := schemas.Rows([]string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	good := schemaMessage(t, s)
	if n, err := schemas.CheckArrowMessage(good); n != 0 || err != nil {
		t.Errorf("a good schema: body of %d bytes, %v", n, err)
	}
	for n := range 16 {
		if _, err := schemas.CheckArrowMessage(good[:n]); err == nil {
			t.Errorf("%d bytes pass", n)
		}
	}
	// A vector of 16 columns that says it has very many is the damage that took all memory.
	found := 0
	for at := 0; at+4 <= len(good); at += 4 {
		if binary.LittleEndian.Uint32(good[at:]) != 16 {
			continue
		}
		bad := bytes.Clone(good)
		binary.LittleEndian.PutUint32(bad[at:], 0x7FFFFFF0)
		if _, err := schemas.CheckArrowMessage(bad); err != nil {
			found++
		}
	}
	if found == 0 {
		t.Error("a damaged number of columns passes")
	}
	// Whatever the rest is: no panic, and no negative length.
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 0xFF
		if n, err := schemas.CheckArrowMessage(bad); err == nil && n < 0 {
			t.Errorf("byte %d: body of %d bytes", at, n)
		}
	}
	deep := arrow.DataType(arrow.PrimitiveTypes.Int8)
	for range 70 {
		deep = arrow.ListOf(deep)
	}
	if _, err := schemas.CheckArrowMessage(schemaMessage(t, arrow.NewSchema([]arrow.Field{{Name: "x", Type: deep}}, nil))); err == nil {
		t.Error("a list of lists 70 deep passes")
	}
}
