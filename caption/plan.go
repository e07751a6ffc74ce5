package caption

import "github.com/mcil/mcil/dataset"

// Work is what a run would do.
type Work struct {
	Entries      []dataset.Entry // selected, sorted by ID
	Missing      int             // of them have no caption
	MissingBytes int64           // of the files of these
}

// Plan says what [Run] would do with the options, of which it looks at Source, Store (nil: there is none yet), Select,
// OnlyFailed and Limit. It goes by names: no picture is read, so one that changed since counts as captioned, and one that
// was renamed as missing.
func Plan(o Options) Work {
	failed := map[dataset.ID]bool{}
	if o.OnlyFailed && o.Store != nil {
		for id := range o.Store.Failures() {
			failed[id] = true
		}
	}
	var w Work
	for _, e := range o.Source.Entries() {
		if o.Limit > 0 && len(w.Entries) == o.Limit {
			break
		}
		if o.Select != nil && !o.Select(e) || o.OnlyFailed && !failed[e.ID] {
			continue
		}
		w.Entries = append(w.Entries, e)
		if o.Store == nil || !o.Store.has(e.ID) {
			w.Missing++
			w.MissingBytes += e.SizeBytes
		}
	}
	return w
}
