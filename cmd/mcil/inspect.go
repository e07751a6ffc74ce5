package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
)

type inspectCmd struct {
	Path   string `arg:"" help:"A source, a caption store, a dataset or one of its shards, weights, a run, an exemplar memory (memory.arrow), or features made by mcil embed."`
	Row    string `placeholder:"ROW" help:"Show one row of a dataset or shard: its ID, or SPLIT/NUMBER such as train/0, or the NUMBER in a shard."`
	Verify bool   `help:"Read everything of a source, dataset or shard, check every digest, decode every picture, and say what is wrong."`
	JSON   bool   `help:"Print as JSON."`
}

func (c *inspectCmd) Validate() error {
	if c.Row != "" && c.Verify {
		return errors.New("--row and --verify: choose one")
	}
	return nil
}

// finding is what is known of a path: a line each, in order.
type finding struct {
	Kind  string `json:"kind"`
	Path  string `json:"path"`
	Facts []fact `json:"facts"`
	Data  any    `json:"data,omitempty"` // the same for machines, where there is more to it than the facts
}

type fact struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

func (f *finding) add(name string, value any) { f.Facts = append(f.Facts, fact{name, value}) }

func (c *inspectCmd) Run(ctx context.Context, e *env) error {
	if c.Verify {
		return c.verify(ctx, e)
	}
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(f)
	}
	return f.print(e.stdout)
}

func (c *inspectCmd) find(ctx context.Context) (*finding, error) {
	if c.Row != "" {
		return inspectRow(c.Path, c.Row)
	}
	return inspect(ctx, c.Path)
}

