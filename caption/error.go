package caption

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Class is the kind of a failure, as stored in [schemas.Caption.ErrorClass].
type Class string

// The classes of failures.
const (
	Network   Class = "network"   // no answer: no connection, or one cut off
	Timeout   Class = "timeout"   // no answer in time
	Rate      Class = "rate"      // asked too often
	Server    Class = "server"    // the endpoint says that it failed
	Refused   Class = "refused"   // the endpoint says that the request is wrong: key, model, parameters
	Malformed Class = "malformed" // an answer that is not a chat completion
	Empty     Class = "empty"     // a chat completion without text
	BadImage  Class = "picture"   // the picture cannot be read or prepared; nothing was asked
)

// Error is a failure to get a caption.
type Error struct {
	Class      Class
	Status     int           // of HTTP; 0 without an answer
	Body       string        // excerpt of the answer, printable, without credentials
	RetryAfter time.Duration // how long the endpoint asks to be left alone; 0 where it does not say
	Retry      bool          // whether asking again may help
	Endpoint   string        // base URL, without credentials
	Err        error         // may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Class))
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Body != "" {
		fmt.Fprintf(&b, ": %s", e.Body)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// asError finds the [Error] in err, or makes one for what a captioner should have classified.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Class: Timeout, Retry: true, Err: err}
	}
	return &Error{Class: Network, Retry: true, Err: err}
}

// Excerpt shortens what an endpoint said to limit bytes of printable text in one line.
func Excerpt(body []byte, limit int) string {
	cut := len(body) > 4*limit
	if cut {
		body = body[:4*limit]
	}
	s := collapse(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return '.'
		}
		return r
	}, string(body)))
	if len(s) > limit {
		s, cut = strings.ToValidUTF8(s[:limit], ""), true
	}
	if cut {
		s += " ..."
	}
	return s
}

// collapse trims s and turns every run of white space into one space.
func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }
