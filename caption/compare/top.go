package compare

import "slices"

// top keeps the first few of many values by an order without ties.
type top[T any] struct {
	limit int // below 1: none
	order func(a, b T) int
	items []T // sorted
}

func (t *top[T]) add(v T) {
	at, _ := slices.BinarySearchFunc(t.items, v, t.order)
	if at >= t.limit {
		return
	}
	if len(t.items) == t.limit {
		t.items = t.items[:t.limit-1]
	}
	t.items = slices.Insert(t.items, at, v)
}

// list is never nil.
func (t *top[T]) list() []T { return append([]T{}, t.items...) }
