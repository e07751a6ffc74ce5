package report

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// plain are the values that train's settings have unless someone asks for others, as run.json shows them. What differs from
// them is worth a name; where a comparison has a plain value and others, only the others are told. What is absent unless it
// is asked for needs no entry. It is a matter of names alone: a setting that is missing here is told with every value.
func plain() map[string]string {
	return map[string]string{
		"budget-unit": "stored", "codec": "raw", "jpeg-quality": "90", "replay": "drop", "repair": "0.5",
		"mask-layer": "last", "mask-heads": "mean", "mask-token": "text", "mask-image": "mean", "mask-text": "mean",
		"mask-score": "attention", "mrdc-qualities": "[10,25,50,75,90]", "mrdc-epsilon": "0.1", "cim-ratio": "4",
		"cim-threshold": "0.6", "head": "linear", "distill-temperature": "2", "mixing": "natural", "augment": "none",
		"adapter-width": "64", "adapter-scale": "0.1", "adapter-dropout": "0.1", "ease-alpha": "0.1",
		"evaluate": "test",
	}
}

// plainPrompts are those of the settings of prompts, which are each method's own: on an encoder of 12 blocks, for which they
// were published. What dualprompt has for each phase is as many as phases.
func plainPrompts(method string, phases int) map[string]string {
	return map[string]map[string]string{
		"l2p":         {"prompt-length": "5", "prompt-pool": "10", "prompt-top": "5", "key-weight": "0.1"},
		"dualprompt":  {"prompt-length": "5", "prompt-pool": strconv.Itoa(phases), "key-weight": "0.1", "prompt-blocks": "2-4"},
		"coda-prompt": {"prompt-length": "4", "prompt-pool": "100", "prompt-blocks": "0-4"},
	}[method]
}

// usual is the plain value of a setting of r, whose key is as [normal] returns it.
func usual(r Run, key string) (value string, is bool) {
	if key == "mrdc-qualities" {
		return plainQualities(r), true
	}
	if value, is = plain()[key]; !is {
		value, is = plainPrompts(r.Report.Method, len(r.Report.Phases))[key]
	}
	return value, is
}

// altered says whether a run has a setting that makes another method of what its name stands for: one that says what is kept
// of an exemplar and how it is replayed, what is tuned and when, what is between phases, or what a method adds to the
// encoder, at other than its plain value. How long and how fast it learned, with what head, on what examples, changes no
// method, and batchwise is what the authors of l2p have on themselves. A setting that the run does not have is plain, and
// re-pairing is a part of masked exemplars alone.
func altered(r Run) bool {
	return slices.ContainsFunc(flatten(r.Settings.Settings), func(s setting) bool {
		key := normal(s.Key)
		switch {
		case s.Value == "":
			return false
		case slices.Contains([]string{"mask-new", "distill", "herding", "tune-phases", "tune-from-block"}, key):
			return s.Value != "0" // recorded where asked for
		case key == "repair":
			return r.Report.Exemplars == "masked" && s.Value != plain()[key]
		}
		value, is := usual(r, key)
		if key == "prompt-blocks" && slices.Contains(fewerBlocks(value), s.Value) {
			return false
		}
		return is && s.Value != value && slices.ContainsFunc([]string{"mask-", "mrdc-", "cim-", "replay", "prompt-", "key-weight", "ease-", "adapter-"},
			func(of string) bool { return strings.HasPrefix(key, of) })
	})
}

// fewerBlocks are what smaller encoders have of the blocks FIRST-LAST: method.Spec.FitPrompts makes them of the plain ones.
// No report says how deep its encoder is, so that fewer blocks that were asked for on one of all 12, such as 0-0, pass for
// those of a smaller one: such a run keeps the plain name, though where another has the plain blocks, its line tells its
// own.
func fewerBlocks(blocks string) (out []string) {
	a, b, _ := strings.Cut(blocks, "-")
	first, err1 := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	for top := 0; err1 == nil && err2 == nil && top < last; top++ {
		out = append(out, strconv.Itoa(min(first, top))+"-"+strconv.Itoa(top))
	}
	return out
}

