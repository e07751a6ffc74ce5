package split

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mcil/mcil/dataset"
)

// Order is the order in which the classes are learned: order[k] is the label of the k-th. Spec is one of
//
//	natural  by label; also the default
//	SEED     as [ClassOrder] has it
//	split    by CODA-Prompt's numbers, the targets of a [Result]
//	FILE     a list of class folders, names or labels
//
// A FILE is text, an item a line, where # begins a comment and what follows the first white space is ignored; or a list in
// JSON or YAML, or a mapping with such a list under class_order, as RAPF has it. Integers are labels. Every class occurs once;
// what is no class here is passed over, so that the order of all classes serves for some of them.
func Order(spec string, classes []dataset.Class, targets map[string]int) ([]int, error) {
	if spec == "split" {
		return splitOrder(classes, targets)
	}
	order, orderErr := ClassOrder(spec, len(classes))
	if orderErr == nil {
		return order, nil
	}
	info, err := os.Stat(spec)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("class order %q: neither an order nor a file that is there: use natural, a seed such as 1993, split (a CODA-Prompt pair's) or FILE (a class a line): %w", spec, dataset.ErrRefused)
	}
	if err == nil && info.IsDir() {
		err = fmt.Errorf("a folder, not a file with a class a line: %w", dataset.ErrRefused)
	}
	if err != nil {
		return nil, fmt.Errorf("class order %s: %w", spec, err)
	}
	text, err := readLimited(spec)
	if err == nil {
		order, err = parseOrder(text, spec, classes)
	}
	if err != nil {
		return nil, fmt.Errorf("class order %s: %w", spec, err)
	}
	return order, nil
}

// splitOrder sorts the classes by CODA-Prompt's numbers.
func splitOrder(classes []dataset.Class, targets map[string]int) ([]int, error) {
	if targets == nil {
		return nil, fmt.Errorf("class order split: the split numbers no classes: only CODA-Prompt's pair does: %w", dataset.ErrRefused)
	}
	order := make([]int, len(classes))
	for label, c := range classes {
		if _, ok := targets[c.WNID]; !ok {
			return nil, fmt.Errorf("class order split: the split does not number class %s: %w", c.WNID, dataset.ErrRefused)
		}
		order[label] = label
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(targets[classes[a].WNID], targets[classes[b].WNID]) })
	return order, nil
}

// item is one class as a file names it.
type item struct {
	line  int
	whole string // the line, or the string in a list
	word  string // what is before the first white space or #
	name  bool   // a string in a list: never a label
}

// parseOrder reads a file's content. The file's name tells JSON and YAML from text, or else the content's beginning does.
func parseOrder(text []byte, file string, classes []dataset.Class) ([]int, error) {
	content := strings.TrimPrefix(string(text), dataset.ByteOrderMark)
	var items []item
	if structured(content, file) {
		var err error
		if items, err = listItems(content); err != nil {
			return nil, err
		}
	} else {
		items = textItems(content)
	}
	return resolve(items, classes)
}

func structured(content, file string) bool {
	if isYAML(file) || strings.EqualFold(path.Ext(file), ".json") {
		return true
	}
	for line := range strings.Lines(content) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line[0] == '[' || line[0] == '{' || line == "---" || line == "-" || strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "class_order:")
		}
	}
	return false
}

func textItems(content string) (items []item) {
	n := 0
	for line := range strings.Lines(content) {
		n++
		words, _, _ := strings.Cut(line, "#")
		if words := strings.Fields(words); len(words) > 0 {
			items = append(items, item{line: n, whole: strings.TrimSpace(line), word: words[0]})
		}
	}
	return items
}

func listItems(content string) ([]item, error) {
	// JSON may indent with tabs, YAML must not; in neither can a tab stand for itself in a class.
	root, err := parseYAML([]byte(strings.ReplaceAll(content, "\t", " ")))
	if err != nil {
		return nil, err
	}
	var list []*yaml.Node
	if root != nil && root.Kind == yaml.SequenceNode {
		list = root.Content
	} else if list, err = listOf(root, "class_order"); err != nil {
		return nil, fmt.Errorf("neither a list nor a mapping with a list class_order: %w", err)
	}
	items := make([]item, len(list))
	for i, node := range list {
		if node.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: item %d is not a class: %w", node.Line, i, dataset.ErrRefused)
		}
		items[i] = item{line: node.Line, whole: node.Value, word: node.Value, name: node.Tag == "!!str"}
	}
	return items, nil
}

// resolve turns items into labels and sees to it that each class occurs once.
func resolve(items []item, classes []dataset.Class) ([]int, error) {
	const ambiguous = -1
	labels := map[string]int{}
	for label, c := range classes {
		if _, ok := labels[c.Name]; ok {
			labels[c.Name] = ambiguous
		} else {
			labels[c.Name] = label
		}
	}
	for label, c := range classes { // a folder's name goes before another class's name
		labels[c.WNID] = label
	}
	order := make([]int, 0, len(classes))
	at := make([]int, len(classes)) // the line that names a class
	for _, it := range items {
		number, err := strconv.Atoi(it.word)
		if err != nil || it.name {
			var known bool
			if number, known = labels[it.whole]; !known {
				number, known = labels[it.word]
			}
			if !known {
				continue
			}
			if number == ambiguous {
				return nil, fmt.Errorf("line %d: several classes are called %s: use the class folder: %w", it.line, it.word, dataset.ErrRefused)
			}
		} else if number < 0 {
			return nil, fmt.Errorf("line %d: %d is not a label: %w", it.line, number, dataset.ErrRefused)
		} else if number >= len(classes) {
			continue
		}
		if at[number] > 0 {
			return nil, fmt.Errorf("line %d: class %s is named before, in line %d: %w", it.line, classes[number].WNID, at[number], dataset.ErrRefused)
		}
		at[number] = it.line
		order = append(order, number)
	}
	if missing := slices.Index(at, 0); missing >= 0 {
		return nil, fmt.Errorf("names %d of %d classes, and not class %s (label %d): name every class once: %w", len(order), len(classes), classes[missing].WNID, missing, dataset.ErrRefused)
	}
	return order, nil
}

// WriteOrder writes a class folder a line, in the order in which the classes are learned; [Order] reads it. Where a folder's
// name would be read otherwise, as a number would, the line is the label and the folder's name follows in a comment.
func WriteOrder(w io.Writer, classes []dataset.Class, order []int) error {
	var b strings.Builder
	for _, label := range order {
		if label < 0 || label >= len(classes) {
			return fmt.Errorf("write class order: label %d of %d classes: %w", label, len(classes), dataset.ErrRefused)
		}
		folder := classes[label].WNID
		if plain(folder) {
			b.WriteString(folder + "\n")
		} else {
			fmt.Fprintf(&b, "%d # %q\n", label, folder)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain says whether the text form of an order reads a folder's name as it is, even in the first line.
func plain(folder string) bool {
	_, err := strconv.Atoi(folder)
	words := strings.Fields(folder)
	return err != nil && len(words) == 1 && words[0] == folder && !strings.ContainsAny(folder, "#\ufeff") && !structured(folder, "")
}
