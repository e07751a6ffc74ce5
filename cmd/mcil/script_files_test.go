package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcil/mcil/dataset/datasettest"
)

// food101 is the command that writes a made-up UPMC Food-101.
func food101(t testing.TB) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: food101 DIR N")
		}
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		for _, f := range datasettest.Food101(t, n) {
			name := filepath.Join(ts.MkAbs(args[0]), filepath.FromSlash(f.Name))
			ts.Check(os.MkdirAll(filepath.Dir(name), 0o777))
			ts.Check(os.WriteFile(name, f.Body, 0o666))
		}
	}
}

// damage changes one byte of a file. A negative place is counted from the end.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage FILE PLACE")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	if at < 0 || at >= len(b) {
		ts.Fatalf("%s has %d bytes, and none at %s", args[0], len(b), args[1])
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(name, b, 0o666))
}

// conforms is the command that checks files against a JSON Schema of the folder schemas; of a .jsonl file each line.
func conforms(schemas string) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) < 2 {
			ts.Fatalf("usage: [!] conforms NAME FILE...")
		}
		schema, err := jsonschema.NewCompiler().Compile(filepath.Join(schemas, args[0]+".schema.json"))
		ts.Check(err)
		for _, pattern := range args[1:] {
			found, err := filepath.Glob(ts.MkAbs(pattern))
			ts.Check(err)
			if len(found) == 0 {
				ts.Fatalf("no file %s", pattern)
			}
			for _, file := range found {
				if err := conform(schema, file); neg == (err == nil) {
					ts.Fatalf("%s against %s: %v", file, args[0], err)
				}
			}
		}
	}
}

// conform returns the first error of a file, or of its lines.
func conform(schema *jsonschema.Schema, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	documents := [][]byte{b}
	if strings.HasSuffix(file, ".jsonl") {
		documents = bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	}
	for _, d := range documents {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(d))
		if err != nil {
			return err
		}
		if err := schema.Validate(v); err != nil {
			return err
		}
	}
	return nil
}
