package split

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mcil/mcil/dataset"
)

// maxYAMLBytes bounds what is read of a YAML or JSON file; CODA-Prompt's larger one has 1.3 MB.
const maxYAMLBytes = 64 << 20

func isYAML(file string) bool {
	ext := strings.ToLower(path.Ext(file))
	return ext == ".yaml" || ext == ".yml"
}

// readCODA reads CODA-Prompt's imagenet-r_train.yaml and imagenet-r_test.yaml and its number of each class folder.
func readCODA(train, test string) (dataset.Split, map[string]int, error) {
	if a, b := strings.ToLower(filepath.Base(train)), strings.ToLower(filepath.Base(test)); strings.Contains(a, "test") && !strings.Contains(a, "train") &&
		strings.Contains(b, "train") && !strings.Contains(b, "test") {
		return nil, nil, fmt.Errorf("the pair is TRAIN.yaml,TEST.yaml, and these seem to be the other way round: %w", dataset.ErrRefused)
	}
	parts, numbers := dataset.Split{}, newTargets()
	for _, half := range []struct{ part, file string }{{dataset.Train, train}, {dataset.Test, test}} {
		text, err := readLimited(half.file)
		if err != nil {
			return nil, nil, err
		}
		if parts[half.part], err = parseCODA(text, numbers); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", half.file, err)
		}
	}
	return parts, numbers.of, nil
}

// readLimited reads a file of at most maxYAMLBytes.
func readLimited(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxYAMLBytes+1))
	if err == nil && len(b) > maxYAMLBytes {
		err = fmt.Errorf("%s: more than %d bytes: this is no list of pictures or classes: %w", file, maxYAMLBytes, dataset.ErrRefused)
	}
	return b, err
}

// targets are CODA-Prompt's numbers of classes, one a class.
type targets struct {
	of    map[string]int // class folder to number
	class map[int]string // and back
}

func newTargets() targets { return targets{of: map[string]int{}, class: map[int]string{}} }

func (t targets) add(wnid string, number int) error {
	if other, ok := t.of[wnid]; ok && other != number {
		return fmt.Errorf("target %d, and %d before for class %s: %w", number, other, wnid, dataset.ErrRefused)
	}
	if other, ok := t.class[number]; ok && other != wnid {
		return fmt.Errorf("target %d for class %s, and before for class %s: %w", number, wnid, other, dataset.ErrRefused)
	}
	t.of[wnid], t.class[number] = number, wnid
	return nil
}

// parseCODA reads one file of the pair: the list data of paths and the list targets of numbers, alike in length. It adds the
// numbers to dst.
func parseCODA(text []byte, dst targets) ([]dataset.ID, error) {
	root, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	data, err := listOf(root, "data")
	if err != nil {
		return nil, err
	}
	numbers, err := listOf(root, "targets")
	if err != nil {
		return nil, err
	}
	if len(data) != len(numbers) {
		return nil, fmt.Errorf("%d data and %d targets: the lists must be alike in length: %w", len(data), len(numbers), dataset.ErrRefused)
	}
	ids := make([]dataset.ID, len(data))
	for i := range data {
		id, err := dataset.IDOf(data[i].Value)
		if data[i].Kind != yaml.ScalarNode || err != nil {
			return nil, fmt.Errorf("data[%d] (line %d) is %q, and not a path such as data/imagenet-r/n01443537/art_0.jpg: %w", i, data[i].Line, brief(data[i].Value), dataset.ErrRefused)
		}
		number, err := strconv.Atoi(numbers[i].Value)
		if numbers[i].Kind != yaml.ScalarNode || err != nil || number < 0 {
			return nil, fmt.Errorf("targets[%d] (line %d) is %q, and not the number of a class: %w", i, numbers[i].Line, brief(numbers[i].Value), dataset.ErrRefused)
		}
		if err := dst.add(id.WNID(), number); err != nil {
			return nil, fmt.Errorf("targets[%d] (line %d), of %s: %w", i, numbers[i].Line, id, err)
		}
		ids[i] = id
	}
	return ids, nil
}

// parseYAML is the value of a YAML document; nil where the text is empty. Errors are one line.
func parseYAML(text []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", brief(strings.Join(strings.Fields(err.Error()), " ")), dataset.ErrRefused)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

// listOf is the list under a key of a mapping.
func listOf(root *yaml.Node, key string) ([]*yaml.Node, error) {
	var list *yaml.Node
	if root != nil && root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value != key {
				continue
			}
			if list != nil {
				return nil, fmt.Errorf("line %d: the key %s occurs twice: %w", root.Content[i].Line, key, dataset.ErrRefused)
			}
			list = root.Content[i+1]
		}
	}
	if list == nil {
		return nil, fmt.Errorf("has no key %s: %w", key, dataset.ErrRefused)
	}
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: the value of %s is not a list: %w", list.Line, key, dataset.ErrRefused)
	}
	return list.Content, nil
}
