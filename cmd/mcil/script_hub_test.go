package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// serveHub is a Hugging Face Hub with one repository, owner/name: its files are those of a folder. $HF_ENDPOINT is its URL. It
// breaks off the first download of weights in the middle where cut is given, has another commit where moved is, and lets
// nobody in where denied is.
func serveHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: hub DIR [cut|moved|denied]")
	}
	commit := "0123456789abcdef0123456789abcdef01234567"
	dir, log := ts.MkAbs(args[0]), ts.MkAbs("hub.log")
	var mu sync.Mutex
	cut, denied := slices.Contains(args[1:], "cut"), slices.Contains(args[1:], "denied")
	if slices.Contains(args[1:], "moved") {
		commit = "1123456789abcdef0123456789abcdef01234567"
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		f, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err == nil {
			fmt.Fprintln(f, r.URL.Path, r.Header.Get("Range"), r.Header.Get("Authorization"))
			f.Close()
		}
		if denied {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if revision, ok := strings.CutPrefix(r.URL.Path, "/api/models/owner/name/revision/"); ok && (revision == "main" || revision == commit) {
			files, err := tree(dir)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			var siblings []any
			for name, content := range files {
				git := fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)))
				s := map[string]any{"rfilename": name, "size": len(content), "blobId": git}
				if filepath.Ext(name) == ".safetensors" {
					s["lfs"] = map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(content))), "size": len(content)}
				}
				siblings = append(siblings, s)
			}
			json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": siblings})
			return
		}
		name := path.Base(r.URL.Path)
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || r.URL.Path != "/owner/name/resolve/"+commit+"/"+name {
			http.NotFound(w, r)
			return
		}
		if cut && filepath.Ext(name) == ".safetensors" {
			cut = false
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Write(b[:len(b)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(b)))
	}))
	ts.Defer(s.Close)
	ts.Setenv("HF_ENDPOINT", s.URL)
}