// plainQualities are those of mrdc that are not above the quality of the run's own JPEGs.
func plainQualities(r Run) string {
	all := plain()["mrdc-qualities"]
	most, err := strconv.Atoi(lookup(flatten(r.Settings.Settings), "jpeg-quality"))
	var qualities []int
	if err != nil || json.Unmarshal([]byte(all), &qualities) != nil {
		return all
	}
	return settingText(slices.DeleteFunc(qualities, func(q int) bool { return q > most }))
}

// The parts that settings play in a report. A key is as [normal] returns it.
const (
	ofVariant  = iota // sets a method apart from others of its name
	ofName            // is in the name itself
	ofData            // says what was learned with what encoder: other values make another study
	ofSchedule        // deals the classes into phases: the columns of a table
	ofBudget          // is how much memory there is; see [setsApart] for the codec
)

func partOf(key string) int {
	switch key {
	case "method", "exemplars", "seed":
		return ofName
	case "data", "classes", "weights", "model", "class-order", "evaluate", "max-text", "exif-orientation":
		return ofData
	case "phases", "init", "increment":
		return ofSchedule
	case "budget", "budget-total", "budget-bytes", "budget-unit", "codec", "jpeg-quality":
		return ofBudget
	}
	return ofVariant
}

// normal is a key with hyphens for underscores and without the path before it.
func normal(key string) string {
	key = strings.ReplaceAll(key, "_", "-")
	return key[strings.LastIndexByte(key, '.')+1:]
}

// variants names, for groups of the same method and exemplars, the settings in which they differ.
func variants(groups [][]Run) []string {
	out := make([]string, len(groups))
	for i := range groups {
		same := likeNamed(groups, i)
		if len(same) < 2 {
			continue
		}
		parts := told(groups, same, i, func(string) bool { return true })
		if len(parts) == 0 && !slices.ContainsFunc(same, func(j int) bool { return j != i && classesSeen(groups[j]) == classesSeen(groups[i]) }) {
			// the schedules differ, and no setting says so
			r := groups[i][0].Report
			parts = []string{strconv.Itoa(lastPhase(r).Classes) + " classes, " + strconv.Itoa(len(r.Phases)) + " phases"}
		}
		out[i] = strings.Join(parts, ", ")
	}
	return out
}

// likeNamed lists the groups with the method and exemplars of group i.
func likeNamed(groups [][]Run, i int) (same []int) {
	for j := range groups {
		if groups[j][0].Report.Method == groups[i][0].Report.Method && groups[j][0].Report.Exemplars == groups[i][0].Report.Exemplars {
			same = append(same, j)
		}
	}
	return same
}

// told lists the settings of group i that set it apart from the groups same, which it is one of: "key value". only says
// which keys count. What all have can still be usual to some alone: five prompts are, in five phases.
func told(groups [][]Run, same []int, i int, only func(key string) bool) (parts []string) {
	var runs []Run
	for _, j := range same {
		runs = append(runs, groups[j][0])
	}
	common, _ := compare(runs)
	differ := differences(runs)
	for _, s := range common {
		if slices.ContainsFunc(runs, func(r Run) bool { plain, is := usual(r, normal(s.Key)); return is && plain == s.Value }) {
			differ = append(differ, difference{s.Key, slices.Repeat([]string{s.Value}, len(runs))})
		}
	}
	slices.SortFunc(differ, func(a, b difference) int { return strings.Compare(a.Key, b.Key) })
	for _, d := range differ {
		if !only(normal(d.Key)) {
			continue
		}
		value := d.Values[slices.Index(same, i)]
		if plain, is := usual(groups[i][0], normal(d.Key)); is && value == plain {
			continue
		}
		if value == "" { // the setting is of others, and plays no part here
			continue
		}
		parts = append(parts, d.Key+" "+value)
	}
	return parts
}

// classesSeen tells schedules apart: the classes seen after each phase.
func classesSeen(runs []Run) string {
	var b strings.Builder
	for _, p := range runs[0].Report.Phases {
		b.WriteString(strconv.Itoa(p.Classes) + " ")
	}
	return b.String()
}
