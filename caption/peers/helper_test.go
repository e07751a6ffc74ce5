//go:build bench

package peers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset/source"
)

const benchModel = "Salesforce/instructblip-vicuna-7b"

// TestHelper is not a test but the processes that TestSpeed starts: MCIL_PEERS_ROLE says which.
func TestHelper(t *testing.T) {
	switch role := os.Getenv("MCIL_PEERS_ROLE"); role {
	case "":
		t.Skip("started by TestSpeed only")
	case "endpoint":
		serve(t)
	case "prepare":
		writeReport(t, prepare(t, os.Getenv("MCIL_PEERS_TAR")))
	case "archive":
		writeArchive(t, os.Getenv("MCIL_PEERS_TAR"), os.Getenv("MCIL_PEERS_KIND"), number(t, "MCIL_PEERS_PICTURES", 0))
	default:
		t.Fatalf("no role %q", role)
	}
}

// helper is this binary in another role.
func helper(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestHelper$", "-test.timeout", "0")
	cmd.Env = append(append(os.Environ(), "MCIL_PEERS_ROLE="+role), env...)
	return cmd
}

// endpoint answers every request at once with the same text, in a process of its own.
type endpoint struct{ url string }

// startEndpoint starts it; it ends with the test.
func startEndpoint(t *testing.T) *endpoint {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := helper(t, "endpoint")
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	listener.Close() // the process has its own
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &endpoint{url: "http://" + listener.Addr().String()}
}

// stats are the endpoint's counts since it started.
type stats struct {
	Requests   int64
	Bytes      int64 // of bodies
	CPUSeconds float64
}

func (e *endpoint) stats(t *testing.T) stats {
	t.Helper()
	resp, err := http.Get(e.url + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s stats
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// serve is the endpoint on the listener that it was started with. It reads every body to its end and looks at none.
func serve(t *testing.T) {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		t.Fatal(err)
	}
	answer := fmt.Sprintf(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,"message":{"role":"assistant",`+
		`"content":"The image depicts a small red boat with a white sail on a calm lake. Behind it there are green hills and a few trees, and above them the sky is clear and blue."},`+
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":36,"total_tokens":76}}`, benchModel)
	var requests, read atomic.Int64
	buffers := sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		b := buffers.Get().(*[]byte)
		defer buffers.Put(b)
		for {
			n, err := r.Body.Read(*b)
			read.Add(int64(n))
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
		}
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"object":"list","data":[{"id":%q,"object":"model"}]}`, benchModel)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(stats{requests.Load(), read.Load(), ownCPU(t).Seconds()})
	})
	t.Error(http.Serve(listener, mux)) // until it is killed
}

// report is what a process tells of itself.
type report struct {
	Pictures   int     `json:"pictures"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

func writeReport(t *testing.T, r report) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("MCIL_PEERS_REPORT"), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readReport(t *testing.T, name string) report {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// prepare decodes, resizes and encodes an archive's pictures on every core, and does nothing with them.
func prepare(t *testing.T, archive string) report {
	s, err := source.Open(t.Context(), "imagenet-r:"+archive)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries := s.Entries()
	began, cpu := time.Now(), ownCPU(t)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(entries)); i = next.Add(1) - 1 {
				encoded, err := s.Read(t.Context(), entries[i])
				if err == nil {
					_, _, err = caption.Picture{}.Prepare(encoded)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return report{Pictures: len(entries), Seconds: time.Since(began).Seconds(), CPUSeconds: (ownCPU(t) - cpu).Seconds()}
}

// prepareAlone is [prepare] in a process of its own, as the program is one, with all the room for garbage that makes it faster.
func prepareAlone(t *testing.T, archive string) (r report, peakBytes int64) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "report.json")
	cmd := helper(t, "prepare", "GOGC=400", "MCIL_PEERS_TAR="+archive, "MCIL_PEERS_REPORT="+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("preparing: %v\n%s", err, out)
	}
	return readReport(t, name), peakOf(cmd)
}

// peakOf is the memory that a process, or the largest of its children, had at most.
func peakOf(cmd *exec.Cmd) (bytes int64) {
	return int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10
}

// ownCPU is this process's time on all cores, the kernel's for it included.
func ownCPU(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
