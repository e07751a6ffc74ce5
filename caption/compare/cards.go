package compare

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/leakage"
)

// cards sets captions beside their pictures.
type cards struct {
	heads    []head
	pictures *thumbnails
	names    *leakage.Names // nil without a source
}

func newCards(s dataset.Source, heads []head) *cards {
	c := &cards{heads: heads, pictures: newThumbnails(s)}
	if s != nil {
		var classes []leakage.Class
		for _, class := range s.Classes() {
			classes = append(classes, leakage.Class{WNID: class.WNID, Name: class.Name})
		}
		c.names = leakage.NewNames(classes)
	}
	return c
}

func (c *cards) card(ctx context.Context, id, class, sha256 string) (card, error) {
	p, err := c.pictures.of(ctx, id, sha256)
	return card{ID: id, ClassName: strings.ReplaceAll(class, "_", " "), Picture: p}, err
}

// text is a caption with the name of its class marked, and fields that the other one lacks.
func (c *cards) text(h head, id, text string, fields []field) cardText {
	t := cardText{Head: h, Absent: text == ""}
	if c.names == nil {
		t.Stretches, t.Rest = stretches(text, fields, nil)
		return t
	}
	e, found := c.pictures.entry(id)
	var named []leakage.Mention
	if found {
		named = slices.DeleteFunc(c.names.Find(text), func(m leakage.Mention) bool { return m.Label != e.Label })
	}
	t.Stretches, t.Rest = stretches(text, fields, named)
	return t
}

// stretch is a part of a text that the other text has at that place, or has not.
type stretch struct {
	Only  bool
	Parts []part
}

// part is a part of a stretch that names the own class, or does not.
type part struct {
	Text string
	Name bool
}

// stretches cuts a text where its marks change. What is too long to be shown is cut off, and rest says how long all is.
func stretches(text string, fields []field, named []leakage.Mention) (out []stretch, rest string) {
	shown := len(text)
	if n := utf8.RuneCountInString(text); n > shownText {
		shown, rest = len(string([]rune(text)[:shownText])), number(n)+" characters"
	}
	at := 0
	cut := func(to int, only, name bool) {
		if to = min(to, shown); to <= at {
			return
		}
		if n := len(out); n == 0 || out[n-1].Only != only {
			out = append(out, stretch{Only: only})
		}
		s := &out[len(out)-1]
		if n := len(s.Parts); n > 0 && s.Parts[n-1].Name == name {
			s.Parts[n-1].Text += text[at:to]
		} else {
			s.Parts = append(s.Parts, part{text[at:to], name})
		}
		at = to
	}
	add := func(to int, only bool) {
		for _, m := range named {
			if m.From < to && at < m.To {
				cut(m.From, only, false)
				cut(min(m.To, to), only, true)
			}
		}
		cut(to, only, false)
	}
	only := false
	for _, f := range fields {
		add(f.from, only && f.only) // the space between two marked words is marked with them
		add(f.to, f.only)
		only = f.only
	}
	add(len(text), false)
	return out, rest
}
func (c *cards) changes(ctx context.Context, r Result, byName map[string]head) ([]changes, error) {
	var out []changes
	for i, p := range r.Pairs {
		g := changes{A: byName[p.A], B: byName[p.B], Open: i == 0, More: p.Both - len(p.Changed)}
		for _, x := range p.Changed {
			k, err := c.card(ctx, x.ID, x.ClassName, x.ImageSHA256)
			if err != nil {
				return nil, err
			}
			k.Before, k.Number = "agreement", fixed(x.Agreement, 2)
			var inA, inB []field
			if x.TextA != "" && x.TextB != "" { // else all would be marked
				inA, inB = difference(x.TextA, x.TextB)
			}
			k.Texts = []cardText{c.text(g.A, x.ID, x.TextA, inA), c.text(g.B, x.ID, x.TextB, inB)}
			g.Cards = append(g.Cards, k)
		}
		if len(g.Cards) > 0 {
			out = append(out, g)
		}
	}
	return out, nil
}

// worst groups the captions of each flag by variant. Its order is that of [flagRows], which refer to it.
func (c *cards) worst(ctx context.Context, r Result) ([]worst, error) {
	flags := map[string]bool{}
	for _, v := range r.Variants {
		for _, f := range v.Flags {
			flags[f.Name] = true
		}
	}
	var out []worst
	for n, name := range sortedKeys(flags) {
		w := worst{Flag: name, ID: "worst-" + strconv.Itoa(n)}
		about, measure := about(name)
		w.About = about
		for i, v := range r.Variants {
			at := slices.IndexFunc(v.Flags, func(f Flag) bool { return f.Name == name })
			if at < 0 || len(v.Flags[at].Worst) == 0 {
				continue
			}
			f := v.Flags[at]
			g := worstGroup{Head: c.heads[i], Count: counted(f.Captions, v.Captions), More: f.Captions - len(f.Worst)}
			for _, x := range f.Worst {
				k, err := c.card(ctx, x.ID, x.ClassName, x.ImageSHA256)
				if err != nil {
					return nil, err
				}
				k.Number, k.After = value(x.Value), measure
				t := c.text(c.heads[i], x.ID, x.Text, nil)
				if strings.Join(strings.Fields(x.Raw), " ") != x.Text {
					t.Raw = clip(quoted(x.Raw), shownRaw)
				}
				k.Texts = []cardText{t}
				g.Cards = append(g.Cards, k)
			}
			w.Groups = append(w.Groups, g)
		}
		if len(w.Groups) > 0 {
			out = append(out, w)
		}
	}
	return out, nil
}

func (c *cards) sample(ctx context.Context, r Result) ([]card, error) {
	var out []card
	for _, s := range r.Sample {
		k, err := c.card(ctx, s.ID, s.ClassName, s.ImageSHA256)
		if err != nil {
			return nil, err
		}
		for i, text := range s.Texts {
			t := c.text(c.heads[i], s.ID, text, nil)
			t.Keyed = len(s.Texts) > 1
			k.Texts = append(k.Texts, t)
		}
		out = append(out, k)
	}
	return out, nil
}
