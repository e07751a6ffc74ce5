package source_test

import (
	"maps"
	"os"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/source"
)

func TestReadTexts(t *testing.T) {
	want := map[dataset.ID]string{"n01443537/sketch_0.jpg": "A fish, \"gold\"", "cat/1 b.png": "two\nlines 猫"}
	for name, body := range map[string]string{
		"csv with a header":     "id,file_name,Caption\n9,n01443537/sketch_0.jpg,\" A fish, \"\"gold\"\" \"\n8,cat/1 b.png,\"two\nlines 猫\"\n",
		"csv without a header":  "imagenet-r/n01443537/sketch_0.jpg,\"A fish, \"\"gold\"\"\"\r\n/data/train/cat/1 b.png,\"two\nlines 猫\"\r\n",
		"csv with a mark":       "\ufeffpath,text\nn01443537/sketch_0.jpg,\"A fish, \"\"gold\"\"\"\ncat/1 b.png,\"two\nlines 猫\"\n",
		"columns turned":        "title,image\n\"A fish, \"\"gold\"\"\",train/n01443537/sketch_0.jpg\n\"two\nlines 猫\",./cat/1 b.png\n",
		"twice the same":        "n01443537/sketch_0.jpg,\"A fish, \"\"gold\"\"\"\ncat/1 b.png,\"two\nlines 猫\"\ntrain/cat/1 b.png,\"two\nlines 猫\"\n",
		"json lines":            `{"path":"n01443537/sketch_0.jpg","caption":"A fish, \"gold\"","n":1}` + "\n\n" + `{"id":"x/cat/1 b.png","text":" two\nlines 猫 "}`,
		"json lines, backslash": "\ufeff" + `{"image":"train\\n01443537\\sketch_0.jpg","title":"A fish, \"gold\""}` + "\r\n" + `{"file_name":"cat/1 b.png","caption":"two\nlines 猫"}` + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, sum, err := source.ReadTexts(datasettest.WriteTemp(t, "captions.txt", []byte(body)))
			if err != nil || !maps.Equal(got, want) {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
			if sum != dataset.Digest([]byte(body)) {
				t.Errorf("digest %s", sum)
			}
		})
	}
}

func TestReadTextsErrors(t *testing.T) {
	for _, c := range []struct {
		name, body, words string
	}{
		{"empty", " \n\ufeff"[:2], "it is empty"},
		{"array", `[{"path":"a/b","caption":"x"}]`, "one object a line"},
		{"two captions", "path,caption\na/1.jpg,x\nb/1.jpg,y\ntrain/a/1.jpg,z\n", "line 4: a/1.jpg has another caption than in line 2"},
		{"no class", "a/1.jpg,x\n2.jpg,y\n", `line 2: "2.jpg" is no path of a picture in its class folder`},
		{"unknown header", "picture,words\na/1.jpg,x\n", `line 1: "picture" is no path`},
		{"columns", "a/1.jpg,x,y\n", "line 1: 3 columns, want 2: path and caption, or a header"},
		{"columns below a header", "path,caption,n\na/1.jpg,x,1\na/2.jpg,y\n", "line 3: 2 columns, want 3"},
		{"open quote", "a/1.jpg,x\na/2.jpg,\"y\n", "line 2"},
		{"empty caption", "a/1.jpg,x\n\na/2.jpg,\" \"\n", "line 3: the caption of a/2.jpg is empty"},
		{"not UTF-8", "a/1.jpg,caf\xe9\n", "line 1: the caption of a/1.jpg is not UTF-8"},
		{"name not UTF-8", "a/\xe9.jpg,x\n", "line 1: the path"},
		{"path up", "a/../..,x\n", "line 1:"},
		{"json without a path", "{\"caption\":\"x\"}\n", "line 1: the object has none of path, file_name, image, id"},
		{"json without a caption", "{\"path\":\"a/1\",\"caption\":\"x\"}\n\n{\"path\":\"a/2\"}\n", "line 3: the object has none of caption, text, title"},
		{"json number", "{\"path\":\"a/1\",\"caption\":7}", "line 1: caption is not a string"},
		{"json null", "{\"path\":null,\"caption\":\"x\"}", "line 1: path is not a string"},
		{"json over lines", "{\n\"path\":\"a/1\"}", "line 1: not a JSON object"},
		{"json not UTF-8", "{\"path\":\"a/1\",\"caption\":\"\xe9\"}", "line 1: not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := datasettest.WriteTemp(t, "captions.csv", []byte(c.body))
			_, _, err := source.ReadTexts(file)
			datasettest.WantError(t, err, dataset.ErrRefused, c.words, file)
		})
	}
	_, _, err := source.ReadTexts(t.TempDir() + "/absent.csv")
	datasettest.WantError(t, err, os.ErrNotExist, "absent.csv")
	_, _, err = source.ReadTexts(t.TempDir())
	datasettest.WantError(t, err, dataset.ErrRefused, "not a file of captions")
}
