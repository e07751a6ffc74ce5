package hub

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
)

const defaultEndpoint = "https://huggingface.co"

// variable is one of the environment in a path; one that is not set stays as it is written.
var variable = regexp.MustCompile(`\$(\w+|\{\w+\})`)

// Environment is the options that huggingface_hub's variables ask for: HF_ENDPOINT; HF_HUB_CACHE before
// HUGGINGFACE_HUB_CACHE before HF_HOME/hub before XDG_CACHE_HOME/huggingface/hub before ~/.cache/huggingface/hub; HF_TOKEN
// before HUGGING_FACE_HUB_TOKEN before the file HF_TOKEN_PATH before HF_HOME/token; HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE. An
// empty variable counts as none. HF_HUB_DISABLE_IMPLICIT_TOKEN leaves the token out.
func Environment(getenv func(string) string) (Options, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := getenv(name); v != "" {
				return v
			}
		}
		return ""
	}
	// home is asked for where it matters only: a machine without one may name its folders.
	home := func() (string, error) {
		if dir := first("HOME", "USERPROFILE"); dir != "" {
			return dir, nil
		}
		return os.UserHomeDir()
	}
	expand := func(path string) (string, error) {
		if path == "~" || strings.HasPrefix(path, "~/") {
			dir, err := home()
			if err != nil {
				return "", err
			}
			path = dir + path[1:]
		}
		return variable.ReplaceAllStringFunc(path, func(v string) string { return cmp.Or(getenv(strings.Trim(v, "${}")), v) }), nil
	}
	fail := func(err error) (Options, error) {
		return Options{}, fmt.Errorf("the Hub's cache: %w: set HF_HOME to a folder", err)
	}
	root := first("HF_HOME")
	if root == "" {
		root = filepath.Join(cmp.Or(first("XDG_CACHE_HOME"), "~/.cache"), "huggingface")
	}
	root, err := expand(root)
	if err != nil {
		return fail(err)
	}
	o := Options{Endpoint: first("HF_ENDPOINT")}
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		if v := getenv(name); v != "" { // a no of the first counts
			if isTrue(v) {
				o.Offline = name
			}
			break
		}
	}
	if o.Cache, err = expand(cmp.Or(first("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), filepath.Join(root, "hub"))); err != nil {
		return fail(err)
	}
	if isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return o, nil
	}
	o.Token = clean(first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
	if o.Token == "" {
		file, err := expand(cmp.Or(first("HF_TOKEN_PATH"), filepath.Join(root, "token")))
		if err != nil {
			return fail(err)
		}
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return Options{}, fmt.Errorf("the Hub's token: %w", err)
		}
		o.Token = clean(string(b))
	}
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Options{}, fmt.Errorf("the Hub's token (HF_TOKEN, or the file of HF_TOKEN_PATH) has characters that no token has: %w", schemas.ErrRefused)
	}
	return o, nil
}

func clean(token string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(token))
}

func isTrue(v string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(v))
}
