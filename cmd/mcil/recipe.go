package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/builtin"
)

// recipeFlags say what is asked about each picture. A store, or a variant of it, holds the answers to one such recipe.
type recipeFlags struct {
	Model         string  `placeholder:"NAME" help:"Model to ask for. Default: Salesforce/instructblip-vicuna-7b, or the embedded endpoint's own."`
	ModelRevision string  `placeholder:"REVISION" help:"Of the model: goes into each caption's fingerprint, and is not sent. Default: what the endpoint says, if it does."`
	Prompt        string  `placeholder:"TEXT" help:"What to ask, or @FILE with it. It may not tell the class: see --allow-class-in-prompt."`
	AllowClass    bool    `name:"allow-class-in-prompt" help:"Allow {{class}}, {{wnid}}, {{file}} and {{style}} in the prompt; the store then says so. For ablations: such captions give the answer away."`
	Variant       string  `placeholder:"NAME" help:"Name of these captions beside others in the same store, such as those of another model or prompt."`
	Fields        string  `default:"instructblip" enum:"instructblip,openai,bare," help:"instructblip: send all of the decoding below. openai: max_completion_tokens, temperature and top_p, for servers that refuse others. bare: max_completion_tokens, for models that refuse a temperature, too; no ladder."`
	Beams         int     `default:"5" help:"Beams of the search."`
	MaxTokens     int     `default:"256" help:"New tokens at most."`
	Repetition    float64 `name:"repetition-penalty" default:"1.5" help:"1 is none."`
	Length        float64 `name:"length-penalty" default:"1" help:"Above 0 favours long answers, of beam search; 0 cannot be asked for."`
	Temperature   float64 `default:"0" help:"0: no sampling."`
	TopP          float64 `name:"top-p" placeholder:"P" help:"Sample from the most likely tokens that make up this share; not sent unless given."`
	TopK          int     `name:"top-k" placeholder:"K" help:"Sample from so many tokens; not sent unless given."`
	MinP          float64 `name:"min-p" placeholder:"P" help:"Sample from tokens of this share of the likeliest one; not sent unless given."`
	Ladder        string  `default:"on" enum:"on,off," help:"on: ask again with changed decoding where an answer is empty or loops: repetition penalty 2, then sampling. off: record it."`
	Send          string  `default:"prepared" enum:"prepared,original," help:"prepared: turned upright, at most --max-side pixels, JPEG without metadata. original: the file as it is."`
	MaxSide       int     `default:"336" help:"Longer side of prepared pictures, in pixels."`
}

// defaultModel is asked for where an endpoint is given without a model.
const defaultModel = "Salesforce/instructblip-vicuna-7b"

// defaultMaxSide is the library's.
const defaultMaxSide = 336

func (f *recipeFlags) check() error {
	switch {
	case f.Beams < 1:
		return fmt.Errorf("--beams=%d: choose 1 or more", f.Beams)
	case f.MaxTokens < 1:
		return fmt.Errorf("--max-tokens=%d: choose 1 or more", f.MaxTokens)
	case !(f.Repetition > 0) || math.IsInf(f.Repetition, 0):
		return fmt.Errorf("--repetition-penalty=%g: choose a number above 0, such as 1.5; 1 is none", f.Repetition)
	case f.Length == 0 || math.IsNaN(f.Length) || math.IsInf(f.Length, 0):
		return fmt.Errorf("--length-penalty=%g: choose a number other than 0", f.Length)
	case !(f.Temperature >= 0) || math.IsInf(f.Temperature, 0):
		return fmt.Errorf("--temperature=%g: choose 0 for no sampling, or more", f.Temperature)
	case !(f.TopP >= 0 && f.TopP <= 1):
		return fmt.Errorf("--top-p=%g: choose a share above 0 up to 1", f.TopP)
	case !(f.MinP >= 0 && f.MinP <= 1):
		return fmt.Errorf("--min-p=%g: choose a share above 0 up to 1", f.MinP)
	case f.TopK < 0:
		return fmt.Errorf("--top-k=%d: choose 1 or more", f.TopK)
	case f.MaxSide < 1:
		return fmt.Errorf("--max-side=%d: choose 1 or more", f.MaxSide)
	case f.Send == "original" && f.MaxSide != defaultMaxSide:
		return errors.New("--max-side has no effect beside --send=original: leave it out")
	}
	if f.fields() != caption.AllFields {
		bare := f.fields() == caption.BareFields
		fields := f.Fields
		for _, f := range []struct {
			flag  string
			given bool
		}{
			{"--beams", f.Beams != 5}, {"--repetition-penalty", f.Repetition != 1.5}, {"--length-penalty", f.Length != 1}, {"--top-k", f.TopK != 0}, {"--min-p", f.MinP != 0},
			{"--temperature", bare && f.Temperature != 0}, {"--top-p", bare && f.TopP != 0},
		} {
			if f.given {
				return fmt.Errorf("%s is not sent with --fields=%s: leave it out", f.flag, fields)
			}
		}
	}
	_, err := caption.VariantDir("", f.Variant)
	if err != nil {
		return fmt.Errorf("--variant: %w", err)
	}
	return nil
}

func (f *recipeFlags) fields() caption.Fields {
	if f.Fields == "instructblip" {
		return caption.AllFields
	}
	return caption.Fields(f.Fields)
}

// recipe reads the prompt's file, if it is one.
func (f *recipeFlags) recipe(model string) (caption.Recipe, error) {
	r := caption.Recipe{
		Model: f.Model, Revision: f.ModelRevision, Prompt: f.Prompt, AllowReveal: f.AllowClass, Variant: f.Variant,
		Decoding: caption.Decoding{
			Beams: f.Beams, MaxTokens: f.MaxTokens, Temperature: f.Temperature, RepetitionPenalty: f.Repetition, LengthPenalty: f.Length,
			TopP: f.TopP, TopK: f.TopK, MinP: f.MinP, Fields: f.fields(),
		},
		Picture: caption.Picture{Original: f.Send == "original", MaxSide: f.MaxSide},
	}
	if r.Model == "" {
		r.Model = model
	}
	if f.Ladder != "off" {
		r.Ladder = caption.LadderOf(f.fields())
	}
	if file, ok := strings.CutPrefix(f.Prompt, "@"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return r, fmt.Errorf("prompt: %w", err)
		}
		if r.Prompt = strings.TrimSpace(string(b)); r.Prompt == "" { // an empty one would stand for the default
			return r, usageError{fmt.Errorf("prompt: %s is empty", file)}
		}
	}
	r = r.WithDefaults()
	if err := r.Validate(); err != nil {
		if len(caption.Reveals(r.Prompt)) > 0 && !f.AllowClass {
			err = fmt.Errorf("%w (--allow-class-in-prompt does)", err)
		}
		return r, usageError{err}
	}
	return r, nil
}

// modelOf is the model that an endpoint is asked for by default.
func modelOf(endpoint string) string {
	if endpoint == "builtin" {
		return builtin.Model
	}
	return defaultModel
}
