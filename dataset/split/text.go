package split

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// partWord is what can be a split's name in each layout of a prepared dataset, a folder's name there.
var partWord = regexp.MustCompile(`^\w+$`)

// isPart says whether a part can have the name. Hugging Face datasets means every split by "all".
func isPart(name string) bool { return partWord.MatchString(name) && name != "all" }

func readText(file string) (dataset.Split, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseText(f)
}

// parseText reads RAPF's form. Paths may have folders above the class.
func parseText(r io.Reader) (dataset.Split, error) {
	split, part := dataset.Split{}, ""
	lines, n := bufio.NewScanner(r), 1
	for ; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, dataset.ByteOrderMark)
		}
		name, id, err := parseLine(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case name != "":
			part = partOf(name)
		case id == "":
		case part == "":
			return nil, fmt.Errorf("line %d: %q before a line that names the split, such as train: %w", n, id, dataset.ErrRefused)
		default:
			split[part] = append(split[part], id)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: longer than a picture's name, so this is no list of pictures: %w", n, dataset.ErrRefused)
	} else if err != nil {
		return nil, err
	}
	return split, nil
}

// parseLine reads a line as the name of a part or as a picture. Both are empty where the line is.
func parseLine(line string) (part string, id dataset.ID, err error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return "", "", nil
	}
	if !strings.ContainsAny(line, `/\`) {
		if !isPart(line) {
			return "", "", fmt.Errorf("%q is neither wnid/file.jpg nor the name of a split, which is a word such as train and not all: %w", brief(line), dataset.ErrRefused)
		}
		return line, "", nil
	}
	id, err = dataset.IDOf(line)
	if err != nil {
		return "", "", fmt.Errorf("%q names no picture in a class folder, as wnid/file.jpg does: %w", brief(line), dataset.ErrRefused)
	}
	return "", id, nil
}

// brief is the beginning of what a file holds, for errors about files that are something else altogether.
func brief(text string) string {
	const most = 200 // bytes
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// Write writes the split in RAPF's form, which [New] reads. A name that the form cannot hold is an error.
func Write(w io.Writer, p dataset.Split) error {
	var b strings.Builder
	for _, part := range p.Names() {
		if name, _, err := parseLine(part); err != nil || name == "" || name != part {
			return fmt.Errorf("write split: %q is not a word that names a part: %w", part, dataset.ErrRefused)
		}
		b.WriteString(part + "\n")
		for _, id := range p[part] {
			if _, again, err := parseLine(string(id)); err != nil || again != id {
				return fmt.Errorf("write split: %s: %q cannot stand in a text of one name a line: rename the file: %w", part, id, dataset.ErrRefused)
			}
			b.WriteString(string(id) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
