package schemas

// Caption is one line of a caption journal: the outcome of asking for one picture. It holds the raw answer; cleaning
// and checking are pure functions of it (package caption) and leave no trace here.
type Caption struct {
	Version     int    `json:"v"`            // 1
	ID          string `json:"id"`           // class-relative path of the picture
	ImageSHA256 string `json:"image_sha256"` // of the picture's own bytes, before any resizing
	Recipe      string `json:"recipe"`       // digest of everything in the request but the picture: see package caption
	Fingerprint string `json:"fingerprint"`  // SHA-256 of the request body as sent, and of the model's revision where it is known
	Status      string `json:"status"`       // CaptionOK or CaptionFailed

	Raw              string `json:"raw,omitempty"` // the answer as received
	FinishReason     string `json:"finish_reason,omitempty"`
	Rung             int    `json:"rung,omitempty"`  // of the ladder of decodings; 0: the recipe's own
	Model            string `json:"model,omitempty"` // as the endpoint named itself
	PromptTokens     int    `json:"prompt_tokens,omitempty"`
	CompletionTokens int    `json:"completion_tokens,omitempty"`

	ErrorClass string `json:"error_class,omitempty"` // network, timeout, rate, server, refused, malformed, empty, picture
	HTTPStatus int    `json:"http_status,omitempty"` // of the last answer; 0 without one
	Error      string `json:"error,omitempty"`       // message with an excerpt of the body

	Endpoint  string `json:"endpoint,omitempty"` // base URL, without credentials
	Attempts  int    `json:"attempts"`           // calls; 0: answered by a picture of the same bytes, or not asked
	LatencyMS int64  `json:"latency_ms"`         // of the last attempt
	Time      string `json:"time"`               // RFC 3339, UTC
}

// The values of [Caption.Status].
const (
	CaptionOK     = "ok"
	CaptionFailed = "failed"
)

// CaptionsManifest is CAPTIONS/manifest.json: what was asked, of whom. One store holds the answers to one recipe.
type CaptionsManifest struct {
	Header
	Source   string           `json:"source"`                   // spec of the source
	Variant  string           `json:"variant,omitempty"`        // name of captions that lie beside others
	Model    string           `json:"model"`                    // as requested
	Revision string           `json:"revision,omitempty"`       // of the model, as the user or the endpoint tells it
	Prompt   string           `json:"prompt"`                   // as sent
	Decoding map[string]any   `json:"decoding"`                 // parameters as sent
	Picture  string           `json:"picture"`                  // how the picture was prepared
	Ladder   []map[string]any `json:"ladder,omitempty"`         // parameters for what came back empty or looping, rung after rung
	Reveals  []string         `json:"prompt_reveals,omitempty"` // variables of the prompt that may tell the class: class, file, style, wnid
	Recipe   string           `json:"recipe"`                   // digest of all above that decides a request, and of the program's preprocessing version
	Program  Program          `json:"program"`
}

// Program says what wrote a file.
type Program struct {
	Name    string `json:"name"`    // "mcil"
	Version string `json:"version"` // of the program, from the build information
	Go      string `json:"go"`      // toolchain: image/jpeg changes between Go versions
}
