package vilt

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkLoad loads ViLT-B/32 (446 MB; tiny with -short) in each format. It prints how long that takes by the time of
// reading the file's bytes into new memory (x-reading: at most 1.5), and by how much this program's memory grows at most by
// the size of the file (x-size: at most 1.2; Linux only).
func BenchmarkLoad(b *testing.B) {
	preset := "vilt-b32"
	if testing.Short() {
		preset = "tiny"
	}
	c, err := Preset(preset)
	if err != nil {
		b.Fatal(err)
	}
	c.Vocab = 30522
	for _, format := range []struct {
		name, file string
		write      func(path string, tensors []*Tensor) error
	}{
		{"safetensors", WeightsFile, func(path string, tensors []*Tensor) error { return WriteSafetensors(path, tensors, nil) }},
		{"torch", TorchFile, func(path string, tensors []*Tensor) error { return writeTorch(path, tensors, zipped) }},
		{"torch-before-1.6", TorchFile, func(path string, tensors []*Tensor) error { return writeTorch(path, tensors, legacy) }},
	} {
		b.Run(format.name, func(b *testing.B) {
			dir := b.TempDir()
			file := filepath.Join(dir, format.file)
			if err := WriteConfig(filepath.Join(dir, ConfigFile), c); err != nil {
				b.Fatal(err)
			}
			if err := format.write(file, apart(newWeights(c).tensors, c.Width)); err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(file)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			var reading, loading time.Duration
			most, rounds := 0.0, 0
			for b.Loop() {
				debug.FreeOSMemory()
				start := time.Now()
				if _, err := os.ReadFile(file); err != nil {
					b.Fatal(err)
				}
				reading += time.Since(start)
				debug.FreeOSMemory()
				before := resident(b, true)
				start = time.Now()
				w, err := Load(dir)
				loading += time.Since(start)
				if err != nil {
					b.Fatal(err)
				}
				most = max(most, float64(resident(b, false)-before)/float64(info.Size()))
				runtime.KeepAlive(w)
				rounds++
			}
			b.ReportMetric(loading.Seconds()/reading.Seconds(), "x-reading")
			b.ReportMetric(float64(loading.Milliseconds())/float64(rounds), "load-ms")
			if most > 0 {
				b.ReportMetric(most, "x-size")
			}
		})
	}
}

// resident is the most memory that this program has had since the mark was last reset, bytes; 0 where /proc does not tell.
func resident(b *testing.B, reset bool) int {
	if reset {
		if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
			return 0
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return kB << 10
		}
	}
	return 0
}

// writeTorch writes tensors to path in one of torch.save's formats.
func writeTorch(path string, tensors []*Tensor, format func(w io.Writer, tensors []*Tensor) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := format(w, tensors); err != nil {
		return err
	}
	return w.Flush()
}

// viewsOf are tensors with a storage each, called 0, 1, ….
func viewsOf(tensors []*Tensor) (views []view) {
	for i, t := range tensors {
		views = append(views, view{name: t.Name, key: fmt.Sprint(i), values: len(t.Data), shape: t.Shape, stride: rowMajor(t.Shape)})
	}
	return views
}

// zipped writes the format of torch.save since 1.6, which the published weights have.
func zipped(w io.Writer, tensors []*Tensor) error {
	z := zip.NewWriter(w)
	record := func(name string, content any) error {
		r, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err != nil {
			return err
		}
		return binary.Write(r, binary.LittleEndian, content)
	}
	if err := record("data.pkl", dict(viewsOf(tensors)...)); err != nil {
		return err
	}
	for i, t := range tensors {
		if err := record(fmt.Sprint("data/", i), t.Data); err != nil {
			return err
		}
	}
	return z.Close()
}

// legacy writes the older format of torch.save.
func legacy(w io.Writer, tensors []*Tensor) error {
	p := &pickler{Buffer: *bytes.NewBufferString("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.")}
	views := viewsOf(tensors)
	p.Write(dict(views...))
	p.WriteString("\x80\x02](")
	for _, v := range views {
		p.text(v.key)
	}
	p.WriteString("e.")
	if _, err := w.Write(p.Bytes()); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := binary.Write(w, binary.LittleEndian, uint64(len(t.Data))); err != nil {
			return err
		}
		if err := binary.Write(w, binary.LittleEndian, t.Data); err != nil {
			return err
		}
	}
	return nil
}
