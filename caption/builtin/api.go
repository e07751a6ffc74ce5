package builtin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset/picture"
)

// completionRequest is what is read of a chat-completions request. Parameters that ask for what this endpoint cannot do
// are refused; sampling and search parameters have no meaning here and are let pass, as is whatever else a client sends.
type completionRequest struct {
	Model               string           `json:"model"`
	Messages            []requestMessage `json:"messages"`
	MaxTokens           *int             `json:"max_tokens"`
	MaxCompletionTokens *int             `json:"max_completion_tokens"`
	N                   *int             `json:"n"`
	Stream              bool             `json:"stream"`
}

type requestMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // a string, or parts
}

type requestPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	ImageURL *struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

// question is a request that passed.
type question struct {
	prompt    string
	image     []byte // encoded
	maxTokens int    // 0: no limit
}

// fault is an answer that is an error.
type fault struct {
	status  int
	code    string
	message string
}

func (f fault) Error() string { return f.message }

func (f fault) write(w http.ResponseWriter) {
	kind := "invalid_request_error"
	if f.status >= 500 {
		kind = "server_error"
	}
	reply(w, f.status, map[string]any{"error": map[string]any{
		"message": f.message, "type": kind, "param": nil, "code": f.code,
	}})
}

func badRequest(format string, args ...any) fault {
	return fault{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...)}
}

func reply(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // every v here is plain
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may have gone
}

type handler struct {
	Options
	slots chan struct{}
}

// guard checks the key, and turns errors and panics into OpenAI's error shape.
func (h *handler) guard(route func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				fault{http.StatusInternalServerError, "internal", fmt.Sprint("measuring the picture failed: ", p)}.write(w)
			}
		}()
		err := h.authorise(r)
		if err == nil {
			err = route(w, r)
		}
		var f fault
		switch {
		case errors.As(err, &f):
			f.write(w)
		case err != nil:
			fault{http.StatusInternalServerError, "internal", err.Error()}.write(w)
		}
	})
}

func (h *handler) authorise(r *http.Request) error {
	if h.APIKey == "" {
		return nil
	}
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(got), []byte(h.APIKey)) != 1 {
		return fault{http.StatusUnauthorized, "invalid_api_key", "no key, or a wrong one: send Authorization: Bearer KEY"}
	}
	return nil
}

func (h *handler) models(w http.ResponseWriter, _ *http.Request) error {
	reply(w, http.StatusOK, map[string]any{"object": "list", "data": []map[string]any{
		{"id": Model, "object": "model", "created": 0, "owned_by": "mcil"},
	}})
	return nil
}

func (h *handler) complete(w http.ResponseWriter, r *http.Request) error {
	body, err := h.body(w, r)
	if err != nil {
		return err
	}
	q, err := parseRequest(body)
	if err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	info, err := picture.Inspect(q.image)
	if err != nil {
		return badRequest("image_url: %v", err)
	}
	if info.Width*info.Height > h.MaxPicturePixels {
		return badRequest("image_url: the picture is %d by %d pixels, more than %d in all", info.Width, info.Height, h.MaxPicturePixels)
	}
	img, err := picture.Decode(q.image)
	if err != nil {
		return badRequest("image_url: %v", err)
	}
	text, finish := Describe(img), "stop"
	if cut, ok := cutTokens(text, q.maxTokens); ok {
		text, finish = cut, "length"
	}
	prompt, completion := countTokens(q.prompt), countTokens(text)
	sum := sha256.Sum256(body)
	reply(w, http.StatusOK, map[string]any{
		"id":      "chatcmpl-" + hex.EncodeToString(sum[:12]),
		"object":  "chat.completion",
		"created": 0, // an answer depends on nothing but its request
		"model":   Model,
		"choices": []map[string]any{{
			"index":         0,
			"message":       map[string]any{"role": "assistant", "content": text},
			"finish_reason": finish,
		}},
		"usage": map[string]any{
			"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
		},
	})
	return nil
}

