package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Header is the beginning of every JSON file that mcil writes.
type Header struct {
	Schema  string `json:"schema"`  // what the file is, such as "mcil.dataset"
	Version int    `json:"version"` // of the schema, from 1
}

// The kinds of JSON files, with the newest version that this program writes and reads.
var (
	CaptionsHeader = Header{"mcil.captions", 1} // CAPTIONS/manifest.json
	DatasetHeader  = Header{"mcil.dataset", 3}  // DATASET/manifest.json
	WeightsHeader  = Header{"mcil.weights", 1}  // WEIGHTS/mcil.json
	RunHeader      = Header{"mcil.run", 1}      // RUN/run.json
	ReportHeader   = Header{"mcil.report", 1}   // RUN/report.json
	PhaseHeader    = Header{"mcil.phase", 1}    // RUN/phase-NN/phase.json
	ResultsHeader  = Header{"mcil.results", 1}  // REPORT/results.json
)

// The kinds of safetensors files, whose header is in their metadata.
var (
	PretrainHeader = Header{"mcil.pretrain", 1} // WEIGHTS/pretrain.safetensors
	TunerHeader    = Header{"mcil.tuner", 1}    // RUN/phase-NN/tuner.safetensors
	HalfwayHeader  = Header{"mcil.halfway", 1}  // RUN/halfway.safetensors
)

// ErrDamaged is what readers wrap for a file that is not whole or not of its format.
var ErrDamaged = errors.New("damaged")

// ErrRefused is wrapped where an input was understood and cannot be used.
var ErrRefused = errors.New("refused")

// UnsupportedError says that a file is not what was expected there, or is of a version that this program cannot read.
type UnsupportedError struct {
	Path string
	Want Header
	Got  Header
}

func (e *UnsupportedError) Error() string {
	if e.Got.Schema != e.Want.Schema {
		return fmt.Sprintf("%s: is not a %s file (its schema is %q)", e.Path, e.Want.Schema, e.Got.Schema)
	}
	if e.Got.Version < e.Want.oldest() {
		return fmt.Sprintf("%s: is %s version %d, and this mcil reads version %d and later: make it again with this mcil, or read it with an older one",
			e.Path, e.Got.Schema, e.Got.Version, e.Want.oldest())
	}
	return fmt.Sprintf("%s: is %s version %d, and this mcil reads up to version %d: use a newer mcil",
		e.Path, e.Got.Schema, e.Got.Version, e.Want.Version)
}

// ReadJSON reads the file at path into v after checking its header against want.
func ReadJSON(path string, want Header, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var got Header
	if err := json.Unmarshal(b, &got); err != nil {
		return fmt.Errorf("%s: damaged JSON: %w: %w", path, err, ErrDamaged)
	}
	if err := want.Check(path, got); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: damaged %s file: %w: %w", path, want.Schema, err, ErrDamaged)
	}
	return nil
}

// Check returns an [UnsupportedError] unless a file at path with the header got can be read where h is expected.
func (h Header) Check(path string, got Header) error {
	if got.Schema != h.Schema || got.Version > h.Version || got.Version < h.oldest() {
		return &UnsupportedError{Path: path, Want: h, Got: got}
	}
	return nil
}

// oldest is the oldest version that is still read. Older ones of datasets were never released: version 1 had one layout and
// one split file, version 2 no values of flags.
func (h Header) oldest() int {
	switch h.Schema {
	case DatasetHeader.Schema, RowsHeader.Schema:
		return 3
	case ViLTHeader.Schema:
		return 2
	}
	return 1
}

// Metadata is h as a safetensors file has it.
func (h Header) Metadata() map[string]string {
	return map[string]string{"schema": h.Schema, "version": strconv.Itoa(h.Version)}
}

// CheckMetadata is [Header.Check] for the metadata of a safetensors file.
func (h Header) CheckMetadata(path string, metadata map[string]string) error {
	version, _ := strconv.Atoi(metadata["version"]) // 0, which no version is, where it is no number
	return h.Check(path, Header{metadata["schema"], version})
}

// WriteJSON writes v, indented, to path by [WriteFile]. v must embed the right [Header].
func WriteJSON(path string, v any) error {
	return WriteFile(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	})
}

// WriteFile makes the file at path appear whole or not at all: write fills a temporary file beside it, which is synced
// and renamed. On an error the temporary file is removed and whatever stood at path is left alone.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes renames inside dir durable. File systems that cannot sync a folder are taken at their word.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// IsTemporary tells the names of what a killed [WriteFile] leaves behind: of any file, or of the named ones.
func IsTemporary(name string, of ...string) bool {
	base, _, found := strings.Cut(name, ".tmp-")
	base, hidden := strings.CutPrefix(base, ".")
	return found && hidden && (len(of) == 0 || slices.Contains(of, base))
}

// RemoveTemporary deletes what a killed [WriteFile] may have left in dir: of any file, or of the named ones. Call it only
// where one writer owns dir, or the files named.
func RemoveTemporary(dir string, of ...string) error {
	left, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range left {
		if !IsTemporary(d.Name(), of...) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, d.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
