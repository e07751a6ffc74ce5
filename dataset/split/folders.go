package split

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// readFolders takes the names of the pictures in dir/train/CLASS, dir/test/CLASS and, where there are such, a validation
// folder's. Their content is not read: links, and links to folders, are as good as files. Other folders in dir are not parts.
func readFolders(dir string) (dataset.Split, error) {
	tops, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	parts := dataset.Split{}
	for _, top := range tops {
		part := partOf(top.Name())
		if part != dataset.Train && part != dataset.Validation && part != dataset.Test || !isDir(dir, top) {
			continue
		}
		classes, err := os.ReadDir(filepath.Join(dir, top.Name()))
		if err != nil {
			return nil, err
		}
		for _, class := range classes {
			if strings.HasPrefix(class.Name(), ".") || !isDir(filepath.Join(dir, top.Name()), class) {
				continue
			}
			files, err := os.ReadDir(filepath.Join(dir, top.Name(), class.Name()))
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				if strings.HasPrefix(f.Name(), ".") || !dataset.IsPictureName(f.Name()) {
					continue
				}
				id, err := dataset.IDOf(class.Name() + "/" + f.Name())
				if err != nil {
					return nil, fmt.Errorf("%s/%q has control characters or is not UTF-8: rename it: %w", part, class.Name()+"/"+f.Name(), dataset.ErrRefused)
				}
				parts[part] = append(parts[part], id)
			}
		}
	}
	for _, part := range []string{dataset.Train, dataset.Test} {
		if len(parts[part]) == 0 {
			return nil, fmt.Errorf("the folder has no pictures in %s/CLASS/: a split in folders has train/ and test/ of class folders: %w", part, dataset.ErrRefused)
		}
	}
	return parts, nil
}

// isDir says whether an entry of dir is a folder or a link to one.
func isDir(dir string, e os.DirEntry) bool {
	if e.Type()&os.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && info.IsDir()
}
