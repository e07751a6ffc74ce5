package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// splitFiles are the files of one split, in order.
type splitFiles struct {
	split string
	where string // for errors
	files []string
}

// Names of the files of a split, as the readers of these layouts want them.
var (
	viltFile  = regexp.MustCompile(`^(.+)_(train|val|test)\.arrow$`) // of the parts by which a folder is known
	arrowFile = regexp.MustCompile(`^(.+)\.arrow$`)
	hubFile   = regexp.MustCompile(`^(\w+(?:\.\w+)*)-(\d{5})-of-(\d{5})\.parquet$`)
)

// findLayout finds the folder to open in or at path.
func findLayout(path string) (dir string, kind Kind, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("no such folder: mcil build makes one: %w", dataset.ErrNoSource)
	case err != nil:
		return "", "", err
	case !info.IsDir():
		return "", "", fmt.Errorf("is a file, want the folder of a dataset: %w", dataset.ErrNoSource)
	}
	for _, k := range Kinds() {
		for _, dir := range []string{path, filepath.Join(path, string(k))} {
			if isLayout(dir, k) {
				return dir, k, nil
			}
		}
	}
	if fileExists(filepath.Join(path, "state.json")) {
		return "", "", fmt.Errorf("is a single split: save a DatasetDict with the splits train and test: %w", dataset.ErrNoSource)
	}
	return "", "", fmt.Errorf("no dataset_dict.json, no NAME_train.arrow and no data/*.parquet: not a folder made by mcil build or by save_to_disk: %w", dataset.ErrNoSource)
}

func isLayout(dir string, k Kind) bool {
	switch k {
	case HF:
		return fileExists(filepath.Join(dir, "dataset_dict.json"))
	case ViLT:
		return len(matches(dir, viltFile)) > 0
	default:
		return len(matches(filepath.Join(dir, "data"), hubFile)) > 0
	}
}

// matches are the files of dir whose names match, sorted by name, each with its parts. A folder that cannot be read has none.
func matches(dir string, pattern *regexp.Regexp) [][]string {
	entries, _ := os.ReadDir(dir)
	var found [][]string
	for _, e := range entries {
		if m := pattern.FindStringSubmatch(e.Name()); m != nil {
			found = append(found, m)
		}
	}
	return found
}

// files lists the files of each split.
func (o *opener) files() ([]splitFiles, error) {
	switch o.kind {
	case HF:
		return hfFiles(o.dir)
	case ViLT:
		return viltFiles(o.dir)
	default:
		return hubFiles(filepath.Join(o.dir, "data"))
	}
}

func hfFiles(dir string) ([]splitFiles, error) {
	var dict struct{ Splits []string }
	if err := readPlainJSON(filepath.Join(dir, "dataset_dict.json"), &dict); err != nil {
		return nil, err
	}
	var found []splitFiles
	seen := map[string]bool{}
	for _, split := range dict.Splits {
		if !filepath.IsLocal(split) || seen[split] {
			return nil, fmt.Errorf("split %q is not the name of a folder, or is there twice: %w", split, dataset.ErrRefused)
		}
		seen[split] = true
		var state struct {
			Files []struct{ Filename string } `json:"_data_files"`
		}
		folder := filepath.Join(dir, split)
		if err := readPlainJSON(filepath.Join(folder, "state.json"), &state); err != nil {
			return nil, err
		}
		f := splitFiles{split: split, where: folder}
		for _, shard := range state.Files {
			if !filepath.IsLocal(shard.Filename) {
				return nil, fmt.Errorf("%s: state.json names %q, outside the folder: %w", folder, shard.Filename, dataset.ErrRefused)
			}
			f.files = append(f.files, filepath.Join(folder, shard.Filename))
		}
		found = append(found, f)
	}
	return found, nil
}

// viltFiles lists NAME_PART.arrow for every part. NAME is what precedes _train.arrow, or where several files end so, the
// shortest of them: the others are parts of that name, unless they have a test file and so are another data set.
func viltFiles(dir string) ([]splitFiles, error) {
	known := matches(dir, viltFile) // not empty: it makes the folder one of this layout
	name := known[0][1]
	for _, m := range known {
		if first := name + "_" + dataset.Train + ".arrow"; m[2] == dataset.Train && (!fileExists(filepath.Join(dir, first)) || len(m[1]) < len(name)) {
			name = m[1]
		}
	}
	for _, m := range known {
		other := filepath.Join(dir, m[1]+"_")
		if !strings.HasPrefix(m[0], name+"_") || m[1] != name && fileExists(other+dataset.Train+".arrow") && fileExists(other+dataset.Test+".arrow") {
			return nil, fmt.Errorf("has the files of several data sets, %s and %s: keep one: %w", name, m[1], dataset.ErrRefused)
		}
	}
	var found []splitFiles
	for _, m := range matches(dir, arrowFile) {
		split, ours := strings.CutPrefix(m[1], name+"_")
		if !ours || !splitName.MatchString(split) {
			continue
		}
		if split == viltName(dataset.Validation) {
			split = dataset.Validation
		}
		file := filepath.Join(dir, m[0])
		found = append(found, splitFiles{split: split, where: file, files: []string{file}})
	}
	return found, nil
}

func hubFiles(dir string) ([]splitFiles, error) {
	var found []splitFiles
	for _, m := range matches(dir, hubFile) {
		file := filepath.Join(dir, m[0])
		index, _ := strconv.Atoi(m[2]) // five digits
		total, _ := strconv.Atoi(m[3])
		if n := len(found); n == 0 || found[n-1].split != m[1] {
			found = append(found, splitFiles{split: m[1], where: filepath.Join(dir, m[1]+"-*.parquet")})
		}
		f := &found[len(found)-1]
		if index != len(f.files) || index >= total {
			return nil, fmt.Errorf("%s: shard %d of %d, want shard %d: one is missing, or two builds are mixed: %w", file, index, total, len(f.files), dataset.ErrRefused)
		}
		f.files = append(f.files, file)
		if next := filepath.Join(dir, fmt.Sprintf("%s-%05d-of-%05d.parquet", m[1], index+1, total)); index+1 < total && !fileExists(next) {
			return nil, fmt.Errorf("%s: shard %d of %d is missing: %w", next, index+1, total, dataset.ErrRefused)
		}
	}
	return found, nil
}
