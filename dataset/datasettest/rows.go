package datasettest

import (
	"fmt"
	"testing"

	"github.com/mcil/mcil/dataset"
)

// Rows are rows in memory.
type Rows struct{ All []dataset.Row }

var _ dataset.Rows = (*Rows)(nil)

// Len is their number.
func (r *Rows) Len() int { return len(r.All) }

// ID is the ID of row i.
func (r *Rows) ID(i int) dataset.ID { return r.All[i].ID }

// Label is the label of row i.
func (r *Rows) Label(i int) int { return r.All[i].Label }

// Caption is the caption of row i.
func (r *Rows) Caption(i int) string { return r.All[i].Caption }

// Image is the encoded picture of row i.
func (r *Rows) Image(i int) ([]byte, error) { return r.All[i].Image, nil }

// Row is row i whole.
func (r *Rows) Row(i int) (dataset.Row, error) { return r.All[i], nil }

// SomeRows are n rows of each of three classes, class after class, with painted pictures of several sizes.
func SomeRows(t testing.TB, n int) *Rows {
	t.Helper()
	classes := []dataset.Class{{WNID: Goldfish, Name: "goldfish"}, {WNID: Shark, Name: "great_white_shark"}, {WNID: Leopard, Name: "snow_leopard"}}
	rows := &Rows{}
	for label, c := range classes {
		for i := range n {
			w, h := 40+i%5, 36
			image := JPEG(t, Paint(w, h, 10*label+i))
			rows.All = append(rows.All, dataset.Row{
				ID: dataset.ID(fmt.Sprintf("%s/%s_%d.jpg", c.WNID, []string{"sketch", "art", "video_game"}[i%3], i)), Image: image, Label: label,
				Caption: fmt.Sprintf("picture number %d, café", len(rows.All)), WNID: c.WNID, ClassName: c.Name, Style: []string{"sketch", "art", "video_game"}[i%3],
				Width: w, Height: h, Orientation: 1, ImageSHA256: dataset.Digest(image),
				CaptionInfo: dataset.CaptionInfo{Raw: " raw ", Model: "painter", Prompt: "Describe.", Fingerprint: fmt.Sprint("f", i), Flags: []string{"cut_off", "empty"}[:i%3], FlagValues: []float64{float64(i), 0.25}[:i%3]},
			})
		}
	}
	return rows
}
