package captiontest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// post asks f about a picture and returns what can be read of the answer.
func post(t *testing.T, url string, image string) (status int, header http.Header, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	request := `{"messages":[{"content":[{"type":"text","text":"x"},{"image_url":{"url":"data:image/png;base64,` +
		base64.StdEncoding.EncodeToString([]byte(image)) + `"}}]}]}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(b), err
}

func TestEveryFault(t *testing.T) {
	for _, c := range []struct {
		kind   Fault
		status int  // 0: no answer
		breaks bool // off in the body
		json   bool // a whole value
		holds  string
		after  string
	}{
		{FaultRate, 429, false, true, "too many", ""},
		{FaultRateAfter, 429, false, true, "too many", "0.02"},
		{FaultInternal, 500, false, true, "out of memory", ""},
		{FaultBusy, 503, false, false, "", ""},
		{FaultHang, 0, false, false, "", ""},
		{FaultDrip, 200, true, false, "  ", ""},
		{FaultReset, 0, false, false, "", ""},
		{FaultTruncated, 200, false, false, `{"id"`, ""},
		{FaultError, 200, false, true, `"error"`, ""},
		{FaultChoices, 200, false, true, `"choices":[]`, ""},
		{FaultEmpty, 200, false, true, `"content":""`, ""},
		{FaultPage, 200, false, false, "<title>", ""},
		{FaultHuge, 200, false, false, "word word", ""},
	} {
		f := &Faults{Share: 1, Kinds: []Fault{c.kind}, HugeBytes: 100_000}
		server := httptest.NewServer(f)
		status, header, body, err := post(t, server.URL, "picture")
		if status != c.status || (err != nil) != (c.breaks || c.status == 0) || !strings.Contains(body, c.holds) || header.Get("Retry-After") != c.after {
			t.Errorf("%s: status %d, %v, %.80s", c.kind, status, err, body)
		}
		if json.Valid([]byte(body)) != c.json {
			t.Errorf("%s: JSON or not: %.80s", c.kind, body)
		}
		if c.kind == FaultHuge && len(body) < 100_000 {
			t.Errorf("%d bytes", len(body))
		}
		if f.Count(c.kind) != 1 || f.Requests() != 1 || f.Answered() != 0 || f.AnsweredTimes([]byte("picture")) != 0 {
			t.Errorf("%s: %d times in %d requests, %d answered", c.kind, f.Count(c.kind), f.Requests(), f.Answered())
		}
		server.Close()
	}
	if len(AllFaults()) != 13 {
		t.Error("a fault is not in the table")
	}
}

func TestFaultsTally(t *testing.T) {
	var f Faults
	server := httptest.NewServer(&f)
	defer server.Close()
	for i, image := range []string{"a", "b", "a", "c"} {
		status, _, body, err := post(t, server.URL, image)
		if status != 200 || err != nil || !strings.Contains(body, CaptionOf([]byte(image))) {
			t.Errorf("request %d: status %d, %v, %s", i, status, err, body)
		}
	}
	if f.Requests() != 4 || f.Answered() != 3 || f.Again() != 1 || f.AnsweredTimes([]byte("a")) != 2 || f.AnsweredTimes([]byte("d")) != 0 {
		t.Errorf("%d requests, %d answered, %d again", f.Requests(), f.Answered(), f.Again())
	}
	if resp, err := http.Get(server.URL + "/models"); err != nil || resp.StatusCode != 404 {
		t.Errorf("another route: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

// What fails depends on the picture and how often it was asked for, and on the seed; and the share is kept.
func TestFaultsAreSeeded(t *testing.T) {
	kinds := func(seed uint64, backwards bool) string {
		f := &Faults{Share: 0.3, Seed: seed}
		out := make([]string, 1000)
		for i := range out {
			n := i
			if backwards {
				n = len(out) - 1 - i
			}
			kind, _ := f.draw([32]byte{byte(n / 2), byte(n / 2 >> 8)}) // each picture twice
			out[n&^1] += string(kind) + ";"
		}
		n := f.Requests()
		for _, k := range AllFaults() {
			n -= f.Count(k)
			if c := f.Count(k); c < 8 || c > 42 { // 23 expected
				t.Errorf("%s: %d times", k, c)
			}
		}
		if n < 650 || n > 750 {
			t.Errorf("%d of 1000 did not fail, want about 700", n)
		}
		return strings.Join(out, " ")
	}
	if kinds(1, false) != kinds(1, true) {
		t.Error("the order of requests changes what fails")
	}
	if kinds(1, false) == kinds(2, false) {
		t.Error("the seed changes nothing")
	}
}

func TestPicturesDiffer(t *testing.T) {
	seen := map[string]int{}
	for n := range 2000 {
		b := string(Request(t, n).Image)
		if other, ok := seen[b]; ok {
			t.Fatalf("pictures %d and %d are the same", other, n)
		}
		seen[b] = n
	}
}
