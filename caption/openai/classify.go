package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	gpt "github.com/sashabaranov/go-openai"

	"github.com/mcil/mcil/caption"
)

const excerptBytes = 300

// classify says what went wrong in an exchange, or nil where resp holds a caption. It reads the answer itself and not
// go-openai's errors, which say different things for the same answer and lose its headers.
func classify(x *exchange, resp gpt.ChatCompletionResponse, err error) *caption.Error {
	if e := classifyStatus(x, err); e != nil {
		return e
	}
	switch {
	case len(resp.Choices) == 0:
		return x.failure(caption.Malformed, true, errors.New("a chat completion without choices"))
	case strings.TrimSpace(resp.Choices[0].Message.Content) == "":
		why := "a chat completion without text"
		if reason := resp.Choices[0].FinishReason; reason != "" {
			why += " (finish reason " + string(reason) + ")"
		}
		// Some servers answer so under load, so asking again may help.
		return x.failure(caption.Empty, true, errors.New(why))
	case resp.Choices[0].FinishReason == "error" || resp.Choices[0].FinishReason == "abort": // OpenRouter's, vLLM's
		return x.failure(caption.Server, true, errors.New("the answer was given up in the middle (finish reason "+string(resp.Choices[0].FinishReason)+")"))
	}
	return nil
}

// classifyStatus is the part of [classify] that holds for every route.
func classifyStatus(x *exchange, err error) *caption.Error {
	switch {
	case errors.Is(err, errRedirect):
		return x.failure(caption.Refused, false, err)
	case errors.Is(err, errTooLarge):
		return x.failure(caption.Malformed, true, err)
	case x.status == 0 && err == nil: // never sent
		return x.failure(caption.Malformed, false, errors.New("no exchange took place"))
	case isTimeout(err):
		return x.failure(caption.Timeout, true, err)
	case x.status == 0:
		return x.failure(caption.Network, true, err)
	case x.status < 200 || x.status >= 400:
		return x.failed(x.status)
	case errors.Is(err, errCutOff):
		return x.failure(caption.Network, true, err)
	}
	if status, ok := errorInside(x.body); ok {
		return x.failed(status)
	}
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && !looksJSON(x.body): // a proxy's page, which may pass, or a login page
		return x.failure(caption.Malformed, true, errors.New("not JSON: is this the base URL of an OpenAI-compatible endpoint?"))
	case json.Valid(x.body):
		return x.failure(caption.Malformed, false, err) // well-formed, of other types
	}
	return x.failure(caption.Malformed, true, err) // an empty body, or JSON that breaks off
}

// failed classifies by an HTTP status, which the answer had or its error object names.
func (x *exchange) failed(status int) *caption.Error {
	class, retry := caption.Refused, false
	switch {
	case status == http.StatusTooManyRequests && bytes.Contains(x.body, []byte(`"insufficient_quota"`)): // the credit is used up: waiting brings none
	case status == http.StatusTooManyRequests || status == 529:
		class, retry = caption.Rate, true
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		class, retry = caption.Timeout, true
	case status == http.StatusConflict || status == http.StatusTooEarly:
		class, retry = caption.Server, true
	case status >= 500:
		class = caption.Server
		retry = status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
	}
	return x.failure(class, retry, nil)
}

func (x *exchange) failure(class caption.Class, retry bool, err error) *caption.Error {
	return &caption.Error{
		Class:      class,
		Status:     x.status,
		Body:       caption.Excerpt([]byte(x.secret.hide(string(x.body))), excerptBytes), // hidden before it is cut: half a key is one too
		RetryAfter: retryAfter(x.header, time.Now()),
		Retry:      retry,
		Err:        err,
	}
}

func looksJSON(b []byte) bool {
	s := strings.TrimSpace(string(b[:min(len(b), 64)]))
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")
}

// errorInside finds an error in an answer of status 200: OpenAI's {"error": ...}, the older vLLM's {"object": "error"} or
// FastAPI's {"detail": ...} without choices. The status is the one it names, or 500.
func errorInside(body []byte) (status int, ok bool) {
	var a struct {
		Choices json.RawMessage `json:"choices"`
		Data    json.RawMessage `json:"data"` // of a list of models
		Object  string          `json:"object"`
		Code    json.RawMessage `json:"code"`
		Error   json.RawMessage `json:"error"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &a) != nil || isSet(a.Choices) || isSet(a.Data) {
		return 0, false
	}
	switch {
	case isSet(a.Error):
		var e struct {
			Code json.RawMessage `json:"code"`
			Type string          `json:"type"`
		}
		_ = json.Unmarshal(a.Error, &e) // the error may be a plain string
		return statusNamed(e.Code, e.Type), true
	case a.Object == "error":
		return statusNamed(a.Code, ""), true
	case isSet(a.Detail):
		return http.StatusInternalServerError, true
	}
	return 0, false
}

func isSet(m json.RawMessage) bool {
	s := string(m)
	return s != "" && s != "null" && s != "[]"
}

// statusNamed is the HTTP status in an error's code, by number or by one of OpenAI's names.
func statusNamed(code json.RawMessage, kind string) int {
	s := strings.Trim(string(code), `"`)
	if n, err := strconv.Atoi(s); err == nil && n >= 400 && n < 600 {
		return n
	}
	switch {
	case strings.Contains(s, "rate_limit") || strings.Contains(kind, "rate_limit"):
		return http.StatusTooManyRequests
	case strings.Contains(s, "invalid") || strings.Contains(kind, "invalid_request"):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// retryAfter reads Retry-After in seconds or as a date, and OpenAI's retry-after-ms.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = time.Hour // the runner has its own, lower bound; this keeps the arithmetic sound
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return time.Duration(min(ms, float64(most.Milliseconds())) * float64(time.Millisecond))
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if s > 0 { // false for NaN
			return time.Duration(min(s, most.Seconds()) * float64(time.Second))
		}
		return 0
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), most)
	}
	return 0
}
