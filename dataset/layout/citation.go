package layout

import (
	"strings"

	"github.com/mcil/mcil/schemas"
)

// citation is what is known of a published data set.
type citation struct {
	Title       string // of the data set that was built
	Homepage    string // of the pictures' data set
	Paper       string
	BibTeX      string
	License     string // as the Hub's metadata has it
	LicenseName string
	Tags        []string
	ImageNetR   bool
	Food101     bool
}

const imageNetRBibTeX = `@inproceedings{hendrycks2021many,
  title     = {The Many Faces of Robustness: A Critical Analysis of Out-of-Distribution Generalization},
  author    = {Hendrycks, Dan and Basart, Steven and Mu, Norman and Kadavath, Saurav and Wang, Frank and Dorundo, Evan and Desai, Rahul and Zhu, Tyler and Parajuli, Samyak and Guo, Mike and Song, Dawn and Steinhardt, Jacob and Gilmer, Justin},
  booktitle = {Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)},
  year      = {2021}
}`

const food101BibTeX = `@inproceedings{wang2015recipe,
  title     = {Recipe Recognition with Large Multimodal Food Dataset},
  author    = {Wang, Xin and Kumar, Devinder and Thome, Nicolas and Cord, Matthieu and Precioso, Fr{\'e}d{\'e}ric},
  booktitle = {IEEE International Conference on Multimedia and Expo Workshops (ICMEW)},
  year      = {2015}
}`

// Numbers of classes of the published data sets. Other pictures come in their layouts, too, and a subset of theirs is told
// from these by nothing that is sure: neither is credited to them.
const (
	imageNetRClasses = 200
	food101Classes   = 101
)

// citationOf knows the data set by its name and its number of classes.
func citationOf(m schemas.DatasetManifest) citation {
	name := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(m.Name))
	switch {
	case strings.Contains(name, "imagenetr") && len(m.Classes) == imageNetRClasses:
		return citation{
			Title: "ImageNet-R with captions", Homepage: "https://github.com/hendrycks/imagenet-r", Paper: "Hendrycks et al., ICCV 2021",
			BibTeX: imageNetRBibTeX, License: "other", LicenseName: "pictures of their artists, for research",
			Tags: []string{"imagenet-r"}, ImageNetR: true,
		}
	case strings.Contains(name, "food101") && len(m.Classes) == food101Classes:
		return citation{
			Title: "UPMC Food-101 with texts", Homepage: "https://visiir.isir.upmc.fr", Paper: "Wang et al., ICMEW 2015", BibTeX: food101BibTeX, License: "other",
			LicenseName: "pictures and texts of web pages, for research", Tags: []string{"food-101"}, Food101: true,
		}
	}
	return citation{Title: m.Name, License: "unknown"}
}
