package caption

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Of stores that begin in one folder at the same time, those of one recipe go on and all others are refused.
func TestStoresThatBeginAtTheSameTime(t *testing.T) {
	for round := range 20 {
		dir := filepath.Join(t.TempDir(), "captions")
		const writers = 6
		var wait sync.WaitGroup
		var stores [writers]*Store
		var errs [writers]error
		start := make(chan struct{})
		for w := range writers {
			wait.Go(func() {
				<-start
				stores[w], errs[w] = CreateStore(dir, Recipe{Model: fmt.Sprintf("m%d", w%3)}, "memory", schemas.Program{Name: "mcil"})
				if errs[w] == nil {
					c := ok(fmt.Sprintf("a/%d", w), "s", "text", "2026-01-01")
					c.Recipe = stores[w].Manifest().Recipe
					errs[w] = errors.Join(stores[w].Append(c), stores[w].Close())
				}
			})
		}
		close(start)
		wait.Wait()
		s := open(t, dir)
		refused := 0
		for w, err := range errs {
			if s.Manifest().Model == fmt.Sprintf("m%d", w%3) {
				if err != nil {
					t.Fatalf("round %d: the winner's recipe: %v", round, err)
				}
			} else if refused++; !errors.Is(err, ErrOtherRecipe) {
				t.Fatalf("round %d: another recipe than the winner's: %v", round, err)
			}
		}
		if got := len(strings.Fields(dump(t, s))); refused != 4 || got != 2 {
			t.Fatalf("round %d: %d refused, %d records", round, refused, got)
		}
		names, _ := os.ReadDir(dir)
		if len(names) != 3 {
			t.Fatalf("round %d: %v, want the manifest and two journals", round, names)
		}
	}
}

// A file system without hard links.
func TestCopyNew(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := copyNew(from, to); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(from, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := copyNew(from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second copy: %v", err)
	}
	if b, err := os.ReadFile(to); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// Records are found while others are added, and in more journals than are kept open.
func TestStoreConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	const before = 2*openJournals + 5
	for n := range before {
		s := createStore(t, dir)
		appendAll(t, s, ok(fmt.Sprintf("a/%03d", n), fmt.Sprintf("s%d", n), fmt.Sprintf("text %d", n), "2026-01-01"))
		s.Close()
	}
	s := createStore(t, dir)
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 200 {
				n := random.IntN(before)
				if got, found, err := s.Lookup(dataset.ID(fmt.Sprintf("a/%03d", n)), fmt.Sprintf("s%d", n)); !found || err != nil || got.Raw != fmt.Sprintf("text %d", n) {
					t.Errorf("Lookup %d: %+v, %v, %v", n, got, found, err)
				}
				c := ok(fmt.Sprintf("b/%d-%d", w, i), fmt.Sprintf("t%d", i), fmt.Sprintf("text %d of %d", i, w), time.Now().UTC().Format(recordTime))
				if err := s.Append(c); err != nil {
					t.Error(err)
				}
				if got, found, err := s.Lookup(dataset.ID(c.ID), c.ImageSHA256); !found || err != nil || got != c {
					t.Errorf("Lookup of what was added: %+v, %v, %v", got, found, err)
				}
			}
		})
	}
	wait.Go(func() {
		for range 5 {
			n := 0
			for c, err := range s.Captions() {
				if err != nil {
					t.Error(err)
				}
				if strings.HasPrefix(c.ID, "a/") {
					n++
				}
			}
			if n != before {
				t.Errorf("%d captions of before", n)
			}
		}
	})
	wait.Wait()
	if n := len(s.journals.open); n > openJournals {
		t.Errorf("%d journals are open", n)
	}
}

const writerEnv = "MCIL_TEST_STORE_WRITER" // DIR,NAME,RECORDS

// TestStoreWriterProcess is a writer that the next test runs as a process. It says every record that it added.
func TestStoreWriterProcess(t *testing.T) {
	arg := strings.Split(os.Getenv(writerEnv), ",")
	if len(arg) != 3 {
		t.Skip("is run by TestStoreProcesses")
	}
	n, _ := strconv.Atoi(arg[2])
	s := createStore(t, arg[0])
	for i := range n {
		id := fmt.Sprintf("a/%s-%05d", arg[1], i)
		appendAll(t, s, ok(id, dataset.Digest([]byte(id)), strings.Repeat(id+" ", 20), time.Now().UTC().Format(recordTime)))
		fmt.Println("added", id)
	}
}