// body reads a request of bounded size.
func (h *handler) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if kind := r.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "application/json") {
		return nil, fault{http.StatusUnsupportedMediaType, "unsupported_media_type", "send application/json, not " + kind}
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0)+bytes.MinRead, 1<<20)))
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, h.MaxRequestBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, fault{http.StatusRequestEntityTooLarge, "request_too_large", fmt.Sprintf("the request is larger than %d bytes", large.Limit)}
	case err != nil && !errors.Is(err, io.EOF):
		return nil, badRequest("reading the request: %v", err)
	}
	return b.Bytes(), nil
}

// parseRequest reads the last user message of a request: its texts and its first picture. Every error is a [fault].
func parseRequest(body []byte) (question, error) {
	var r completionRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return question{}, badRequest("the request is not a chat completion's JSON: %v", err)
	}
	switch {
	case r.Model == "":
		return question{}, badRequest("model: missing")
	case r.Model != Model:
		return question{}, fault{http.StatusNotFound, "model_not_found", fmt.Sprintf("the model %q is not served here: use %s", r.Model, Model)}
	case len(r.Messages) == 0:
		return question{}, badRequest("messages: missing")
	case r.Stream:
		return question{}, badRequest("stream: not supported")
	case r.N != nil && *r.N != 1:
		return question{}, badRequest("n: only 1 is supported")
	}
	for i, m := range r.Messages {
		if !slices.Contains([]string{"system", "developer", "user", "assistant"}, m.Role) {
			return question{}, badRequest("messages[%d].role: %q is unknown", i, m.Role)
		}
	}
	var q question
	for _, limit := range []*int{r.MaxTokens, r.MaxCompletionTokens} {
		if limit == nil {
			continue
		}
		if *limit < 1 {
			return question{}, badRequest("max_tokens: must be at least 1")
		}
		q.maxTokens = *limit
	}
	last := r.Messages[len(r.Messages)-1]
	if last.Role != "user" {
		return question{}, badRequest("messages: the last one must be the user's")
	}
	if err := q.readContent(last.Content); err != nil {
		return question{}, err
	}
	return q, nil
}

func (q *question) readContent(content json.RawMessage) error {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return badRequest("messages: no picture: send content as parts, with one image_url")
	}
	var parts []requestPart
	if err := json.Unmarshal(content, &parts); err != nil {
		return badRequest("messages: content is neither a string nor parts: %v", err)
	}
	var texts []string
	for i, p := range parts {
		switch {
		case p.Type == "text":
			texts = append(texts, p.Text)
		case p.Type != "image_url":
			return badRequest("content[%d].type: %q is unknown", i, p.Type)
		case p.ImageURL == nil:
			return badRequest("content[%d].image_url: missing", i)
		case q.image != nil:
			return badRequest("content[%d]: one picture a request", i)
		default:
			b, err := decodeDataURL(p.ImageURL.URL)
			if err != nil {
				return badRequest("content[%d].image_url: %v", i, err)
			}
			q.image = b
		}
	}
	if len(q.image) == 0 {
		return badRequest("messages: no picture: send one image_url")
	}
	q.prompt = strings.Join(texts, "\n")
	return nil
}

// pictureTypes are the media types of data URLs that are read. What the bytes are is found from the bytes.
var pictureTypes = []string{"image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif"}

func decodeDataURL(s string) ([]byte, error) {
	head, data, ok := strings.Cut(s, ",")
	kind, isData := strings.CutPrefix(head, "data:")
	if !ok || !isData {
		return nil, errors.New("not a data URL (data:image/jpeg;base64,... and the picture): this endpoint fetches nothing")
	}
	kind, is64 := strings.CutSuffix(kind, ";base64")
	if !is64 {
		return nil, errors.New("not a base64 data URL (data:image/jpeg;base64,... and the picture)")
	}
	if !slices.Contains(pictureTypes, kind) {
		return nil, fmt.Errorf("media type %.40q: send one of %s", kind, strings.Join(pictureTypes, ", "))
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	return b, nil
}
