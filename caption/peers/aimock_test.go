//go:build peers

package peers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fixture is what aimock answers to the requests that match. Of those with a sequence index, each answers one request, the
// one of that number; the others answer what is left.
type fixture struct {
	Match    match          `json:"match"`
	Response map[string]any `json:"response"`
	Chaos    map[string]any `json:"chaos,omitempty"` // a fault instead of the response
}

type match struct {
	Model         string `json:"model"`
	SequenceIndex *int   `json:"sequenceIndex,omitempty"`
}

// entry is a line of aimock's journal.
type entry struct {
	Timestamp int64 // milliseconds
	Headers   map[string]string
	Body      map[string]any
	Response  struct {
		Status      int
		ChaosAction string // drop, malformed, rateLimit, disconnect
		Fixture     *struct {
			Response map[string]any
		}
	}
}

// completed says whether the entry's request got a chat completion.
func (e entry) completed() bool {
	return e.Response.Status == http.StatusOK && e.Response.ChaosAction == ""
}

// good says whether it got one with a text that can be used.
func (e entry) good() bool {
	return e.completed() && strings.TrimSpace(e.content()) != "" && e.content() != loop
}

// content is the text of the answer, as its fixture has it.
func (e entry) content() string {
	if e.Response.Fixture == nil {
		return ""
	}
	s, _ := e.Response.Fixture.Response["content"].(string)
	return s
}

// endpointKey is asked for by aimock, which then leaves it out of its journal.
const endpointKey = "sk-peers-0123456789"

// aimock is a running endpoint.
type aimock struct {
	url  string // without a path
	http *http.Client
}

// startAimock starts the endpoint on a free port of the loopback interface. chaos are the rates of its faults for every
// request, nil for none. MCIL_AIMOCK is the program.
func startAimock(t *testing.T, fixtures []fixture, chaos map[string]any) *aimock {
	t.Helper()
	dir := t.TempDir()
	answers, config := filepath.Join(dir, "fixtures.json"), filepath.Join(dir, "aimock.json")
	writeJSON(t, answers, map[string]any{"fixtures": fixtures})
	llm := map[string]any{"fixtures": answers, "logLevel": "warn"}
	if chaos != nil {
		llm["chaos"] = chaos
	}
	writeJSON(t, config, map[string]any{"host": "127.0.0.1", "port": 0, "strict": true, "llm": llm})

	cmd := exec.Command(os.Getenv("MCIL_AIMOCK"), "--config", config)
	cmd.Env = append(os.Environ(), "AIMOCK_API_KEYS="+endpointKey)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		patience := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer patience.Stop()
		for range lines {
		}
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("aimock: %s", said.String())
		}
	})
	late := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("aimock ended before it listened")
			}
			if _, url, found := strings.Cut(line, "listening on "); found {
				go func() {
					for range lines { // so that it never waits for a reader
					}
				}()
				return &aimock{url: strings.TrimSpace(url), http: &http.Client{Timeout: 30 * time.Second}}
			}
		case <-late:
			t.Fatal("aimock does not listen")
		}
	}
}

// journal is what the endpoint received and answered, in its order.
func (a *aimock) journal(t *testing.T) []entry {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/__aimock/journal?path=/v1/chat/completions", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+endpointKey)
	resp, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("aimock's journal: %s", resp.Status)
	}
	var entries []entry
	if err := json.NewDecoder(resp.Body).Decode(&entries); err != nil {
		t.Fatalf("aimock's journal: %v", err)
	}
	for _, e := range entries {
		if e.Body["__aimock_truncated"] != nil {
			t.Fatalf("aimock's journal holds no body of more than 64 kB, and one was of %v bytes: use smaller pictures", e.Body["originalByteSize"])
		}
	}
	return entries
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// sequence answers the first requests with the faults, one each, and every later one with a text of its own, so that an
// answer that went to another picture is seen.
func sequence(texts int, faults ...fixture) []fixture {
	all := slices.Clone(faults)
	for n := range texts {
		all = append(all, text(n))
	}
	for i := range all {
		all[i].Match = match{Model: model, SequenceIndex: &i}
		if all[i].Response == nil { // the fault comes before it
			all[i].Response = map[string]any{"content": "no one should see this"}
		}
	}
	return append(all, fixture{Match: match{Model: model}, Response: map[string]any{"content": "asked more often than was expected"}})
}

// loop is what a beam search without enough of a penalty falls into.
var loop = strings.TrimSpace(strings.Repeat("a boat on a lake and ", 30))

func text(n int) fixture {
	return fixture{Response: map[string]any{"content": fmt.Sprintf("The picture shows thing number %d in front of a plain wall.", n)}}
}

// refusal is an error with a status.
func refusal(status int, more ...any) fixture {
	r := map[string]any{"error": map[string]any{"message": "the peer refuses", "type": "server_error"}, "status": status}
	for i := 0; i+1 < len(more); i += 2 {
		r[more[i].(string)] = more[i+1]
	}
	return fixture{Response: r}
}

func chaos(field string, value float64) fixture {
	return fixture{Chaos: map[string]any{field: value}}
}
