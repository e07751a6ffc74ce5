package layout

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/apache/arrow/go/v17/arrow"
	"gopkg.in/yaml.v3"

	"github.com/mcil/mcil/schemas"
)

//go:embed card.md.tmpl
var cardText string

// cardHead is the YAML at the top of a dataset card.
type cardHead struct {
	License        string       `yaml:"license"`
	LicenseName    string       `yaml:"license_name,omitempty"`
	TaskCategories []string     `yaml:"task_categories"`
	SizeCategories []string     `yaml:"size_categories"`
	PrettyName     string       `yaml:"pretty_name"`
	Tags           []string     `yaml:"tags"`
	Info           cardInfo     `yaml:"dataset_info"`
	Configs        []cardConfig `yaml:"configs"`
}

type cardInfo struct {
	Features     []cardFeature `yaml:"features"`
	Splits       []cardSplit   `yaml:"splits"`
	DownloadSize int64         `yaml:"download_size"`
	DatasetSize  int64         `yaml:"dataset_size"`
}

// cardFeature is a column. One of DType and Sequence is set.
type cardFeature struct {
	Name     string `yaml:"name"`
	DType    any    `yaml:"dtype,omitempty"`
	Sequence string `yaml:"sequence,omitempty"` // of older and newer versions, where "list" is of newer ones only
}

type cardSplit struct {
	Name        string `yaml:"name"`
	NumBytes    int64  `yaml:"num_bytes"`
	NumExamples int    `yaml:"num_examples"`
}

type cardConfig struct {
	Name      string     `yaml:"config_name"`
	DataFiles []cardFile `yaml:"data_files"`
}

type cardFile struct {
	Split string `yaml:"split"`
	Path  string `yaml:"path"`
}

// cardFeatures are the columns of [schemas.Rows] in the words of a card.
func cardFeatures(schema *arrow.Schema, classNames []string) ([]cardFeature, error) {
	var features []cardFeature
	for i, f := range schema.Fields() {
		c := cardFeature{Name: f.Name}
		switch {
		case i == schemas.ColImage:
			c.DType = "image"
		case i == schemas.ColLabel:
			c.DType = map[string]any{"class_label": map[string]any{"names": numbered(classNames)}}
		case arrow.TypeEqual(f.Type, arrow.BinaryTypes.String):
			c.DType = "string"
		case arrow.TypeEqual(f.Type, arrow.PrimitiveTypes.Int32):
			c.DType = "int32"
		case arrow.TypeEqual(f.Type, arrow.ListOf(arrow.BinaryTypes.String)):
			c.Sequence = "string"
		case arrow.TypeEqual(f.Type, arrow.ListOf(arrow.PrimitiveTypes.Float64)):
			c.Sequence = "float64"
		default:
			return nil, fmt.Errorf("dataset card: no word for column %s of type %s", f.Name, f.Type)
		}
		features = append(features, c)
	}
	return features, nil
}

// numbered is a mapping of labels to names in the order of labels. Quotes keep every name a text, in every YAML.
func numbered(names []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i, name := range names {
		n.Content = append(n.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strconv.Itoa(i), Style: yaml.SingleQuotedStyle},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Style: yaml.DoubleQuotedStyle})
	}
	return n
}

// sizeCategory is the Hub's word for a number of rows.
func sizeCategory(rows int) string {
	words := []string{"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M"}
	for i, limit := 0, 1000; i < len(words); i, limit = i+1, limit*10 {
		if rows < limit {
			return words[i]
		}
	}
	return "100M<n<1B"
}

// cardData is what the template sees.
type cardData struct {
	schemas.DatasetManifest
	Head     string
	About    citation
	FileName string // of ViLT's files, its beginning
	HF, ViLT bool   // written, too
	Splits   []cardSplit
	Total    int
	Styled   []schemas.TextCount // styles, most frequent first
	Flagged  []schemas.TextCount
	Leaking  []leaking
}

type leaking struct {
	Name string
	schemas.ClassLeakage
}

const mostLeaking = 10

