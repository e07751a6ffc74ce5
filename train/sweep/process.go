package sweep

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
)

// Line is what a run says of itself while it works, as one line of JSON.
type Line struct {
	Stage     string  `json:"stage,omitempty"` // such as "phase 2 of 5: learn"
	Done      int     `json:"done,omitempty"`
	Total     int     `json:"total,omitempty"`
	Note      string  `json:"note,omitempty"` // such as a loss
	PerSecond float64 `json:"per_second,omitempty"`
	PeakBytes int64   `json:"peak_bytes,omitempty"` // of memory, said at the end; 0 where the system does not tell
}

// interruptExit is how a process ends that was asked to stop and has saved.
const interruptExit = 130

// process is a run under way.
type process struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
}

// event is a line of a job, or its end.
type event struct {
	job   int
	line  Line
	ended bool
	code  int    // exit code; -1: a signal
	said  string // its last words
}

// start runs the program on a job. Its events, the end last, go to events.
func (o Options) start(i int, j Job, threads int, events chan<- event) (*process, error) {
	args := []string{"mcil", "train", "--supervised", "--out=" + filepath.Join(o.Dir, j.Name), fmt.Sprint("--threads=", threads), fmt.Sprint("--workers=", threads)}
	if o.Force {
		args = append(args, "--force")
	}
	for _, a := range j.Args {
		args = append(args, "--"+a.Key+"="+a.Value)
	}
	cmd := exec.Command(o.Program)
	cmd.Args = args
	orders, err1 := cmd.StdinPipe()
	words, err2 := cmd.StderrPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		e := event{job: i, ended: true, said: listen(words, func(l Line) { events <- event{job: i, line: l} })}
		err := cmd.Wait()
		if e.code = cmd.ProcessState.ExitCode(); e.code < 0 {
			e.said = fmt.Sprintf("%v: the memory was perhaps not enough: give less with --memory or --jobs", err)
		}
		events <- e
	}()
	return &process{cmd, orders}, nil
}

// interrupt asks for a halt at the next place that it can go on from.
func (p *process) interrupt() { p.orders.Write([]byte("\n")) } // that it has just ended is no error

// abort ends the process now.
func (p *process) abort() { p.cmd.Process.Kill() }

// listen reads what a process says to its end: lines of JSON are told, and of the others the complaint is returned.
func listen(r io.Reader, tell func(Line)) (complaint string) {
	b := bufio.NewReader(r)
	rank := 0
	for {
		text, err := b.ReadString('\n')
		text = strings.TrimSpace(text)
		var l Line
		switch {
		case strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &l) == nil:
			tell(l)
		case strings.HasPrefix(text, "mcil: "):
			complaint, rank = strings.TrimPrefix(text, "mcil: "), 3
		case rank < 2 && (strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")):
			complaint, rank = text, 2
		case rank < 1 && text != "" && !strings.HasPrefix(text, "time="):
			complaint = text
		}
		if err != nil {
			return complaint
		}
	}
}
