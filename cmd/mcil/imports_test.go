package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mcil/mcil"

// levels is the order of the rooms: a package imports lower levels only. What is between a level's packages is a rule
// of its own below.
var levels = map[string]int{
	"cmd/mcil":              9,
	"train":                 8,
	"train/report":          8,
	"train/peers":           8,
	"train/method":          7,
	"caption/openai":        6,
	"caption/pool":          6,
	"caption/batch":         6,
	"caption/compare":       6,
	"caption/peers":         6,
	"caption/builtin":       6,
	"caption/captiontest":   6,
	"train/tune":            6,
	"caption":               5,
	"train/vilt":            5,
	"train/memory":          5,
	"dataset/verify":        4,
	"dataset/build":         4,
	"train/hub":             4,
	"dataset/source":        3,
	"dataset/split":         3,
	"dataset/layout":        3,
	"dataset/synth":         3,
	"dataset/datasettest":   3,
	"train/op":              3,
	"dataset":               2,
	"dataset/picture":       1,
	"dataset/cache":         1,
	"dataset/leakage":       1,
	"schemas":               0,
	"train/kernel":          1, // with -tags openblas alone it imports anything of ours
	"train/kernel/openblas": 0,
}

// never are pairs that must not be, however far apart their levels are, tests included. A name covers what is below it.
var never = []struct{ from, to, reason string }{
	{"dataset", "caption", "data outlives methods: a dataset does not know how its captions came about"},
	{"dataset", "train", "data outlives methods: a dataset does not know what learns from it"},
	{"caption", "train", "captioning and training meet only through files"},
	{"train", "caption", "captioning and training meet only through files"},
	{"dataset/leakage", "dataset", "what captions give away is a matter of texts and labels: no data set is needed to test it"},
	{"train/memory", "train/vilt", "selection and masking take plain slices, so they are tested without a network"},
	{"train/memory", "train/op", "selection and masking take plain slices, so they are tested without a network"},
	{"train/memory", "train/kernel", "selection and masking take plain slices, so they are tested without a network"},
	{"train/report", "train/vilt", "a report is made of files, on a machine without the model"},
	{"train/report", "dataset", "a report is made of files, on a machine without the data"},
	{"train/hub", "dataset", "weights come by wire, whatever learns on what"},
	{"train/hub", "train/vilt", "what is fetched is files: what they hold is read elsewhere"},
	{"train/kernel", "schemas", "the arithmetic knows numbers only"},
	{"schemas", "dataset", "the contracts know none of their users"},
}

// only says which of our packages may import a foreign one (or one below its path).
var only = []struct {
	foreign string
	by      []string
	reason  string
}{
	{"gorgonia.org", []string{"train/op", "train/vilt", "train/tune", "train/method", "train"}, "the engine can be replaced where the graph is built, and nowhere else"},
	{"github.com/apache/arrow", []string{"schemas", "dataset/layout"}, "others read rows, not columns: the format can change in two places"},
	{"github.com/sashabaranov/go-openai", []string{"caption/openai"}, "the embedded endpoint is written to the protocol, not to the client that is tested against it"},
	{"github.com/alecthomas/kong", []string{"cmd/mcil"}, "flags are the program's"},
	{"github.com/schollz/progressbar", []string{"cmd/mcil"}, "what is shown is the program's"},
	{"gopkg.in/yaml.v3", []string{"cmd/mcil", "dataset/split", "dataset/layout"}, "packages take structs: YAML is for files of settings, CODA-Prompt's splits and the Hub's dataset cards"},
	{"github.com/disintegration/imaging", []string{"dataset", "dataset/picture", "dataset/synth", "caption"}, "pictures are decoded and resized in one place for each use"},
	{"github.com/ebitengine/purego", []string{"train/kernel/openblas"}, "a library of the system is loaded in one place, and who imports it is no static binary any more"},
	{"flag", []string{"cmd/mcil"}, "options are passed in"},
	{"log", []string{"cmd/mcil", "caption/openai"}, "there is no process-wide log: a *slog.Logger or a callback is passed in; caption/openai hides its key from whoever logs it"},
	{"os/signal", []string{"cmd/mcil"}, "packages stop when their ctx ends"},
}

