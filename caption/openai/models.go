package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
)

// model is an entry of GET /v1/models.
type model struct {
	ID       string
	Revision string // of the weights; not in OpenAI's API: our adapter for InstructBLIP tells it
}

// Models lists what the endpoint says it serves. Not every compatible endpoint says.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	list, err := c.models(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.ID
	}
	return names, nil
}

// models are sorted by name.
func (c *Client) models(ctx context.Context) ([]model, error) {
	x := &exchange{secret: c.secret}
	list, err := c.gpt.ListModels(context.WithValue(ctx, exchangeKey{}, x))
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("endpoint %s: %w", c.endpoint, ctx.Err())
	}
	if failure := classifyStatus(x, err); failure != nil {
		return nil, c.blame(failure)
	}
	var said struct { // go-openai knows no revisions
		Data []struct {
			ID       string          `json:"id"`
			Revision json.RawMessage `json:"revision"`
		} `json:"data"`
	}
	_ = json.Unmarshal(x.body, &said) // what it cannot read stays empty
	revisions := map[string]string{}
	for _, m := range said.Data {
		var r string
		if json.Unmarshal(m.Revision, &r) == nil {
			revisions[m.ID] = r
		}
	}
	models := make([]model, len(list.Models))
	for i, m := range list.Models {
		models[i] = model{c.secret.hideInAnswer(m.ID), c.secret.hideInAnswer(revisions[m.ID])}
	}
	slices.SortFunc(models, func(a, b model) int { return strings.Compare(a.ID, b.ID) })
	return models, nil
}

// Check finds out early what would fail every request for the model: no server there, a wrong key, a model that is not
// served. An endpoint that does not list its models passes. The revision is the model's where the endpoint tells it,
// else empty. How long the check may take is ctx's.
func (c *Client) Check(ctx context.Context, name string) (revision string, err error) {
	models, err := c.models(ctx)
	var e *caption.Error
	switch {
	case errors.As(err, &e) && (e.Class == caption.Network || e.Class == caption.Timeout):
		return "", fmt.Errorf("endpoint %s: no answer: %w: check that it runs: %w", c.endpoint, err, caption.ErrEndpoint)
	case errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		return "", fmt.Errorf("endpoint %s: %w: set OPENAI_API_KEY to a key that it takes: %w", c.endpoint, err, caption.ErrEndpoint)
	case e != nil:
		return "", nil
	case err != nil:
		return "", err
	case len(models) == 0:
		return "", nil
	}
	if i := slices.IndexFunc(models, func(m model) bool { return m.ID == name }); i >= 0 {
		return models[i].Revision, nil
	}
	const shown = 8
	var names []string
	for _, m := range models[:min(shown, len(models))] {
		names = append(names, m.ID)
	}
	more := ""
	if len(models) > shown {
		more = fmt.Sprintf(" and %d more", len(models)-shown)
	}
	return "", fmt.Errorf("endpoint %s: does not serve the model %q: it serves %s%s: %w",
		c.endpoint, name, strings.Join(names, ", "), more, caption.ErrEndpoint)
}
