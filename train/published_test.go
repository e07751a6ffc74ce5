package train

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// TestGetenv: the Hub's variables are those of the options, not the process'.
func TestGetenv(t *testing.T) {
	token := ""
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer hub.Close()
	for name, v := range map[string]string{"HF_ENDPOINT": "http://127.0.0.1:1", "HF_HUB_OFFLINE": "1", "HF_TOKEN": "hf_process"} {
		t.Setenv(name, v)
	}
	env := map[string]string{"HF_ENDPOINT": hub.URL, "HF_HOME": t.TempDir(), "HF_TOKEN": "hf_options"}
	_, err := loadBackbone(t.Context(), "hf:o/n", "", 1, nil, nil, func(name string) string { return env[name] }, nil)
	if !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), hub.URL+" answers 401") || token != "Bearer hf_options" {
		t.Errorf("%v, with the token %q", err, token)
	}
}

// TestMovedBranch: a run that other weights of the branch began says how to go on with its own.
func TestMovedBranch(t *testing.T) {
	was, is := strings.Repeat("0", 40), strings.Repeat("1", 40)
	for _, c := range []struct{ weights, was, is, want string }{
		{"hf:o/n", was, is, "hf:o/n was at " + was + ", and is at " + is + " now: give hf:o/n@" + was + " to go on, --force to start afresh, or another --out"},
		{"hf:o/n@v1", was, is, "give hf:o/n@" + was + " to go on"},
		{"hf:o/n", was, was, "was made with other settings, data or weights"},
		{"folder", was, "", "was made with other settings, data or weights"},
		{"hf:o/n", "", is, "was made with other settings, data or weights"},
	} {
		out := t.TempDir()
		if err := schemas.WriteJSON(filepath.Join(out, "run.json"), schemas.Run{Header: schemas.RunHeader, Digest: "old", WeightsCommit: c.was}); err != nil {
			t.Fatal(err)
		}
		r := run{o: Options{Out: out, Weights: c.weights}, commit: c.is}
		if _, _, err := r.claim("new"); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
