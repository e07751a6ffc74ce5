package leakage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testClasses are of ImageNet-R but for the last four. Labels are the positions.
func testClasses() []Class {
	return []Class{
		{"n01443537", "goldfish"},
		{"n01484850", "great_white_shark"}, // white shark, man-eater, man-eating shark
		{"n02129604", "tiger"},             // Panthera tigris
		{"n02012849", "crane"},
		{"n03126707", "crane"},
		{"n07697537", "hotdog"}, // hot dog, red hot
		{"n02783161", "ballpoint"},
		{"n04389033", "tank"},
		{"n02129165", "lion"}, // king of beasts
		{"n01855672", "goose"},
		{"n02391049", "zebra"},
		{"n02841315", "binoculars"}, // field glasses, opera glasses
		{"n02114367", "grey_wolf"},  // timber wolf, gray wolf
		{"n07831146", "carbonara"},
		{"n03594945", "jeep"}, // landrover
		{"n01491361", "tiger_shark"},
		{"x1", "shark"},
		{"x2", "dog"},
		{"x3", "café"},
		{"n10565667", "diver"}, // scuba diver
	}
}

// find writes mentions as "label kind text".
func find(n *Names, text string) []string {
	out := []string{}
	for _, m := range n.Find(text) {
		out = append(out, fmt.Sprintf("%d %v %s", m.Label, m.Kind, text[m.From:m.To]))
	}
	return out
}

