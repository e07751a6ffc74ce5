package report

import "slices"

// What the paper's project page publishes (Lee, Lee, Chiu and Tsai, Exemplar Masking for Multimodal Incremental Learning,
// arXiv 2412.09549): average accuracy on MM-ImageNet-R, 200 classes, with ViLT. The table is as printed; the figure of
// memory was measured from its bars and points, accuracies to within 0.1 %. The paper tells no spread and no number of
// seeds.
const (
	source       = "arXiv 2412.09549"
	sourceData   = "MM-ImageNet-R, ViLT"
	sourceBudget = 5 // exemplars a class, of the table
	sourcePhases = 10
)

// publishedMethod is a line of the paper's table.
type publishedMethod struct {
	name              string
	method, exemplars string     // ours of that name; "" where any will do
	accuracy          [3]float64 // fractions, for publishedPhases
}

func publishedPhases() []int { return []int{5, 10, 20} }

func publishedTable() []publishedMethod {
	return []publishedMethod{
		{"L2P", "l2p", "", [3]float64{0.6817, 0.6921, 0.6623}},
		{"DualPrompt", "dualprompt", "", [3]float64{0.7766, 0.7557, 0.7047}},
		{"EASE", "ease", "", [3]float64{0.7806, 0.7684, 0.7391}},
		{"SSF", "ssf", "raw", [3]float64{0.8058, 0.7703, 0.7526}},
		{"SSF+MRDC", "ssf", "mrdc", [3]float64{0.8077, 0.7866, 0.7613}},
		{"SSF+CIM", "ssf", "cim", [3]float64{0.8097, 0.7821, 0.7723}},
		{"SSF+Ours", "ssf", "masked", [3]float64{0.8276, 0.8055, 0.7864}},
	}
}

// publishedMemory is a series of the paper's figure of memory, at 10 phases.
type publishedMemory struct {
	exemplars string
	held      [5]float64 // exemplars a class, for publishedBudgets
	accuracy  [5]float64 // fractions
}

func publishedBudgets() []float64 { return []float64{1, 3, 5, 7, 10} }

func publishedFigure() []publishedMemory {
	return []publishedMemory{
		{"raw", [5]float64{1, 3, 5, 7, 10}, [5]float64{0.748, 0.762, 0.770, 0.781, 0.791}},
		{"cim", [5]float64{2, 6, 10, 14, 19}, [5]float64{0.745, 0.772, 0.782, 0.792, 0.803}},
		{"masked", [5]float64{3, 8, 14, 19, 28}, [5]float64{0.766, 0.792, 0.806, 0.812, 0.821}},
	}
}

// paperName is what the paper calls a method with its exemplars; empty where it has no name for it. Prompts and EASE keep no
// exemplars in their own papers; with which this one ran them, it does not say.
func paperName(method, exemplars string) string {
	for _, p := range publishedTable() {
		if p.method == method && (p.exemplars == exemplars || p.exemplars == "" && (exemplars == "" || exemplars == "none")) {
			return p.name
		}
	}
	return ""
}

// fieldName is what those who work with it call a method; of one without a name of its own, that of its flag.
func fieldName(method string) string {
	names := map[string]string{
		"ssf": "SSF", "ease": "EASE", "l2p": "L2P", "dualprompt": "DualPrompt", "coda-prompt": "CODA-Prompt", "simplecil": "SimpleCIL",
	}
	if n := names[method]; n != "" {
		return n
	}
	return method
}

// published is the paper's average accuracy of a method under a budget; n is 0 where it has none. A variant has none, nor
// has what differs from the paper's method in every run of a report, nor a budget that is counted in anything but what
// samples take as they are stored plainly; MRDC knows JPEGs alone.
func published(s series, b budget, c column) Stat {
	if b.counts != "" && (s.exemplars != "mrdc" || b.counts != "JPEG "+plain()["jpeg-quality"]) {
		return Stat{}
	}
	if s.variant != "" || s.altered || !c.even || paperName(s.method, s.exemplars) == "" || b.key != "" && b.key != "budget" {
		return Stat{}
	}
	if b.key == "" || b.value == sourceBudget {
		for _, p := range publishedTable() {
			if i := slices.Index(publishedPhases(), c.phases); i >= 0 && p.name == paperName(s.method, s.exemplars) {
				return Stat{Mean: p.accuracy[i], N: 1}
			}
		}
		return Stat{}
	}
	for _, p := range publishedFigure() {
		if i := slices.Index(publishedBudgets(), b.value); i >= 0 && p.exemplars == s.exemplars && c.phases == sourcePhases {
			return Stat{Mean: p.accuracy[i], N: 1}
		}
	}
	return Stat{}
}