func (f *finding) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", f.Path, f.Kind)
	for _, x := range f.Facts {
		fmt.Fprintf(&b, "  %-18s %s\n", x.Name, printable(fmt.Sprint(x.Value)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable is text without what a terminal would obey: names and captions come from outside.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// inspect finds out what a path is by the files that only one kind of folder has.
func inspect(ctx context.Context, path string) (*finding, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file or folder: %w", path, dataset.ErrNoSource)
	}
	if kindOf(path) == nil && isCaptions(path) { // variants without captions beside them
		return inspectCaptions(ctx, path)
	}
	if k := kindOf(path); k != nil {
		var head schemas.Header // again, for the version
		if err := schemas.ReadJSON(filepath.Join(path, k.file), k.header, &head); err != nil {
			return nil, err
		}
		return k.inspect(ctx, path)
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.IsDir() && filepath.Base(path) == "memory.arrow":
		return inspectExemplars(path)
	case !info.IsDir() && (strings.HasSuffix(path, ".arrow") || strings.HasSuffix(path, ".parquet")):
		return inspectShard(path)
	case !info.IsDir() && isEmbedding(path):
		return inspectEmbedding(path)
	case layout.IsLayout(path):
		return inspectLayout(path)
	}
	return inspectSource(ctx, path)
}

// kind is a kind of folder that we write.
type kind struct {
	file    string
	header  schemas.Header
	inspect func(context.Context, string) (*finding, error)
}

// kindOf tells a folder of ours by the file that only its kind has; nil is something else.
func kindOf(path string) *kind {
	for _, k := range []kind{
		{"run.json", schemas.RunHeader, inspectRun},
		{"mcil.json", schemas.WeightsHeader, inspectWeights},
		{"manifest.json", schemas.CaptionsHeader, inspectCaptions},
		{"manifest.json", schemas.DatasetHeader, inspectDataset},
	} {
		var head schemas.Header
		b, err := os.ReadFile(filepath.Join(path, k.file))
		if err == nil && json.Unmarshal(b, &head) == nil && head.Schema == k.header.Schema {
			return &k
		}
	}
	return nil
}

func inspectSource(ctx context.Context, path string) (*finding, error) {
	s, err := source.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	f := &finding{Kind: "a source of pictures", Path: path}
	kind, _, _ := strings.Cut(s.Spec(), ":")
	f.add("form", kind)
	styles, perClass := map[string]int{}, map[int]int{}
	var size int64
	for _, e := range s.Entries() {
		styles[e.Style]++
		perClass[e.Label]++
		size += e.SizeBytes
	}
	counts := slices.Sorted(maps.Values(perClass))
	f.add("pictures", len(s.Entries()))
	f.add("bytes", size)
	f.add("classes", len(s.Classes()))
	f.add("pictures a class", fmt.Sprintf("%d to %d", counts[0], counts[len(counts)-1]))
	f.add("styles", byCount(styles))
	f.add("first class", s.Classes()[0].WNID+" "+s.Classes()[0].Name)
	parts := map[string]int{}
	for _, e := range s.Entries() {
		if e.Part != "" {
			parts[e.Part]++
		}
	}
	if len(parts) > 0 {
		f.add("own split", inOrder(parts))
	}
	if titled, ok := s.(dataset.Captioned); ok && hasText(titled) {
		f.add("own texts", "yes: mcil build needs no --captions")
	}
	f.refused(s.Refused())
	var classes []map[string]string // in label order
	for _, c := range s.Classes() {
		classes = append(classes, map[string]string{"wnid": c.WNID, "name": c.Name})
	}
	f.Data = map[string]any{
		"spec": s.Spec(), "pictures": len(s.Entries()), "bytes": size, "classes": classes, "styles": styles, "parts": parts,
		"refused": append([]schemas.Refusal{}, s.Refused()...),
	}
	return f, nil
}

func (f *finding) refused(refused []schemas.Refusal) {
	f.add("left out", len(refused))
	for _, r := range refused[:min(5, len(refused))] {
		f.add("", r.Name+": "+r.Reason)
	}
}

// byCount lists names with their counts, most first.
func byCount(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, n := range names[:min(12, len(names))] {
		parts = append(parts, fmt.Sprintf("%s %d", n, counts[n]))
	}
	if more := len(names) - 12; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func inspectWeights(_ context.Context, path string) (*finding, error) {
	var m schemas.WeightsManifest
	if err := schemas.ReadJSON(filepath.Join(path, "mcil.json"), schemas.WeightsHeader, &m); err != nil {
		return nil, err
	}
	f := &finding{Kind: "pretrained weights", Path: path}
	f.add("model", m.Settings["model"])
	f.add("data", m.Data)
	f.add("base classes", len(m.Classes))
	f.add("held-out accuracy", fmt.Sprintf("%.1f %%", 100*m.Accuracy))
	return f, nil
}

func inspectRun(_ context.Context, path string) (*finding, error) {
	var r schemas.Run
	if err := schemas.ReadJSON(filepath.Join(path, "run.json"), schemas.RunHeader, &r); err != nil {
		return nil, err
	}
	f := &finding{Kind: "a run", Path: path}
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		f.add(name, r.Settings[name])
	}
	var report schemas.Report
	err := schemas.ReadJSON(filepath.Join(path, "report.json"), schemas.ReportHeader, &report)
	if errors.Is(err, fs.ErrNotExist) {
		done, err := fs.Glob(os.DirFS(path), "phase-??")
		f.add("state", fmt.Sprintf("%d phases done; run mcil train again to go on", len(done)))
		return f, err
	}
	if err != nil {
		return nil, err
	}
	last := report.Phases[len(report.Phases)-1]
	f.add("state", "done")
	f.add("average accuracy", fmt.Sprintf("%.1f %%", 100*report.AverageAccuracy))
	f.add("last accuracy", fmt.Sprintf("%.1f %%", 100*report.LastAccuracy))
	f.add("forgetting", fmt.Sprintf("%.1f points", 100*report.Forgetting))
	f.add("exemplars a class", last.ExemplarsPerClass)
	f.add("memory", memoryText(last))
	return f, nil
}

func inspectExemplars(path string) (*finding, error) {
	exemplars, err := schemas.ReadExemplars(path)
	if err != nil {
		return nil, err
	}
	f := &finding{Kind: "an exemplar memory", Path: path}
	classes := map[int]int{}
	var used, full memory.Cost
	for _, e := range exemplars {
		classes[e.Label]++
		used, full = used.Plus(memory.CostOf(e)), full.Plus(memory.FullCost(e))
	}
	f.add("exemplars", len(exemplars))
	f.add("classes", len(classes))
	f.add("bytes", used.StoredBytes)
	f.add("bytes unmasked", full.StoredBytes)
	f.add("bytes of pixels", used.PixelBytes)
	f.add("bytes of pixels unmasked", full.PixelBytes)
	f.add("tokens", used.Tokens)
	f.add("tokens unmasked", full.Tokens)
	return f, nil
}
