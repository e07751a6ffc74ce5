package layout

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"gopkg.in/yaml.v3"

	"github.com/mcil/mcil/schemas"
)

func names(fields []arrow.Field) []string {
	var list []string
	for _, f := range fields {
		list = append(list, f.Name)
	}
	return list
}

// cardManifest is a manifest with a value in everything that a card tells.
func cardManifest(name string) schemas.DatasetManifest {
	m := schemas.DatasetManifest{
		Name: name, Inputs: "inputs-digest", Styles: map[string]int{"sketch": 130, "art": 2, "toy": 2}, Rows: map[string]int{"train": 130, "test": 4},
		Source: schemas.SourceSummary{Spec: "imagenet-r:a|b.tar", Pictures: 135, Digest: "source-digest"},
		Captions: schemas.CaptionsSummary{
			From: schemas.CaptionsFromStore, Model: "some/model", Prompt: "Describe\n```it```", Recipe: "recipe-digest", Revision: "rev-9", Reveals: []string{"class", "style"}, NamesMasked: 7,
			Flags: map[string]int{"short": 3, "names_class": 9}, Duplicates: schemas.DuplicatesSummary{
				Exact: schemas.DuplicateCounts{Captions: 71, Groups: 72, Largest: 73, WithinClass: 74, AcrossClasses: 75},
				Near:  schemas.DuplicateCounts{Captions: 81, Groups: 82, Largest: 83, WithinClass: 84, AcrossClasses: 85},
			},
			Statistics: schemas.CaptionStatistics{
				Captions: 134, Words: schemas.Lengths{Mean: 9.31, SD: 2, Min: 1, P5: 4, P50: 9, P95: 15, Max: 31}, Vocabulary: 321, Distinct: 133, Duplicated: 2,
				MostCommon: []schemas.TextCount{{Text: "a | fish", Count: 2}},
			},
		},
		Split:    schemas.SplitSummary{Spec: "ratio:0.8", Seed: 5, SHA256: "split-digest", Validation: schemas.ValidationSummary{Rule: "carved from train"}},
		Order:    schemas.OrderSummary{Spec: "natural", SHA256: "order-digest"},
		Pictures: schemas.PicturesSummary{Bytes: 4020, Formats: map[string]int{"png": 4, "jpeg": 130}, Identical: 6, IdenticalAcrossSplits: 2, MinSide: 36, MaxSide: 60},
		Refused:  []schemas.Refusal{{Name: "n0/x.jpg", Reason: "no caption"}},
		Leakage: schemas.Leakage{
			All:        schemas.Mentions{Captions: 134, Named: 0.5, Exact: 0.25, Inflected: 0.125, Synonym: 0.125, Other: 0.0625},
			BagOfWords: &schemas.BagOfWords{Classifier: "naive Bayes", Train: 130, Validation: 4, Accuracy: 0.75, AccuracyMasked: 0.5, Majority: 0.33},
		},
		Program: schemas.Program{Name: "mcil", Version: "v1", Go: "go1.26"},
	}
	for i := range 12 {
		m.Classes = append(m.Classes, schemas.ClassSummary{Label: i, WNID: "n0", Name: "class_" + string(rune('a'+i)), Rows: map[string]int{"train": 10 + i, "test": 1}})
		m.Leakage.Classes = append(m.Leakage.Classes, schemas.ClassLeakage{Label: i, Mentions: schemas.Mentions{Captions: 11, Named: float64(i/2) / 10}})
	}
	published := map[string]int{"mm_imagenet_r": imageNetRClasses, "food-101": food101Classes}[name] // only these are credited
	for i := len(m.Classes); i < published; i++ {
		m.Classes = append(m.Classes, schemas.ClassSummary{Label: i, WNID: fmt.Sprintf("n%d", i), Name: fmt.Sprintf("class_%d", i), Rows: map[string]int{}})
		m.Leakage.Classes = append(m.Leakage.Classes, schemas.ClassLeakage{Label: i})
	}
	return m
}

