package train

import (
	"context"
	"fmt"
	"strings"

	"github.com/mcil/mcil/train/hub"
)

// fetchWeights makes weights on the Hugging Face Hub a folder of the local cache and tells their commit. Any other path stays
// as it is, with no commit. getenv reads the variables of [hub.Environment]; where it is nil, none is set.
func fetchWeights(ctx context.Context, path string, getenv func(string) string, progress func(Event)) (dir, commit string, err error) {
	if !strings.HasPrefix(path, hub.Scheme) {
		return path, "", nil
	}
	repo, err := hub.Parse(path)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", err, ErrOptions)
	}
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	o, err := hub.Environment(getenv)
	if err != nil {
		return "", "", err
	}
	if progress != nil {
		name := strings.TrimPrefix(path, hub.Scheme)
		kB := func(bytes int64) int { return int((bytes + 999) / 1000) }
		o.Progress = func(file string, done, total int64) {
			progress(Event{Stage: fmt.Sprintf("%s %s, kB", name, file), Done: kB(done), Total: kB(total)})
		}
		o.Notice = func(line string) { progress(Event{Stage: name, Done: 1, Total: 1, Note: line}) }
	}
	s, err := hub.Fetch(ctx, repo, o)
	return s.Dir, s.Commit, err
}
