package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcil/mcil/schemas"
)

var update = flag.Bool("update", false, "write the *.schema.json files anew")

// files are the JSON files that mcil writes: the schema's file, the struct, its header.
var files = []struct {
	name   string
	value  any
	header schemas.Header
}{
	{"captions", schemas.CaptionsManifest{}, schemas.CaptionsHeader},
	{"caption", schemas.Caption{}, schemas.Header{}}, // a line of a journal
	{"dataset", schemas.DatasetManifest{}, schemas.DatasetHeader},
	{"weights", schemas.WeightsManifest{}, schemas.WeightsHeader},
	{"run", schemas.Run{}, schemas.RunHeader},
	{"report", schemas.Report{}, schemas.ReportHeader},
	{"phase", schemas.Checkpoint{}, schemas.PhaseHeader},
	{"results", schemas.Results{}, schemas.ResultsHeader},
	{"gallery", schemas.Gallery{}, schemas.GalleryHeader},
	{"embedding", schemas.Embedding{}, schemas.EmbeddingHeader},
	{"embedded", schemas.EmbeddedRow{}, schemas.Header{}}, // a line beside the features
}

// The schemas say what the structs say, and a validator of the standard takes them.
func TestJSONSchemas(t *testing.T) {
	docs := fieldComments(t)
	for _, f := range files {
		s := object(reflect.TypeOf(f.value), docs)
		s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		s["$id"] = "https://github.com/mcil/mcil/schemas/" + f.name + ".schema.json"
		s["title"] = docs[reflect.TypeOf(f.value).Name()]
		properties := s["properties"].(map[string]any)
		if f.header.Schema != "" {
			properties["schema"] = map[string]any{"const": f.header.Schema}
			properties["version"] = map[string]any{"const": f.header.Version}
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		file := f.name + ".schema.json"
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what the struct says (%v): look at the change, then run go test ./schemas -update", file, err)
		}
		if _, err := jsonschema.NewCompiler().Compile(file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if left, _ := filepath.Glob("*.schema.json"); len(left) != len(files) {
		t.Errorf("%d schema files, and %d are known: %v", len(left), len(files), left)
	}
}

// object is the schema of a struct: every field is required unless it may be left out, and no other is there.
func object(t reflect.Type, docs map[string]string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for f := range t.Fields() {
		if f.Anonymous {
			inner := object(f.Type, docs)
			for name, p := range inner["properties"].(map[string]any) {
				properties[name] = p
			}
			required = append(required, inner["required"].([]string)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := schemaOf(f.Type, docs)
		if doc := docs[t.Name()+"."+f.Name]; doc != "" {
			p["description"] = doc
		}
		properties[name] = p
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func schemaOf(t reflect.Type, docs map[string]string) map[string]any {
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Pointer:
		return schemaOf(t.Elem(), docs)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "contentEncoding": "base64"}
		}
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), docs)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), docs)}
	case reflect.Interface:
		return map[string]any{}
	case reflect.Struct:
		if t == reflect.TypeOf(schemas.Stat{}) { // it writes itself
			number := map[string]any{"type": "number"}
			return map[string]any{"type": "object", "properties": map[string]any{"mean": number, "sd": number, "n": map[string]any{"type": "integer"}},
				"required": []string{"mean", "n"}, "additionalProperties": false}
		}
		return object(t, docs)
	}
	panic(fmt.Sprint("no JSON Schema of ", t))
}

// fieldComments are the comments of this package's structs (Type) and their fields (Type.Field) in one line each.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				return true
			}
			spec := decl.Specs[0].(*ast.TypeSpec)
			docs[spec.Name.Name] = oneLine(decl.Doc)
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return false
			}
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					docs[spec.Name.Name+"."+name.Name] = strings.TrimSpace(oneLine(f.Doc) + " " + oneLine(f.Comment))
				}
			}
			return false
		})
	}
	return docs
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
