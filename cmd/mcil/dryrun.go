package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mcil/mcil/dataset"
)

// priceFlags are what a dry run reckons with.
type priceFlags struct {
	PriceIn  float64       `placeholder:"DOLLARS" help:"With --dry-run: price of a million prompt tokens."`
	PriceOut float64       `placeholder:"DOLLARS" help:"With --dry-run: price of a million answered tokens."`
	Latency  time.Duration `placeholder:"TIME" help:"With --dry-run: how long one call takes. Default: the median of the store's records."`
}

func (f *priceFlags) check(dryRun bool) error {
	switch {
	case !(f.PriceIn >= 0) || !(f.PriceOut >= 0) || math.IsInf(f.PriceIn+f.PriceOut, 0):
		return fmt.Errorf("--price-in=%g --price-out=%g: choose prices from 0 on", f.PriceIn, f.PriceOut)
	case f.Latency != 0 && f.Latency < time.Millisecond: // what records count in
		return fmt.Errorf("--latency=%s: choose a time such as 800ms", f.Latency)
	case !dryRun && (f.PriceIn > 0 || f.PriceOut > 0 || f.Latency > 0):
		return errors.New("--price-in, --price-out and --latency have no effect without --dry-run")
	}
	return nil
}

// estimate is what a run would cost. Tokens and time are sums over all calls, without retries.
type estimate struct {
	Total         int   `json:"total"`
	Cached        int   `json:"cached"`
	ToAsk         int   `json:"to_ask"`
	Requeued      int   `json:"requeued"` // of ToAsk: have a caption
	Bytes         int64 `json:"bytes"`    // of the files
	PreparedBytes int64 `json:"prepared_bytes"`
	RequestBytes  int64 `json:"request_bytes"` // in base64, with the rest of the body
	Sampled       int   `json:"sampled"`       // pictures that were prepared to tell

	PromptTokens     int64    `json:"prompt_tokens"`
	CompletionTokens int64    `json:"completion_tokens"`
	TokensBy         string   `json:"tokens_by"`
	LatencyMS        *int64   `json:"latency_ms"` // of a call; null: not known
	Seconds          *float64 `json:"seconds"`    // null: not known
	Price            *float64 `json:"price"`      // in dollars; null: no prices were given
}

// sampledPictures are prepared to learn how big requests are.
const sampledPictures = 64

// What a request has beside the picture: the JSON around it, with the decoding's parameters.
const bodyBytes = 350

func (c *captionCmd) dryRun(ctx context.Context, e *env, w *work) error {
	r, err := c.reckon(ctx, w)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	again := ""
	if r.Requeued > 0 {
		again = fmt.Sprintf(", %d of them again", r.Requeued)
	}
	out := fmt.Sprintf("%d pictures of %d classes selected, %d have captions, %d to ask (%.1f MB as found)%s\n",
		r.Total, len(w.pictures.Classes()), r.Cached, r.ToAsk, float64(r.Bytes)/1e6, again)
	if r.ToAsk > 0 {
		out += fmt.Sprintf("to send: about %.1f MB in requests, pictures of %.1f MB in them (by preparing %d)\n",
			float64(r.RequestBytes)/1e6, float64(r.PreparedBytes)/1e6, r.Sampled)
		out += fmt.Sprintf("tokens: about %d in, %d out (by %s)\n", r.PromptTokens, r.CompletionTokens, r.TokensBy)
		switch {
		case r.Seconds == nil:
			out += "time: unknown before a first call; --latency gives one\n"
		default:
			out += fmt.Sprintf("time: about %s, at %d ms a call and %d calls at a time\n",
				time.Duration(*r.Seconds*float64(time.Second)).Round(time.Second), *r.LatencyMS, c.Workers)
		}
		if r.Price != nil {
			out += fmt.Sprintf("price: about $%.2f, at $%g a million tokens in and $%g out\n", *r.Price, c.PriceIn, c.PriceOut)
		}
	}
	_, err = fmt.Fprint(e.stdout, out)
	return err
}

