package datasettest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Food101 is a made-up data set in the raw layout of UPMC Food-101: three classes of n pictures, numbered in an order of
// their own, with titles, a split in which every fifth picture is for validation and every fourth for test, and texts of
// every script.
func Food101(t testing.TB, n int) []File {
	t.Helper()
	classes := []string{"tacos", "apple_pie", "frozen_yogurt"} // 0, 1, 2
	numbers, split, text := map[string]int{}, map[string][]string{"train": {}, "val": {}, "test": {}}, map[string]string{}
	titles := map[string]*strings.Builder{"train": {}, "test": {}}
	var files []File
	for label, class := range classes {
		numbers[class] = label
		for i := range n {
			name, folder, part := fmt.Sprintf("%s_%d.jpg", class, i), "train", "train"
			switch {
			case i%4 == 3:
				folder, part = "test", "test"
			case i%5 == 4:
				part = "val"
			}
			title := fmt.Sprintf("Best %s recipe, \"number %d\" — crème brûlée 食べ物", strings.ReplaceAll(class, "_", " "), i)
			files = append(files, File{Name: "images/" + folder + "/" + class + "/" + name, Body: JPEG(t, Paint(40+i%7, 36, 10*label+i))})
			split[part] = append(split[part], name)
			text[name] = title
			fmt.Fprintf(titles[folder], "%s,\"%s\",%s\n", name, strings.ReplaceAll(title, `"`, `""`), class)
		}
	}
	for name, v := range map[string]any{"class_idx.json": numbers, "split.json": split, "text.json": text} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: name, Body: b})
	}
	for folder, csv := range titles {
		files = append(files, File{Name: "texts/" + folder + "_titles.csv", Body: []byte(csv.String())})
	}
	return files
}
