package dataset

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ByteOrderMark begins text files of some editors. It is no part of the text.
const ByteOrderMark = "\ufeff"

// IDOf is the ID of the picture that a path in a list names: the class folder and the file, whatever folders are before
// them. Parts are between slashes, or in a path without any, as Windows writes them, between backslashes. The class and the
// file may not be empty, . or .., and have no control characters and only UTF-8: a source refuses such names, as they cannot
// stand in a list. White space is a part of the name.
func IDOf(name string) (ID, error) {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, `\`, "/")
	}
	parts := strings.Split(name, "/")
	if len(parts) < 2 {
		return "", notInClass(name)
	}
	parts = parts[len(parts)-2:]
	for _, part := range parts {
		switch {
		case part == "" || part == "." || part == "..":
			return "", notInClass(name)
		case !utf8.ValidString(part) || strings.ContainsFunc(part, unicode.IsControl):
			return "", fmt.Errorf("the path %q has control characters or is not UTF-8", name)
		}
	}
	return ID(parts[0] + "/" + parts[1]), nil
}

func notInClass(name string) error {
	return fmt.Errorf("%q is no path of a picture in its class folder, such as n01443537/sketch_0.jpg", name)
}

// IsPictureName says whether a file is named as a picture of a format that package picture reads.
func IsPictureName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp":
		return true
	}
	return false
}
