package batch

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Options say what [Export] writes.
type Options struct {
	Source  dataset.Source
	Entries []dataset.Entry            // of the source, sorted by ID: those of [caption.Plan]
	Store   *caption.Store             // what has a caption there is left out; may be nil
	Requeue func(schemas.Caption) bool // captions to ask for once more, at the next rung of the ladder; nil: none
	Recipe  caption.Recipe             // what is asked
	Wire    Wire                       // how it is put
	Program schemas.Program            // for the manifest

	MaxBytes    int64 // of a file; default 190e6, below the Batch API's 200 MB
	MaxRequests int   // in a file; default 50,000, the Batch API's
	Workers     int   // pictures prepared at a time; default one for each core

	Progress func(done, total int) // after every picture, one call at a time; may be nil
}

func (o Options) withDefaults() Options {
	o.Recipe = o.Recipe.WithDefaults()
	o.MaxBytes = cmp.Or(max(0, o.MaxBytes), 190e6)
	o.MaxRequests = cmp.Or(max(0, o.MaxRequests), 50_000)
	o.Workers = cmp.Or(max(0, o.Workers), runtime.GOMAXPROCS(0))
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	if o.Requeue == nil {
		o.Requeue = func(schemas.Caption) bool { return false }
	}
	return o
}

// Export writes the requests for the entries that have no caption into dir, which must be empty or hold what a killed Export
// left. The same input gives the same bytes.
func Export(ctx context.Context, dir string, o Options) (Manifest, error) {
	o = o.withDefaults()
	m := Manifest{
		Header: manifestHeader, Source: o.Source.Spec(), Recipe: o.Recipe.Digest(), Asked: o.Recipe,
		Files: []File{}, Refused: []schemas.Refusal{}, Program: o.Program,
	}
	if err := claim(dir); err != nil {
		return m, err
	}
	rungs, err := emptied(o)
	if err != nil {
		return m, err
	}
	x := &export{Options: o, dir: dir, manifest: m, rungs: rungs, seen: map[[16]byte]struct{}{}}
	err = schemas.WriteFile(filepath.Join(dir, idsName), func(w io.Writer) error {
		ids := bufio.NewWriter(w)
		x.ids = json.NewEncoder(ids)
		x.ids.SetEscapeHTML(false)
		if err := x.ids.Encode(idsHeader); err != nil {
			return err
		}
		return errors.Join(x.files(ctx), ids.Flush())
	})
	if err != nil {
		return x.manifest, err
	}
	return x.manifest, schemas.WriteJSON(filepath.Join(dir, manifestName), x.manifest)
}

// emptied finds the pictures whose last answer was empty, with the rung to ask at next: the last one where there is no other.
func emptied(o Options) (map[dataset.ID]int, error) {
	rungs := map[dataset.ID]int{}
	if o.Store == nil || len(o.Recipe.Ladder) == 0 {
		return rungs, nil
	}
	for c, err := range o.Store.Failures() {
		if err != nil {
			return nil, err
		}
		if c.ErrorClass == string(caption.Empty) {
			rungs[dataset.ID(c.ID)] = min(c.Rung+1, len(o.Recipe.Ladder))
		}
	}
	return rungs, nil
}

var ours = regexp.MustCompile(`^batch-\d{4,}\.jsonl$`)

// claim makes dir ready: what a killed export left is removed, and anything else refuses it.
func claim(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("batch export: %w", err)
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("batch export: %w", err)
	}
	var left []string
	for _, d := range found {
		switch name := d.Name(); {
		case name == manifestName:
			return fmt.Errorf("batch export %s: holds an export already: import it, or choose another folder: %w", dir, ErrFolder)
		case d.Type().IsRegular() && (name == idsName || ours.MatchString(name) || schemas.IsTemporary(name)):
			left = append(left, name)
		default:
			return fmt.Errorf("batch export %s: holds %s: choose an empty folder: %w", dir, name, ErrFolder)
		}
	}
	for _, name := range left {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("batch export: %w", err)
		}
	}
	return nil
}

// export is one run of Export.
type export struct {
	Options
	dir      string
	manifest Manifest
	rungs    map[dataset.ID]int // of pictures whose last answer was empty: the next
	ids      *json.Encoder
	seen     map[[16]byte]struct{} // fingerprints that are asked, by half of their bytes
	held     []byte                // a request's line that found no room in its file
	done     int
}

// files writes file after file until no picture is left.
func (x *export) files(ctx context.Context) error {
	next, stop := x.prepared(ctx)
	defer stop()
	for more := true; more; {
		var err error
		if x.held, err = x.line(next); err != nil || x.held == nil {
			return err
		}
		file := File{Name: fmt.Sprintf(filePattern, len(x.manifest.Files)+1)}
		err = schemas.WriteFile(filepath.Join(x.dir, file.Name), func(w io.Writer) error {
			digest := sha256.New()
			out := bufio.NewWriterSize(io.MultiWriter(w, digest), 256<<10)
			more, err = x.fill(&file, out, next)
			if err := errors.Join(err, out.Flush()); err != nil {
				return err
			}
			file.SHA256 = hex.EncodeToString(digest.Sum(nil))
			return nil
		})
		if err != nil {
			return err
		}
		x.manifest.Files = append(x.manifest.Files, file)
		x.manifest.Requests += file.Requests
	}
	return nil
}

// fill writes lines, the held one first, until the next finds no room: more says that it is held then.
func (x *export) fill(file *File, w io.Writer, next func() (item, error)) (more bool, err error) {
	line := x.held
	x.held = nil
	for {
		if _, err := w.Write(line); err != nil {
			return false, err
		}
		file.Bytes += int64(len(line))
		file.Requests++
		if line, err = x.line(next); err != nil || line == nil {
			return false, err
		}
		if file.Bytes+int64(len(line)) > x.MaxBytes || file.Requests == x.MaxRequests {
			x.held = line
			return true, nil
		}
	}
}

// line is the next request that no other picture made already, or the held one; nil at the end. Every picture that is asked
// about goes to ids.jsonl on the way.
func (x *export) line(next func() (item, error)) ([]byte, error) {
	if line := x.held; line != nil {
		x.held = nil
		return line, nil
	}
	for {
		it, err := next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		x.done++
		x.Progress(x.done, len(x.Entries))
		switch {
		case it.refused != nil:
			x.manifest.Refused = append(x.manifest.Refused, schemas.Refusal{Name: it.ID, Reason: it.refused.Error()})
			continue
		case it.line == nil: // has a caption
			continue
		case int64(len(it.line)) > x.MaxBytes:
			x.manifest.Refused = append(x.manifest.Refused, schemas.Refusal{
				Name: it.ID, Reason: fmt.Sprintf("its request has %d bytes, and a file may have %d", len(it.line), x.MaxBytes),
			})
			continue
		}
		if err := x.ids.Encode(it.picture); err != nil {
			return nil, err
		}
		x.manifest.Pictures++
		key, err := half(it.Fingerprint)
		if err != nil {
			return nil, err
		}
		if _, twin := x.seen[key]; twin {
			continue
		}
		x.seen[key] = struct{}{}
		return it.line, nil
	}
}

// half is the first half of a hexadecimal SHA-256: enough to tell fingerprints apart, in half the memory.
func half(fingerprint string) (key [16]byte, err error) {
	b, err := hex.DecodeString(fingerprint)
	if err != nil || len(b) != sha256.Size {
		return key, fmt.Errorf("batch export: %q is no fingerprint", fingerprint)
	}
	return [16]byte(b), nil
}
