package caption

import (
	"strings"
	"testing"
)

// BenchmarkCheck checks a caption of 55 words as mcil build does, as raw as it was answered and as BLIP-like models pad it.
func BenchmarkCheck(b *testing.B) {
	const clean = "The image features a painting of a brightly coloured fish that swims among green plants. Its scales are " +
		"orange and white, and its tail is long and flowing. The background is a deep blue, which makes the fish stand out. " +
		"There's another, smaller fish on the left side of the painting, and a few stones lie on the sandy ground below it."
	for _, c := range []struct{ name, raw string }{
		{"clean", clean}, {"lines", strings.ReplaceAll(clean, ". ", ".\n\n") + "\n"}, {"tokens", clean + "</s>"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if flags := Check(clean, c.raw, "stop", testPrompt); len(flags) > 0 {
					b.Fatal(flags)
				}
			}
		})
	}
}
