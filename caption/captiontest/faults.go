package captiontest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is a way for an endpoint to fail.
type Fault string

// The faults.
const (
	FaultRate      Fault = "429"
	FaultRateAfter Fault = "429 with Retry-After"
	FaultInternal  Fault = "500"
	FaultBusy      Fault = "503"
	FaultHang      Fault = "hang"           // nothing comes
	FaultDrip      Fault = "slow drip"      // a byte now and then
	FaultReset     Fault = "reset"          // of the connection, without an answer
	FaultTruncated Fault = "truncated JSON" // in a whole answer of status 200
	FaultError     Fault = "200 with an error"
	FaultChoices   Fault = "no choices"
	FaultEmpty     Fault = "empty text"
	FaultPage      Fault = "HTML" // under status 200
	FaultHuge      Fault = "huge body"
)

// AllFaults are the faults, each once.
func AllFaults() []Fault {
	return []Fault{
		FaultRate, FaultRateAfter, FaultInternal, FaultBusy, FaultHang, FaultDrip, FaultReset,
		FaultTruncated, FaultError, FaultChoices, FaultEmpty, FaultPage, FaultHuge,
	}
}

// Faults is a chat-completions endpoint that fails now and then, and keeps a tally of each picture, known by its bytes as
// sent. What fails how depends on the seed, the picture and how often it was asked for, and not on the order of requests.
// The zero value answers everything; see [CaptionOf].
type Faults struct {
	Share      float64       // of the requests that fail, 0 to 1
	Kinds      []Fault       // drawn from evenly; default [AllFaults]
	Seed       uint64        // of the draws
	RetryAfter time.Duration // of FaultRateAfter; default 20 ms
	Latency    time.Duration // of an answer; default 0
	HangLimit  time.Duration // a hang and a drip end by themselves after so long; default 30 s
	HugeBytes  int           // of FaultHuge; default 2 MiB
	Next       http.Handler  // answers what does not fail; default: an answer of [CaptionOf]

	mu       sync.Mutex
	requests int
	again    int
	faults   map[Fault]int
	pictures map[[sha256.Size]byte]tally
}

type tally struct{ asked, answered int }

// CaptionOf is what [Faults] answers for a picture: no two pictures have the same.
func CaptionOf(image []byte) string {
	sum := sha256.Sum256(image)
	return fmt.Sprintf("A small drawing with the mark %s on a plain ground.", hex.EncodeToString(sum[:6]))
}

// Requests is how many there were.
func (f *Faults) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// Count is how often a fault happened.
func (f *Faults) Count(kind Fault) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults[kind]
}

// Answered is how many pictures were answered without a fault.
func (f *Faults) Answered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, t := range f.pictures {
		n += min(1, t.answered)
	}
	return n
}

// AnsweredTimes is how often a picture was answered without a fault.
func (f *Faults) AnsweredTimes(image []byte) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pictures[sha256.Sum256(image)].answered
}

// Again is how many requests were for a picture that had been answered before.
func (f *Faults) Again() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.again
}

// ServeHTTP implements [http.Handler].
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	image, err := imageOf(body)
	if r.Method != http.MethodPost || err != nil {
		say(w, http.StatusNotFound, `{"error":{"message":"not a request about a picture"}}`)
		return
	}
	digest := sha256.Sum256(image)
	if kind, fails := f.draw(digest); fails {
		f.fail(w, r, kind)
		return
	}
	if f.Latency > 0 {
		time.Sleep(f.Latency)
	}
	next := f.Next
	if next == nil {
		next = answering(CaptionOf(image))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	next.ServeHTTP(w, r)
	if r.Context().Err() == nil { // else nobody was there to be answered
		f.mu.Lock()
		defer f.mu.Unlock()
		t := f.pictures[digest]
		t.answered++
		f.pictures[digest] = t
	}
}

// draw books a request and says whether, and how, it fails.
func (f *Faults) draw(digest [sha256.Size]byte) (kind Fault, fails bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pictures == nil {
		f.pictures, f.faults = map[[sha256.Size]byte]tally{}, map[Fault]int{}
	}
	t := f.pictures[digest]
	t.asked++
	f.pictures[digest] = t
	f.requests++
	if t.answered > 0 {
		f.again++
	}
	random := rand.New(rand.NewPCG(f.Seed^binary.LittleEndian.Uint64(digest[:]), uint64(t.asked)))
	if random.Float64() >= f.Share {
		return "", false
	}
	kinds := f.Kinds
	if len(kinds) == 0 {
		kinds = AllFaults()
	}
	kind = kinds[random.IntN(len(kinds))]
	f.faults[kind]++
	return kind, true
}

func (f *Faults) fail(w http.ResponseWriter, r *http.Request, kind Fault) {
	switch kind {
	case FaultRateAfter:
		after := f.RetryAfter
		if after == 0 {
			after = 20 * time.Millisecond
		}
		w.Header().Set("Retry-After", strconv.FormatFloat(after.Seconds(), 'f', -1, 64))
		fallthrough
	case FaultRate:
		say(w, http.StatusTooManyRequests, `{"error":{"message":"too many requests","code":"rate_limit_exceeded"}}`)
	case FaultInternal:
		say(w, http.StatusInternalServerError, `{"error":{"message":"out of memory"}}`)
	case FaultBusy:
		w.WriteHeader(http.StatusServiceUnavailable)
	case FaultHang:
		f.hang(r, f.hangLimit())
	case FaultDrip:
		end := time.Now().Add(f.hangLimit())
		for time.Now().Before(end) && r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			f.hang(r, 10*time.Millisecond)
		}
	case FaultReset:
		reset(w)
	case FaultTruncated:
		say(w, http.StatusOK, completion("A drawing that")[:60])
	case FaultError:
		say(w, http.StatusOK, `{"error":{"message":"the engine died","code":null}}`)
	case FaultChoices:
		say(w, http.StatusOK, `{"object":"chat.completion","choices":[]}`)
	case FaultEmpty:
		say(w, http.StatusOK, completion(""))
	case FaultPage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Be right back</title>")
	case FaultHuge:
		huge := f.HugeBytes
		if huge == 0 {
			huge = 2 << 20
		}
		piece := strings.Repeat("word ", 2<<10)
		_, err := io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"`)
		for n := 0; n < huge && err == nil; n += len(piece) {
			_, err = io.WriteString(w, piece)
		}
	}
}

func (f *Faults) hangLimit() time.Duration {
	if f.HangLimit > 0 {
		return f.HangLimit
	}
	return 30 * time.Second
}

func (f *Faults) hang(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// reset closes the connection so that the other side sees a reset, where it can.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // closes it, too
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// answering is a handler of one answer.
func answering(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, completion(text)) })
}

func completion(text string) string {
	return fmt.Sprintf(`{"id":"c","object":"chat.completion","created":0,"model":"test","choices":[{"index":0,"message":`+
		`{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":30,"completion_tokens":12,"total_tokens":42}}`, text)
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may have gone
}

// imageOf is the picture of a request.
func imageOf(body []byte) ([]byte, error) {
	var r struct {
		Messages []struct {
			Content []struct {
				ImageURL struct {
					URL string `json:"url"`
				} `json:"image_url"`
			} `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	for _, m := range r.Messages {
		for _, p := range m.Content {
			if _, data, ok := strings.Cut(p.ImageURL.URL, ";base64,"); ok {
				return base64.StdEncoding.DecodeString(data)
			}
		}
	}
	return nil, fmt.Errorf("no picture in %d messages", len(r.Messages))
}
