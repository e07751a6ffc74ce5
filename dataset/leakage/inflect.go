package leakage

import (
	"slices"
	"strings"
)

// irregular maps the ends of English nouns to the ends of their plurals. A compound inflects as its last part does:
// dormouse, grandchild. Regular plurals are made beside these, so that mongoose has mongooses, and a form that no one
// writes does no harm: it names nothing.
var irregular = [][2]string{
	{"man", "men"}, {"goose", "geese"}, {"mouse", "mice"}, {"louse", "lice"}, {"foot", "feet"}, {"tooth", "teeth"},
	{"child", "children"}, {"person", "people"}, {"larva", "larvae"}, {"pupa", "pupae"}, {"alga", "algae"},
	{"antenna", "antennae"}, {"formula", "formulae"}, {"amoeba", "amoebae"}, {"vertebra", "vertebrae"},
	{"cactus", "cacti"}, {"fungus", "fungi"}, {"octopus", "octopi"}, {"hippopotamus", "hippopotami"}, {"octopus", "octopodes"},
	{"platypus", "platypodes"}, {"corpus", "corpora"}, {"genus", "genera"},
	{"criterion", "criteria"}, {"phenomenon", "phenomena"}, {"bacterium", "bacteria"}, {"aquarium", "aquaria"},
	{"terrarium", "terraria"}, {"planetarium", "planetaria"}, {"stadium", "stadia"}, {"medium", "media"},
	{"datum", "data"}, {"stratum", "strata"}, {"ovum", "ova"}, {"spectrum", "spectra"}, {"plectrum", "plectra"},
	{"matrix", "matrices"}, {"helix", "helices"}, {"appendix", "appendices"}, {"vortex", "vortices"},
	{"index", "indices"}, {"vertex", "vertices"}, {"bureau", "bureaux"}, {"plateau", "plateaux"},
	{"chateau", "chateaux"}, {"gateau", "gateaux"}, {"beau", "beaux"}, {"stoma", "stomata"}, {"die", "dice"},
}

// plurals are the forms that a folded noun can have in the plural. A noun whose plural is itself, such as sheep, needs
// none; sheeps and fishes come by the rules.
func plurals(noun string) []string {
	var out []string
	add := func(stem, end string) { out = append(out, stem+end) }
	if noun == "ox" {
		out = append(out, "oxen")
	}
	for _, p := range irregular {
		if stem, ok := strings.CutSuffix(noun, p[0]); ok {
			add(stem, p[1])
		}
	}
	last, stem := noun[len(noun)-1:], noun[:len(noun)-1]
	switch {
	case endsIn(noun, "ch", "sh", "s", "x", "z", "o"):
		add(noun, "es")
	case last == "y" && !endsIn(stem, "a", "e", "o"): // lady, soliloquy
		add(stem, "ies")
	case last == "f" && !endsIn(stem, "f"): // wolf, leaf
		add(stem, "ves")
	case endsIn(noun, "fe"): // knife
		add(noun[:len(noun)-2], "ves")
	}
	switch {
	case last == "z" || noun == "bus" || noun == "gas":
		add(noun, last+"es")
	case endsIn(noun, "is") && len(noun) > 3: // axis, oasis
		add(noun[:len(noun)-2], "es")
	case endsIn(noun, "us") && len(noun) > 4: // cactus, fungus; not bus
		add(noun[:len(noun)-2], "i")
	}
	if !endsIn(noun, "s") || len(noun) == 1 {
		add(noun, "s")
	}
	return out
}

// singularS are nouns in -s that are no plurals, and whose end does not show it.
var singularS = []string{
	"alias", "asbestos", "atlas", "biceps", "bus", "canvas", "carcharias", "cerastes", "chaos", "christmas",
	"cosmos", "cyclops", "gas", "lens", "mars", "news", "pancreas", "patas", "rhinoceros", "series", "species",
	"texas", "thermos", "triceps", "triceratops",
}

// pluralS are plurals that look like the singulars in -us and -is.
var pluralS = []string{"alibis", "bikinis", "emus", "gnus", "haikus", "kiwis", "menus", "skis", "taxis", "tatamis", "zucchinis"}

// compoundPlurals end plurals of compounds, too, and singularMen are words that end so and are no plurals.
var (
	compoundPlurals = []string{"men", "geese", "mice", "feet", "teeth", "children", "people"}
	singularMen     = []string{
		"abdomen", "acumen", "albumen", "bitumen", "cyclamen", "dolmen", "hymen", "lumen", "omen", "pumice", "ramen", "regimen",
		"semen", "specimen", "stamen",
	}
)

// isPlural says whether a folded noun is a plural, as far as its form tells.
func isPlural(noun string) bool {
	if noun == "oxen" || slices.Contains(pluralS, noun) {
		return true
	}
	if endsIn(noun, compoundPlurals...) {
		return endsIn(noun, "women") || !endsIn(noun, singularMen...)
	}
	if slices.ContainsFunc(irregular, func(p [2]string) bool { return noun == p[1] }) {
		return true
	}
	return len(noun) > 3 && endsIn(noun, "s") && !endsIn(noun, "ss", "us", "is") && !slices.Contains(singularS, noun)
}

// singulars are the forms that a folded plural can have in the singular.
func singulars(plural string) []string {
	var out []string
	if plural == "oxen" {
		out = append(out, "ox")
	}
	for _, p := range irregular {
		if stem, ok := strings.CutSuffix(plural, p[1]); ok {
			out = append(out, stem+p[0])
		}
	}
	if !endsIn(plural, "s") {
		return out
	}
	if stem, ok := strings.CutSuffix(plural, "ies"); ok && len(stem) > 1 {
		out = append(out, stem+"y")
	}
	if stem, ok := strings.CutSuffix(plural, "ves"); ok && len(stem) > 1 {
		out = append(out, stem+"f", stem+"fe")
	}
	if stem, ok := strings.CutSuffix(plural, "es"); ok && endsIn(stem, "ch", "sh", "s", "x", "z", "o") {
		out = append(out, stem)
	}
	return append(out, plural[:len(plural)-1])
}

func endsIn(s string, ends ...string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(s, end) })
}
