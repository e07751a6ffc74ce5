package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: one behaviour a file, the real program as a process of its own. Beside testscript's
// own commands there are
//
//	code N mcil ARG...             run the program; its exit code is N, and what it prints is as [checkOutput] wants it
//	interrupt N GLOB mcil ARG...   the same, with SIGINT as soon as a file GLOB exists
//	fixture NAME...                put the folders pictures, captions or dataset here: 4 classes of 4 pictures
//	serve                          start mcil serve; $URL is what it prints
//	endpoint MODE [NAME]           start an endpoint of the test's own; $URL, or $NAME, is its URL. See [modes]
//	hub DIR [cut|moved|denied]     serve the weights in DIR as hf:owner/name; requests are lines of hub.log. See [serveHub]
//	batchserver DIR OUTPUT ERRORS  answer the requests of export-batch as the OpenAI Batch API does
//	same A B, different A B        compare two files or folders
//	whole DIR                      nothing temporary or partial is left in DIR
//	lines N FILE...                the files have N lines in all
//	field FILE PATH VALUE          the JSON of a file (or stdout) has the value at a.b.0.c; a.len is the number of elements
//	replace FILE OLD NEW           edit a file
//	damage FILE PLACE              change one byte of a file
//	conforms NAME FILE...          the files, or their lines, are what schemas/NAME.schema.json says
//	maketar DIR FILE               pack a folder under imagenet-r/
//	food101 DIR N                  write a made-up UPMC Food-101: 3 classes of N pictures
//	smalldisk DIR BYTES            mount a file system of that size
func TestScripts(t *testing.T) {
	schemas, err := filepath.Abs("../../schemas") // scripts run elsewhere
	if err != nil {
		t.Fatal(err)
	}
	fixtures := sync.OnceValues(func() (string, error) { return makeFixtures(t) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			if cond == "smalldisk" {
				return canMount(t.TempDir()), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":      code,
			"interrupt": interrupt,
			"fixture": func(ts *testscript.TestScript, neg bool, args []string) {
				from, err := fixtures()
				ts.Check(err)
				for _, name := range args {
					ts.Check(os.CopyFS(ts.MkAbs(name), os.DirFS(filepath.Join(from, name))))
				}
			},
			"serve":       serve,
			"endpoint":    endpoint,
			"hub":         serveHub,
			"batchserver": batchserver,
			"same":        func(ts *testscript.TestScript, neg bool, args []string) { compareTrees(ts, args, true) },
			"different":   func(ts *testscript.TestScript, neg bool, args []string) { compareTrees(ts, args, false) },
			"whole":       whole,
			"lines":       lines,
			"field":       field,
			"replace":     replaceIn,
			"damage":      damage,
			"conforms":    conforms(schemas),
			"maketar":     maketar,
			"food101":     food101(t),
			"smalldisk":   smalldisk,
		},
	})
}

