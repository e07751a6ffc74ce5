package sweep

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fakeProgram is a program whose budget and repair go with exemplars, and whose model goes with random weights.
type fakeProgram struct{}

// idleError is a refusal of a key without effect.
type idleError string

func (e idleError) Error() string      { return string(e) }
func (idleError) Is(target error) bool { return target == ErrIdle }

func (fakeProgram) Known(key string) error {
	if !slices.Contains([]string{"data", "exemplars", "budget", "repair", "score", "seed", "model", "weights", "epochs", "unit", "quality", "qualities"}, key) {
		return errors.New("there is no flag of that name")
	}
	return nil
}

func (fakeProgram) Settings(args []Arg) (map[string]any, error) {
	s := map[string]any{"exemplars": "masked", "seed": "1", "weights": "random", "epochs": "1"}
	for _, a := range args {
		s[a.Key] = a.Value
	}
	if n, err := strconv.Atoi(fmt.Sprint(s["epochs"])); err != nil || n < 1 {
		return nil, fmt.Errorf("--epochs=%v: choose 1 or more", s["epochs"])
	}
	if s["budget"] != nil && strings.HasPrefix(s["budget"].(string), "-") {
		return nil, errors.New("the budget must be above 0")
	}
	switch {
	case s["exemplars"] == "none" && s["repair"] != nil:
		return nil, idleError("--repair has no effect without exemplars: leave it out, or choose raw")
	case s["exemplars"] == "none" && s["budget"] != nil:
		return nil, idleError("--budget has no effect without exemplars: leave it out, or choose raw")
	case s["exemplars"] != "masked" && s["score"] != nil:
		return nil, idleError("--score has no effect but on masks: leave it out")
	case s["weights"] != "random" && s["model"] != nil:
		return nil, idleError("--model has no effect beside weights: leave it out")
	case s["exemplars"] == "none" && s["unit"] != nil:
		return nil, idleError("--unit has no effect without exemplars: leave it out")
	case s["exemplars"] != "mrdc" && s["qualities"] != nil:
		return nil, idleError("--qualities has no effect but with mrdc: leave it out")
	case s["exemplars"] == "cim" && s["unit"] == "tokens":
		return nil, errors.New("--unit=tokens: cim keeps every token")
	case s["exemplars"] == "mrdc" && s["quality"] == "60" && s["qualities"] == "80":
		return nil, errors.New("--qualities=80: above the quality")
	case s["exemplars"] == "masked" && s["quality"] == "60" && s["score"] == "all":
		return nil, errors.New("--score=all: nothing is masked")
	}
	if s["exemplars"] != "none" && s["budget"] == nil {
		s["budget"] = "5"
	}
	return s, nil
}

// pickyProgram takes everything but two keys together.
type pickyProgram struct{}

func (pickyProgram) Known(string) error { return nil }

func (pickyProgram) Settings(args []Arg) (map[string]any, error) {
	s := map[string]any{}
	for _, a := range args {
		s[a.Key] = a.Value
		if a.Value == "bad" || a.Value == "none" && len(args) > 2 {
			return nil, errors.New("no")
		}
	}
	return s, nil
}

var folderName = regexp.MustCompile(`^[A-Za-z0-9+][A-Za-z0-9+._-]*$`)

func checkNames(t *testing.T, jobs []Job) {
	t.Helper()
	seen := map[string]bool{}
	for _, j := range jobs {
		low := strings.ToLower(j.Name)
		if !folderName.MatchString(j.Name) || len(j.Name) > longestName+13 || seen[low] || slices.Contains(reserved(), low) || strings.HasSuffix(j.Name, ".") {
			t.Errorf("%q is no name of a folder of its own", j.Name)
		}
		seen[low] = true
	}
}

