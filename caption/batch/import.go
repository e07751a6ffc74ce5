package batch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// ImportOptions say where answers go.
type ImportOptions struct {
	Store    *caption.Store // from CreateStore, with the recipe of the export
	Wire     Wire           // how answers are read
	Endpoint string         // who answered, as records name it; default "batch"

	MaxLineBytes int // longer lines are damaged ones; default 16 MiB
	Problems     int // lines with a problem that are kept for the result; default 20

	Progress func(lines int) // after every line; may be nil
}

// Imported says what [Import] found. Captions, Failures and Known count pictures, the others lines.
type Imported struct {
	Lines    int                   `json:"lines"`
	Captions int                   `json:"captions"` // that were added
	Failures map[caption.Class]int `json:"failures"` // that were added
	Known    int                   `json:"known"`    // had this outcome, or a caption, already
	Unknown  int                   `json:"unknown"`  // of a custom_id that was not exported
	Damaged  int                   `json:"damaged"`
	Problems []Problem             `json:"problems"` // the first of the unknown and damaged lines; never null

	Missing int                   `json:"missing"` // pictures of the export without a caption in the store, after the import
	Left    map[caption.Class]int `json:"left"`    // of these, those that failed, by class; the others were not answered

	PromptTokens     int `json:"prompt_tokens"` // of the captions that were added
	CompletionTokens int `json:"completion_tokens"`
}

// Problem is a line that could not be used.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Reason) }

// Import adds the answers in files to the store, for the pictures of the export at dir. The files are read in the order
// given; where two lines answer the same request, the first caption stays, and a caption goes before a failure.
func Import(ctx context.Context, dir string, files []string, o ImportOptions) (Imported, error) {
	o.Endpoint = cmp.Or(o.Endpoint, "batch")
	o.MaxLineBytes = cmp.Or(max(0, o.MaxLineBytes), 16<<20)
	o.Problems = cmp.Or(max(0, o.Problems), 20)
	r := &importer{ImportOptions: o, failed: map[[16]byte]struct{}{}, result: Imported{Failures: map[caption.Class]int{}, Left: map[caption.Class]int{}, Problems: []Problem{}}}
	m, err := Open(dir)
	if err != nil {
		return r.result, err
	}
	if recipe := o.Store.Manifest().Recipe; m.Recipe != recipe {
		return r.result, fmt.Errorf("batch export %s: asks by recipe %.12s, and the store holds answers to %.12s: import into the store of that recipe: %w",
			dir, m.Recipe, recipe, caption.ErrOtherRecipe)
	}
	r.recipe = m.Recipe
	if r.index, err = openIndex(dir, m); err != nil {
		return r.result, err
	}
	defer r.index.close()
	for c, err := range o.Store.Failures() {
		if err != nil {
			return r.result, err
		}
		r.failed[failureKey(c)] = struct{}{}
	}
	for _, file := range files {
		if err := r.file(ctx, file); err != nil {
			return r.result, err
		}
	}
	return r.result, r.outstanding()
}

// outstanding counts what the export asked for and the store has no caption of.
func (r *importer) outstanding() error {
	missing := map[[16]byte]struct{}{} // IDs, by half of their digest
	for p, err := range r.index.all() {
		if err != nil {
			return err
		}
		_, ok, err := r.Store.Lookup(dataset.ID(p.ID), p.ImageSHA256)
		if err != nil {
			return err
		}
		if !ok {
			missing[idKey(p.ID)] = struct{}{}
		}
	}
	r.result.Missing = len(missing)
	for c, err := range r.Store.Failures() {
		if err != nil {
			return err
		}
		if _, ok := missing[idKey(c.ID)]; ok {
			r.result.Left[caption.Class(c.ErrorClass)]++
		}
	}
	return nil
}

func idKey(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:])
}

type importer struct {
	ImportOptions
	recipe string
	index  *index
	failed map[[16]byte]struct{} // failures that the store has
	result Imported
}

// failureKey tells failures of a picture apart, so that the same one is not added again.
func failureKey(c schemas.Caption) [16]byte {
	sum := sha256.Sum256([]byte(strings.Join([]string{c.ID, c.Fingerprint, c.ErrorClass, c.Error}, "\x00")))
	return [16]byte(sum[:])
}

func (r *importer) file(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("batch answers: %w", err)
	}
	defer f.Close()
	for l, err := range lines(f, r.MaxLineBytes) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.As(err, new(readError)) {
			return fmt.Errorf("batch answers: %w", err)
		}
		r.result.Lines++
		var answered result
		if err == nil {
			answered, err = parse(l.text)
		}
		if err != nil {
			r.result.Damaged++
			r.problem(name, l.n, err.Error())
		} else if err := r.take(name, l.n, answered); err != nil {
			return err
		}
		if r.Progress != nil {
			r.Progress(r.result.Lines)
		}
	}
	return nil
}

func (r *importer) problem(file string, line int, reason string) {
	if len(r.result.Problems) < r.Problems {
		r.result.Problems = append(r.result.Problems, Problem{file, line, reason})
	}
}

// take adds what a line says of its pictures. Its error ends the import.
func (r *importer) take(file string, line int, answered result) error {
	answer, failure := answered.outcome(r.Wire)
	first := true
	for p, err := range r.index.pictures(answered.CustomID) {
		if err != nil {
			return fmt.Errorf("batch export: %w", err)
		}
		if err := r.add(p, answer, failure, first); err != nil {
			return err
		}
		first = false
	}
	if first {
		r.result.Unknown++
		r.problem(file, line, fmt.Sprintf("custom_id %.80q was not exported", answered.CustomID))
	}
	return nil
}

// recordTime is as journals have it: RFC 3339 in UTC with a fixed width, so that text order is time order.
const recordTime = "2006-01-02T15:04:05.000000Z"

// add appends an outcome for a picture, unless the store has it. Of pictures that share a request the first has its call and
// its tokens.
func (r *importer) add(p picture, a caption.Answer, failure *caption.Error, first bool) error {
	had, ok, err := r.Store.Lookup(dataset.ID(p.ID), p.ImageSHA256)
	if err != nil {
		return err
	}
	if ok && (failure != nil || had.Rung >= p.Rung) {
		r.result.Known++
		return nil
	}
	c := schemas.Caption{
		Version: 1, ID: p.ID, ImageSHA256: p.ImageSHA256, Recipe: r.recipe, Fingerprint: p.Fingerprint, Rung: p.Rung,
		Endpoint: r.Endpoint, Time: time.Now().UTC().Format(recordTime),
	}
	if first {
		c.Attempts = 1
	}
	if failure != nil {
		c.Status, c.ErrorClass, c.HTTPStatus, c.Error = schemas.CaptionFailed, string(failure.Class), failure.Status, failure.Error()
		key := failureKey(c)
		if _, ok := r.failed[key]; ok {
			r.result.Known++
			return nil
		}
		r.failed[key] = struct{}{}
		r.result.Failures[failure.Class]++
		return r.Store.Append(c)
	}
	c.Status, c.Raw, c.FinishReason, c.Model = schemas.CaptionOK, a.Raw, a.FinishReason, a.Model
	if first {
		c.PromptTokens, c.CompletionTokens = a.PromptTokens, a.CompletionTokens
		r.result.PromptTokens += a.PromptTokens
		r.result.CompletionTokens += a.CompletionTokens
	}
	r.result.Captions++
	return r.Store.Append(c)
}
