package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/builtin"
	"github.com/mcil/mcil/caption/openai"
	"github.com/mcil/mcil/caption/pool"
)

// endpointFlags say who is asked, and how hard.
type endpointFlags struct {
	Endpoint      string        `default:"builtin" placeholder:"URL" help:"Base URL of an OpenAI-compatible API, such as http://host:8000/v1, or builtin: the embedded stand-in. Several that serve the same model: URL,URL*2,... where *2 is a weight. The key, if one is needed, is read from OPENAI_API_KEY, and every endpoint gets it."`
	Workers       int           `default:"8" help:"Calls at a time, of all endpoints together."`
	MaxConcurrent int           `default:"64" help:"Calls at a time at one endpoint; the pace that it bears is found below that."`
	RPM           int           `name:"rpm" placeholder:"N" help:"Requests a minute at one endpoint."`
	TPM           int           `name:"tpm" placeholder:"N" help:"Tokens a minute at one endpoint, of prompts and answers."`
	Timeout       time.Duration `default:"120s" help:"For one call."`
	Attempts      int           `default:"5" help:"Calls for one picture at most."`
	RetryBudget   int           `placeholder:"N" help:"Calls of the whole run that may ask the same once more; -1: no bound. Default, or 0: one a picture, at least 100."`
}

func (f *endpointFlags) check() error {
	switch {
	case f.Workers < 1:
		return fmt.Errorf("--workers=%d: choose 1 or more", f.Workers)
	case f.MaxConcurrent < 1:
		return fmt.Errorf("--max-concurrent=%d: choose 1 or more", f.MaxConcurrent)
	case f.RPM < 0:
		return fmt.Errorf("--rpm=%d: choose 1 or more, or leave it out for no limit", f.RPM)
	case f.TPM < 0:
		return fmt.Errorf("--tpm=%d: choose 1 or more, or leave it out for no limit", f.TPM)
	case f.Timeout <= 0:
		return fmt.Errorf("--timeout=%s: choose a time such as 120s", f.Timeout)
	case f.Attempts < 1:
		return fmt.Errorf("--attempts=%d: choose 1 or more", f.Attempts)
	case f.RetryBudget < -1:
		return fmt.Errorf("--retry-budget=%d: choose 1 or more, -1 for no bound, or 0 for one a picture", f.RetryBudget)
	case strings.ContainsAny(f.Endpoint, "@?#"): // settings are printed, so what may be secret ends here
		return errors.New("--endpoint: a base URL holds no credentials, query or fragment: give the key by OPENAI_API_KEY instead")
	}
	_, err := f.endpoints()
	return err
}

// weighted is an endpoint as the flag names it.
type weighted struct {
	url    string // or builtin
	weight float64
}

// endpoints reads --endpoint.
func (f *endpointFlags) endpoints() ([]weighted, error) {
	var all []weighted
	for part := range strings.SplitSeq(f.Endpoint, ",") {
		url, text, ok := strings.Cut(strings.TrimSpace(part), "*")
		w := weighted{url: strings.TrimRight(url, "/"), weight: 1}
		if ok {
			var err error
			if w.weight, err = strconv.ParseFloat(text, 64); err != nil || !(w.weight > 0 && w.weight <= 1e6) {
				return nil, fmt.Errorf("--endpoint: %s*%s: a weight is a number above 0, such as *2", url, text)
			}
		}
		if w.url == "" {
			return nil, fmt.Errorf("--endpoint=%s: an empty URL", f.Endpoint)
		}
		for _, other := range all {
			if other.url == w.url {
				return nil, fmt.Errorf("--endpoint: %s is named twice: give it a weight, such as %s*2", w.url, w.url)
			}
		}
		all = append(all, w)
	}
	return all, nil
}

// connection is what a run asks: all endpoints as one.
type connection struct {
	*pool.Pool
	clients []*openai.Client
	builtin *builtin.Server // nil: none
}

// connect asks nothing yet. It starts the embedded endpoint where that is one of them.
func (f *endpointFlags) connect() (c *connection, err error) {
	c = &connection{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	endpoints, err := f.endpoints()
	if err != nil {
		return c, usageError{err}
	}
	var members []pool.Member
	for _, w := range endpoints {
		url := w.url
		if url == "builtin" {
			if c.builtin, err = builtin.Listen("127.0.0.1:0", builtin.Options{}); err != nil {
				return c, err
			}
			url = c.builtin.URL()
		}
		client, err := openai.New(openai.Options{BaseURL: url, APIKey: os.Getenv("OPENAI_API_KEY"), Connections: f.Workers})
		if err != nil {
			return c, usageError{err}
		}
		c.clients = append(c.clients, client)
		members = append(members, pool.Member{Name: client.Endpoint(), Captioner: client, Weight: w.weight})
	}
	c.Pool = pool.New(members, pool.Options{MaxConcurrent: f.MaxConcurrent, RequestsPerMin: f.RPM, TokensPerMin: f.TPM})
	return c, nil
}

func (c *connection) close() {
	for _, client := range c.clients {
		client.Close()
	}
	if c.builtin != nil {
		_ = c.builtin.Close(context.Background()) // it answers nobody any more
	}
}

// check asks every endpoint what it serves, each for as long as one call may take. It returns the model's revision, where
// they tell it. One of several that does not answer now is left to the breaker; one that answers, and does not serve the
// model, is a mistake.
func (c *connection) check(ctx context.Context, e *env, model string, timeout time.Duration) (revision string, err error) {
	var silent []error
	for _, client := range c.clients {
		said, err := func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return client.Check(ctx, model)
		}()
		var failure *caption.Error
		switch {
		case errors.As(err, &failure) && (failure.Class == caption.Network || failure.Class == caption.Timeout):
			silent = append(silent, err)
		case err != nil:
			return "", err
		case said != "" && revision != "" && said != revision:
			return "", fmt.Errorf("the endpoints serve different revisions of %s, %s and %s: caption with one of them: %w", model, revision, said, caption.ErrEndpoint)
		case said != "":
			revision = said
		}
	}
	if len(silent) == len(c.clients) {
		return "", silent[0]
	}
	for _, err := range silent {
		e.log.Warn("an endpoint does not answer now; the others go on", "error", oneLine(err))
	}
	return revision, nil
}

// inFlight counts the calls under way, and the tokens of all that ended.
func (c *connection) inFlight() (calls int, tokens int64) {
	for _, s := range c.Stats() {
		calls += s.InFlight
		tokens += s.Tokens
	}
	return calls, tokens
}

// unavailable warns, at the end of a run, of endpoints that are left alone.
func (c *connection) unavailable(e *env) {
	for _, s := range c.Stats() {
		if s.Breaker != pool.Closed {
			e.log.Warn("an endpoint had stopped answering", "endpoint", s.Name, "failures", classes(s.Failures))
		}
	}
}