func plan(t *testing.T, content string) (Plan, error) {
	t.Helper()
	f, err := Parse("x.yaml", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return f.Plan(fakeProgram{})
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string // names, with arguments
		notes         []string
	}{
		{"one run", "train: {data: d}", []string{"run: data=d"}, nil},
		{"the last key is the fastest", "grid: {seed: [1, 2], exemplars: [raw, masked]}", []string{
			"seed-1_exemplars-raw: seed=1 exemplars=raw", "seed-1_exemplars-masked: seed=1 exemplars=masked",
			"seed-2_exemplars-raw: seed=2 exemplars=raw", "seed-2_exemplars-masked: seed=2 exemplars=masked",
		}, nil},
		{"no budget without exemplars", "grid: {exemplars: [none, raw], budget: [1, 3]}", []string{
			"exemplars-none: exemplars=none", "exemplars-raw_budget-1: exemplars=raw budget=1", "exemplars-raw_budget-3: exemplars=raw budget=3",
		}, []string{"budget has no effect in 2 of 4 combinations and is left out there (--budget has no effect without exemplars)", "4 combinations are 3 runs"}},
		{"whatever the order", "grid: {budget: [1], exemplars: [raw, none]}", []string{
			"budget-1_exemplars-raw: budget=1 exemplars=raw", "exemplars-none: exemplars=none",
		}, []string{"budget has no effect in 1 of 2 combinations and is left out there (--budget has no effect without exemplars)"}},
		{"two keys at once, one of all runs", "train: {repair: 0.5}\ngrid: {exemplars: [none, raw], budget: [1, 2]}", []string{
			"exemplars-none: exemplars=none", "exemplars-raw_budget-1: repair=0.5 exemplars=raw budget=1", "exemplars-raw_budget-2: repair=0.5 exemplars=raw budget=2",
		}, []string{
			"repair has no effect in 2 of 4 combinations and is left out there (--repair has no effect without exemplars)",
			"budget has no effect in 2 of 4 combinations and is left out there (--budget has no effect without exemplars)", "4 combinations are 3 runs",
		}},
		{"some keys of some kinds", "grid: {exemplars: [none, raw, masked], budget: [1], score: [attention, random]}", []string{
			"exemplars-none: exemplars=none", "exemplars-raw_budget-1: exemplars=raw budget=1",
			"exemplars-masked_budget-1_score-attention: exemplars=masked budget=1 score=attention", "exemplars-masked_budget-1_score-random: exemplars=masked budget=1 score=random",
		}, []string{
			"budget has no effect in 2 of 6 combinations and is left out there (--budget has no effect without exemplars)",
			"score has no effect in 4 of 6 combinations and is left out there (--score has no effect but on masks)", "6 combinations are 4 runs",
		}},
		{"weights decide about the model", "grid: {weights: [random, w], model: [tiny, small]}", []string{
			"weights-random_model-tiny: weights=random model=tiny", "weights-random_model-small: weights=random model=small", "weights-w: weights=w",
		}, []string{"model has no effect in 2 of 4 combinations and is left out there (--model has no effect beside weights)", "4 combinations are 3 runs"}},
		{"rows", "train: {epochs: 3, budget: 2}\ngrid: {seed: [1, 2]}\nrows:\n- {name: no memory, exemplars: none}\n- {name: masked, epochs: 4}", []string{
			"no-memory_seed-1: epochs=3 exemplars=none seed=1", "no-memory_seed-2: epochs=3 exemplars=none seed=2",
			"masked_seed-1: budget=2 epochs=4 seed=1", "masked_seed-2: budget=2 epochs=4 seed=2",
		}, []string{"budget has no effect in 2 of 4 combinations and is left out there (--budget has no effect without exemplars)"}},
	} {
		p, err := plan(t, c.content)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		checkNames(t, p.Jobs)
		var got []string
		for _, j := range p.Jobs {
			line := j.Name + ":"
			for _, a := range j.Args {
				line += " " + a.Key + "=" + a.Value
			}
			got = append(got, line)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: runs\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		if !slices.Equal(p.Notes, c.notes) {
			t.Errorf("%s: notes\n%s\nwant\n%s", c.name, strings.Join(p.Notes, "\n"), strings.Join(c.notes, "\n"))
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"train:\n  bogus: 1", "x.yaml:2: bogus: there is no flag of that name"},
		{"rows:\n- {name: a, bogus: 1}", "x.yaml:2: bogus: there is no flag"},
		{"train:\n  data: d\n  epochs: -1", "x.yaml:3: epochs -1: --epochs=-1: choose 1 or more"},
		{"grid:\n  seed: [1]\n  epochs:\n  - 3\n  - x\n", "x.yaml:5: epochs x: --epochs=x: choose 1 or more"},
		{"grid:\n  exemplars: [none, raw]\n  budget:\n  - 1\n  - -3\n", "x.yaml:5: budget -3: the budget must be above 0"},
		{"grid:\n  exemplars: [none]\n  budget: [1, 3]", "x.yaml:2: exemplars none: counts in no run: --budget has no effect"},
		{"train: {budget: 3}\ngrid: {exemplars: [none]}", "x.yaml:1: budget 3: counts in no run"},
		// What a value forbids is not left out, be it the same for all runs, of one kind, or of one combination.
		{"train:\n  unit: tokens\ngrid:\n  exemplars: [masked, raw, cim]", "x.yaml:2: unit tokens: --unit=tokens: cim keeps every token"},
		{"grid:\n  exemplars: [masked, cim]\n  unit: [tokens]", "x.yaml:"},
		{"train: {quality: 60}\ngrid:\n  exemplars: [raw, mrdc]\n  qualities: [10, 80]", "x.yaml:"},
		{"train: {quality: 60}\ngrid:\n  exemplars: [masked, raw]\n  score: [all, mean]", "x.yaml:"},
		// It is what is told, also behind a key that is left out.
		{"train:\n  score: mean\n  unit: tokens\ngrid:\n  exemplars: [masked, cim]", "x.yaml:3: unit tokens: --unit=tokens: cim keeps every token"},
		{"train: {epochs: 3}\nrows:\n- {name: a, exemplars: none, budget: 1}", "x.yaml:3: "},
		{"train: {weights: w}\ngrid:\n  model: [tiny, small]", "x.yaml:"},
		{"rows:\n- {name: a, exemplars: raw}\n- {name: b, exemplars: raw}", "x.yaml:3: row a and row b have the same settings"},
		{"rows:\n- {name: a}\n- {name: b, budget: 5}", "x.yaml:3: row a and row b have the same settings"},
		{"rows:\n- {name: a, exemplars: none}\n- {name: b, exemplars: none}", "x.yaml:3: row a and row b have the same settings"},
		{"train: {epochs: 2}\nrows: [{name: a, epochs: 3}]", "x.yaml:1: epochs: every row says it anew"},
		{"grid:\n  seed: [" + strings.Repeat("1,", 2) + "3]", "x.yaml:2: grid: seed: 1 stands twice"},
	} {
		f, err := Parse("x.yaml", []byte(c.content))
		if err == nil {
			_, err = f.Plan(fakeProgram{})
		}
		if !errors.Is(err, ErrFile) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q ...", c.content, err, c.want)
		}
	}
	var seeds []string
	for i := range 200 {
		seeds = append(seeds, strconv.Itoa(i+1))
	}
	long := strings.Join(seeds, ",")
	if _, err := plan(t, "grid: {seed: ["+long+"], epochs: ["+long+"]}"); err == nil || !strings.Contains(err.Error(), "more than 10000 combinations") {
		t.Errorf("40000 combinations: %v", err)
	}
}

// Names are those of folders on every system, and two runs never share one.
func TestNames(t *testing.T) {
	p, err := plan(t, `
train: {data: d}
rows:
- {name: con, epochs: 1}
- {name: "../../etc", epochs: 2}
- {name: "é", epochs: 3}
- {name: Report, epochs: 4}
- {name: "results.md", epochs: 5}
- {name: "a b", epochs: 6}
- {name: "A/b", epochs: 7}
- {name: "rate 0.05", epochs: 8}
- {name: `+strings.Repeat("long", 60)+`, epochs: 9}
`)
	if err != nil {
		t.Fatal(err)
	}
	checkNames(t, p.Jobs)
	var got []string
	for _, j := range p.Jobs {
		got = append(got, j.Name)
	}
	for i, want := range []string{"run-con", "etc", "run", "run-Report", "results-md", "a-b-", "A-b-", "rate-0.05", strings.Repeat("long", 30) + "-"} {
		if !strings.HasPrefix(got[i], want) || len(want) != len(got[i]) && len(got[i]) != len(want)+12 {
			t.Errorf("run %d is named %q, want %q", i, got[i], want)
		}
	}
}
