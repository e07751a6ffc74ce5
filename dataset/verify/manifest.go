package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

// files checks every digest of the manifest, and that there is nothing else.
func (r *run) files(ctx context.Context, dir string, m schemas.DatasetManifest) error {
	listed := map[string]bool{"manifest.json": true}
	stray := map[string]bool{} // folders of files that belong to no layout
	named := map[string]string{"split.txt": m.Split.SHA256, "class-order.txt": m.Order.SHA256}
	var lines strings.Builder
	for _, f := range m.Files {
		if listed[f.Path] {
			r.wrong("manifest.json", "it lists %s twice", f.Path)
		}
		listed[f.Path] = true
		if top, _, ok := strings.Cut(f.Path, "/"); ok && filepath.IsLocal(f.Path) && !slices.Contains(m.Layouts, top) && !stray[top] {
			stray[top] = true
			r.wrong("manifest.json", "it lists files in %s, and no such layout", top)
		}
		if sha, ok := named[f.Path]; ok && sha != f.SHA256 {
			r.wrong("manifest.json", "it gives %s two digests", f.Path)
		}
		fmt.Fprintf(&lines, "%s  %s\n", f.SHA256, f.Path)
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !listed[name] {
			r.wrong("manifest.json", "it does not list %s", name)
		}
	}
	if dataset.Digest([]byte(lines.String())) != m.Digest {
		r.wrong("manifest.json", "its digest of the whole is not that of the files it lists")
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if rel = filepath.ToSlash(rel); err == nil && !listed[rel] && !cached(rel, m) {
			r.wrong(rel, "not in the manifest")
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.each(ctx, len(m.Files), func(i int) error {
		f := m.Files[i]
		if !filepath.IsLocal(f.Path) {
			r.wrong(f.Path, "the manifest names a file outside the dataset")
			return nil
		}
		digest, n, err := digestOf(ctx, filepath.Join(dir, filepath.FromSlash(f.Path)))
		atomic.AddInt64(&r.res.Bytes, n)
		r.mu.Lock()
		r.res.Files++
		r.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			r.wrong(f.Path, "missing")
		case err != nil:
			r.wrong(f.Path, "%s", reason(err))
		case n != f.Bytes:
			r.wrong(f.Path, "%d bytes, and the manifest says %d", n, f.Bytes)
		case digest != f.SHA256:
			r.wrong(f.Path, "its digest is not the manifest's: the content has changed")
		}
		return nil
	})
}

// rowsOf is the number of rows of one layout, by the manifest.
func rowsOf(m schemas.DatasetManifest) (rows int) {
	for _, n := range m.Rows {
		rows += n
	}
	return rows
}

// cached says whether Hugging Face datasets leaves files of that path in ordinary use, such as by Dataset.map.
func cached(rel string, m schemas.DatasetManifest) bool {
	parts := strings.Split(rel, "/")
	if len(parts) != 3 || parts[0] != string(layout.HF) {
		return false
	}
	_, split := m.Rows[parts[1]]
	cache, _ := path.Match("cache-*.arrow", parts[2]) // the pattern is well-formed
	return split && (cache || strings.HasPrefix(parts[2], "tmp"))
}

func digestOf(ctx context.Context, path string) (digest string, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h, buf := sha256.New(), make([]byte, 1<<20)
	for ctx.Err() == nil {
		k, err := f.Read(buf)
		h.Write(buf[:k])
		n += int64(k)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", n, err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// manifest checks what the manifest and the two lists beside it say of the rows. What was not read has been named already,
// and nothing can be counted without it.
func (r *run) manifest(dir string, d *dataset.Dataset, facts map[string][]fact, m schemas.DatasetManifest) {
	r.orderFile(dir, m)
	for _, rows := range facts {
		if slices.ContainsFunc(rows, func(f fact) bool { return !f.read }) {
			return
		}
	}
	r.splitFile(dir, facts)
	got := count(facts, m)
	for i, c := range m.Classes {
		r.same("numbers of rows of class "+c.WNID, got.Classes[i].Rows, c.Rows)
	}
	r.same("numbers of rows by style", got.Styles, m.Styles)
	r.same("caption flags", got.Captions.Flags, m.Captions.Flags)
	if m.Captions.NamesMasked >= 0 {
		r.same("captions with masked names", got.Captions.NamesMasked, m.Captions.NamesMasked)
	}
	r.same("caption statistics", got.Captions.Statistics, m.Captions.Statistics)
	if len(d.Classes) == len(m.Classes) {
		r.same("shares of captions that name a class", got.Leakage.All, m.Leakage.All)
		r.same("shares of captions that name a class, by class", got.Leakage.Classes, m.Leakage.Classes)
		r.same("results with bags of words", got.Leakage.BagOfWords, m.Leakage.BagOfWords)
	}
	r.same("bytes of pictures", got.Pictures.Bytes, m.Pictures.Bytes)
	r.same("numbers of identical pictures", got.Pictures.Identical, m.Pictures.Identical)
	r.same("numbers of identical pictures across splits", got.Pictures.IdenticalAcrossSplits, m.Pictures.IdenticalAcrossSplits)
	for _, rows := range facts {
		if slices.ContainsFunc(rows, func(f fact) bool { return f.info == nil }) {
			return
		}
	}
	r.same("picture formats", got.Pictures.Formats, m.Pictures.Formats)
	r.same("picture modes", got.Pictures.Modes, m.Pictures.Modes)
	r.same("picture orientations", got.Pictures.Orientations, m.Pictures.Orientations)
	r.same("smallest sides of pictures", got.Pictures.MinSide, m.Pictures.MinSide)
	r.same("largest sides of pictures", got.Pictures.MaxSide, m.Pictures.MaxSide)
}

// same compares what was counted with what the manifest says, as JSON: that is what the manifest is.
func (r *run) same(what string, got, want any) {
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		r.wrong("manifest.json", "its %s are not those of the rows", what)
	}
}

// count makes the part of a manifest that follows from the rows; package build has the definitions.
func count(facts map[string][]fact, m schemas.DatasetManifest) schemas.DatasetManifest {
	got := schemas.DatasetManifest{Styles: map[string]int{}}
	got.Captions.Flags = map[string]int{}
	got.Pictures = schemas.PicturesSummary{Formats: map[string]int{}, Modes: map[string]int{}, Orientations: map[string]int{}}
	var classes []leakage.Class
	for _, c := range m.Classes {
		got.Classes = append(got.Classes, schemas.ClassSummary{Rows: map[string]int{}})
		classes = append(classes, leakage.Class{WNID: c.WNID, Name: c.Name})
	}
	twins := map[string][]string{} // splits of the rows with a picture
	texts := map[string][]leakage.Text{}
	var all []leakage.Text
	for _, name := range dataset.PartNames(maps.Keys(facts)) {
		for _, f := range facts[name] {
			if f.label < len(got.Classes) {
				got.Classes[f.label].Rows[name]++
			}
			got.Styles[f.style]++
			for _, flag := range f.flags {
				got.Captions.Flags[flag]++
			}
			texts[name] = append(texts[name], leakage.Text{Label: f.label, Caption: f.caption})
			twins[f.sha256] = append(twins[f.sha256], name)
			addPicture(&got.Pictures, f)
		}
		all = append(all, texts[name]...)
	}
	for _, splits := range twins {
		if len(splits) < 2 {
			continue
		}
		got.Pictures.Identical += len(splits)
		if slices.ContainsFunc(splits, func(s string) bool { return s != splits[0] }) {
			got.Pictures.IdenticalAcrossSplits += len(splits)
		}
	}
	got.Captions.NamesMasked = got.Captions.Flags[dataset.FlagNamesMasked]
	got.Captions.Statistics = leakage.Statistics(func(yield func(string) bool) {
		for _, t := range all {
			if !yield(t.Caption) {
				return
			}
		}
	})
	if !slices.ContainsFunc(all, func(t leakage.Text) bool { return t.Label >= len(classes) }) {
		got.Leakage = leakage.Measure(leakage.NewNames(classes), all, texts[dataset.Train], texts[dataset.Validation])
	}
	return got
}

func addPicture(s *schemas.PicturesSummary, f fact) {
	s.Bytes += int64(f.bytes)
	if f.info == nil {
		return
	}
	s.Formats[f.info.Format]++
	s.Modes[f.info.Mode]++
	s.Orientations[fmt.Sprint(f.info.Orientation)]++
	if small := min(f.info.Width, f.info.Height); s.MinSide == 0 || small < s.MinSide {
		s.MinSide = small
	}
	s.MaxSide = max(s.MaxSide, f.info.Width, f.info.Height)
}

// splitFile compares split.txt with the IDs of the rows. That it is missing has been said.
func (r *run) splitFile(dir string, facts map[string][]fact) {
	text, err := os.ReadFile(filepath.Join(dir, "split.txt"))
	if err != nil {
		return
	}
	listed, part := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case !strings.Contains(line, "/"):
			part = line
		default:
			listed[part] = append(listed[part], line)
		}
	}
	for _, name := range dataset.PartNames(maps.Keys(listed)) {
		if _, ok := facts[name]; !ok {
			r.wrong("split.txt", "it has a split %q, and there are no such rows", name)
		}
	}
	for _, name := range dataset.PartNames(maps.Keys(facts)) {
		if !slices.EqualFunc(listed[name], facts[name], func(id string, f fact) bool { return id == string(f.id) }) {
			r.wrong("split.txt", "its %s pictures are not those of the rows, in order", name)
		}
	}
}

// orderFile sees whether class-order.txt names every class once, and nothing else. That it is missing has been said.
func (r *run) orderFile(dir string, m schemas.DatasetManifest) {
	file := filepath.Join(dir, "class-order.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	classes := make([]dataset.Class, len(m.Classes))
	for i, c := range m.Classes {
		classes[i] = dataset.Class{WNID: c.WNID, Name: c.Name}
	}
	if _, err := split.Order(file, classes, nil); err != nil {
		r.wrong("class-order.txt", "%s", strings.TrimPrefix(reason(err), "class order "+file+": "))
	} else if strings.Count(strings.TrimSpace(string(text)), "\n")+1 != len(classes) {
		r.wrong("class-order.txt", "it names more than the %d classes", len(classes))
	}
}
