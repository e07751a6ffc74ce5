package train

import (
	"runtime/debug"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// footprint is what this process will hold: the learner's memory, and what is around it. Of the dataset's file, what has been
// read is in the machine's memory too, as long as nobody else needs the room, and is not in it.
func (r *run) footprint() (method.Plan, error) {
	p := r.learner.Plan()
	spec, _ := method.SpecOf(r.o.Method)
	train, test := r.data.Splits[dataset.Train], r.data.Splits[r.o.Evaluate]
	var kept int64                         // the most pictures that are kept at a time
	var learned, tested, of dataset.Extent // of all phases so far; of the largest class
	for _, labels := range r.phases {
		var phase dataset.Extent
		for _, label := range labels {
			x, err := r.encoding.Extent(train, dataset.OfClasses(train, label))
			if err != nil {
				return p, err
			}
			if phase.Add(x); x.Samples > of.Samples {
				of = x
			}
		}
		learned.Add(phase)
		if spec.Joint {
			phase = learned
		}
		kept = max(kept, phase.Bytes+tested.Bytes) // a phase's train rows are forgotten before its test
		x, err := r.encoding.Extent(test, dataset.OfClasses(test, labels...))
		if err != nil {
			return p, err
		}
		tested.Add(x)
		kept = max(kept, tested.Bytes)
	}
	largest := max(learned.Largest, tested.Largest)
	p.Pictures = min(kept, r.o.CacheBytes)
	var each int64                                      // bytes of a sample that is made for a step
	if kept > r.o.CacheBytes || r.o.Learning.copies() { // what is not kept is made anew, and what is changed is a copy
		each = largest
	}
	if spec.Asks() {
		p.Queries = method.QueriesBytes(r.shape, learned.Samples+tested.Samples)
	}
	if r.o.TuneFromBlock > 0 { // the output of the blocks below
		each += method.KeptBytes(r.shape, r.encoding.MaxText, max(learned.Patches, tested.Patches))
	}
	p.Ahead = held(r.o.Schedule, learned.Samples, each)
	if m := r.o.Memory; m.keeps() {
		switch {
		case m.BudgetBytes > 0:
			p.Exemplars = m.BudgetBytes
		case m.BudgetTotal > 0:
			p.Exemplars = int64(m.BudgetTotal * float64(learned.Largest))
		default:
			p.Exemplars = int64(m.Budget * float64(learned.Largest) * float64(len(r.position)))
		}
		p.Exemplars = min(p.Exemplars, learned.Bytes)
		p.Saving = writingExemplars * min(p.Exemplars, 256*learned.Largest)
	}
	p.Selection = r.selecting(int64(learned.Patches), min(of.Samples, r.learner.BatchSize()), learned.Largest)
	_, p.Garbage = collecting(p.Total())
	return p, nil
}

// wholeBytes is what the train rows of all classes would take as raw exemplars of codec raw: three bytes a pixel, by the sizes
// that rows record, and two a token.
func (r *run) wholeBytes() (n int64, err error) {
	rows, e := r.data.Splits[dataset.Train], r.encoding
	for _, labels := range r.phases {
		for _, i := range dataset.OfClasses(rows, labels...) {
			x, err := e.Extent(rows, []int{i})
			if err != nil {
				return 0, err
			}
			n += int64(x.Patches*3*e.Processor.Patch*e.Processor.Patch + 2*len(e.Tokenizer.Encode(rows.Caption(i), e.MaxText)))
		}
	}
	return n, nil
}

// selecting is what making exemplars holds at most: samples of a batch as they will be stored, and attention.
func (r *run) selecting(patches int64, batch int, largest int64) int64 {
	o := r.o.Memory
	var bytes int64
	at := min(batch, drawnAtOnce)
	if o.Exemplars == memory.CIM || o.Exemplars == memory.MRDC || o.Herding == herdStored {
		at = batch
		bytes = int64(batch) * largest
	}
	a := o.attention()
	if a == nil {
		return bytes
	}
	length := int64(r.encoding.MaxText+1) + patches
	matrix := 4 * length * length
	bytes += 2 * int64(at) * matrix
	if c := r.shape; a.Inside() { // each head's, and what the graph keeps of each block
		bytes += int64(at*c.Heads)*matrix + method.InsideBytes(c, r.learner.BatchSize(), int(length))
	}
	return bytes
}

// writingExemplars is how many times exemplars are there besides while a checkpoint is written, which takes 256 at a time
// (see [schemas.WriteExemplars]): in a buffer that doubles, and in the half that it grows from.
const writingExemplars = 3

// footprint is what pretraining holds: network, and what is around it.
func (o PretrainOptions) footprint(network method.Plan, e *dataset.Encoding, rows dataset.Rows, indices ...[]int) (method.Plan, error) {
	var x dataset.Extent
	for _, i := range indices {
		y, err := e.Extent(rows, i)
		if err != nil {
			return network, err
		}
		x.Add(y)
	}
	network.Pictures = min(x.Bytes, o.CacheBytes)
	if x.Bytes > o.CacheBytes || o.Drop > 0 { // what is thinned is a copy
		network.Ahead = held(o.Schedule, x.Samples, x.Largest)
	}
	network.Saving = 1 << 20 // weights and moments are written as they lie, through a buffer
	_, network.Garbage = collecting(network.Total())
	return network, nil
}

// held is what a loader of so many samples holds of them when each takes so many bytes.
func held(s method.Schedule, samples int, sampleBytes int64) int64 {
	l := dataset.Loader{BatchSize: s.BatchSize, Workers: s.Workers}
	return min(l.HeldBytes(sampleBytes), int64(max(1, s.Epochs)*samples)*sampleBytes)
}

// collecting is by how many per cent a process that holds so many bytes lets its heap grow between two collections, and how
// many bytes that is. Go's own rule, 100, would have it take twice what it needs. There is little to look through, as almost
// all of it are numbers, so collecting often costs next to nothing; small processes may as well wait.
func collecting(bytes int64) (percent int, garbage int64) {
	const least, room = 12, 48 << 20
	percent = int(min(100, max(least, 100*room/max(bytes, 1))))
	return percent, bytes * int64(percent) / 100
}

// collectEarly has the collector keep to the plan until the function returned is called. Whoever has told the runtime how to
// collect (GOGC) is left alone.
func collectEarly(p method.Plan) (restore func()) {
	percent, _ := collecting(p.Total() - p.Garbage)
	before := debug.SetGCPercent(percent)
	if before != 100 {
		percent = before
	}
	debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}
