package method

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// disturb moves every trained value, so that none is left where it would hide its absence.
func disturb(n *Network, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 6))
	for _, p := range n.Trained() {
		for i := range p.Data {
			p.Data[i] += float32(0.2 * rng.NormFloat64())
		}
	}
}

// distillation is the mean over the batch of -Σ softmax(teacher/T) log softmax(student/T) over the first old classes.
func (r *reference) distillation(teacher *reference, batch []dataset.Sample, old int, temperature float64) (sum float64) {
	soft := func(logits []float64) []float64 {
		var total float64
		p := make([]float64, old)
		for i, v := range logits[:old] {
			p[i] = math.Exp(v / temperature)
			total += p[i]
		}
		for i := range p {
			p[i] /= total
		}
		return p
	}
	for _, s := range batch {
		_, student, _ := r.run(s)
		_, says, _ := teacher.run(s)
		p := soft(student)
		for i, q := range soft(says) {
			sum -= q * math.Log(p[i]) / float64(len(batch))
		}
	}
	return sum
}

// TestHeadsAgainstReference holds logits, loss and gradients of every classifier, tuned and on a frozen encoder, with and
// without distillation, to the float64 reference and its central differences.
func TestHeadsAgainstReference(t *testing.T) {
	const classes, active, old, step, weight, temperature = 5, 4, 2, 1e-5, 1.5, 2
	c := referenceConfig()
	all := randomSamples(c, active)
	batch := []dataset.Sample{all[1], all[3], all[4]}
	for _, kind := range Heads() {
		for _, tuner := range []Tuner{tune.NewSSF(c, 4), tune.Nothing{}} {
			for _, distill := range []float64{0, weight} {
				t.Run(fmt.Sprintf("%s %T %g", kind, tuner, distill), func(t *testing.T) {
					w, err := vilt.Random(c, 3)
					if err != nil {
						t.Fatal(err)
					}
					for _, x := range w.Tensors() { // as far from alike as examples are
						for i := range x.Data {
							x.Data[i] *= 3
						}
					}
					n, err := NewNetworkWith(w, tuner, classes, 8, NetworkOptions{Head: kind, Distill: Distill{Weight: distill}, Seed: 1})
					if err != nil {
						t.Fatal(err)
					}
					defer n.Close()
					disturb(n, 5)
					teacher := newReference(n)
					n.Freeze()
					disturb(n, 7)
					student := newReference(n)
					out, err := n.Infer(batch, nil)
					if err != nil {
						t.Fatal(err)
					}
					for i, s := range batch {
						_, want, _ := student.run(s)
						for k, v := range want {
							if got := float64(out.Logits[i*classes+k]); !(math.Abs(got-v) <= 1e-4*max(1, math.Abs(v))) {
								t.Fatalf("example %d: logit %d is %g, the reference says %g", i, k, got, v)
							}
						}
					}
					before := n.Trained()[0].Data[0]
					var got gradients
					loss, err := n.step(batch, active, old, &got)
					if err != nil {
						t.Fatal(err)
					}
					if n.Trained()[0].Data[0] != before {
						t.Fatal("the teacher stayed in the student's place")
					}
					want := func() float64 {
						sum := student.loss(batch, active)
						if distill > 0 {
							sum += distill * student.distillation(teacher, batch, old, temperature)
						}
						return sum
					}
					if w := want(); math.Abs(loss-w) > 1e-5*max(1, math.Abs(w)) {
						t.Fatalf("the loss is %.7f, the reference says %.7f", loss, w)
					}
					trained := n.Trained()
					if len(got) != len(trained) {
						t.Fatalf("%d gradients of %d tensors", len(got), len(trained))
					}
					from := max(0, len(trained)-len(n.Head)-2) // the classifier, and what lies before it
					for i, p := range trained[from:] {
						g := got[from+i]
						at := largest(g)
						before := student.ps[p.Name][at]
						student.ps[p.Name][at] = before + step
						up := want()
						student.ps[p.Name][at] = before - step
						down := want()
						student.ps[p.Name][at] = before
						if d := (up - down) / (2 * step); d == 0 || !(math.Abs(float64(g[at])-d) <= 1e-5+1e-3*math.Abs(d)) {
							t.Errorf("derivative by %s[%d] is %g, not %g", p.Name, at, g[at], d)
						}
					}
					rows := got[slices.IndexFunc(trained, func(x *vilt.Tensor) bool { return x.Name == "head.weight" })]
					if unseen := rows[active*len(rows)/classes:]; slices.ContainsFunc(unseen, func(v float32) bool { return v != 0 }) {
						t.Error("a class that does not compete has a gradient")
					}
				})
			}
		}
	}
}

