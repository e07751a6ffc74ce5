package caption

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
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

func TestPromptFor(t *testing.T) {
	e := dataset.Entry{ID: "n01/sketch_0.jpg", Label: 1, Style: "sketch"}
	classes := []dataset.Class{{WNID: "n00", Name: "cat"}, {WNID: "n01", Name: "snow_leopard"}}
	for prompt, want := range map[string]string{
		"Describe.": "Describe.", "A {{style}} of a {{class}}:": "A sketch of a snow leopard:", "{{unknown}}": "{{unknown}}", "": "",
	} {
		if got := PromptFor(prompt, e, classes); got != want {
			t.Errorf("PromptFor(%q) = %q, want %q", prompt, got, want)
		}
	}
}

const soundCaption = "The image features a painting of a brightly coloured fish that swims among green plants. Its scales are " +
	"orange and white, and its tail is long and flowing. The background is a deep blue, which makes the fish stand out."

// say is flags as a test wants them.
func say(flags []Flag) string {
	var parts []string
	for _, f := range flags {
		parts = append(parts, fmt.Sprintf("%s %g", f.Name, f.Value))
	}
	return strings.Join(parts, ", ")
}

// An endpoint may ignore the limit of tokens; a loop of a megabyte is found, and in no time that anybody waits for.
func TestCheckOfAMegabyte(t *testing.T) {
	text := strings.Repeat("a cat and a very small dog sit on the long red bench by the sea ", 1<<14)
	began := time.Now()
	flags := Check(text, text, "stop", DefaultPrompt)
	if !Has(flags, FlagRepetition) {
		t.Errorf("flags %s", say(flags))
	}
	if took := time.Since(began); took > 5*time.Second { // a tenth of a second; without a bound, minutes
		t.Errorf("took %v", took)
	}
}

// Texts of the kinds that users of InstructBLIP report, with the values that a reader can count.
func TestCheckFailures(t *testing.T) {
	const cat, town = "The cat is sitting on the floor. ", "A man stands by the red car. Nobody else is in sight. It is a sunny day in town. "
	for _, c := range []struct{ name, raw, finish, want string }{
		{"empty", " ", "stop", "empty 0"},
		{"punctuation only", "...", "stop", "empty 3"},
		{"special tokens only", "<s></s><pad>", "stop", "empty 0"},
		{"nothing but the prompt", testPrompt, "stop", "empty 0, prompt_echo 1"},

		{"token limit", "The image features a fish that", "length", "cut_off 6"},
		{"ends in a clause", "The image features a fish in the", "stop", "cut_off 7"},
		{"ends in a comma", "The image features a fish,", "", "cut_off 5"},
		{"ends in a bracket", "The image features a fish (", "", "cut_off 5"},

		{"words in a loop", "a pair of ray ban ray ban ray ban ray ban sunglasses", "stop", "repetition 0.5"}, // 6 of 12
		{"a word in a loop", "a dog dog dog dog", "stop", "repetition 0.6"},
		{"a number in a loop", "1 0 0 0 0 0 0 0", "stop", "repetition 0.75"},
		{"numbers in a loop", "a sign that says 100 000 100 000 100 000 100 000", "stop", "repetition 0.5"},
		{"a piece of several words", "a cup on the table next to a cup on the table next to a cup on the table next to a plate", "stop", "repetition 0.6522"}, // 15 of 23
		{"a sentence until the limit", strings.Repeat(cat, 8) + "The cat is", "length", "cut_off 59, repetition 0.8814"},                                      // 52 of 59
		{"sentences in turn", strings.Repeat(town, 3), "stop", "repetition 0.6667"},
		{"a long sentence twice", strings.Repeat("The woman in the blue coat holds a small white umbrella over the head of her child. ", 2), "stop", "repetition 0.5"},
		{"loops within", "On the wall there is a painting of a man, and a painting of a man, and a painting of a man, and a painting of a man, in gold.", "stop", "repetition 0.5667"}, // 17 of 30
		{"sentences with others between", "The boat is on the lake near the hill. It is red. The boat is on the lake near the hill. It is blue. " +
			"The boat is on the lake near the hill. It is green. The boat is on the lake near the hill.", "stop", "repetition 0.5238"}, // 22 of 42

		{"letters", "OOOOOOOOOOOOOOOO", "stop", "character_run 16"},
		{"letters in both cases", "a cat says OoOoOOOOOO", "stop", "character_run 10"},
		{"digits", "the number is 1000000000000", "stop", "character_run 12"},
		{"digits until the limit", "10000000000000000000000000", "length", "character_run 25, cut_off 1"},
		{"punctuation", "a fish!!!!!!!!!!", "stop", "character_run 10"},
		{"another script", "ああああああああああ", "stop", "character_run 10"},

		{"prefix", "a photo of", "stop", "cut_off 3, prefix_only 0"},
		{"prefix with a full stop", "This is a picture of.", "stop", "prefix_only 0"},
		{"longer prefix", "The image shows a close-up view of a", "stop", "cut_off 9, prefix_only 0"},
		{"kind of picture only", "a painting", "stop", "prefix_only 0"},

		{"echo at the beginning", testPrompt + " " + soundCaption, "stop", "prompt_echo 1"},
		{"echo within", "Sure! Write a detailed description for the image: a fish.", "stop", "prompt_echo 1"},
		{"echo in lower case, in lines", "write a detailed\ndescription for the image\na fish", "stop", "prompt_echo 1"},
		{"echo that lost its end", "Write a detailed description for the", "stop", "cut_off 6, prompt_echo 0.8571"}, // 6 of 7

		{"several scripts", "a фото的 кошки 在桌子上", "stop", "mixed_scripts 0.4"}, // of 15 letters 9 are Cyrillic
		{"an open quote", "the word \" кошки", "stop", "mixed_scripts 0.4167"}, // 5 of 12
		{"everything", "Write a detailed description for the image. ant ant ant ant ant and", "length", "cut_off 6, prompt_echo 1, repetition 0.6667"},
	} {
		flags := Check(Clean(c.raw, testPrompt), c.raw, c.finish, testPrompt)
		if got := say(flags); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		names, values := Columns(flags)
		if !slices.IsSorted(names) || len(names) != len(values) {
			t.Errorf("%s: names %q, values %v", c.name, names, values)
		}
	}
}

