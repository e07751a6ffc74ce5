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
