// Package leakage measures how much of the label the captions give away.
//
// A caption that names its picture's class makes a benchmark of pictures and texts one of texts alone. This package finds
// such names, replaces them, and trains a classifier on the words of captions to see what is left.
//
// # What counts as a name
//
// A class has the name that the data set gives it and, where its wnid is one of ImageNet-1k's, the other lemmas of its
// WordNet synset (synsets.txt). Every name has inflected forms: plurals, regular or not, possessives, and the singular
// where the name is a plural itself, as binoculars is.
//
// Case and accents do not matter, nor how a compound is written: hot dog, hot-dog, hot_dog and hotdog are one name. A name
// of one word matches two words only where they look like a compound: at least two letters and then three, or a hyphen
// between them. So "a corn cob" names no acorn, nor "pick up" a pickup.
//
// The words of a name stand next to each other: "a red, foxlike" or "a cup. Hot dog" holds no name across the comma or the
// full stop.
//
// # Which names are found
//
// The text is read from left to right and the longest name at a place wins, whichever class it belongs to: in "a tiger
// shark" a tiger is not named if the data set has a class of tiger sharks. A name that several classes share, as crane is,
// names each of them.
//
// # What it will not do
//
// It knows no senses: "a bow" names the weapon's class in a text about ribbons, and the class's short lemmas (ai, pick,
// spot) are taken as they are. It is English only. It knows no data set: labels are positions in a list of classes.
package leakage
