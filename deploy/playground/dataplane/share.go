package dataplane

import (
	"fmt"
	"strings"
	"sync"
)

// share says yes to so many percent of the questions, evenly spread, so that few of them already show it.
type share struct {
	mu   sync.Mutex
	owed float64
}

func (s *share) next(percent int) bool { return s.nextOf(float64(percent)) }

func (s *share) nextOf(percent float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed += percent
	if percent <= 0 || s.owed < 100-1e-9 {
		return false
	}
	s.owed -= 100
	return true
}

// splits remembers for each weighted choice whose turn it is. A choice whose weights change begins anew.
type splits struct {
	mu    sync.Mutex
	turns map[string]*split
}

type split struct {
	signature string
	owed      []int // smooth weighted round robin: each turn all gain their weight, who has most pays the total
}

// pick gives the index of one of the weights, or -1 when all are zero.
func (s *splits) pick(key string, weights []int) int {
	var signature strings.Builder
	total := 0
	for _, weight := range weights {
		fmt.Fprintf(&signature, "%d,", weight)
		total += weight
	}
	if total <= 0 {
		return -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns == nil || len(s.turns) > 20_000 {
		s.turns = map[string]*split{}
	}
	turn := s.turns[key]
	if turn == nil || turn.signature != signature.String() {
		turn = &split{signature: signature.String(), owed: make([]int, len(weights))}
		s.turns[key] = turn
	}
	best := -1
	for i, weight := range weights {
		turn.owed[i] += weight
		if weight > 0 && (best < 0 || turn.owed[i] > turn.owed[best]) {
			best = i
		}
	}
	turn.owed[best] -= total
	return best
}
