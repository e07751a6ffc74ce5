package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mcil/mcil/caption"
)

// result is a line of an output or error file: a response, or the API's own reason why there is none.
type result struct {
	CustomID string    `json:"custom_id"`
	Response *response `json:"response"`
	Error    *reason   `json:"error"`
}

type response struct {
	Status    int             `json:"status_code"`
	RequestID string          `json:"request_id"`
	Body      json.RawMessage `json:"body"`
}

type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// UnmarshalJSON takes a code that is a number too, and a reason that is a text: servers differ.
func (r *reason) UnmarshalJSON(b []byte) error {
	var object struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(b, &object) != nil {
		r.Message = textOf(b)
		return nil
	}
	r.Code, r.Message = textOf(object.Code), textOf(object.Message)
	return nil
}

// textOf is a JSON string's text, or other JSON as it stands.
func textOf(b json.RawMessage) string {
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}

// parse reads a line of an output or error file.
func parse(line []byte) (result, error) {
	var r result
	if len(bytes.TrimSpace(line)) == 0 {
		return r, errors.New("an empty line")
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("damaged: %w", err)
	}
	switch {
	case r.CustomID == "":
		return r, errors.New("no custom_id")
	case r.Response == nil && r.Error == nil:
		return r, errors.New("neither a response nor an error")
	case r.Response != nil && (r.Response.Status < 100 || r.Response.Status > 599):
		return r, fmt.Errorf("status_code %d is none of HTTP", r.Response.Status)
	}
	return r, nil
}

const excerptBytes = 300

// outcome is the answer in a result, or why there is none.
func (r result) outcome(w Wire) (caption.Answer, *caption.Error) {
	if r.Response == nil || r.Error != nil && r.Response.Status == http.StatusOK && !isSet(r.Response.Body) {
		return caption.Answer{}, r.Error.failure()
	}
	body := []byte(r.Response.Body)
	if text := ""; json.Unmarshal(body, &text) == nil && isSet(r.Response.Body) { // a proxy's page is carried as a string
		body = []byte(text)
	}
	a, err := w.Answer(r.Response.Status, body)
	if err == nil {
		return a, nil
	}
	var e *caption.Error
	if !errors.As(err, &e) {
		e = &caption.Error{Class: caption.Malformed, Status: r.Response.Status, Err: err}
	}
	return a, e
}

func isSet(m json.RawMessage) bool { return len(m) > 0 && string(m) != "null" }

// failure classes what the API says of a request that it did not carry out.
func (r *reason) failure() *caption.Error {
	e := &caption.Error{Class: caption.Server, Retry: true}
	code := strings.ToLower(r.Code)
	switch {
	case strings.Contains(code, "expired") || strings.Contains(code, "cancel") || strings.Contains(code, "timeout"):
		e.Class = caption.Timeout
	case strings.Contains(code, "rate_limit") || strings.Contains(code, "quota"):
		e.Class = caption.Rate
	case strings.Contains(code, "invalid"):
		e.Class, e.Retry = caption.Refused, false
	}
	e.Err = errors.New(caption.Excerpt([]byte(strings.TrimSpace(r.Code+" "+r.Message)), excerptBytes))
	return e
}