// makeFixtures draws, captions and builds once what most scripts begin with.
func makeFixtures(t *testing.T) (string, error) {
	dir := t.TempDir()
	for _, args := range []string{
		"synth --out pictures --classes 4 --per-class 4", "caption --source pictures --out captions",
		"build --source pictures --captions captions --out dataset --val 0",
	} {
		cmd := exec.Command("mcil", strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("mcil %s: %w\n%s", args, err, out)
		}
	}
	return dir, nil
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "mcil" {
		ts.Fatalf("usage: code N mcil ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	checkExit(ts, want, err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

func checkExit(ts *testscript.TestScript, want int, err error, stdout, stderr string) {
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if complaint := checkOutput(want, stdout, stderr); complaint != "" {
		ts.Fatalf("%s", complaint)
	}
}

var (
	progressLine = regexp.MustCompile(`^[^:]+(: [^:]+)*(\(.*\))?: \d+(/\d+, [\d.]+/s, .* left| in [\d.a-zµ]+, [\d.]+/s)$`)
	noise        = regexp.MustCompile(`%!|goroutine \d|panic|runtime error|\(0x|0xc0|<nil>|\*?\b(fs|os|url|net|errors|json|yaml)\.[A-Z]\w*Error\b|&\{|map\[`)
)

// checkOutput holds what a run printed to the rules: results on stdout; on stderr the settings, progress, and for a
// failure one last line that a person can read. It returns what is wrong, or nothing.
func checkOutput(code int, stdout, stderr string) string {
	if strings.Contains(stdout, "level=") || strings.Contains(stdout, "mcil: ") {
		return fmt.Sprintf("logs on stdout: %q", stdout)
	}
	if m := noise.FindString(stdout + stderr); m != "" {
		return fmt.Sprintf("%q in the output:\n%s%s", m, stdout, stderr)
	}
	var complaints []string
	last := ""
	for line := range strings.Lines(stderr) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" {
			last = line
		}
		switch {
		case strings.HasPrefix(line, "mcil: "):
			complaints = append(complaints, line)
		case strings.HasPrefix(line, "time="), progressLine.MatchString(line), line == "" && code == exitInterrupted:
		default:
			return fmt.Sprintf("line %q on stderr is no log, no progress and no error", line)
		}
	}
	want := 1
	switch code {
	case exitDone:
		want = 0
	case exitInterrupted:
		want = 2 // the signal is answered at once
	}
	if len(complaints) != want {
		return fmt.Sprintf("%d lines of error, want %d: %q", len(complaints), want, complaints)
	}
	if want > 0 && complaints[want-1] != last {
		return fmt.Sprintf("the last line is %q, want the error %q", last, complaints[want-1])
	}
	return ""
}

// interrupt waits for the file because a time would be right on one machine only.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[2] != "mcil" {
		ts.Fatalf("usage: interrupt N GLOB mcil ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd, stdout, stderr := command(ts, args[3:])
	ts.Check(cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			ts.Fatalf("ended with %v before %s was there:\n%s", err, args[1], stderr)
		case <-time.After(2 * time.Millisecond):
		}
		if found, err := filepath.Glob(ts.MkAbs(args[1])); err != nil || len(found) > 0 {
			ts.Check(err)
			break
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	select {
	case err = <-done:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		ts.Fatalf("still runs 30 s after the signal:\n%s", stderr)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", stdout, stderr)
	checkExit(ts, want, err, stdout.String(), stderr.String())
}

// command prepares a process in the script's folder and environment.
func command(ts *testscript.TestScript, args []string) (cmd *exec.Cmd, stdout, stderr *strings.Builder) {
	cmd = exec.Command("mcil", args...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "MCIL_SERVE_KEY", "OPENAI_API_KEY"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stdout, stderr = new(strings.Builder), new(strings.Builder)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	cmd, _, stderr := command(ts, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...))
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			ts.Logf("mcil serve, after SIGINT: %v\n%s", err, stderr)
		}
	})
	line := make([]byte, 256)
	n, err := out.Read(line)
	ts.Check(err)
	url := strings.TrimSpace(string(line[:n]))
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/v1$`).MatchString(url) {
		ts.Fatalf("mcil serve prints %q, want one line with its URL", url)
	}
	go io.Copy(io.Discard, out)
	ts.Setenv("URL", url)
}

// tree is the files below path by name; a file is the only one in its tree.
func tree(path string) (map[string]string, error) {
	files := map[string]string{}
	return files, filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		files[rel] = string(b)
		return err
	})
}

func compareTrees(ts *testscript.TestScript, args []string, wantSame bool) {
	a, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := tree(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(a) == 0 {
		ts.Fatalf("%s: nothing to compare", args[0])
	}
	var differ []string
	for name := range a {
		if b[name] != a[name] {
			differ = append(differ, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	if same := len(differ) == 0; same != wantSame {
		ts.Fatalf("%s and %s: same is %v, want %v; of %d files these differ: %v", args[0], args[1], same, wantSame, len(a), differ)
	}
}

// partials lists what a write under way would leave below dir.
func partials(t interface{ Fatalf(string, ...any) }, dir string) []string {
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if n := filepath.Base(p); err == nil && (strings.Contains(n, ".tmp-") || slices.Contains([]string{".partial", ".replaced", ".removed"}, filepath.Ext(n))) {
			found = append(found, p)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return found
}

func whole(ts *testscript.TestScript, neg bool, args []string) {
	if left := partials(ts, ts.MkAbs(args[0])); len(left) > 0 {
		ts.Fatalf("half-written: %v", left)
	}
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	for _, pattern := range args[1:] {
		found, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		for _, f := range found {
			n += strings.Count(ts.ReadFile(f), "\n")
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%v: %d lines, want %s", args[1:], n, args[0])
	}
}

func field(ts *testscript.TestScript, neg bool, args []string) {
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s is not JSON: %v", args[0], err)
	}
	for step := range strings.SplitSeq(args[1], ".") {
		switch x := v.(type) {
		case map[string]any:
			if step == "len" {
				v = len(x)
				continue
			}
			v = x[step]
		case []any:
			if step == "len" {
				v = len(x)
				continue
			}
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				ts.Fatalf("%s: %s: no element %s of %d", args[0], args[1], step, len(x))
			}
			v = x[i]
		default:
			v = nil
		}
	}
	if got := fmt.Sprint(v); got != args[2] {
		ts.Fatalf("%s: %s is %s, want %s", args[0], args[1], got, args[2])
	}
}

func replaceIn(ts *testscript.TestScript, neg bool, args []string) {
	old := ts.ReadFile(args[0])
	if !strings.Contains(old, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(old, args[1], args[2], 1)), 0o644))
}

func maketar(ts *testscript.TestScript, neg bool, args []string) {
	files, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	w := tar.NewWriter(f)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Backward(names) { // an archive's own order is not the program's
		ts.Check(w.WriteHeader(&tar.Header{Name: "imagenet-r/" + filepath.ToSlash(name), Mode: 0o644, Size: int64(len(files[name]))}))
		_, err := io.WriteString(w, files[name])
		ts.Check(err)
	}
	ts.Check(errors.Join(w.Close(), f.Close()))
}
