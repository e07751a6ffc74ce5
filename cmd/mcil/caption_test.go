package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
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
	c := captionCmd{Source: pictures, Out: out, Endpoint: server.URL, Workers: 1, Timeout: 100 * time.Millisecond}
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
