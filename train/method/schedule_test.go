package method

import "testing"

// Memory for a whole batch is taken at the start: what no machine has is refused before.
func TestScheduleBoundsBatches(t *testing.T) {
	for size, ok := range map[int]bool{0: true, 1: true, MostBatch: true, MostBatch + 1: false, 1e12: false, -1: false} {
		if err := (Schedule{BatchSize: size}).Validate(); (err == nil) != ok {
			t.Errorf("batch size %d: %v", size, err)
		}
	}
}

// What is given stands before a method's own default, and none before a default, too.
func TestScheduleOr(t *testing.T) {
	given, own := Schedule{Epochs: 3, WeightDecay: -1}, Schedule{Epochs: 5, LearningRate: 2, WeightDecay: 0.1, Workers: 4}
	if got, want := given.Or(own), (Schedule{Epochs: 3, LearningRate: 2, WeightDecay: -1, Workers: 4}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}
