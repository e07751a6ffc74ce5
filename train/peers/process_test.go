//go:build bench

package peers_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// answer is a line of a process: what it says of itself once it is ready, or the reply to a request.
type answer struct {
	Error     string            `json:"error,omitempty"`
	Versions  map[string]string `json:"versions,omitempty"`
	Seconds   float64           `json:"seconds,omitempty"` // of all the steps of a request
	Losses    []float64         `json:"losses,omitempty"`  // of each step of training, or of the last forward pass
	PeakBytes int64             `json:"peak_bytes,omitempty"`
}

// process is ours or a peer's, started once, that works when asked to and waits otherwise.
type process struct {
	name     string
	cmd      *exec.Cmd
	requests io.WriteCloser
	lines    *bufio.Scanner
	stderr   *strings.Builder
	Versions map[string]string
}

// start starts one and waits until it is ready. It is asked through requests and answers through answers; theirs are the
// process's ends of them, if they are files of ours. Why it cannot work is an error; it ends with the test, or by close.
func start(t *testing.T, name string, cmd *exec.Cmd, requests io.WriteCloser, answers io.Reader, theirs ...*os.File) (*process, error) {
	t.Helper()
	p := &process{name: name, cmd: cmd, requests: requests, lines: bufio.NewScanner(answers), stderr: &strings.Builder{}}
	cmd.Stderr = p.stderr
	p.lines.Buffer(nil, 1<<20)
	err := cmd.Start()
	for _, f := range theirs {
		err = errors.Join(err, f.Close()) // the process has its own
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.Cleanup(p.close)
	a, err := p.read()
	p.Versions = a.Versions
	return p, err
}

// close ends the process. Doing it twice changes nothing.
func (p *process) close() {
	_ = p.requests.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) read() (answer, error) {
	var a answer
	if !p.lines.Scan() {
		p.close()
		said := strings.TrimSpace(p.stderr.String())
		if len(said) > 2000 {
			said = "…" + said[len(said)-2000:]
		}
		return a, fmt.Errorf("%s ended: %w: %s", p.name, errors.Join(p.lines.Err(), io.ErrUnexpectedEOF), said)
	}
	if err := json.Unmarshal(p.lines.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s: %w in %q", p.name, err, p.lines.Text())
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", p.name, a.Error)
	}
	return a, nil
}

// ask has the process do n steps of something. It leaves the cores quiet before it.
func (p *process) ask(what string, n int) (answer, error) {
	settle()
	if _, err := fmt.Fprintln(p.requests, what, n); err != nil {
		return answer{}, fmt.Errorf("%s: %w", p.name, err)
	}
	return p.read()
}

// must is ask of a process that has done such a thing before.
func (p *process) must(t *testing.T, what string, n int) answer {
	t.Helper()
	a, err := p.ask(what, n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// perStep is how many seconds one step of something takes.
func (p *process) perStep(t *testing.T, what string, n int) float64 {
	t.Helper()
	return p.must(t, what, n).Seconds / float64(n)
}

// startOurs starts this binary on so many cores.
func startOurs(t *testing.T, dir string, threads int) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestHelper$", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), "MCIL_PEERS_DIR="+dir, "GOMAXPROCS="+strconv.Itoa(threads))
	theirRequests, requests, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, theirAnswers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answers.Close() })
	cmd.ExtraFiles = []*os.File{theirRequests, theirAnswers} // standard output is the testing package's
	p, err := start(t, fmt.Sprintf("mcil on %d threads", threads), cmd, requests, answers, theirRequests, theirAnswers)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// startTorch starts the peer in PyTorch.
func startTorch(t *testing.T, python, dir string, threads int, flags ...string) (*process, error) {
	t.Helper()
	cmd := exec.Command(python, append([]string{"testdata/peer.py", dir, "--threads", strconv.Itoa(threads), "--classes", strconv.Itoa(classes),
		"--learning-rate", fmt.Sprint(learningRate), "--weight-decay", fmt.Sprint(weightDecay)}, flags...)...)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS="+strconv.Itoa(threads), "MKL_NUM_THREADS="+strconv.Itoa(threads), "HF_HUB_OFFLINE=1",
		"PYTHONDONTWRITEBYTECODE=1")
	requests, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return start(t, strings.Join(append([]string{"PyTorch"}, flags...), " "), cmd, requests, answers)
}
