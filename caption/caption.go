// Package caption gets from a picture to a checked caption with provenance.
//
// # The way of a caption
//
// [Run] takes the pictures of a [dataset.Source], prepares each one as a [Recipe] says, asks a [Captioner] for it and
// appends the outcome to a [Store]. A later run with the same recipe asks only for what has no caption yet, so that a run
// can be killed at any moment and started again. [Clean] and [Check] judge an answer afterwards: they are pure functions
// of the stored raw answer, so changing them never means asking again.
//
// # What is never sent
//
// The class, the folder and the file name: the class is what the captions are to help recognise. A prepared picture is
// encoded anew, which also leaves behind whatever its metadata said; [Picture.Original] gives that up. A prompt with a
// variable that would tell ([Reveals]) is refused, or, with leave, named in the store's manifest.
//
// # Asking again
//
// There are two reasons to. A call that failed in a way that may pass is made once more after a wait, within
// [Options.Attempts] for a picture and [Options.RetryBudget] for the run. An answer that is empty or loops would come back
// the same, so it is asked for with another decoding, down [Recipe.Ladder]; the record names the rung. A loop, or an
// echo of the prompt, that nothing better follows is kept, for [Check] to flag. At the last rung an empty answer is a failure
// like any other.
// [Options.Requeue] sends captions down the ladder that were found wanting later: the latest record counts.
//
// # Failures
//
// A failure is a record like any other, with its [Class] and an excerpt of what the endpoint said. A plain rerun asks
// again for what failed; [Options.OnlyFailed] asks for nothing else.
//
// # One picture under two names
//
// The answer belongs to the picture: a picture that was renamed, or is there twice, gets a record of its own with the
// answer that the store has, Attempts 0 and no tokens. Twins on the way at the same time may both be asked for.
//
// # Compatibility
//
// Stores of version 1 stay readable. A store holds the answers to one recipe.
package caption

import (
	"cmp"
	"context"
)

// Request is one question about one picture, without a word about what the picture is known to show.
type Request struct {
	Model     string // as the endpoint knows it
	Revision  string // of the model; in the fingerprint, never on the wire; empty where it is not known
	Prompt    string
	Image     []byte // encoded, as sent
	MediaType string // such as image/jpeg
	Decoding  Decoding
}

// Answer is what came back, unedited.
type Answer struct {
	Raw              string
	Model            string // as the endpoint names itself
	FinishReason     string // stop, length, or empty where the endpoint does not say
	PromptTokens     int    // 0 where the endpoint does not say
	CompletionTokens int
	Endpoint         string // base URL, without credentials
}

// Captioner answers requests. Its methods are safe for concurrent use.
type Captioner interface {
	// Caption asks once: retrying is the caller's. It returns when ctx ends. Its errors hold an [*Error], save for the
	// cancellation of ctx, which is returned as such. An answer without text is an error of class [Empty].
	Caption(ctx context.Context, r Request) (Answer, error)

	// Fingerprint is the hexadecimal SHA-256 of the request as it would be sent.
	Fingerprint(r Request) (string, error)
}

// Scheduler is a [Captioner] that knows when an endpoint may be asked: it keeps limits and Retry-After for each endpoint,
// so that [Run] need not. Run asks it for a place before every call.
type Scheduler interface {
	Captioner

	// Admit waits until an endpoint may be asked, or ctx ends, and returns a captioner for one call, whose Caption frees the
	// place when it returns. An error that wraps [ErrEndpoint] counts as silence, whatever its class. Where that captioner has a method Discard(), it frees the place without a call.
	Admit(ctx context.Context, r Request) (Captioner, error)
}

// DefaultPrompt is LAVIS's own for InstructBLIP where it asks for detail. The paper does not give its prompt.
const DefaultPrompt = "Write a detailed description."

// Decoding says how the endpoint is to make its text. The zero value is InstructBLIP's documented setting; a zero field
// means its default, so a length penalty of exactly 0 cannot be asked for.
type Decoding struct {
	Beams             int     // beams of the search; default 5
	MaxTokens         int     // new tokens at most; default 256
	Temperature       float64 // 0, the default: no sampling. It is always sent, but for BareFields
	RepetitionPenalty float64 // default 1.5
	LengthPenalty     float64 // default 1.0
	TopP              float64 // sample from the likeliest tokens that hold this share of the probability; 0: not sent
	MinP              float64 // leave out tokens less likely than this share of the likeliest's probability; 0: not sent
	TopK              int     // sample from so many tokens; 0: not sent
	Fields            Fields  // which of these the endpoint is sent; default all
}

// Fields is a set of decoding parameters that an endpoint understands.
type Fields string

// The sets. An endpoint of OpenAI's refuses what it does not know.
const (
	AllFields    Fields = ""       // InstructBLIP's, by the names of transformers
	OpenAIFields Fields = "openai" // max_completion_tokens, temperature and top_p
	BareFields   Fields = "bare"   // max_completion_tokens, for models that decide on the rest themselves
)

// WithDefaults fills the zero fields that have a default.
func (d Decoding) WithDefaults() Decoding {
	d.Beams = cmp.Or(d.Beams, 5)
	d.MaxTokens = cmp.Or(d.MaxTokens, 256)
	d.RepetitionPenalty = cmp.Or(d.RepetitionPenalty, 1.5)
	d.LengthPenalty = cmp.Or(d.LengthPenalty, 1)
	return d
}

// Parameters are the fields by their names in a request to a chat-completions endpoint.
func (d Decoding) Parameters() map[string]any {
	d = d.WithDefaults()
	switch d.Fields {
	case BareFields:
		return map[string]any{"max_completion_tokens": d.MaxTokens}
	case OpenAIFields:
		p := map[string]any{"max_completion_tokens": d.MaxTokens, "temperature": d.Temperature}
		if d.TopP != 0 {
			p["top_p"] = d.TopP
		}
		return p
	}
	p := map[string]any{
		"max_tokens":         d.MaxTokens,
		"temperature":        d.Temperature,
		"num_beams":          d.Beams,
		"repetition_penalty": d.RepetitionPenalty,
		"length_penalty":     d.LengthPenalty,
	}
	if d.TopP != 0 {
		p["top_p"] = d.TopP
	}
	if d.MinP != 0 {
		p["min_p"] = d.MinP
	}
	if d.TopK != 0 {
		p["top_k"] = d.TopK
	}
	return p
}
