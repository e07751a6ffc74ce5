package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	gpt "github.com/sashabaranov/go-openai"

	"github.com/mcil/mcil/caption"
)

// Body is what [Client.Caption] sends: one line of JSON, whose digest is the [Client.Fingerprint] where the revision is not
// known.
func (c *Client) Body(r caption.Request) ([]byte, error) {
	request, x := c.request(r)
	b, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("body of a request: %w", err)
	}
	w, err := x.newWire(b)
	if err != nil {
		return nil, fmt.Errorf("body of a request: %w", err)
	}
	out := bytes.NewBuffer(make([]byte, 0, w.size()+bytes.MinRead))
	_, err = out.ReadFrom(w.reader())
	return out.Bytes(), err
}

// Answer reads what an endpoint answered elsewhere, by the OpenAI Batch API, and classes it as [Client.Caption] would have.
// The Endpoint of the answer and of the error is empty.
func (c *Client) Answer(status int, body []byte) (caption.Answer, error) {
	x := &exchange{secret: c.secret, status: status, body: body}
	var resp gpt.ChatCompletionResponse
	err := json.NewDecoder(bytes.NewReader(body)).Decode(&resp)
	if len(bytes.TrimSpace(body)) == 0 {
		err = io.ErrUnexpectedEOF
	}
	if failure := classify(x, resp, err); failure != nil {
		failure = c.blame(failure)
		failure.Endpoint = ""
		return caption.Answer{}, failure
	}
	choice := resp.Choices[0]
	return caption.Answer{
		Raw:              c.secret.hideInAnswer(choice.Message.Content),
		Model:            c.secret.hideInAnswer(resp.Model),
		FinishReason:     c.secret.hideInAnswer(string(choice.FinishReason)),
		PromptTokens:     resp.Usage.PromptTokens,
		CompletionTokens: resp.Usage.CompletionTokens,
	}, nil
}