// Processes that share a folder lose nothing that they said was added, killed or not.
func TestStoreProcesses(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("needs processes")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "captions")
	random := rand.New(rand.NewPCG(1, 1))
	const whole, endless = 300, 1 << 30
	added := map[string]bool{}
	for round := range 3 {
		var wait sync.WaitGroup
		var mu sync.Mutex
		for w := range 4 {
			records := whole
			if w%2 == 1 {
				records = endless
			}
			last := 1 + random.IntN(2*whole) // is killed after so many
			wait.Go(func() {
				cmd := exec.Command(program, "-test.run=^TestStoreWriterProcess$", "-test.v")
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s,%d%d,%d", writerEnv, dir, round, w, records))
				out, err := cmd.StdoutPipe()
				if err == nil {
					err = cmd.Start()
				}
				if err != nil {
					t.Error(err)
					return
				}
				count, said := 0, []string{}
				for lines := bufio.NewScanner(out); lines.Scan(); {
					if id, found := strings.CutPrefix(lines.Text(), "added "); found {
						mu.Lock()
						added[id] = true
						mu.Unlock()
						if count++; records == endless && count == last {
							cmd.Process.Kill()
						}
					} else {
						said = append(said, lines.Text())
					}
				}
				if err := cmd.Wait(); records == whole && (err != nil || count != whole) {
					t.Errorf("writer %d: %d records, %v:\n%s", w, count, err, strings.Join(said, "\n"))
				}
			})
		}
		wait.Wait()
	}
	s := open(t, dir)
	found := 0
	for c, err := range s.Captions() {
		if err != nil {
			t.Fatal(err)
		}
		if c.Raw != strings.Repeat(c.ID+" ", 20) {
			t.Errorf("record %+v", c)
		}
		delete(added, c.ID)
		found++
	}
	for id := range added {
		t.Errorf("%s was added and is lost", id)
	}
	if journals, _, err := journalFiles(dir); err != nil || len(journals) != 12 || found < 6*whole {
		t.Errorf("%d journals with %d records, %v", len(journals), found, err)
	}
}

func TestVariants(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "captions")
	if _, err := Variants(dir); !errors.Is(err, ErrNoStore) {
		t.Errorf("no folder: %v", err)
	}
	begin := func(name string) {
		folder, err := VariantDir(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		r := testRecipe
		r.Variant = name
		s, err := CreateStore(folder, r, "memory", schemas.Program{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if s.Manifest().Variant != name || s.Manifest().Recipe != testRecipe.Digest() {
			t.Errorf("%q: manifest %+v", name, s.Manifest())
		}
		appendAll(t, s, ok("a/1", "s", "by "+name, "2026-01-01"))
	}
	for _, c := range []struct {
		begin string
		want  []string
	}{{"short", []string{"short"}}, {"", []string{"", "short"}}, {"13b-v1.0_x", []string{"", "13b-v1.0_x", "short"}}} {
		begin(c.begin)
		if got, err := Variants(dir); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("after %q: %q, %v, want %q", c.begin, got, err, c.want)
		}
	}
	for _, name := range []string{".hidden", "empty"} { // no variants
		if err := os.MkdirAll(filepath.Join(dir, "variants", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".hidden/manifest.json", "file"} {
		if err := os.WriteFile(filepath.Join(dir, "variants", name), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Variants(dir); err != nil || !slices.Equal(got, []string{"", "13b-v1.0_x", "short"}) {
		t.Errorf("among others: %q, %v", got, err)
	}
	if got := dump(t, open(t, filepath.Join(dir, "variants", "short"))); got != "a/1=by short" {
		t.Errorf("the variant holds %s", got)
	}
	if got := dump(t, open(t, dir)); got != "a/1=by" {
		t.Errorf("the first holds %s", got)
	}
	for _, name := range []string{".", "..", ".x", "-x", "_x", "a/b", `a\b`, "a b", "\u91d1", "x\n", strings.Repeat("x", 65)} {
		if folder, err := VariantDir(dir, name); !errors.Is(err, dataset.ErrRefused) {
			t.Errorf("%q: %q, %v", name, folder, err)
		}
	}
	if folder, err := VariantDir(dir, strings.Repeat("x", 64)); err != nil || folder != filepath.Join(dir, "variants", strings.Repeat("x", 64)) {
		t.Errorf("64 letters: %q, %v", folder, err)
	}
}