type goPackage struct {
	ImportPath                         string
	Dir                                string
	GoFiles                            []string
	IgnoredGoFiles                     []string
	Imports, TestImports, XTestImports []string
}

// packages lists the module's packages by their path in it, with all that a build tag of the program adds.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	out := goCommand(t, "list", "-tags=openblas", "-json=ImportPath,Dir,GoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports", module+"/...")
	all := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[inModule(p.ImportPath)] = p
	}
}

func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// inModule is a path inside the module, or "" for a foreign one.
func inModule(importPath string) string {
	p, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return p
}

// under says whether p is root or below it.
func under(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func TestLevels(t *testing.T) {
	all := packages(t)
	for p := range levels {
		if _, ok := all[p]; !ok {
			t.Errorf("the table of levels names %s, which is no package: take it out", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(all)) {
		level, ok := levels[p]
		if !ok {
			t.Errorf("%s is in no level: decide what it may import and give it one", p)
			continue
		}
		for _, i := range all[p].Imports {
			lower := inModule(i)
			if l, ok := levels[lower]; ok && l >= level {
				t.Errorf("%s (level %d) imports %s (level %d): a package imports lower levels only", p, level, lower, l)
			}
		}
	}
}

func TestNever(t *testing.T) {
	all := packages(t)
	for _, rule := range never {
		for _, side := range []string{rule.from, rule.to} {
			if _, ok := all[side]; !ok {
				t.Errorf("the rule %s -> %s names %s, which is no package: take it out", rule.from, rule.to, side)
			}
		}
		for _, p := range slices.Sorted(maps.Keys(all)) {
			if !under(p, rule.from) {
				continue
			}
			for _, i := range imports(all[p]) {
				if under(inModule(i), rule.to) {
					t.Errorf("%s imports %s: never: %s", p, inModule(i), rule.reason)
				}
			}
		}
	}
}

func imports(p goPackage) []string { return slices.Concat(p.Imports, p.TestImports, p.XTestImports) }

func TestOnly(t *testing.T) {
	all := packages(t)
	for _, rule := range only {
		used := false
		for _, p := range rule.by {
			if _, ok := all[p]; !ok {
				t.Errorf("the rule on %s names %s, which is no package: take it out", rule.foreign, p)
			}
		}
		for _, p := range slices.Sorted(maps.Keys(all)) {
			for _, i := range all[p].Imports {
				if !under(i, rule.foreign) {
					continue
				}
				used = true
				if !slices.Contains(rule.by, p) {
					t.Errorf("%s imports %s, which only %v may: %s", p, i, rule.by, rule.reason)
				}
			}
		}
		if !used && strings.Contains(rule.foreign, ".") {
			t.Errorf("nothing imports %s: take the rule out", rule.foreign)
		}
	}
}

// The program is one static binary unless it is asked to load a library: with purego in it, it needs the system's own.
func TestStaticProgram(t *testing.T) {
	const loader = "github.com/ebitengine/purego"
	if strings.Contains(goCommand(t, "list", "-deps", module+"/cmd/mcil"), loader) {
		t.Errorf("cmd/mcil imports %s: only -tags openblas may", loader)
	}
	if !strings.Contains(goCommand(t, "list", "-deps", "-tags=openblas", module+"/cmd/mcil"), loader) {
		t.Errorf("-tags openblas does not bring %s: the test looks for the wrong thing", loader)
	}
}

// A package that prints or exits cannot be used by another program, nor tested in parallel.
func TestOnlyTheProgramPrintsAndExits(t *testing.T) {
	forbidden := map[string][]string{
		"os":      {"Exit", "Stdout", "Stderr", "Stdin", "Args"},
		"fmt":     {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
		"slog":    {"Info", "Warn", "Error", "Debug", "Default", "SetDefault"},
		"syscall": {"Exit"},
	}
	seen := 0
	for name, p := range packages(t) {
		for _, file := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) { // files for other machines too
			set := token.NewFileSet()
			tree, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			imported := map[string]string{} // name in this file to package
			for _, i := range tree.Imports {
				importPath, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				local := path.Base(importPath)
				if i.Name != nil {
					local = i.Name.Name
				}
				imported[local] = path.Base(importPath)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if f, ok := call.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
						t.Errorf("%s: %s: what is left of debugging prints to stderr", set.Position(n.Pos()), f.Name)
					}
				}
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := s.X.(*ast.Ident)
				if !ok || !slices.Contains(forbidden[imported[x.Name]], s.Sel.Name) {
					return true
				}
				seen++
				if !under(name, "cmd") {
					t.Errorf("%s: %s.%s: only cmd prints, exits or reads the command line: return an error, take an io.Writer",
						set.Position(n.Pos()), x.Name, s.Sel.Name)
				}
				return true
			})
		}
	}
	if seen == 0 {
		t.Error("not even cmd exits: the search finds nothing")
	}
}

