package caption

import "cmp"

// DefaultLadder asks twice more: first with a stronger penalty on repetition, then by sampling, which leaves a loop that
// every beam falls into.
func DefaultLadder() []Decoding {
	return []Decoding{
		{Beams: 5, RepetitionPenalty: 2},
		{Beams: 1, Temperature: 0.7, TopP: 0.9},
	}
}

// LadderOf is the default ladder in what an endpoint understands: all of it, sampling, or none.
func LadderOf(f Fields) []Decoding {
	switch f {
	case OpenAIFields:
		return []Decoding{{Temperature: 0.7, TopP: 0.9, Fields: f}}
	case BareFields:
		return nil
	}
	return DefaultLadder()
}

// over fills the zero fields of a rung from d.
func (rung Decoding) over(d Decoding) Decoding {
	return Decoding{
		Beams:             cmp.Or(rung.Beams, d.Beams),
		MaxTokens:         cmp.Or(rung.MaxTokens, d.MaxTokens),
		Temperature:       cmp.Or(rung.Temperature, d.Temperature),
		RepetitionPenalty: cmp.Or(rung.RepetitionPenalty, d.RepetitionPenalty),
		LengthPenalty:     cmp.Or(rung.LengthPenalty, d.LengthPenalty),
		TopP:              cmp.Or(rung.TopP, d.TopP),
		MinP:              cmp.Or(rung.MinP, d.MinP),
		TopK:              cmp.Or(rung.TopK, d.TopK),
		Fields:            cmp.Or(rung.Fields, d.Fields),
	}
}

// useless says whether an answer repeats itself, or has no word but the prompt's and special tokens, so that another decoding
// is worth a try.
func useless(a Answer, prompt string) bool {
	return Has(Check(Clean(a.Raw, prompt), a.Raw, a.FinishReason, prompt), FlagEmpty, FlagRepetition, FlagCharacterRun)
}
