// Package openai asks any OpenAI-compatible chat-completions endpoint for captions, by the go-openai client.
//
// # Below the client
//
// go-openai cannot send a temperature of 0 or InstructBLIP's decoding parameters, hides Retry-After, has no time limits and
// takes an error object under status 200 for success. A [doer] of ours below it adds the parameters to the body, keeps the
// status, headers and body of the answer for [classify], refuses redirects, bounds the size of an answer and holds its
// own pool of connections. Each trap has a test, named TestTrap.
//
// # Memory and time of a call
//
// go-openai writes a request with an empty data URL. The picture is put there, in base64, while the body is read: into the
// connection's buffer when it is sent, into the hash when its fingerprint is asked for. No call holds a second copy of it.
//
// # The key
//
// The key is in the Authorization header and nowhere else. It is cut out of what an endpoint says back, in the spellings
// that servers have for it, and neither [Options] nor [Client] shows it when printed or logged; only a struct that holds
// Options in an unexported field, and is printed whole, would.
package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	gpt "github.com/sashabaranov/go-openai"

	"github.com/mcil/mcil/caption"
)

// Options name an endpoint.
type Options struct {
	BaseURL        string // such as http://host:8000/v1
	APIKey         string `json:"-"` // sent as a bearer token; empty: none
	MaxAnswerBytes int64  // larger answers are refused; default 1 MiB
	Connections    int    // idle connections that are kept; default 64
}

// Client is a [caption.Captioner] on one endpoint.
type Client struct {
	endpoint string // base URL without credentials
	secret   *secret
	table    *base64Table
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
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("endpoint %s: the key holds a space, a line end or another character that no key has: remove it", o.BaseURL)
	}
	d := newDoer(o)
	config := gpt.DefaultConfig(o.APIKey)
	config.BaseURL = strings.TrimRight(u.String(), "/")
	config.HTTPClient = d
	return &Client{
		endpoint: config.BaseURL,
		secret:   newSecret(o.APIKey),
		table:    newBase64Table(),
		gpt:      gpt.NewClientWithConfig(config),
		doer:     d,
	}, nil
}

// Endpoint is the base URL.
func (c *Client) Endpoint() string { return c.endpoint }

// Close drops idle connections.
func (c *Client) Close() { c.doer.http.CloseIdleConnections() }

// request is go-openai's request; what it cannot hold, [exchange.newWire] adds. The picture comes before the text, as
// InstructBLIP reads them, and the text is a part of its own: some servers drop text beside an image_url. The data URL is
// left empty here and filled below the client, where the picture is encoded once and not escaped over and over.
func (c *Client) request(r caption.Request) (gpt.ChatCompletionRequest, *exchange) {
	x := &exchange{table: c.table, secret: c.secret, extra: r.Decoding.Parameters(), url: "data:" + r.MediaType + ";base64,", image: r.Image}
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

// Fingerprint implements [caption.Captioner]: the digest of the very bytes that [Client.Caption] sends.
func (c *Client) Fingerprint(r caption.Request) (string, error) {
	request, x := c.request(r)
	b, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("fingerprint of a request: %w", err)
	}
	w, err := x.newWire(b)
	if err != nil {
		return "", fmt.Errorf("fingerprint of a request: %w", err)
	}
	return w.fingerprint(r.Revision), nil
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
		Raw:              c.secret.hideInAnswer(choice.Message.Content),
		Model:            c.secret.hideInAnswer(resp.Model),
		FinishReason:     c.secret.hideInAnswer(string(choice.FinishReason)),
		PromptTokens:     resp.Usage.PromptTokens,
		CompletionTokens: resp.Usage.CompletionTokens,
		Endpoint:         c.endpoint,
	}, nil
}

// blame puts the endpoint's name on a failure, and takes the key out of it.
func (c *Client) blame(e *caption.Error) *caption.Error {
	e.Endpoint = c.endpoint
	if e.Err != nil {
		if said := e.Err.Error(); c.secret.hide(said) != said {
			e.Err = errors.New(c.secret.hide(said))
		}
	}
	return e
}
