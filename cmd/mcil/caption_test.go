package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

// An endpoint that takes the connection and says nothing is given up after --timeout, before a store begins.
func TestCaptionGivesUpOnASilentEndpoint(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	dir := t.TempDir()
	e := &env{stdout: io.Discard, log: slog.New(slog.DiscardHandler), progress: newProgress(io.Discard)}
	pictures, out := filepath.Join(dir, "pictures"), filepath.Join(dir, "captions")
	if code := run([]string{"synth", "--out", pictures, "--classes", "2", "--per-class", "1"}, io.Discard, io.Discard); code != exitDone {
		t.Fatalf("synth: exit code %d", code)
	}
	c := captionCmd{Source: pictures, Out: out, endpointFlags: endpointFlags{Endpoint: server.URL, Workers: 1, Timeout: 100 * time.Millisecond}}
	began := time.Now()
	if err := c.Run(t.Context(), e); !errors.Is(err, caption.ErrEndpoint) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a store began: %v", err)
	}
}

// The flags that show a default show the library's, and one that is not given changes nothing of the recipe.
func TestCaptionFlagDefaultsAreTheLibrarys(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kongVars(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"caption", "--source", "s", "--out", "c"}); err != nil {
		t.Fatal(err)
	}
	want := caption.Recipe{Model: "m", Ladder: caption.DefaultLadder()}.WithDefaults()
	for name, flags := range map[string]recipeFlags{"parsed": c.Caption.recipeFlags, "none": {}} { // the demo has none
		got, err := flags.recipe("m")
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest() != want.Digest() || !reflect.DeepEqual(got.Ladder, want.Ladder) || got.Decoding != want.Decoding {
			t.Errorf("%s flags: %+v, want %+v", name, got, want)
		}
	}
	if c.Caption.Timeout != defaultTimeout {
		t.Errorf("--timeout is %v, want %v", c.Caption.Timeout, defaultTimeout)
	}
	var o caption.Options
	if err := c.Caption.apply(&o, nil, ""); err != nil || o.Select != nil || o.Requeue != nil || o.OnlyFailed || o.Sample != 0 || o.Limit != 0 {
		t.Errorf("options %+v, %v", o, err)
	}
}

// Every picture is in one share, and its share does not depend on the other pictures.
func TestShares(t *testing.T) {
	const n = 4
	counts := [n]int{}
	for k := range 4000 {
		e := dataset.Entry{ID: dataset.ID(fmt.Sprintf("n%08d/sketch_%d.jpg", k%7, k))}
		in := 0
		for i := range uint32(n) {
			if (share{i, n}).selects()(e) {
				in++
				counts[i]++
			}
		}
		if in != 1 {
			t.Fatalf("%s is in %d shares", e.ID, in)
		}
	}
	for i, k := range counts {
		if k < 900 || k > 1100 {
			t.Errorf("share %d has %d of 4000 pictures", i, k)
		}
	}
	if (share{}).selects() != nil || (share{0, 1}).selects() != nil {
		t.Error("everything is selected by a function")
	}
	if !(share{0, 4}).selects()(dataset.Entry{ID: "n01443537/art_0.jpg"}) { // known: FNV-1a of the ID, so that a later program deals alike
		t.Error("another hash deals the shares: jobs that run on would ask again")
	}
}
