package caption

import (
	"strings"
	"unicode"

	"github.com/mcil/mcil/dataset"
)

// Clean is the caption in a raw answer: text without special tokens and control characters, white space collapsed, and
// without the prompt that InstructBLIP's Vicuna variants repeat before they answer.
func Clean(raw, prompt string) string {
	s := plain(raw)
	if rest, ok := cutEcho(s, plain(prompt)); ok {
		s = rest
	}
	return s
}

// PromptFor is a store's prompt as it was sent for a picture: with what its variables stand for, if it has any.
func PromptFor(prompt string, e dataset.Entry, classes []dataset.Class) string {
	if !strings.Contains(prompt, "{{") {
		return prompt
	}
	t, err := parsePrompt(prompt)
	if err != nil { // of a store that knew no variables
		return prompt
	}
	return t.expand(e, classes)
}

// specialTokens are what tokenizers leave at the ends of a text when asked not to skip them.
var specialTokens = []string{"<s>", "</s>", "<pad>", "<unk>", "<|im_end|>", "<|endoftext|>"}

func plain(s string) string {
	s = collapse(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar, !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	for again := true; again; {
		again = false
		for _, t := range specialTokens {
			if strings.HasPrefix(s, t) || strings.HasSuffix(s, t) {
				s = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, t), t))
				again = true
			}
		}
	}
	return s
}

// cutEcho cuts prompt, in any case, from the beginning of s, with what punctuation follows it. Both are plain.
func cutEcho(s, prompt string) (string, bool) {
	prompt = strings.TrimRight(prompt, ".:!? ")
	if prompt == "" || len(s) < len(prompt) || !strings.EqualFold(s[:len(prompt)], prompt) {
		return s, false
	}
	rest := s[len(prompt):]
	if trimmed := strings.TrimLeft(rest, ".:!?-, "); trimmed != rest || rest == "" {
		return trimmed, true
	}
	return s, false // the prompt's last word goes on: not an echo
}
