package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train"
)

// TestMain lets this test binary be the program: scripts run it as the command mcil, a process of its own.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"mcil": main}) }

func TestErrorsAreOneLine(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, exitDone, ""},
		{errors.New("disk is full"), exitFailed, "mcil: disk is full\n"},
		{errors.New("yaml:\n  line 1:\n\tbad"), exitFailed, "mcil: yaml: line 1: bad\n"},
		{usageError{errors.New("--x: no")}, exitUsage, "mcil: --x: no\n"},
		{fmt.Errorf("run: %w", usageError{errors.New("--x: no")}), exitUsage, "mcil: run: --x: no\n"},
		{failuresError{errors.New("1 of 2")}, exitFailures, "mcil: 1 of 2\n"},
		{fmt.Errorf("p: empty: %w", dataset.ErrRefused), exitRefused, "mcil: p: empty\n"},
		{fmt.Errorf("store s: %w", caption.ErrOtherRecipe), exitRefused, "mcil: store s\n"},
		// The text is cut off only where it is the sentinel's.
		{errors.New("connection refused"), exitFailed, "mcil: connection refused\n"},
		{errors.New("call: refused"), exitFailed, "mcil: call: refused\n"},
		{fmt.Errorf("open x: %w", fs.ErrNotExist), exitRefused, "mcil: open x: file does not exist\n"},
		{fmt.Errorf("endpoint u: silent: %w", caption.ErrEndpoint), exitFailed, "mcil: endpoint u: silent\n"},
	} {
		var stderr bytes.Buffer
		if code := complain(&stderr, c.err); code != c.code || stderr.String() != c.want {
			t.Errorf("complain(%v) = %d, %q, want %d, %q", c.err, code, stderr.String(), c.code, c.want)
		}
	}
}

// Runs in one process: nothing may be left over from one run to the next, and the race detector sees it.
func TestRunInProcess(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	steps := []struct {
		args string
		code int
		out  string // what stdout begins with
	}{
		{"synth --out pictures --classes 4 --per-class 4", exitDone, ""},
		{"caption --source pictures --out captions", exitDone, ""},
		{"build --source pictures --captions captions --out data", exitDone, "data: 8 train, 4 validation, 4 test rows of 4 classes"},
		{"train --data data --out run --phases 2 --epochs 1", exitDone, "run: average accuracy "},
		{"train --data data --out run --phases 2 --epochs", exitUsage, ""},
		{"report run --out report", exitDone, "method "},
	}
	for _, s := range steps {
		var stdout, stderr bytes.Buffer
		if code := run(strings.Fields(s.args), &stdout, &stderr); code != s.code {
			t.Fatalf("mcil %s: exit code %d, want %d\n%s", s.args, code, s.code, stderr.String())
		}
		if !strings.HasPrefix(stdout.String(), s.out) || s.out == "" && stdout.Len() > 0 {
			t.Errorf("mcil %s: stdout %q, want %q ...", s.args, stdout.String(), s.out)
		}
		if complaint := checkOutput(s.code, stdout.String(), stderr.String()); complaint != "" {
			t.Errorf("mcil %s: %s", s.args, complaint)
		}
	}
	if left := partials(t, dir); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if _, err := os.Stat("report/report.html"); err != nil {
		t.Error(err)
	}
}

func TestByteSize(t *testing.T) {
	type parsed struct {
		size byteSize
		ok   bool
	}
	for text, want := range map[string]parsed{
		"67108864": {64 << 20, true}, "7": {7, true}, "7B": {7, true}, "64MiB": {64 << 20, true}, "1.5KiB": {1536, true}, "2GB": {2e9, true},
		"0": {}, "": {}, "MiB": {}, "-1": {}, "1 MiB": {}, "1MiBs": {}, "0x10": {}, "1e30GiB": {}, "NaN": {}, "Inf": {}, "+Inf": {}, "5XB": {},
	} {
		var got byteSize
		err := got.UnmarshalText([]byte(text))
		if (err == nil) != want.ok || got != want.size {
			t.Errorf("size %q = %d, %v, want %+v", text, got, err, want)
		}
	}
}

// The flags that show a default show the library's.
func TestFlagDefaultsAreTheLibrarys(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kongVars(""))
	if err != nil {
		t.Fatal(err)
	}
	e := &env{}
	if _, err := parser.Parse([]string{"train", "--data", "d", "--out", "r"}); err != nil {
		t.Fatal(err)
	}
	if got, want := c.Train.effective(e), (train.Options{Data: "d", Out: "r"}).Settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("train: flags give %v, the library %v", got, want)
	}
	if _, err := parser.Parse([]string{"pretrain", "--data", "d", "--out", "w"}); err != nil {
		t.Fatal(err)
	}
	if got, want := c.Pretrain.effective(e), (train.PretrainOptions{Data: "d", Out: "w"}).Settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("pretrain: flags give %v, the library %v", got, want)
	}
}

// A zero that a user writes is a zero, not a default.
func TestZeroFlagsAreOff(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kongVars(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(strings.Fields("train --data d --out r --repair 0 --warmup 0 --weight-decay 0 --budget-bytes 67108864")); err != nil {
		t.Fatal(err)
	}
	got := c.Train.effective(&env{})
	for name, want := range map[string]any{"repair": 0.0, "warmup_fraction": 0.0, "weight_decay": 0.0, "budget_bytes": int64(64 << 20)} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if _, err := parser.Parse(strings.Fields("pretrain --data d --out w --drop 0")); err != nil {
		t.Fatal(err)
	}
	if got := c.Pretrain.effective(&env{})["drop"]; got != 0.0 {
		t.Errorf("drop is %v, want 0", got)
	}
}
