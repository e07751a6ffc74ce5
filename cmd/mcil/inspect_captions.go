package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/compare"
)

// isCaptions says whether a path is a caption store, or holds variants of one.
func isCaptions(path string) bool {
	_, err := caption.Variants(path)
	return err == nil
}

// variantOf is the folder of a variant that is there.
func variantOf(dir, name string) (string, error) {
	names, err := caption.Variants(dir)
	if err != nil {
		return "", err
	}
	if !slices.Contains(names, name) {
		if name == "" {
			return "", fmt.Errorf("captions %s: holds variants only: choose one by --variant: %s: %w", dir, variantNames(names), caption.ErrNoStore)
		}
		return "", fmt.Errorf("captions %s: no variant %q: it holds %s: %w", dir, name, variantNames(names), caption.ErrNoStore)
	}
	return caption.VariantDir(dir, name)
}

// variantNames lists variants for people; the first captions have no name.
func variantNames(names []string) string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = cmp.Or(name, "captions without a name")
	}
	return strings.Join(shown, ", ")
}

// inspectCaptions shows the first captions at length, and their variants in a line each.
func inspectCaptions(ctx context.Context, path string) (*finding, error) {
	r, err := compare.Stores(ctx, compare.Options{Dir: path, Worst: 3, Changed: 3, Sample: 1})
	if err != nil {
		return nil, err
	}
	f := &finding{Kind: "a caption store", Path: path, Data: r}
	main := r.Variants[0]
	f.add("source", r.Source)
	if len(r.Variants) > 1 || main.Name != "" {
		var names []string
		for _, v := range r.Variants {
			names = append(names, v.Name)
		}
		f.add("variants", variantNames(names))
	}
	f.variant(main)
	if len(r.Sample) > 0 {
		f.add("example", fmt.Sprintf("%s: %s", r.Sample[0].ID, r.Sample[0].Texts[0]))
	}
	for _, v := range r.Variants[1:] {
		f.add("variant", v.Name)
		f.variant(v)
	}
	for _, p := range r.Pairs {
		f.add("agreement", fmt.Sprintf("%s and %s: %d pictures in both, %s the same, ROUGE-L %.2f", cmp.Or(p.A, "the first"), cmp.Or(p.B, "the first"), p.Both, percent(p.Identical), p.Agreement))
		var changed []string
		for _, x := range p.Changed {
			if x.Agreement < 1 {
				changed = append(changed, fmt.Sprintf("%s %.2f", x.ID, x.Agreement))
			}
		}
		if len(changed) > 0 {
			f.add("changed most", strings.Join(changed, ", "))
		}
	}
	return f, nil
}

func (f *finding) variant(v compare.Variant) {
	model := v.Model
	if v.Revision != "" {
		model += " at " + v.Revision
	}
	f.add("model", model)
	f.add("prompt", v.Prompt)
	if len(v.Reveals) > 0 {
		f.add("prompt reveals", strings.Join(v.Reveals, ", ")+": these captions give the class away")
	}
	var decoding []string
	for _, name := range slices.Sorted(maps.Keys(v.Decoding)) {
		decoding = append(decoding, fmt.Sprintf("%s %v", name, v.Decoding[name]))
	}
	f.add("decoding", strings.Join(decoding, ", "))
	f.add("pictures", v.Picture)
	f.add("captions", v.Captions)
	if len(v.Rungs) > 1 {
		f.add("by rung", strings.Trim(fmt.Sprint(v.Rungs), "[]"))
	}
	f.add("words a caption", fmt.Sprintf("%.1f on average, %d to %d", v.Text.Words.Mean, v.Text.Words.Min, v.Text.Words.Max))
	flags := map[string]int{}
	for _, flag := range v.Flags {
		if flag.Captions > 0 {
			flags[flag.Name] = flag.Captions
		}
	}
	f.add("flags", byCount(flags)+" (naming the class is known after mcil build)")
	failures := map[string]int{}
	for _, x := range v.Failures {
		failures[x.Class] = x.Count
	}
	f.add("failures", byCount(failures))
	f.add("tokens", fmt.Sprintf("%d in, %d out, of %d captions", v.Tokens.Prompt, v.Tokens.Completion, v.Tokens.Counted))
	if v.Latency.Captions > 0 {
		f.add("latency", fmt.Sprintf("%d ms in the middle, %d ms for one in twenty, %d ms at most", v.Latency.P50, v.Latency.P95, v.Latency.Max))
	}
}
