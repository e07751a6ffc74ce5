package schemas_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/schemas"
)

// smallFile is an Arrow IPC file of two batches of one column, 7 and null, and 9.
func smallFile(t *testing.T, o ...ipc.Option) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := ipc.NewFileWriter(f, append(o, ipc.WithSchema(schema))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range [][]int64{{7, 0}, {9}} {
		b := array.NewInt64Builder(memory.DefaultAllocator)
		b.AppendValues(values, []bool{true, false}[:len(values)])
		column := b.NewArray()
		if err := w.Write(array.NewRecord(schema, []arrow.Array{column}, int64(len(values)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestReadArrowMessage(t *testing.T) {
	content := smallFile(t)
	size := int64(len(content))
	length, err := schemas.ArrowFooterBytes(content, size)
	if err != nil {
		t.Fatal(err)
	}
	blocks, dictionaries, err := schemas.ReadArrowFooter(content[size-10-length : size-10])
	if err != nil || dictionaries != 0 || len(blocks) != 2 {
		t.Fatalf("%d blocks, %d dictionaries, %v", len(blocks), dictionaries, err)
	}
	for i, want := range []struct {
		node   schemas.ArrowNode
		number int64
	}{{schemas.ArrowNode{Values: 2, Nulls: 1}, 7}, {schemas.ArrowNode{Values: 1}, 9}} {
		message := content[blocks[i].Offset:]
		length := int64(binary.LittleEndian.Uint32(message[4:]))
		m, err := schemas.ReadArrowMessage(message[8 : 8+length])
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != schemas.ArrowBatch || m.Rows != want.node.Values || !slices.Equal(m.Nodes, []schemas.ArrowNode{want.node}) || m.Compressed {
			t.Errorf("batch %d: %+v", i, m)
		}
		if m.BodyBytes != blocks[i].BodyBytes || blocks[i].DescriptionBytes < 8+length || len(m.Buffers) != 2 {
			t.Fatalf("batch %d: %+v in %+v", i, m, blocks[i])
		}
		body := message[blocks[i].DescriptionBytes:]
		if n := binary.LittleEndian.Uint64(body[m.Buffers[1].Offset:]); int64(n) != want.number || m.Buffers[1].Bytes < 8 {
			t.Errorf("batch %d begins with %d, want %d", i, n, want.number)
		}
	}
	compressed := smallFile(t, ipc.WithZstd())
	at := bytes.LastIndex(compressed, []byte("\xFF\xFF\xFF\xFF"))
	m, err := schemas.ReadArrowMessage(compressed[at+8 : at+8+int(binary.LittleEndian.Uint32(compressed[at+4:]))])
	if err != nil || !m.Compressed {
		t.Errorf("compressed: %+v, %v", m, err)
	}
	for at := range content[size-10-length : size-10] { // no panic, and no more blocks than there is room for
		bad := bytes.Clone(content[size-10-length : size-10])
		bad[at] ^= 0x7F
		if blocks, _, err := schemas.ReadArrowFooter(bad); err == nil && len(blocks) > len(bad)/24 {
			t.Errorf("byte %d: %d blocks", at, len(blocks))
		}
	}
	for n := range tail {
		if _, err := schemas.ArrowFooterBytes(content[:n], int64(n)); err == nil {
			t.Errorf("%d bytes have a footer", n)
		}
	}
}

const tail = 10 // bytes after a footer
