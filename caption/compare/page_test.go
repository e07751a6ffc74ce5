package compare

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
)

// pageOf writes the page of a result, and checks what every page must be.
func pageOf(t *testing.T, name string, r Result, o PageOptions) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "captions.html")
	if err := WritePage(t.Context(), path, r, o); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, name+".html", path)
	wellFormed(t, string(b))
	alone(t, string(b))
	for _, bad := range []string{"NaN", "Inf", "%!", "&lt;no value", "ZgotmplZ"} {
		if strings.Contains(regexp.MustCompile(`base64,[^"]+`).ReplaceAllString(string(b), ""), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	return string(b)
}

// wellFormed holds the page to XML's rules, which are stricter than HTML's: every element closed, every attribute quoted.
func wellFormed(t *testing.T, s string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("page: %v", err)
			return
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		has := func(name string) bool {
			return slices.ContainsFunc(start.Attr, func(a xml.Attr) bool { return a.Name.Local == name && a.Value != "" })
		}
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("page: handler %s=%q", a.Name.Local, a.Value)
			}
			if a.Name.Local == "id" {
				if ids[a.Value] {
					t.Errorf("page: id %q twice", a.Value)
				}
				ids[a.Value] = true
			}
		}
		switch start.Name.Local {
		case "script", "img", "iframe", "link", "object":
			t.Errorf("page: has a <%s>", start.Name.Local)
		case "th":
			if !has("scope") {
				t.Error("page: th without scope")
			}
		case "svg":
			if !has("aria-label") && !has("aria-hidden") {
				t.Error("page: svg without a text")
			}
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(s, -1) {
		if !ids[m[1]] {
			t.Errorf("page: nothing has the id %q", m[1])
		}
	}
}

