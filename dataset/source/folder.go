package source

import "strings"

// folder arranges one folder a class, below folders of parts or not.
func (c *collection) folder() error {
	c.root = folderRoot(c.tree.files)
	c.add(func(folders []string) (p place) {
		if len(folders) == 2 && partFolders[folders[0]] != "" {
			p.part, folders = partFolders[folders[0]], folders[1:]
		}
		switch {
		case folders[0] == "" || folders[0] == "..":
			p.misplaced = "not in a class folder"
		case len(folders) > 1:
			p.misplaced = "in a folder below a class folder"
		}
		p.class = folders[0]
		return p
	}, false)
	return c.finish(nil, nil, "cat/1.jpg")
}

// folderRoot is the one folder at the top below which all class folders are, or nothing. Files directly in it, which may be
// covers or thumbnails, do not make it a class folder while most are deeper.
func folderRoot(files []file) string {
	top, direct, deep := "", 0, 0
	for _, f := range files {
		elements := strings.Split(f.path, "/")
		base := elements[len(elements)-1]
		if len(elements) == 1 || strings.HasPrefix(base, ".") || otherName.MatchString(base) {
			continue
		}
		if top == "" {
			top = elements[0]
		}
		if elements[0] != top || partFolders[top] != "" {
			return ""
		}
		if len(elements) == 2 {
			direct++
		} else {
			deep++
		}
	}
	if direct >= deep {
		return ""
	}
	return top
}