// The top level is fixed, so that the first look finds its way. What the program wrote there for its user is not ours.
func TestTopLevel(t *testing.T) {
	list := exec.Command("git", "ls-files")
	list.Dir = moduleRoot(t)
	tracked, err := list.Output()
	if err != nil || len(tracked) == 0 {
		t.Skipf("not a checkout of git: %v", err)
	}
	known := []string{"caption", "dataset", "train", "cmd", "schemas", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE"}
	for file := range strings.Lines(string(tracked)) {
		name, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if !strings.HasPrefix(name, ".") && !slices.Contains(known, name) {
			t.Errorf("%s: the top level is fixed: put it in one of the rooms", name)
		}
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(goCommand(t, "list", "-m", "-f", "{{.Dir}}", module))
}

// A module that moves by itself moves numbers and bytes with it, so what we name is exact.
func TestPinnedModules(t *testing.T) {
	var file struct {
		Go      string
		Require []struct {
			Path, Version string
			Indirect      bool
		}
		Replace, Exclude []any
	}
	out := goCommand(t, "mod", "edit", "-json", filepath.Join(moduleRoot(t), "go.mod"))
	if err := json.Unmarshal([]byte(out), &file); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	direct := 0
	for _, r := range file.Require {
		versions[r.Path] = r.Version
		if r.Indirect {
			continue
		}
		direct++
		if strings.Count(r.Version, "-") > 0 {
			t.Errorf("%s %s: not a release: name one, or say here why there is none", r.Path, r.Version)
		}
	}
	if direct < 5 {
		t.Errorf("%d direct requirements: the test reads go.mod wrongly", direct)
	}
	if len(file.Replace) > 0 || len(file.Exclude) > 0 {
		t.Errorf("go.mod replaces %v and excludes %v: go install module@version refuses that", file.Replace, file.Exclude)
	}
	if len(strings.Split(file.Go, ".")) != 3 {
		t.Errorf("go %s: name the patch release, such as 1.26.0", file.Go)
	}
	// gorgonia's own go.mod asks for this module as of 2021-10-27, which panics at start under every Go from 1.18 on:
	// "Something in this program imports go4.org/unsafe/assume-no-moving-gc to declare that it assumes a non-moving garbage
	// collector". The one named here was the first to ask nothing of later Go versions. go mod tidy keeps it; a fresh go get
	// of gorgonia may not.
	const moving, fixed = "go4.org/unsafe/assume-no-moving-gc", "v0.0.0-20231121144256-b99613f794b6"
	if versions[moving] < fixed {
		t.Errorf("%s is %q, want %s or later: gorgonia panics at start with an older one", moving, versions[moving], fixed)
	}
}