func readCard(t *testing.T, m schemas.DatasetManifest) (head cardHead, names map[string]string, files []schemas.FileDigest, prose string) {
	t.Helper()
	dir := t.TempDir()
	files = written(t, dir, []Kind{Hub}, Options{Name: "x"}, map[string]int{"train": 130, "test": 4}, 30, m)
	b, err := os.ReadFile(filepath.Join(dir, "hub/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	top, prose, ok := strings.Cut(strings.TrimPrefix(string(b), "---\n"), "\n---\n")
	if !ok || !strings.HasPrefix(string(b), "---\n") {
		t.Fatalf("no front matter in %s", b)
	}
	if err := yaml.Unmarshal([]byte(top), &head); err != nil {
		t.Fatal(err)
	}
	var label struct {
		Info struct {
			Features []struct {
				Name  string
				DType yaml.Node `yaml:"dtype"`
			}
		} `yaml:"dataset_info"`
	}
	if err := yaml.Unmarshal([]byte(top), &label); err != nil {
		t.Fatal(err)
	}
	var class struct {
		Label struct{ Names map[string]string } `yaml:"class_label"`
	}
	if err := label.Info.Features[1].DType.Decode(&class); err != nil {
		t.Fatal(err)
	}
	return head, class.Label.Names, files, prose
}

func TestCardHead(t *testing.T) {
	head, names, files, _ := readCard(t, cardManifest(`emoji: "r" # x`))
	if want := map[string]string{"0": "goldfish", "1": `a "quoted: name`, "2": "yes"}; !reflect.DeepEqual(names, want) {
		t.Errorf("class names %v, want %v", names, want)
	}
	if head.PrettyName != `emoji: "r" # x` || head.License != "unknown" || head.LicenseName != "" || !reflect.DeepEqual(head.SizeCategories, []string{"n<1K"}) {
		t.Errorf("head %+v", head)
	}
	want, err := schemas.Rows(writtenNames)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range head.Info.Features {
		if f.Name != want.Field(i).Name {
			t.Errorf("feature %d is %s, want %s", i, f.Name, want.Field(i).Name)
		}
	}
	if len(head.Info.Features) != want.NumFields() || head.Info.Features[0].DType != "image" || head.Info.Features[15].Sequence != "string" || head.Info.Features[7].DType != "int32" {
		t.Errorf("features %+v", head.Info.Features)
	}
	var parquet, sum int64
	for _, f := range files {
		if strings.HasSuffix(f.Path, ".parquet") {
			parquet += f.Bytes
		}
	}
	rows := map[string]int{}
	for _, s := range head.Info.Splits {
		sum += s.NumBytes
		rows[s.Name] = s.NumExamples
	}
	if head.Info.DownloadSize != parquet || head.Info.DatasetSize != sum || sum < 134*30 || !reflect.DeepEqual(rows, map[string]int{"train": 130, "test": 4}) {
		t.Errorf("sizes %+v, parquet files of %d bytes", head.Info, parquet)
	}
	if want := []cardConfig{{"default", []cardFile{{"train", "data/train-*"}, {"test", "data/test-*"}}}}; !reflect.DeepEqual(head.Configs, want) {
		t.Errorf("configs %+v, want %+v", head.Configs, want)
	}
}

func TestCardProse(t *testing.T) {
	_, _, _, prose := readCard(t, cardManifest("mm_imagenet_r"))
	for _, want := range []string{
		"# ImageNet-R with captions\n", "200 ImageNet classes", "134 rows", "arXiv:2412.09549", "| train | 130 |\n| test | 4 |\n",
		"the model `some/model`", "`recipe-digest`", "````text\nDescribe\n```it```\n````\n", "masked in the captions that had it: 7 of them",
		"| words, mean (standard deviation) | 9.3 (2.0) |", "| 1, 4, 9, 15, 31 |", "| a \\| fish | 2 |", "| names\\_class | 9 |\n| short | 3 |\n", "the model `some/model` (revision `rev-9`) behind", "told the model of each picture:** class, style.", "| the same text | 71 | 72 | 73 | 74 | 75 |\n| nearly the same | 81 | 82 | 83 | 84 | 85 |\n",
		"| name the own class | 50.0 % |", "| as it is written | 25.0 % |", "| inflected | 12.5 % |", "| only another class | 6.2 % |",
		"the class in 75.0 % of cases, in 50.0 % where", "33.0 % by always",
		"| class\\_k | 11 | 50.0 % |", "| sketch | 130 |\n| art | 2 |\n| toy | 2 |\n", "| 11 | class\\_l | n0 | 21 | 1 |",
		"Split `ratio:0.8`, seed 5; validation rows: carved from train.", "formats jpeg 130 png 4;", "Pictures left out: 1;",
		"imagenet-r:a\\|b.tar", "source-digest", "inputs-digest", "split-digest", "order-digest", "mcil v1, go1.26",
		"belong to their artists", "terms of the model that wrote them, `some/model`", "Hendrycks, Dan",
	} {
		if !strings.Contains(prose, want) {
			t.Errorf("the card lacks %q", want)
		}
	}
	if strings.Contains(prose, "<no value>") || strings.Contains(prose, "\n\n\n") {
		t.Errorf("gaps in the card:\n%s", prose)
	}
	_, leaking, _ := strings.Cut(prose, "Classes that are named most often")
	leaking, _, _ = strings.Cut(leaking, "##")
	if n := strings.Count(leaking, "| 11 |"); n != 10 || strings.Contains(leaking, "class\\_a") || strings.Index(leaking, "class\\_k") > strings.Index(leaking, "class\\_l") {
		t.Errorf("%d leaking classes in%s", n, leaking)
	}
}

func TestCardOfOtherSets(t *testing.T) {
	m := cardManifest("food-101")
	m.Captions = schemas.CaptionsSummary{From: schemas.CaptionsFromSource, NamesMasked: -1}
	m.Leakage, m.Refused = schemas.Leakage{}, nil
	head, _, _, prose := readCard(t, m)
	for _, want := range []string{"UPMC Food-101 with texts", "no model wrote them", "Names of classes were left", "No picture was left out", "wang2015recipe", "from web pages"} {
		if !strings.Contains(prose, want) {
			t.Errorf("the card lacks %q", want)
		}
	}
	if head.License != "other" || head.LicenseName == "" {
		t.Errorf("licence %q, %q", head.License, head.LicenseName)
	}
	for _, no := range []string{"bag of words", "Hendrycks", "named most often", "terms of the model", "\n\n\n"} {
		if strings.Contains(prose, no) {
			t.Errorf("the card has %q in it:\n%s", no, prose)
		}
	}
	m.Name, m.Captions = "own", schemas.CaptionsSummary{From: schemas.CaptionsFromFile, Recipe: "file-digest"}
	if _, _, _, prose = readCard(t, m); !strings.Contains(prose, "read from a file with the digest `file-digest`.") || strings.Contains(prose, "bibtex") {
		t.Errorf("the card of an own set:\n%s", prose)
	}
}

func TestSizeCategory(t *testing.T) {
	for rows, want := range map[int]string{0: "n<1K", 999: "n<1K", 1000: "1K<n<10K", 30_000: "10K<n<100K", 999_999: "100K<n<1M", 2e6: "1M<n<10M"} {
		if got := sizeCategory(rows); got != want {
			t.Errorf("%d rows: %s, want %s", rows, got, want)
		}
	}
}

func TestPublished(t *testing.T) {
	for spec, want := range map[string]string{
		"imagenet-r:/home/me/data/imagenet-r.tar": "imagenet-r:imagenet-r.tar", "ratio:0.8": "ratio:0.8", "1993": "1993", "own": "own",
		"../splits/train.yaml,../splits/test.yaml": "train.yaml,test.yaml", "/a/split.txt": "split.txt",
	} {
		if got := published(spec); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
}