// finishHub writes the dataset card.
func (w *Writer) finishHub(m schemas.DatasetManifest, about citation) error {
	d := cardData{
		DatasetManifest: m, About: about, FileName: w.o.Name, HF: slices.Contains(w.kinds, HF), ViLT: slices.Contains(w.kinds, ViLT),
		Styled: byCount(m.Styles), Flagged: byCount(m.Captions.Flags),
	}
	schema, err := schemas.Rows(w.o.ClassNames)
	if err != nil {
		return err
	}
	head := cardHead{
		License: about.License, LicenseName: about.LicenseName, TaskCategories: []string{"image-classification", "image-to-text"},
		PrettyName: cmp.Or(about.Title, w.o.Name), Tags: append([]string{"multimodal", "class-incremental-learning", "captions"}, about.Tags...),
		Configs: []cardConfig{{Name: "default"}},
	}
	if head.Info.Features, err = cardFeatures(schema, w.o.ClassNames); err != nil {
		return err
	}
	for _, s := range w.splits {
		if s.rows == 0 { // has no file
			continue
		}
		d.Splits = append(d.Splits, cardSplit{s.name, s.bytes, s.rows})
		d.Total += s.rows
		head.Info.DatasetSize += s.bytes
		for _, f := range s.files[Hub] {
			head.Info.DownloadSize += f.Bytes
		}
		head.Configs[0].DataFiles = append(head.Configs[0].DataFiles, cardFile{s.name, "data/" + s.name + "-*"})
	}
	head.Info.Splits = d.Splits
	head.SizeCategories = []string{sizeCategory(d.Total)}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errorOf(enc.Encode(head), enc.Close()); err != nil {
		return fmt.Errorf("dataset card: %w", err)
	}
	d.Head = b.String()
	d.About.Title = head.PrettyName
	d.Leaking = leakingClasses(m)
	card, err := writeCard(d)
	if err != nil {
		return fmt.Errorf("dataset card: %w", err)
	}
	return w.writeFile("hub/README.md", card)
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func writeCard(d cardData) ([]byte, error) {
	t, err := template.New("card").Option("missingkey=zero").Funcs(template.FuncMap{
		"percent": func(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" },
		"fixed":   func(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) },
		"cell":    cell, "code": code, "fence": fence, "published": published,
	}).Parse(cardText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, d)
	return b.Bytes(), err
}

// published is the spec of a source, a split or an order without the folders in which somebody had its files: a card is for
// everybody.
func published(spec string) string {
	parts := strings.Split(spec, ",")
	for i, part := range parts {
		kind, file, found := strings.Cut(part, ":")
		if !found {
			kind, file = "", part
		}
		if parts[i] = path.Base(filepath.ToSlash(file)); found {
			parts[i] = kind + ":" + parts[i]
		}
	}
	return strings.Join(parts, ",")
}

// byCount lists counts, the greatest first.
func byCount(counts map[string]int) []schemas.TextCount {
	list := make([]schemas.TextCount, 0, len(counts))
	for text, n := range counts {
		list = append(list, schemas.TextCount{Text: text, Count: n})
	}
	slices.SortFunc(list, func(a, b schemas.TextCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
	})
	return list
}

// leakingClasses are those whose captions name them most often.
func leakingClasses(m schemas.DatasetManifest) []leaking {
	names := map[int]string{}
	for _, c := range m.Classes {
		names[c.Label] = c.Name
	}
	var list []leaking
	for _, c := range m.Leakage.Classes {
		if c.Named > 0 {
			list = append(list, leaking{names[c.Label], c})
		}
	}
	slices.SortFunc(list, func(a, b leaking) int { return cmp.Or(cmp.Compare(b.Named, a.Named), cmp.Compare(a.Label, b.Label)) })
	return list[:min(mostLeaking, len(list))]
}

// cell is text for a cell of a Markdown table, without markup.
func cell(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`).Replace(text)
}

// code is text as it is, within a line.
func code(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	ticks := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") || text == "" {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

// fence is text as it is, in a block of its own.
func fence(text string) string {
	ticks := strings.Repeat("`", max(3, longestRun(text)+1))
	return ticks + "text\n" + strings.TrimRight(text, "\n") + "\n" + ticks
}

// longestRun is the number of backticks in the longest row of them.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r == '`' {
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}
