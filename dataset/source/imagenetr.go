package source

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	wnidFolder = regexp.MustCompile(`^n\d{8}$`)
	wnidLine   = regexp.MustCompile(`^(n\d{8})\s+(\S+)`)
	styleName  = regexp.MustCompile(`^(.+)_\d+$`)
)

// wnidAt finds a wnid folder, or the part's folder above it.
func wnidAt(elements []string) int {
	at := slices.IndexFunc(elements[:len(elements)-1], wnidFolder.MatchString)
	if at > 0 && partFolders[elements[at-1]] != "" {
		at--
	}
	return at
}

func (c *collection) imageNetR() error {
	c.root, _ = rootOf(c.tree.files, wnidAt)
	c.add(func(folders []string) (p place) {
		if len(folders) == 2 && partFolders[folders[0]] != "" {
			p.part, folders = partFolders[folders[0]], folders[1:]
		}
		if len(folders) != 1 || !wnidFolder.MatchString(folders[0]) {
			p.misplaced = "not in a class folder named as a wnid (n and eight digits)"
		}
		p.class = folders[0]
		return p
	}, true)
	readme, err := c.readme()
	if err != nil {
		return err
	}
	return c.finish(classNames(readme), nil, "n01443537/sketch_0.jpg")
}

// readme is the beginning of README.txt, beside the class folders or at the very top.
func (c *collection) readme() ([]byte, error) {
	for _, at := range []string{path.Join(c.root, "README.txt"), "README.txt"} {
		for _, f := range c.tree.files {
			if f.path == at {
				if c.tree.archive != nil { // of a long one its beginning will do
					f.size = min(f.size, 1<<20)
				}
				return c.tree.readInto(f, nil)
			}
		}
	}
	return nil, nil
}

// classNames takes the lines "wnid name" of ImageNet-R's README.txt; its preamble has no such lines.
func classNames(readme []byte) map[string]string {
	names := map[string]string{}
	for line := range bytes.Lines(readme) {
		if m := wnidLine.FindSubmatch(line); m != nil {
			names[string(m[1])] = strings.ToValidUTF8(string(m[2]), "\uFFFD")
		}
	}
	return names
}

// styleOf is the rendition in a file name such as sketch_12.jpg, or "unknown".
func styleOf(base string) string {
	stem := strings.TrimSuffix(base, path.Ext(base))
	if m := styleName.FindStringSubmatch(stem); m != nil {
		return m[1]
	}
	return "unknown"
}