// alone checks that the page asks for nothing outside itself.
func alone(t *testing.T, s string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?i)<[^>]*\b(?:src|href|action|data|poster|srcset)\s*=\s*"([^"]*)"`).FindAllStringSubmatch(s, -1) {
		if !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "data:image/jpeg;base64,") {
			t.Errorf("the page refers to %.80q", m[1])
		}
	}
	for _, bad := range []string{"@import", "url(", "<link", "<script", "<iframe", "<img"} {
		if strings.Contains(s, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

// two is a store of two variants with every kind of trouble, over drawn pictures.
func two(t *testing.T) (string, dataset.Source) {
	t.Helper()
	s := drawnSource(t, 4, 12)
	long, short := describe(t, s)
	dir := t.TempDir()
	write(t, dir, "", "Salesforce/instructblip-vicuna-7b", "Write a detailed description.", long)
	write(t, dir, "short", "Salesforce/instructblip-flan-t5-xl", "a photo of", short)
	return dir, s
}

// few shows few pictures, unless a person will look at the page.
func few(o Options) Options {
	if os.Getenv("COMPARE_PAGES") == "" {
		o.Worst, o.Changed, o.Sample = 2, 10, 2
	}
	return o
}

func TestPage(t *testing.T) {
	dir, s := two(t)
	r, err := Stores(t.Context(), few(Options{Dir: dir, Source: s}))
	if err != nil {
		t.Fatal(err)
	}
	page := pageOf(t, "two", r, PageOptions{Source: s})
	for _, want := range []string{
		"<h1>Captions compared</h1>", "2 variants of captions for the pictures of imagenet-r:pictures",
		"On the 44 pictures that both main and short describe", "<h2 id=\"changed\">", "<h2 id=\"leakage\">", "<code>repetition</code>",
		"&lt;script&gt;alert(1)&lt;/script&gt;", `<mark class="m1">The image features</mark>`, `<b class="named">starfish</b>`,
		"no text", `<code>timeout</code>`, "500 Internal Server Error", "Изображение", "as answered",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// Every picture is there once, however often it is shown.
	pictures := regexp.MustCompile(`<image id="(p\d+)" width="(\d+)" height="(\d+)" href="data:image/jpeg;base64,([^"]+)"/>`).FindAllStringSubmatch(page, -1)
	if n := strings.Count(page, "<use "); len(pictures) < 10 || n <= len(pictures) || len(pictures) > 48 {
		t.Errorf("%d pictures in %d places", len(pictures), n)
	}
	for _, p := range pictures {
		b, err := base64.StdEncoding.DecodeString(html.UnescapeString(p[4]))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := jpeg.DecodeConfig(strings.NewReader(string(b))); err != nil || max(c.Width, c.Height) > thumbnailPx {
			t.Errorf("picture %s: %d by %d, %v", p[1], c.Width, c.Height, err)
		}
	}
	if again := pageOf(t, "again", r, PageOptions{Source: s}); again != page {
		t.Error("the same result gives another page")
	}
	if page := pageOf(t, "bare", r, PageOptions{Title: hostile}); strings.Contains(page, "data:image") || strings.Contains(page, `class="picture"`) {
		t.Error("without a source there are no pictures")
	}
}

func TestPageOfOneVariant(t *testing.T) {
	dir, s := two(t)
	r, err := Stores(t.Context(), few(Options{Dir: dir, Source: s, Variants: []string{""}}))
	if err != nil {
		t.Fatal(err)
	}
	page := pageOf(t, "one", r, PageOptions{Source: s})
	for _, want := range []string{
		"<h1>Captions</h1>", "46 of 48 pictures of imagenet-r:pictures have a caption by Salesforce/instructblip-vicuna-7b.", "name their class.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{`id="changed"`, `id="agreement"`, "ROUGE", "Jaccard"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page of one variant contains %q", bad)
		}
	}
}

func TestPageOfThreeVariants(t *testing.T) {
	dir, s := two(t)
	long, _ := describe(t, s)
	for i := range long {
		long[i].raw = strings.Replace(long[i].raw, "The image features", "This picture shows", 1)
	}
	write(t, dir, "this-picture", "Salesforce/instructblip-vicuna-13b", "Describe.", long)
	r, err := Stores(t.Context(), few(Options{Dir: dir, Source: s}))
	if err != nil {
		t.Fatal(err)
	}
	page := pageOf(t, "three", r, PageOptions{})
	if n := strings.Count(page, `<article class="card two">`); n != 30 && os.Getenv("COMPARE_PAGES") == "" {
		t.Errorf("%d changed captions of three pairs, want 30", n)
	}
	for _, want := range []string{
		"3 variants", `<mark class="m1">The image features</mark>`, `<mark class="m3">This picture shows</mark>`, "main and this-picture", "<details>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "", "m", "", nil)
	write(t, dir, "main", "m2", "", []outcome{{id: "n1/a.jpg", errorClass: "server", raw: hostile}})
	r, err := Stores(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	page := pageOf(t, "nothing", r, PageOptions{})
	if !strings.Contains(page, "(main)") || !strings.Contains(page, "No caption carries a flag.") || !strings.Contains(page, `\u202e`) {
		t.Error("an empty store has a page, too")
	}
	pageOf(t, "zero", Result{}, PageOptions{})
}

// What stands in a file name, a class or a manifest is text.
func TestPageEscapes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", "b"} {
		write(t, dir, name, hostile, "describe", []outcome{
			{id: "n1/" + hostile, sha256: "x", raw: hostile + name, attempts: 1}, {id: "n2/" + hostile, sha256: "y", errorClass: hostile, raw: hostile},
		})
	}
	r, err := Stores(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r.Source = hostile
	for i := range r.Variants {
		v := &r.Variants[i]
		v.Name, v.Prompt, v.Revision, v.Picture, v.Reveals = v.Name+hostile, hostile, hostile, hostile, []string{hostile}
		v.Decoding, v.Ladder = map[string]any{hostile: hostile}, []map[string]any{{hostile: hostile}}
		v.Flags = append(v.Flags, Flag{Name: hostile, Captions: 1, Worst: []Example{{ID: hostile, ClassName: hostile, Text: hostile, Raw: hostile + "\x00\u202e"}}})
		v.Leakage = &Leakage{Classes: []ClassLeakage{{Name: hostile}}}
		v.Leakage.Classes[0].Named, v.Leakage.Classes[0].WNID = 1, hostile
	}
	r.Pairs[0].A, r.Pairs[0].B = r.Variants[0].Name, r.Variants[1].Name
	r.Pairs[0].Flags = []Moved{{Name: hostile}}
	pageOf(t, "hostile", r, PageOptions{Title: hostile})
}

func TestPageOfMissingPictures(t *testing.T) {
	dir, s := two(t)
	r, err := Stores(t.Context(), Options{Dir: dir, Source: s, Changed: 2, Worst: -1, Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Pairs[0].Changed[0].ImageSHA256 = strings.Repeat("0", 64)
	r.Pairs[0].Changed[1].ID = "n0/none.jpg"
	page := pageOf(t, "missing", r, PageOptions{Source: s})
	if !strings.Contains(page, "the file has changed since") || !strings.Contains(page, "not in the source") || strings.Count(page, "<image ") != 1 {
		t.Error("a picture that is not there must be told")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "captions.html")
	if err := WritePage(ctx, path, r, PageOptions{Source: s}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a page that was given up was written")
	}
}
