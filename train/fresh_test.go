package train

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/mcil/mcil/dataset"
)

// TestFreshIsUnchanged: what prototypes are made of is as a test sees it, whatever is done to the examples of steps.
func TestFreshIsUnchanged(t *testing.T) {
	o := methodRun(t, "ease")
	r := &run{o: o.WithDefaults()}
	defer r.close()
	if _, err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	sampled := func(items dataset.Items) (all []dataset.Sample) {
		t.Helper()
		for i := range items.Len() {
			s, err := items.Sample(t.Context(), i, rand.New(rand.NewPCG(1, uint64(i))))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all
	}
	want := sampled(r.subset(r.data.Splits[dataset.Train], r.phases[0]))
	for _, l := range []LearningOptions{{}, {Augment: "flip,jitter"}, {MaskNew: 0.9}, {Augment: "flip,jitter", MaskNew: 0.9}, {Augment: "jitter", Mixing: mixingBalanced}} {
		r.o.Learning.Augment, r.o.Learning.MaskNew, r.o.Learning.Mixing = l.Augment, l.MaskNew, l.Mixing
		lesson, err := r.lesson(0)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(sampled(lesson.Fresh), want) {
			t.Errorf("%+v: fresh examples are not as they are", l)
		}
		if same := reflect.DeepEqual(sampled(lesson.Items), want); same != (l == LearningOptions{}) {
			t.Errorf("%+v: what steps see is as it is: %v", l, same)
		}
	}
}