func TestFind(t *testing.T) {
	n := NewNames(testClasses())
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a drawing of a Goldfish.", []string{"0 exact Goldfish"}},
		{"a gold fish, a gold-fish", []string{"0 exact gold fish", "0 exact gold-fish"}},
		{"goldfishes", []string{"0 inflected goldfishes"}},
		{"the goldfish's bowl", []string{"0 inflected goldfish's"}},
		{"the goldfish\u2019s bowl", []string{"0 inflected goldfish\u2019s"}},
		{"Carassius auratus", []string{"0 synonym Carassius auratus"}},
		{"goldfishy marigoldfish", nil},
		{"GREAT WHITE SHARKS swim", []string{"1 inflected GREAT WHITE SHARKS"}},
		{"great_white_shark great-white shark greatwhite shark", []string{"1 exact great_white_shark", "1 exact great-white shark", "1 exact greatwhite shark"}},
		{"great\n white\tshark", []string{"1 exact great\n white\tshark"}},
		{"a white shark and a shark", []string{"1 synonym white shark", "16 exact shark"}},
		{"man-eaters, a maneater, the man eater's jaw", []string{"1 synonym man-eaters", "1 synonym maneater", "1 synonym man eater's"}},
		{"a great, white shark", []string{"1 synonym white shark"}},
		{"a tiger shark, a tiger; sharks", []string{"15 exact tiger shark", "2 exact tiger", "16 inflected sharks"}},
		{"a tiger. Sharks", []string{"2 exact tiger", "16 inflected Sharks"}},
		{"two cranes", []string{"3 inflected cranes", "4 inflected cranes"}},
		{"hotdog, hot dog, hot-dog, hot_dogs, red hot", []string{"5 exact hotdog", "5 exact hot dog", "5 exact hot-dog", "5 inflected hot_dogs", "5 synonym red hot"}},
		{"hot, dog", []string{"17 exact dog"}},
		{"dogs' dinner", []string{"17 inflected dogs"}},
		{"the king of beasts and the kings of beasts", []string{"8 synonym king of beasts", "8 synonym kings of beasts"}},
		{"geese and a goose's egg", []string{"9 inflected geese", "9 inflected goose's"}},
		{"binoculars, a binocular, opera glasses, an opera glass", []string{"11 exact binoculars", "11 inflected binocular", "11 synonym opera glasses", "11 synonym opera glass"}},
		{"grey wolves, timber wolf, gray wolf's", []string{"12 inflected grey wolves", "12 synonym timber wolf", "12 synonym gray wolf's"}},
		{"cafe CAFÉ cafe\u0301 cafés", []string{"18 exact cafe", "18 exact CAFÉ", "18 exact cafe\u0301", "18 inflected cafés"}},
		{"a scuba diver, divers", []string{"19 synonym scuba diver", "19 inflected divers"}},
		{"a zeb ra z ebra zebr a zeb-ra", []string{"10 exact zeb-ra"}},
		{"\xff\xfetiger\xff", []string{"2 exact tiger"}},
		{"'tiger' ''tigers''", []string{"2 exact tiger", "2 inflected tigers"}},
		{"tiger\u00adshark \u0301 tiger", []string{"15 exact tiger\u00adshark", "2 exact tiger"}},
	} {
		if got := find(n, c.text); !slices.Equal(got, c.want) {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestFindOffsetsOfSharedNames(t *testing.T) {
	got := NewNames(testClasses()).Find("é crane’s")
	want := []Mention{{3, Inflected, 3, 12}, {4, Inflected, 3, 12}}
	if !slices.Equal(got, want) {
		t.Errorf("Find = %v, want %v", got, want)
	}
}

// A lemma of one class can be the name of another: here one outside WordNet.
func TestLemmaThatIsAnothersName(t *testing.T) {
	n := NewNames([]Class{{"n01443537", "goldfish"}, {"other", "carassius_auratus"}})
	if got, want := find(n, "Carassius auratus"), []string{"0 synonym Carassius auratus", "1 exact Carassius auratus"}; !slices.Equal(got, want) {
		t.Errorf("Find = %q, want %q", got, want)
	}
}

func TestInflections(t *testing.T) {
	for _, c := range []struct{ class, text string }{
		{"red_fox", "two red foxes"}, {"fly", "flies"}, {"monkey", "monkeys"}, {"wolf", "wolves"}, {"calf", "calves"},
		{"leaf", "leaves"}, {"knife", "knives"}, {"roof", "roofs"}, {"cliff", "cliffs"}, {"church", "churches"},
		{"toothbrush", "toothbrushes"}, {"bus", "buses"}, {"bus", "busses"}, {"quiz", "quizzes"}, {"waltz", "waltzes"},
		{"potato", "potatoes"}, {"piano", "pianos"}, {"goose", "geese"}, {"mongoose", "mongooses"}, {"mouse", "mice"},
		{"dormouse", "dormice"}, {"ox", "oxen"}, {"fox", "foxes"}, {"fireman", "firemen"}, {"doberman", "dobermans"},
		{"woman", "women"}, {"grandchild", "grandchildren"}, {"flatfoot", "flatfeet"}, {"tooth", "teeth"},
		{"lionfish", "lionfishes"}, {"sheep", "sheep's"}, {"deer", "deers"}, {"cactus", "cacti"}, {"cactus", "cactuses"},
		{"hippopotamus", "hippopotami"}, {"hippopotamus", "hippopotamuses"}, {"octopus", "octopi"}, {"octopus", "octopodes"},
		{"fungus", "fungi"}, {"axis", "axes"}, {"oasis", "oases"}, {"helix", "helices"}, {"box", "boxes"}, {"glass", "glasses"},
		{"lens", "lenses"}, {"larva", "larvae"}, {"aquarium", "aquaria"}, {"salesperson", "salespeople"}, {"ray", "rays"},
		{"man-of-war", "men of war"}, {"coat_of_mail_shell", "coat-of-mail shells"}, {"suit of clothes", "suits of clothes"},
		{"jack-o'-lantern", "jack-o'-lanterns"}, {"jack-o'-lantern", "Jack o’ Lantern's"}, {"t-shirt", "T-shirts"},
		{"binoculars", "binocular"}, {"jeans", "jean"}, {"french_fries", "French fry"}, {"pancakes", "pancake"},
		{"sandwiches", "sandwich"}, {"churros", "churro"}, {"tomatoes", "tomato"}, {"knives", "knife"}, {"scarves", "scarf"},
		{"gloves", "glove"}, {"cookies", "cookie"}, {"sunglasses", "sunglass"}, {"women", "woman"}, {"geese", "goose"},
		{"dormice", "dormouse"}, {"oxen", "ox"}, {"skis", "ski"}, {"cup_cakes", "cupcake"}, {"cacti", "cactus"},
	} {
		n := NewNames([]Class{{"", c.class}})
		if got := n.Find(c.text); len(got) != 1 || got[0].Kind != Inflected {
			t.Errorf("%q does not name %q as inflected: %v", c.text, c.class, got)
		}
	}
}

func TestNoNames(t *testing.T) {
	for _, c := range []struct{ class, text string }{
		{"bus", "bi"}, {"tub", "tubes"}, {"cap", "capes"}, {"plan", "planes"}, {"fox", "foxen"}, {"glass", "glas"},
		{"acorn", "a corn on the cob"}, {"pickup", "they pick up a ball"}, {"panther", "pant h er"}, {"lion", "li on"},
		{"red_fox", "red and fox"}, {"red_fox", "a red, fox"}, {"red_fox", "It is red. Fox"}, {"ant", "a penguin's flippers, antlike"},
		{"ant", "an t-shirt"}, {"ramen", "raman"}, {"lens", "len"}, {"oxcart", "an ox: cart"}, {"", "anything"}, {"_-'", "' - _"},
		{"tiger", "the tigress"}, {"ice_cream", "ices cream"}, {"hot_dog", "hot \u0301 dog"},
	} {
		if got := NewNames([]Class{{"", c.class}}).Find(c.text); len(got) > 0 {
			t.Errorf("%q names %q: %v", c.text, c.class, got)
		}
	}
}

// Names within sentences. More than one mention is in some.
func TestNamesInSentences(t *testing.T) {
	for _, c := range []struct {
		text, class string
		want        []string
	}{
		{"a drawing of a Goldfish.", "goldfish", []string{"0 exact Goldfish"}},
		{"two Great White Sharks swim", "great_white_shark", []string{"0 inflected Great White Sharks"}},
		{"a shark swims", "great_white_shark", nil},
		{"a pair of binoculars", "binoculars", []string{"0 exact binoculars"}},
		{"timber wolves howl", "timber_wolf", []string{"0 inflected timber wolves"}},
		{"three ladies' flies", "fly", []string{"0 inflected flies"}},
		{"a fox's tail, a red fox's", "red_fox", []string{"0 inflected red fox's"}},
		{"a red-fox sticker", "red_fox", []string{"0 exact red-fox"}},
		{"a red fox\u2019s den", "red_fox", []string{"0 inflected red fox\u2019s"}},
		{"a hot dog, a hot-dog", "hotdog", []string{"0 exact hot dog", "0 exact hot-dog"}},
		{"a caf\u00e9", "cafe", []string{"0 exact caf\u00e9"}},
		{"it is red, fox or not", "red_fox", nil},
		{"a corn on the cob", "acorn", nil},
		{"", "ant", nil},
		{"an ant", "", nil},
	} {
		if got := find(NewNames([]Class{{"", c.class}}), c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q names %q: %q, want %q", c.text, c.class, got, c.want)
		}
	}
}

func TestCompounds(t *testing.T) {
	for _, c := range []struct{ class, text string }{
		{"pickup_truck", "pick up truck"}, {"pickup_truck", "pick-up truck"}, {"pickup", "pick-up"}, {"oxcart", "ox cart"},
		{"wheelbarrow", "wheel barrow"}, {"hot_dog", "hotdog"}, {"go-kart", "gokart"}, {"go-kart", "go kart"}, {"email", "e-mail"},
		{"Saint_Bernard", "SaintBernard"}, {"St_Bernard", "St. Bernard"}, {"R.V.", "an R.V."}, {"R.V.", "an RV"},
		{"carpenter's kit", "carpenters' kit"}, {"carpenter's kit", "a carpenters kit"}, {"beer–bottle", "beer bottle"},
		{"hen-of-the-woods", "hen of the woods"}, {"pj's", "pj's"}, {"金魚", "金魚"}, {"Ärmel", "a\u0308rmel"},
	} {
		n := NewNames([]Class{{"", c.class}})
		if got := n.Find(c.text); len(got) != 1 || got[0].Kind != Exact {
			t.Errorf("%q does not name %q: %v", c.text, c.class, got)
		}
	}
}

func TestWords(t *testing.T) {
	got := Words("The ladies’ dog's 2 T-shirts: “naïve” \xffnai\u0308ve, rock 'n' roll ''")
	want := []string{"the", "ladies", "dog's", "2", "t", "shirts", "naïve", "naïve", "rock", "n", "roll"}
	if !slices.Equal(got, want) {
		t.Errorf("Words = %q, want %q", got, want)
	}
}

// What the embedded file must be: 1,000 lines, sorted, the licence above them.
func TestSynsets(t *testing.T) {
	line := regexp.MustCompile(`^n\d{8}\t\S.*\S$`)
	var wnids []string
	for l := range strings.Lines(synsets) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(l, "#") {
			if len(wnids) > 0 {
				t.Errorf("a comment among the synsets: %q", l)
			}
			continue
		}
		if !line.MatchString(l) {
			t.Errorf("line %q", l)
		}
		wnids = append(wnids, l[:9])
	}
	if len(wnids) != 1000 || !slices.IsSorted(wnids) || len(slices.Compact(wnids)) != 1000 {
		t.Errorf("%d wnids", len(wnids))
	}
	if !strings.Contains(synsets, "# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.\n") {
		t.Error("WordNet's notice is missing")
	}
}

// Every lemma of every synset is found, in the plural, too, and by its own class.
func TestEveryLemma(t *testing.T) {
	var classes []Class
	var lemmas [][]string
	for l := range strings.Lines(synsets) {
		if wnid, list, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "\t"); ok && !strings.HasPrefix(l, "#") {
			names := strings.Split(list, ", ")
			classes, lemmas = append(classes, Class{wnid, names[0]}), append(lemmas, names)
		}
	}
	n := NewNames(classes)
	for label, names := range lemmas {
		for i, name := range names {
			for _, text := range []string{"this " + name + ", here", strings.ToUpper(name), name + "'s"} {
				ms := n.Find(text)
				k := slices.IndexFunc(ms, func(m Mention) bool { return m.Label == label })
				if k < 0 {
					t.Errorf("%q does not name %v: %v", text, classes[label], ms)
				} else if i == 0 && !strings.HasSuffix(text, "'s") && ms[k].Kind != Exact {
					t.Errorf("%q names %v as %v", text, classes[label], ms[k].Kind)
				}
			}
		}
	}
}
