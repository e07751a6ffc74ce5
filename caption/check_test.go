package caption

import (
	"slices"
	"strings"
	"testing"
)

const testPrompt = "Write a detailed description for the image."

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, raw, prompt, want string }{
		{"plain", "a drawing of a goldfish", testPrompt, "a drawing of a goldfish"},
		{"white space", "  The image\n\nfeatures\ta  goldfish. \r\n", testPrompt, "The image features a goldfish."},
		{"Vicuna repeats the prompt", "Write a detailed description for the image. The image features a goldfish.", testPrompt, "The image features a goldfish."},
		{"echo in another case, over lines", "write a detailed\ndescription for the IMAGE:\nA goldfish.", testPrompt, "A goldfish."},
		{"nothing but the prompt", "Write a detailed description for the image.", testPrompt, ""},
		{"prompt's beginning only", "Write a detailed description for the images", testPrompt, "Write a detailed description for the images"},
		{"special tokens", "<s> a sculpture of a lion</s></s><pad>", "", "a sculpture of a lion"},
		{"control characters and bad UTF-8", "a\x00 tat\xfftoo\u200b of a \u0007wolf", "", "a tattoo of a wolf"},
		{"other scripts stay", "ein Gemälde, 金魚", "", "ein Gemälde, 金魚"},
		{"empty", " \n", testPrompt, ""},
	} {
		if got := Clean(c.raw, c.prompt); got != c.want {
			t.Errorf("%s: Clean = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	const good = "The image features a painting of a brightly coloured fish that swims among green plants. Its scales are " +
		"orange and white, and its tail is long and flowing. The background is a deep blue, which makes the fish stand out."
	for _, c := range []struct {
		name, raw, finish string
		want              []string
	}{
		{"sound", good, "stop", nil},
		{"sound, without a full stop", "a drawing of an orange fish in a bowl", "stop", nil},
		{"a list with like parts", "There are three cups: a red cup, a green cup, and a blue cup on a white table, with a red spoon beside a green one.", "stop", nil},
		{"laughter", "a cartoon of a hen that says ha ha ha", "stop", nil},
		{"empty", " ", "stop", []string{FlagEmpty}},
		{"punctuation only", "...", "stop", []string{FlagEmpty}},
		{"token limit", "The image features a fish that", "length", []string{FlagCutOff}},
		{"ends in a clause", "The image features a fish in the", "stop", []string{FlagCutOff}},
		{"ends in a comma", "The image features a fish,", "", []string{FlagCutOff}},
		{"word loop", "a pair of ray ban ray ban ray ban ray ban sunglasses", "stop", []string{FlagRepetition}},
		{"single word loop", "a dog dog dog dog", "stop", []string{FlagRepetition}},
		{"digit run", "the number is 1000000000000", "stop", []string{FlagRepetition}},
		{"letter run", "OOOOOOOOOOOOOOOO", "stop", []string{FlagRepetition}},
		{"sentence loop until the limit", strings.Repeat("The cat is sitting on the floor. ", 8) + "The cat is", "length", []string{FlagCutOff, FlagRepetition}},
		{"sentences in turn", strings.Repeat("A man stands by the red car. Nobody else is in sight. It is a sunny day in town. ", 3), "stop", []string{FlagRepetition}},
		{"echo at the beginning", testPrompt + " " + good, "stop", []string{FlagEcho}},
		{"echo within", "Sure! Write a detailed description for the image: a fish.", "stop", []string{FlagEcho}},
		{"everything", "Write a detailed description for the image. ant ant ant ant ant and", "length", []string{FlagCutOff, FlagEcho, FlagRepetition}},
	} {
		got := Check(Clean(c.raw, testPrompt), c.raw, c.finish, testPrompt)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: Check = %q, want %q", c.name, got, c.want)
		}
		if !slices.IsSorted(got) {
			t.Errorf("%s: %q is not sorted", c.name, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("Write a detailed description for the image.  A fish</s>", testPrompt)
	f.Add("\xff\u0130mage", "\u0130mage")
	f.Add("<s><s>", "<s>")
	f.Fuzz(func(t *testing.T, raw, prompt string) {
		c := Clean(raw, prompt)
		if c != collapse(c) {
			t.Errorf("Clean left white space: %q", c)
		}
		if again := Clean(c, ""); again != c {
			t.Errorf("Clean without a prompt changed what it returned: %q to %q", c, again)
		}
		if flags := Check(c, raw, "stop", prompt); !slices.IsSorted(flags) {
			t.Errorf("flags %q", flags)
		}
	})
}
