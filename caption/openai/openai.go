// Package openai asks any OpenAI-compatible chat-completions endpoint for captions, by the go-openai client.
//
// # Below the client
//
// go-openai cannot send a temperature of 0 or InstructBLIP's decoding parameters, hides Retry-After, has no time limits and
// takes an error object under status 200 for success. A [doer] of ours below it adds the parameters to the body, keeps the
// status, headers and body of the answer for [classify], refuses redirects, bounds the size of an answer and holds its
// own pool of connections.
//
// # The key
//
// The key is in the Authorization header and nowhere else: it is cut out of what an endpoint says back.
package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gpt "github.com/sashabaranov/go-openai"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

// Options name an endpoint.
type Options struct {
	BaseURL        string // such as http://host:8000/v1
	APIKey         string // sent as a bearer token; empty: none
	MaxAnswerBytes int64  // larger answers are refused; default 1 MiB
	Connections    int    // idle connections that are kept; default 64
}

// Client is a [caption.Captioner] on one endpoint.
type Client struct {
	endpoint string // base URL without credentials
	key      string
	gpt      *gpt.Client
	doer     *doer
}

var _ caption.Captioner = (*Client)(nil)

// New checks the options; it asks nothing.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("endpoint %q: not an http or https URL such as http://host:8000/v1", redactURL(o.BaseURL)) // err may hold a password
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("endpoint %q: a base URL has no query and no fragment", redactURL(o.BaseURL))
	}
	if u.User != nil {
		return nil, fmt.Errorf("endpoint %q: holds credentials: give the key by OPENAI_API_KEY instead", redactURL(o.BaseURL))
	}
	if strings.ContainsAny(o.APIKey, "\r\n\x00") {
		return nil, fmt.Errorf("endpoint %s: the key holds a line end: remove it", o.BaseURL)
	}
	d := newDoer(o)
	config := gpt.DefaultConfig(o.APIKey)
	config.BaseURL = strings.TrimRight(u.String(), "/")
	config.HTTPClient = d
	return &Client{
		endpoint: config.BaseURL,
		key:      o.APIKey,
		gpt:      gpt.NewClientWithConfig(config),
		doer:     d,
	}, nil
}

// redactURL shows a URL that may not even parse without what may be secret in it.
func redactURL(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	if at := strings.LastIndex(s, "@"); at >= 0 {
		scheme, _, _ := strings.Cut(s, "//")
		return scheme + "//" + s[at+1:]
	}
	return s
}

// Endpoint is the base URL.
func (c *Client) Endpoint() string { return c.endpoint }

// Close drops idle connections.
func (c *Client) Close() { c.doer.http.CloseIdleConnections() }

// request is go-openai's request; what it cannot hold, [exchange.wireBody] adds. The picture comes before the text, as
// InstructBLIP reads them, and the text is a part of its own: some servers drop text beside an image_url. The data URL is
// left empty here and filled below the client, where the picture is encoded once and not escaped over and over.
func (c *Client) request(r caption.Request) (gpt.ChatCompletionRequest, *exchange) {
	x := &exchange{extra: r.Decoding.Parameters(), url: "data:" + r.MediaType + ";base64,", image: r.Image}
	return gpt.ChatCompletionRequest{
		Model: r.Model,
		Messages: []gpt.ChatCompletionMessage{{
			Role: gpt.ChatMessageRoleUser,
			MultiContent: []gpt.ChatMessagePart{
				{Type: gpt.ChatMessagePartTypeImageURL, ImageURL: &gpt.ChatMessageImageURL{URL: x.url}},
				{Type: gpt.ChatMessagePartTypeText, Text: r.Prompt},
			},
		}},
	}, x
}

// Fingerprint implements [caption.Captioner].
func (c *Client) Fingerprint(r caption.Request) (string, error) {
	request, x := c.request(r)
	b, err := json.Marshal(request)
	if err == nil {
		b, err = x.wireBody(b)
	}
	if err != nil {
		return "", fmt.Errorf("fingerprint of a request: %w", err)
	}
	return dataset.Digest(b), nil
}

// Caption implements [caption.Captioner].
func (c *Client) Caption(ctx context.Context, r caption.Request) (caption.Answer, error) {
	request, x := c.request(r)
	resp, err := c.gpt.CreateChatCompletion(context.WithValue(ctx, exchangeKey{}, x), request)
	if errors.Is(ctx.Err(), context.Canceled) {
		return caption.Answer{}, fmt.Errorf("endpoint %s: %w", c.endpoint, ctx.Err())
	}
	if failure := classify(x, resp, err); failure != nil {
		return caption.Answer{}, c.blame(failure)
	}
	choice := resp.Choices[0]
	return caption.Answer{
		Raw:              choice.Message.Content,
		Model:            resp.Model,
		FinishReason:     string(choice.FinishReason),
		PromptTokens:     resp.Usage.PromptTokens,
		CompletionTokens: resp.Usage.CompletionTokens,
		Endpoint:         c.endpoint,
	}, nil
}

// blame puts the endpoint's name on a failure, and takes the key out of it.
func (c *Client) blame(e *caption.Error) *caption.Error {
	e.Endpoint = c.endpoint
	if c.key == "" {
		return e
	}
	const hidden = "[key]"
	e.Body = strings.ReplaceAll(e.Body, c.key, hidden)
	if e.Err != nil && strings.Contains(e.Err.Error(), c.key) {
		e.Err = errors.New(strings.ReplaceAll(e.Err.Error(), c.key, hidden))
	}
	return e
}

// Models lists what the endpoint says it serves. Not every compatible endpoint says.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	x := &exchange{}
	list, err := c.gpt.ListModels(context.WithValue(ctx, exchangeKey{}, x))
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("endpoint %s: %w", c.endpoint, ctx.Err())
	}
	if failure := classifyStatus(x, err); failure != nil {
		return nil, c.blame(failure)
	}
	names := make([]string, len(list.Models))
	for i, m := range list.Models {
		names[i] = m.ID
	}
	slices.Sort(names)
	return names, nil
}

// Check finds out early what would fail every request for the model: no server there, a wrong key, a model that is not
// served. An endpoint that does not list its models passes. How long it may take is ctx's.
func (c *Client) Check(ctx context.Context, model string) error {
	names, err := c.Models(ctx)
	var e *caption.Error
	switch {
	case errors.As(err, &e) && (e.Class == caption.Network || e.Class == caption.Timeout):
		return fmt.Errorf("endpoint %s: no answer: %w: check that it runs: %w", c.endpoint, err, caption.ErrEndpoint)
	case errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		return fmt.Errorf("endpoint %s: %w: set OPENAI_API_KEY to a key that it takes: %w", c.endpoint, err, caption.ErrEndpoint)
	case e != nil:
		return nil
	case err != nil:
		return err
	case len(names) > 0 && !slices.Contains(names, model):
		const shown = 8
		more := ""
		if len(names) > shown {
			more = fmt.Sprintf(" and %d more", len(names)-shown)
		}
		return fmt.Errorf("endpoint %s: does not serve the model %q: it serves %s%s: %w",
			c.endpoint, model, strings.Join(names[:min(shown, len(names))], ", "), more, caption.ErrEndpoint)
	}
	return nil
}
