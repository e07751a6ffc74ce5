package kernel

import (
	"os"
	"strings"
	"testing"
)

// TestForcedPath: what MCIL_CPU asks for is in use. It is skipped where this CPU lacks it, which tells make
// test to leave that path out.
func TestForcedPath(t *testing.T) {
	want := os.Getenv("MCIL_CPU")
	if want == "" {
		want = bestPath().String()
	}
	got, err := Path()
	if err != nil {
		t.Skip(err)
	}
	if got != want {
		t.Errorf("%s is in use, not %s", got, want)
	}
}

func TestChoosePath(t *testing.T) {
	best := bestPath()
	if p, err := choosePath(""); p != best || err != nil {
		t.Errorf("unset: %v, %v; want %v", p, err, best)
	}
	for p := portable; p <= avx512; p++ {
		got, err := choosePath(p.String())
		if p <= best && (got != p || err != nil) {
			t.Errorf("%v: %v, %v", p, got, err)
		}
		if p > best && (got != best || err == nil) {
			t.Errorf("%v on a cpu without it: %v, %v; want %v and an error", p, got, err, best)
		}
	}
	if _, err := choosePath("mmx"); err == nil || !strings.Contains(err.Error(), "MCIL_CPU=mmx is unknown") {
		t.Errorf("mmx: %v", err)
	}
	onPath(portable, func() {
		if name, _ := Path(); name != "portable" {
			t.Errorf("forced portable, Path says %s", name)
		}
	})
}
