package dataset_test

import (
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
)

func TestIDOf(t *testing.T) {
	for name, want := range map[string]dataset.ID{
		"n01443537/sketch_0.jpg":                  "n01443537/sketch_0.jpg",
		"/data/imagenet-r/n01443537/sketch_0.jpg": "n01443537/sketch_0.jpg",
		"../x//./cat/1 b.png":                     "cat/1 b.png",
		`train\cat\1.png`:                         "cat/1.png",
		`cat/a\b.png`:                             `cat/a\b.png`,
		" cat/猫.png ":                             " cat/猫.png ",
		"cat/...":                                 "cat/...",
	} {
		if got, err := dataset.IDOf(name); err != nil || got != want {
			t.Errorf("IDOf(%q) = %q, %v, want %q", name, got, err, want)
		}
		if again, err := dataset.IDOf(string(want)); err != nil || again != want {
			t.Errorf("IDOf(%q) = %q, %v", want, again, err)
		}
	}
	for name, word := range map[string]string{
		"": "no path", "1.png": "no path", "/1.png": "no path", "cat/": "no path", "cat//1.png": "no path", "cat/./1.png": "no path", "./1.png": "no path",
		"cat/../1.png": "no path", "a/cat/..": "no path", "/": "no path", "cat/\x00.png": "control characters", "c\rat/1.png": "control characters", "cat/\xe9.png": "UTF-8",
	} {
		if got, err := dataset.IDOf(name); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("IDOf(%q) = %q, %v, want an error with %q", name, got, err, word)
		}
	}
}

func TestIsPictureName(t *testing.T) {
	for name, want := range map[string]bool{
		"a.jpg": true, "a.b.JPEG": true, "cat/a.Png": true, "a.gif": true, "a.webp": true, "a.bmp": true,
		"a.txt": false, "jpg": false, "a.jpg.txt": false, "a.jpg/b": false, "": false,
	} {
		if got := dataset.IsPictureName(name); got != want {
			t.Errorf("IsPictureName(%q) = %v", name, got)
		}
	}
}