// Ordinary captions carry no flag.
func TestCheckPasses(t *testing.T) {
	for name, text := range map[string]string{
		"sound":              soundCaption,
		"no full stop":       "a drawing of an orange fish in a bowl",
		"short":              "a dog",
		"one word":           "goldfish",
		"ends in a verb":     "an old clock that nobody knows how to wind up",
		"list":               "There are three cups: a red cup, a green cup, and a blue cup on a white table, with a red spoon beside a green one.",
		"colors":             "a black and white cat, a black and white dog and a black and white cow stand in a row",
		"colors again":       "The shirt is red, red, red: the hat is red, the shoes are red and the wall behind them is red too.",
		"laughter":           "a cartoon of a hen that says ha ha ha",
		"comic":              "A comic panel in which a boy falls off a roof and shouts \"Aaaaaah!\" above the word \"BOOOOM\".",
		"names":              "A portrait of New York, New York by Andy Warhol; Marilyn Monroe and Marilyn Manson stand side by side.",
		"Duran Duran":        "a poster of the band Duran Duran beside one of The The, and one of Talk Talk",
		"quote":              "A sign reads \"No dogs, no bikes, no exceptions\", and below it hangs one that says \"Dogs welcome\".",
		"buffalo":            "a plate that reads \"buffalo buffalo buffalo\" hangs on a wall",
		"digits":             "A license plate with the number 1000000 on a car of 1999, which cost $25,000.00 and has done 100,000 miles.",
		"number of a phone":  "an advertisement with the phone number 555-0100-0100 and the year 2000",
		"ellipsis":           "a man who waits... and waits... and waits...",
		"hashtag":            "a tattoo of the word love, posted with the tags #tattoo #love #ink #tattoolove #lovetattoo",
		"another language":   "Ein Gemälde von einem Fisch, der zwischen grünen Pflanzen schwimmt.",
		"Japanese":           "テーブルの上に座っている猫の写真",
		"Russian":            "рисунок кошки, которая сидит на столе",
		"Korean with Han":    "그림 속의 고양이가 大門 앞에 앉아 있다",
		"quoted Chinese":     "A shop sign with the Chinese characters 金魚 above a row of glass bowls.",
		"short quotation":    "a sign that says \"おはようございます\"",
		"quotation marks":    "a sign „寿司“ and one «суши» below the words “すし” and 「金魚」",
		"Greek letter":       "a blackboard with the formula π r² and a drawing of a circle",
		"accents":            "a café named Señor Crêpe in São Paulo",
		"describes the task": "Here is a detailed description: a fish swims in a bowl.",
		"like the prompt":    "A woman writes a detailed description of a painting into her notebook.",
		"parallel sentences": "On the left is a man in a blue coat with a hat. On the right is a man in a red coat with a stick. In the middle is a dog.",
		"steps":              "The first figure holds a sword, the second figure holds a shield, the third figure holds a bow, and the fourth holds a flag.",
		"title":              "A Tale of Two Cities",
	} {
		if flags := Check(Clean(text, testPrompt), text, "stop", testPrompt); len(flags) > 0 {
			t.Errorf("%s: %s", name, say(flags))
		}
		if flags := Check(Clean(text, DefaultPrompt), text, "", DefaultPrompt); len(flags) > 0 {
			t.Errorf("%s, with the default prompt: %s", name, say(flags))
		}
	}
}

