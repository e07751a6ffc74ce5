package schemas

// Gallery is RUN/gallery.json: some masked exemplars, with what is needed to draw them.
type Gallery struct {
	Header
	Exemplars []GalleryExemplar `json:"exemplars"`
}

// GalleryHeader is the header of [Gallery].
var GalleryHeader = Header{"mcil.gallery", 1}

// GalleryExemplar is one masked exemplar.
type GalleryExemplar struct {
	ID         string `json:"id"`
	WNID       string `json:"wnid"`
	ClassName  string `json:"class_name"`
	Phase      int    `json:"phase"`
	PicturePNG []byte `json:"picture_png"` // as the encoder saw it: grid_h*patch by grid_w*patch pixels
	PatchPx    int    `json:"patch_px"`
	GridH      int    `json:"grid_h"`
	GridW      int    `json:"grid_w"`
	// One value a patch in raster order.
	Attention []float32 `json:"attention"`    // of the class token
	KeptPatch []bool    `json:"kept_patches"` // above the mean
	// The caption's word pieces in order, [CLS] and [SEP] left out.
	Tokens      []GalleryToken `json:"tokens"`
	FullBytes   int            `json:"full_bytes"`   // stored without a mask
	StoredBytes int            `json:"stored_bytes"` // stored
}

// GalleryToken is one word piece of a caption. A piece that continues a word begins with "##".
type GalleryToken struct {
	Text  string  `json:"text"`
	Kept  bool    `json:"kept"`
	Score float32 `json:"score"`
}