// TestOptionsAreChecked: what cannot be is refused before a network is built.
func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{Head: "round"}, {Distill: Distill{Weight: -1}}, {Distill: Distill{Weight: math.NaN()}}, {Distill: Distill{Weight: 1, Temperature: -1}},
		{Schedule: Schedule{Epochs: -1}},
	} {
		if _, err := New("ssf", nil, 2, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := New("sff", nil, 2, Options{}); err == nil {
		t.Error("an unknown method was taken")
	}
}

// TestHeadsLearn: every classifier learns, from where it starts, on a tuned and on a frozen encoder.
func TestHeadsLearn(t *testing.T) {
	for _, kind := range Heads() {
		for _, frozen := range []bool{false, true} {
			c := smallConfig()
			w, err := vilt.Random(c, 1)
			if err != nil {
				t.Fatal(err)
			}
			var tuner Tuner = tune.NewSSF(c, 2)
			if frozen {
				tuner = tune.Nothing{}
			}
			n, err := NewNetworkWith(w, tuner, 4, 8, NetworkOptions{Head: kind, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			solver := &op.AdamW{LearningRate: 1e-2}
			var first, last float64
			for i := range 120 {
				var batch []dataset.Sample
				for range 8 {
					batch = append(batch, sample(c, rng.IntN(3), rng))
				}
				loss, err := n.Step(batch, 3, solver)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = loss
				}
				last = loss
			}
			t.Logf("%s, frozen %v: loss %.3f -> %.3f", kind, frozen, first, last)
			if last > 0.7*first {
				t.Errorf("%s, frozen %v: the loss went from %.3f to %.3f only", kind, frozen, first, last)
			}
			n.Close()
		}
	}
}

// TestDistillKeeps: a learner that distills changes less of what it said of old classes than one that does not, and its
// first phase, which has no teacher, is the other's to the byte.
func TestDistillKeeps(t *testing.T) {
	c := smallConfig()
	change := func(weight float64) (first, moved float64) {
		w, err := vilt.Random(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New("ssf", w, 4, Options{Schedule: Schedule{Epochs: 5, BatchSize: 8}, Distill: Distill{Weight: weight}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		var news [2][]dataset.Sample // of each phase
		for i := range 48 {
			news[i/24] = append(news[i/24], sample(c, i/24*2+i%2, rng))
		}
		learn := func(p Phase) {
			if err := errors.Join(l.Begin(p), l.Fit(t.Context(), Lesson{Items: &recorder{samples: news[p.Index]}})); err != nil {
				t.Fatal(err)
			}
		}
		learn(Phase{0, 0, 2})
		probe := news[1][:8] // a teacher is asked about these
		says := func() []float32 {
			out, err := l.Infer(probe, nil)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Clone(out.Logits)
		}
		before := says()
		learn(Phase{1, 2, 4})
		after := says()
		for i := 0; i < len(after); i += 4 { // softmax sees differences of old logits
			moved += math.Abs(float64(after[i] - after[i+1] - before[i] + before[i+1]))
			first += float64(before[i])
		}
		return first, moved
	}
	firstPlain, plain := change(0)
	firstDistilled, distilled := change(10)
	if firstPlain != firstDistilled {
		t.Error("the first phase depends on distillation")
	}
	t.Logf("old logits moved by %.3f, with distillation by %.3f", plain, distilled)
	if distilled > plain/2 {
		t.Errorf("old logits moved by %.3f, with distillation by %.3f", plain, distilled)
	}
}