func (c *captionCmd) reckon(ctx context.Context, w *work) (estimate, error) {
	p := w.plan
	r := estimate{
		Total: len(p.Entries), ToAsk: p.Missing + p.Requeued, Requeued: p.Requeued, Bytes: p.MissingBytes + p.RequeuedBytes, TokensBy: "nothing to ask",
	}
	r.Cached = r.Total - p.Missing
	if r.ToAsk == 0 {
		return r, nil
	}
	if err := r.measure(ctx, w); err != nil {
		return r, err
	}
	known, err := w.recorded()
	if err != nil {
		return r, err
	}
	n := int64(r.ToAsk)
	if known.tokens > 0 {
		r.PromptTokens, r.CompletionTokens = n*known.prompt, n*known.completion
		r.TokensBy = fmt.Sprintf("the medians of %d records here", known.tokens)
	} else {
		// InstructBLIP's Q-Former makes 32 tokens of a picture, and English has about four letters a token.
		r.PromptTokens, r.CompletionTokens = n*(32+int64(len(w.recipe.Prompt)+3)/4), n*int64(w.recipe.Decoding.MaxTokens)
		r.TokensBy = "32 for a picture, a quarter of the prompt's letters, and --max-tokens at most"
	}
	latency := c.Latency.Milliseconds()
	if latency == 0 {
		latency = known.latency
	}
	if latency > 0 {
		endpoints, err := c.endpoints()
		if err != nil {
			return r, err
		}
		calls := int64(min(c.Workers, c.MaxConcurrent*len(endpoints)))
		seconds := float64((n+calls-1)/calls*latency) / 1e3
		if c.RPM > 0 {
			seconds = max(seconds, 60*float64(n)/float64(c.RPM*len(endpoints)))
		}
		if c.TPM > 0 {
			seconds = max(seconds, 60*float64(r.PromptTokens+r.CompletionTokens)/float64(c.TPM*len(endpoints)))
		}
		r.LatencyMS, r.Seconds = &latency, &seconds
	}
	if c.PriceIn > 0 || c.PriceOut > 0 {
		price := (float64(r.PromptTokens)*c.PriceIn + float64(r.CompletionTokens)*c.PriceOut) / 1e6
		r.Price = &price
	}
	return r, nil
}

// measure prepares some of the pictures, evenly spread.
func (r *estimate) measure(ctx context.Context, w *work) error {
	asked := func(e *dataset.Entry) bool { return w.store == nil || r.Requeued > 0 || !w.store.Has(e.ID) }
	n := 0
	for i := range w.plan.Entries {
		if asked(&w.plan.Entries[i]) {
			n++
		}
	}
	k, at := min(sampledPictures, n), 0 // at counts those asked
	var sample []dataset.Entry          // there may be a million of which these are drawn
	for i := range w.plan.Entries {
		if e := &w.plan.Entries[i]; asked(e) {
			if at == len(sample)*n/k {
				sample = append(sample, *e)
			}
			at++
		}
	}
	var sent int64
	for _, entry := range sample {
		encoded, err := w.pictures.Read(ctx, entry)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the run will record it
			continue
		}
		prepared, _, err := w.recipe.Picture.Prepare(encoded)
		if err != nil {
			continue
		}
		sent += int64(len(prepared))
		r.Sampled++
	}
	if r.Sampled == 0 {
		return nil
	}
	mean := float64(sent) / float64(r.Sampled)
	if w.recipe.Picture.Original { // the files' sizes are known
		mean = float64(r.Bytes) / float64(r.ToAsk)
	}
	r.PreparedBytes = int64(mean * float64(r.ToAsk))
	r.RequestBytes = int64((math.Ceil(mean/3)*4 + bodyBytes + float64(len(w.recipe.Prompt))) * float64(r.ToAsk))
	return nil
}

// medians of what a store's records say of calls.
type medians struct {
	tokens             int // records with tokens
	prompt, completion int64
	latency            int64 // milliseconds; 0: not known
}

// recordedAtMost bounds what is read for medians.
const recordedAtMost = 100_000

func (w *work) recorded() (medians, error) {
	var m medians
	if w.store == nil {
		return m, nil
	}
	var prompt, completion, latency []int64
	for c, err := range w.store.Captions() {
		if err != nil {
			return m, err
		}
		if len(latency) == recordedAtMost {
			break
		}
		if c.Attempts > 0 && c.LatencyMS > 0 {
			latency = append(latency, c.LatencyMS)
		}
		if c.PromptTokens > 0 && c.CompletionTokens > 0 {
			prompt, completion = append(prompt, int64(c.PromptTokens)), append(completion, int64(c.CompletionTokens))
		}
	}
	m.tokens, m.prompt, m.completion, m.latency = len(prompt), median(prompt), median(completion), median(latency)
	return m, nil
}

func median(v []int64) int64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}
