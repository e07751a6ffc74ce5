package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// config gives flags values from a YAML file: a map of flag name to value.
type config struct {
	values map[string]any
}

// loadConfig is kong's loader for --config.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	c := &config{}
	if err := yaml.NewDecoder(r).Decode(&c.values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("config: %w", err)
	}
	return c, nil
}

func (c *config) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, verb := range app.Children {
		for _, f := range verb.Flags {
			known[f.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		if !known[name] {
			return fmt.Errorf("config: %s: no verb has a flag of that name", name)
		}
	}
	return nil
}

func (c *config) Resolve(k *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := c.values[flag.Name]
	if !ok {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var parts []string
	for _, p := range list {
		switch p.(type) {
		case nil, map[string]any, map[any]any, []any: // fmt would make a value of it: a prompt "<nil>"
			return nil, fmt.Errorf("config: %s: must be a value or a list of values", flag.Name)
		}
		parts = append(parts, fmt.Sprint(p))
	}
	return strings.Join(parts, ","), nil
}

// checkConfig refuses keys of a config file that the chosen verb does not read.
func checkConfig(k *kong.Context, path string) error {
	if path == "" {
		return nil
	}
	resolver, err := k.LoadConfig(path)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, f := range k.Selected().Flags {
		known[f.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(resolver.(*config).values)) {
		if !known[name] {
			return fmt.Errorf("%s: %s: mcil %s has no flag of that name", path, name, k.Selected().Name)
		}
	}
	return nil
}
