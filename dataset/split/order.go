package split

import (
	"fmt"
	"math/bits"

	"github.com/mcil/mcil/dataset"
)

// ClassOrder returns the order in which n classes are learned: order[k] is the label of the k-th class.
//
//	natural  0, 1, 2, ... as google/l2p has it
//	1993     numpy's RandomState(1993).permutation(n), as PyCIL and PILOT have it; any other number is a seed likewise
func ClassOrder(name string, n int) ([]int, error) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if name == "" || name == "natural" {
		return order, nil
	}
	var seed uint32
	if _, err := fmt.Sscanf(name, "%d", &seed); err != nil || fmt.Sprint(seed) != name {
		return nil, fmt.Errorf("class order %q: use natural or a seed such as 1993 (0 to 4294967295): %w", name, dataset.ErrRefused)
	}
	numpyShuffle(order, seed)
	return order, nil
}

// numpyShuffle is numpy's legacy RandomState(seed).shuffle: for i from the last element down to 1, swap with a j in [0,i]
// drawn by rejection from 32-bit outputs of MT19937 under the smallest mask that covers i.
func numpyShuffle(a []int, seed uint32) {
	m := newMersenne(seed)
	for i := len(a) - 1; i > 0; i-- {
		mask := uint32(1)<<bits.Len32(uint32(i)) - 1
		j := m.next() & mask
		for j > uint32(i) {
			j = m.next() & mask
		}
		a[i], a[j] = a[j], a[i]
	}
}

// mersenne is MT19937 (Matsumoto and Nishimura 1998) with the single-integer seeding of 2002.
type mersenne struct {
	state [624]uint32
	at    int
}

func newMersenne(seed uint32) *mersenne {
	m := &mersenne{at: 624}
	m.state[0] = seed
	for i := uint32(1); i < 624; i++ {
		prev := m.state[i-1]
		m.state[i] = 1812433253*(prev^prev>>30) + i
	}
	return m
}

func (m *mersenne) next() uint32 {
	if m.at == 624 {
		for i := range 624 {
			y := m.state[i]&0x80000000 | m.state[(i+1)%624]&0x7fffffff
			m.state[i] = m.state[(i+397)%624] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		m.at = 0
	}
	y := m.state[m.at]
	m.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}
