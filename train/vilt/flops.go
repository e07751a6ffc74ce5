package vilt

// Learns is what a step changes, which decides what its backward pass has to multiply.
type Learns int

const (
	LearnsNothing Learns = iota // forward only
	LearnsHead                  // the classifier on a frozen encoder
	LearnsTuned                 // scale and shift on a frozen encoder, and the classifier
	LearnsAll                   // every weight
)

// Form is which operand of a product is transposed.
type Form string

const (
	FormNT Form = "NT" // y = x wT: a linear layer; scores q kT
	FormNN Form = "NN" // dx = dy w; mixed = p v
	FormTN Form = "TN" // dw = dyT x; dv = pT dy
)

// Product is a product of M x K and K x N, Batch times over.
type Product struct {
	Form    Form
	M, K, N int
	Batch   int
}

// FLOP is its floating-point operations: a multiplication and an addition for each term.
func (p Product) FLOP() float64 {
	return 2 * float64(p.M) * float64(p.K) * float64(p.N) * float64(p.Batch)
}

// Sequence is the size of one example in a batch: what of it is there, not what was masked or dropped.
type Sequence struct{ Text, Patches int }

// Rows of the sequence in the stream: its text, the picture's class token and its patches.
func (s Sequence) Rows() int { return s.Text + 1 + s.Patches }

// Products lists the matrix products of a step over a batch, each with how often it is done; sequences of one length are a
// batch of products. classes is the number of rows of the classifier; 0: none. This is the one place where the work of a
// step is counted, but for adapters and prompts: [Config.AdaptedFLOP], [Encoder.PromptedFLOP]. What is computed again for the
// backward pass to save memory is not counted, nor what is no product, nor
// what [Options.KeepLayers] or [Encoder.Attention] have made of the last block beyond what the pooler reads.
func (c Config) Products(batch []Sequence, classes int, learns Learns) map[Product]int {
	all := map[Product]int{}
	alike := map[int]int{} // sequences by their rows
	for _, s := range batch {
		alike[s.Rows()]++
	}
	add := func(p Product, count int) {
		if count > 0 {
			all[p] += count
		}
	}
	c.layers(batch, classes, learns, add)
	for rows, n := range alike {
		c.attention(rows, n, learns, add)
	}
	return all
}

// StepFLOP is the operations of [Config.Products], without a list of them.
func (c Config) StepFLOP(batch []Sequence, classes int, learns Learns) (sum float64) {
	add := func(p Product, count int) { sum += p.FLOP() * float64(count) }
	c.layers(batch, classes, learns, add)
	for _, s := range batch {
		c.attention(s.Rows(), 1, learns, add)
	}
	return sum
}

// layers are the products of all but attention.
func (c Config) layers(batch []Sequence, classes int, learns Learns, add func(p Product, count int)) {
	b, rows, patches := len(batch), 0, 0
	for _, s := range batch {
		rows += s.Rows()
		patches += s.Patches
	}
	// A layer from k to n features, over m rows: its output; the gradient of its input, where something that is learned lies
	// before it; the gradient of its weights, where they are learned.
	linear := func(m, k, n, count int, input, weights bool) {
		add(Product{FormNT, m, k, n, 1}, count)
		if input {
			add(Product{FormNN, m, n, k, 1}, count)
		}
		if weights {
			add(Product{FormTN, n, m, k, 1}, count)
		}
	}
	d, h, all := c.Width, c.Hidden, learns == LearnsAll
	input := learns >= LearnsTuned
	linear(patches, c.PatchSize(), d, 1, false, all)
	linear(rows, d, 3*d, c.Depth-1, input, all)
	linear(rows, d, d, c.Depth-1, input, all)
	linear(rows, d, h, c.Depth-1, input, all)
	linear(rows, h, d, c.Depth-1, input, all)
	// The last block, of each sequence's first row: query, the map after attention, the MLP, and by heads the map of the key
	// on the query's side and that of the value; see [op.FirstAttention].
	linear(b, d, d, 2, input, all)
	linear(b, d, h, 1, input, all)
	linear(b, h, d, 1, input, all)
	heads, w := c.Heads, d/c.Heads
	each := 1
	if input {
		each = 2
	}
	add(Product{FormNN, b, w, d, heads}, each) // through WkT; back through WvT
	add(Product{FormNT, b, d, w, heads}, each) // through Wv; back through Wk
	if all {
		add(Product{FormTN, w, b, d, heads}, 2)
	}
	linear(b, d, d, 1, input, all) // the pooler
	if classes > 0 {
		linear(b, d, classes, 1, input, learns >= LearnsHead)
	}
}

// attention is the products of all heads of n sequences of the given rows; in the last block of one query a head, as wide as
// the rows, over rows that all heads share.
func (c Config) attention(rows, n int, learns Learns, add func(p Product, count int)) {
	scores := func(queries, width, batch, count int) {
		if learns >= LearnsTuned {
			count *= 2
			add(Product{FormTN, rows, queries, width, batch}, count) // dv = pT dy; dk = dsT q
		}
		add(Product{FormNT, queries, width, rows, batch}, count) // q kT; dp = dy vT
		add(Product{FormNN, queries, rows, width, batch}, count) // p v; dq = ds k
	}
	scores(rows, c.Width/c.Heads, n*c.Heads, c.Depth-1)
	scores(c.Heads, c.Width, n, 1)
}
