package hub

import (
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/mcil/mcil/schemas"
)

// deadAfter is how long a temporary file lies untouched until its program counts as killed. One at work writes at least
// every few minutes: see Options.Stall and maxRetryAfter.
const deadAfter = 24 * time.Hour

// ownPartial is the name that bring gives to a partial file where there are no locks.
var ownPartial = regexp.MustCompile(`^[0-9a-f]{40,64}\.[0-9]+\.incomplete$`)

// sweep removes what killed programs left that nothing goes on with. No lock says that they are dead, for those that leave a
// partial file of their own have none; their age does. A cache may be read-only, so errors are not told.
func (c *client) sweep(commit string) {
	for _, dir := range []string{c.dir, filepath.Join(c.dir, "blobs"), c.snapshot(commit)} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if !ownPartial.MatchString(e.Name()) && !schemas.IsTemporary(e.Name()) {
				continue
			}
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > deadAfter {
				os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}
