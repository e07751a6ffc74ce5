// Package batch carries requests for captions through the OpenAI Batch API, and any server that takes its files: JSON Lines
// out, JSON Lines in. Nothing here touches a network: the files are uploaded and fetched with the provider's own tool.
//
// # Out
//
// [Export] writes, into a folder of its own, batch-0001.jsonl and so on: a request a line, whose body is byte for byte what
// the client would send, so that the answer has the fingerprint that the client's would have. Files are split before they
// exceed the API's limits on bytes and requests. Beside them ids.jsonl says which picture each request is about: a line of
// header, then custom_id, ID, digest of the picture, fingerprint and rung. Two pictures of the same bytes are one request
// and two lines there. No ID leaves in a batch file: the custom_id is the fingerprint, and class and file name would be in
// the ID. export.json comes last: a folder without it is not an export.
//
// # In
//
// [Import] reads the output and error files that the API made, in any order, and appends captions and failures to a store
// as a run would have. What is there already is not added again, so a file may be imported twice. A line that asks for what
// was not exported, or that is damaged, is counted and reported and harms no other line.
//
// # Memory
//
// Export holds a few pictures and 16 bytes for each request; import holds one line and about 60 bytes for each picture.
//
// # Compatibility
//
// Exports of version 1 stay readable.
package batch

import (
	"encoding/json"
	"errors"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/schemas"
)

// Errors that callers tell apart. Each is wrapped with the folder's name and what to do.
var (
	// ErrNoExport: a folder is not a finished export.
	ErrNoExport = errors.New("not a batch export")
	// ErrFolder: a folder holds what an export must not be mixed with.
	ErrFolder = errors.New("not empty")
)

// Wire makes the body of a request as it is sent, and reads what is answered to one. An openai.Client is one.
type Wire interface {
	// Body is what is sent, one line of JSON.
	Body(r caption.Request) ([]byte, error)
	// Fingerprint is that of [caption.Captioner].
	Fingerprint(r caption.Request) (string, error)
	// Answer reads the body that came under an HTTP status. Its errors hold a [*caption.Error].
	Answer(status int, body []byte) (caption.Answer, error)
}

// The names in an export.
const (
	manifestName = "export.json"
	idsName      = "ids.jsonl"
	filePattern  = "batch-%04d.jsonl"
)

// The route that is asked, as the API wants it spelt.
const (
	method = "POST"
	route  = "/v1/chat/completions"
)

// The versions of the two files beside the requests.
var (
	manifestHeader = schemas.Header{Schema: "mcil.batch", Version: 1}
	idsHeader      = schemas.Header{Schema: "mcil.batch.ids", Version: 1}
)

// Manifest is export.json.
type Manifest struct {
	schemas.Header
	Source   string            `json:"source"`   // spec of the source
	Recipe   string            `json:"recipe"`   // digest, as the store has it
	Asked    caption.Recipe    `json:"asked"`    // the recipe itself
	Pictures int               `json:"pictures"` // lines of ids.jsonl after the header
	Requests int               `json:"requests"`
	Files    []File            `json:"files"`
	Refused  []schemas.Refusal `json:"refused"` // pictures that could not be prepared, by ID; never null
	Program  schemas.Program   `json:"program"`
}

// File is one file of requests.
type File struct {
	Name     string `json:"name"`
	Requests int    `json:"requests"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
}

// request is a line of a batch file.
type request struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// picture is a line of ids.jsonl.
type picture struct {
	CustomID    string `json:"custom_id"`
	ID          string `json:"id"`
	ImageSHA256 string `json:"image_sha256"`
	Fingerprint string `json:"fingerprint"`
	Rung        int    `json:"rung,omitempty"`
}

// line is the bytes of a request's line. encoding/json would compact and escape the body again, and the fingerprint is of its
// very bytes.
func (r request) line() ([]byte, error) {
	id, err := json.Marshal(r.CustomID)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(r.Body)+len(id)+100)
	b = append(append(b, `{"custom_id":`...), id...)
	b = append(b, `,"method":"`+method+`","url":"`+route+`","body":`...)
	b = append(b, r.Body...)
	return append(b, '}', '\n'), nil
}
