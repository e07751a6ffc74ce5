package schemas

// Gallery is RUN/gallery.json: some exemplars of a kind that changes pictures, with what is needed to draw them.
type Gallery struct {
	Header
	Exemplars []GalleryExemplar `json:"exemplars"`
}

// GalleryHeader is the header of [Gallery].
var GalleryHeader = Header{"mcil.gallery", 1}

// GalleryExemplar is one exemplar: masked, or with a part at full resolution (cim), or re-encoded (mrdc).
type GalleryExemplar struct {
	ID         string `json:"id"`
	WNID       string `json:"wnid"`
	ClassName  string `json:"class_name"`
	Phase      int    `json:"phase"`
	Kind       string `json:"kind,omitempty"` // masked, cim or mrdc; masked where it is empty
	PicturePNG []byte `json:"picture_png"`    // as the encoder saw it: grid_h*patch by grid_w*patch pixels
	// ReplayPNG is the picture as it is replayed, of the same size: black where nothing was kept. Absent where what was kept is
	// kept exactly.
	ReplayPNG []byte `json:"replay_png,omitempty"`
	PatchPx   int    `json:"patch_px"`
	GridH     int    `json:"grid_h"`
	GridW     int    `json:"grid_w"`
	// One value a patch in raster order.
	Attention []float32   `json:"attention"`              // of the class token; zeros of mrdc, which asks for none
	KeptPatch []bool      `json:"kept_patches"`           // all of them, of cim and mrdc
	Box       *GalleryBox `json:"box,omitempty"`          // of cim: what is at full resolution
	Quality   int         `json:"jpeg_quality,omitempty"` // that the pixels are stored in; 0: raw
	// The caption's word pieces in order, [CLS] and [SEP] left out.
	Tokens      []GalleryToken `json:"tokens"`
	FullBytes   int            `json:"full_bytes"`   // stored without a mask
	StoredBytes int            `json:"stored_bytes"` // stored
}

// GalleryBox is a part of a picture, in pixels.
type GalleryBox struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// GalleryToken is one word piece of a caption. A piece that continues a word begins with "##".
type GalleryToken struct {
	Text  string  `json:"text"`
	Kept  bool    `json:"kept"`
	Score float32 `json:"score"`
}
