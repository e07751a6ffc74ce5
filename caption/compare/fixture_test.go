package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/schemas"
)

// outcome is what a store of a test is to hold for a picture. An empty error class is a caption.
type outcome struct {
	id, sha256, raw, finish, errorClass string
	rung, attempts, in, out             int
	ms                                  int64
}

// write makes a store of a variant. Its IDs need not be sorted.
func write(t testing.TB, dir, variant, model, prompt string, outcomes []outcome) {
	t.Helper()
	folder, err := caption.VariantDir(dir, variant)
	if err != nil {
		t.Fatal(err)
	}
	recipe := caption.Recipe{Model: model, Prompt: prompt, Variant: variant}
	s, err := caption.CreateStore(folder, recipe, "imagenet-r:pictures", schemas.Program{Name: "mcil", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		c := schemas.Caption{
			Version: 1, ID: o.id, ImageSHA256: o.sha256, Recipe: s.Manifest().Recipe, Fingerprint: "00", Status: schemas.CaptionOK,
			Raw: o.raw, FinishReason: o.finish, Rung: o.rung, Model: model, PromptTokens: o.in, CompletionTokens: o.out,
			Attempts: o.attempts, LatencyMS: o.ms, Time: fmt.Sprintf("2026-01-02T03:04:05.%06dZ", i),
		}
		if o.errorClass != "" {
			c.Status, c.ErrorClass, c.Error = schemas.CaptionFailed, o.errorClass, o.raw
			c.Raw = ""
		}
		if err := s.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// drawnSource is a folder of drawn pictures.
func drawnSource(t testing.TB, classes, perClass int) dataset.Source {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pictures")
	if err := synth.Write(context.Background(), dir, synth.Options{Classes: classes, PerClass: perClass}); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// hostile is what a page must not take for its own.
const hostile = `</style></title><script>alert(1)</script>"'><img src=x onerror=alert(2)>{{.}}<!-- javascript:alert(3) ` + "\u202e`"

// describe makes captions of a source with every kind of trouble: long ones in the first variant, and short ones.
func describe(t testing.TB, s dataset.Source) (long, short []outcome) {
	t.Helper()
	const ask = "Write a detailed description."
	places := []string{"on a wooden table", "in tall grass", "before a pale blue wall", "under an evening sky", "beside a stone path"}
	looks := []string{"calm", "bright", "rather worn", "carefully drawn", "almost abstract", "cheerful"}
	for i, e := range s.Entries() {
		encoded, err := s.Read(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(s.Classes()[e.Label].Name, "_", " ")
		what := name
		if i%3 != 0 {
			what = "figure"
		}
		place, look := places[i%len(places)], looks[i%len(looks)]
		a := outcome{id: string(e.ID), sha256: dataset.Digest(encoded), finish: "stop", attempts: 1, in: 290, out: 60 + i%17, ms: int64(900 + i*37%400)}
		a.raw = fmt.Sprintf("The image features a %s of a %s %s. It looks %s, and its outline is clear against the background.", e.Style, what, place, look)
		if i%2 == 0 {
			a.raw += fmt.Sprintf(" There are %d smaller shapes around it, which lead the eye to the %s in the middle.", 2+i%4, what)
		}
		b := a
		b.out, b.ms = 12+i%5, int64(300+i*29%150)
		b.raw = fmt.Sprintf("a %s of a %s %s", e.Style, name, place)
		switch i % 23 {
		case 3:
			a.raw = "The image features a " + strings.Repeat("fin and a tail and a ", 30) + "fin and a"
			a.finish = "length"
		case 5:
			a.raw = ask + " " + a.raw
		case 7:
			b.raw, b.rung, b.attempts = "a picture of", 1, 2
		case 9:
			b.raw = "</s>"
		case 11:
			a.raw = a.raw[:60] + " of the"
		case 13:
			b.raw = "O" + strings.Repeat("o", 40)
		case 15:
			a.raw = "Изображение показывает " + name + " on a table"
		case 17:
			b.raw = "a drawing"
		case 19:
			b.errorClass, b.raw = "timeout", "endpoint http://127.0.0.1:1/v1: no answer within 120 s"
		case 20:
			a.errorClass, a.raw = "server", "500 Internal Server Error: "+hostile
		case 21:
			a.raw = "The image shows " + hostile
		}
		long, short = append(long, a), append(short, b)
	}
	return long, short
}

// keep keeps a page where a person may look at it: COMPARE_PAGES names a folder.
func keep(t testing.TB, name, path string) {
	t.Helper()
	if dir := os.Getenv("COMPARE_PAGES"); dir != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
