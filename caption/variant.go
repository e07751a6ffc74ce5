package caption

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/mcil/mcil/dataset"
)

const variantsName = "variants"

var variantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// VariantDir is the folder of a variant of the store at dir: captions of the same pictures by another model or prompt. It is
// a whole store of its own. The name "" stands for the captions at dir itself. A name that cannot be a variant's is refused
// with [dataset.ErrRefused].
func VariantDir(dir, name string) (string, error) {
	if name == "" {
		return dir, nil
	}
	if !variantName.MatchString(name) {
		return "", fmt.Errorf("variant %q: use up to 64 letters, digits, '.', '_' and '-', a letter or a digit first: %w", name, dataset.ErrRefused)
	}
	return filepath.Join(dir, variantsName, name), nil
}

// Variants lists the names of the stores at dir, sorted; "" comes first where dir itself holds one. Where there is none, the
// error wraps [ErrNoStore].
func Variants(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, variantsName)) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("caption store: %w", err)
	}
	var names []string
	if holdsStore(dir) {
		names = append(names, "")
	}
	for _, e := range entries {
		if folder, err := VariantDir(dir, e.Name()); err == nil && holdsStore(folder) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: has no %s, nor a variant: mcil caption makes one: %w", dir, manifestName, ErrNoStore)
	}
	return names, nil
}

// holdsStore says whether there is a store at dir, be it one that cannot be read: opening it says why.
func holdsStore(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, manifestName))
	return err == nil && info.Mode().IsRegular()
}