// A short prompt has no share: it is echoed whole, at the beginning, or not.
func TestCheckShortPrompt(t *testing.T) {
	for _, c := range []struct{ raw, prompt, want string }{
		{"Describe: a fish", "Describe", "prompt_echo 1"},
		{"a fish that nobody can describe", "Describe", ""},
		{"a photo of a photo of a photo of a fish", "a photo of", "prompt_echo 1"},
		{"a fish", "", ""},
		{"Describe this image in detail. A fish.", "Describe this image in detail.", "prompt_echo 1"},
		{"This image in detail shows a fish.", "Describe this image in detail.", "prompt_echo 0.8"},
	} {
		if got := say(Check(Clean(c.raw, c.prompt), c.raw, "stop", c.prompt)); got != c.want {
			t.Errorf("%q asked %q: %s, want %s", c.raw, c.prompt, got, c.want)
		}
	}
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		t                Thresholds
	}{
		{"character_run", "a cow says mooo", "character_run 3", Thresholds{CharacterRun: 3}},
		{"character_run", "OOOOOOOOOOOO", "", Thresholds{CharacterRun: 13}},
		{"loop_words", "ha ha ha said the hen", "repetition 0.3333", Thresholds{LoopWords: 3}},
		{"loop_words", "a dog dog dog dog", "", Thresholds{LoopWords: 5}},
		{"loop_pieces", "ray ban ray ban glasses", "repetition 0.4", Thresholds{LoopPieces: 2}},
		{"loop_pieces", "ray ban ray ban ray ban", "", Thresholds{LoopPieces: 4}},
		{"loop_twice", "a red cup a red cup", "repetition 0.5", Thresholds{LoopTwice: 3}},
		{"repeated_share", "the first man holds a sword in his hand and the second man holds a sword in his hand", "repetition 0.25", Thresholds{RepeatedShare: 0.2}},
		{"echo_share", "Here is a detailed description for you: a fish", "prompt_echo 0.5714", Thresholds{EchoShare: 0.5}},
		{"echo_share", testPrompt + " A fish.", "", Thresholds{EchoShare: 1.1}},
		{"content_words", "a photo of a dog", "prefix_only 1", Thresholds{ContentWords: 2}},
		{"foreign_share", "the word 金魚 on a sign", "mixed_scripts 0.125", Thresholds{ForeignShare: 0.1}},
	} {
		if got := say(c.t.Check(Clean(c.text, testPrompt), c.text, "stop", testPrompt)); got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.name, c.text, got, c.want)
		}
		if _, ok := c.t.Named()[c.name]; !ok {
			t.Errorf("no threshold %s", c.name)
		}
	}
}

func TestThresholdsByName(t *testing.T) {
	want := map[string]float64{
		"character_run": 8, "loop_words": 4, "loop_pieces": 3, "loop_twice": 13, "repeated_share": 0.5, "echo_share": 0.8, "content_words": 1,
		"foreign_share": 0.2, "duplicate_group": 2, "near_similarity": 0.8,
	}
	if got := (Thresholds{}).Named(); !maps.Equal(got, want) {
		t.Errorf("the defaults are %v, want %v", got, want)
	}
	var set Thresholds
	for name := range want {
		if err := set.Set(name, 3); err != nil {
			t.Error(err)
		}
		if got := set.Named()[name]; got != 3 {
			t.Errorf("%s is %g after Set", name, got)
		}
		want[name] = 3
	}
	if got := set.Named(); !maps.Equal(got, want) || set.WithDefaults() != set {
		t.Errorf("set to 3: %v", got)
	}
	for words, c := range map[string]struct {
		name  string
		value float64
	}{
		`no threshold "run": choose one of [character_run`: {"run", 1},
		"loop_words=2.5 is a count":                        {"loop_words", 2.5},
		"loop_words=1: give 2 or more":                     {"loop_words", 1},
		"echo_share=-1: give 0 or more":                    {"echo_share", -1},
		"echo_share=NaN":                                   {"echo_share", math.NaN()},
		"near_similarity=0.1: give 0.3 or more":            {"near_similarity", 0.1},
	} {
		var set Thresholds
		if err := set.Set(c.name, c.value); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s=%g: %v, want %q", c.name, c.value, err, words)
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
		flags := Check(c, raw, "stop", prompt)
		if names, _ := Columns(flags); !slices.IsSorted(names) {
			t.Errorf("flags %q", names)
		}
		for _, f := range flags {
			if !(f.Value >= 0) || math.IsInf(f.Value, 0) {
				t.Errorf("%s is %g", f.Name, f.Value)
			}
		}
	})
}
