package pool

import (
	"maps"
	"time"

	"github.com/mcil/mcil/caption"
)

// The states of a breaker.
const (
	Closed   = "closed"    // the endpoint is asked
	Open     = "open"      // it is left alone
	HalfOpen = "half-open" // it may be asked once, or is being asked
)

// Stat is what is known of an endpoint at a moment.
type Stat struct {
	Name     string
	Breaker  string        // Closed, Open or HalfOpen
	Paused   time.Duration // for how much longer, as it asked; 0: not
	InFlight int           // calls under way
	Limit    int           // of calls under way
	Calls    int           // that have ended
	Answers  int           // of these, captions
	Tokens   int64         // as the endpoint counts them
	Failures map[caption.Class]int
}

// Stats are the endpoints' in their order.
func (p *Pool) Stats() []Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	stats := make([]Stat, len(p.endpoints))
	for i, e := range p.endpoints {
		s := Stat{
			Name: e.Name, Breaker: Closed, Paused: max(0, e.pausedUntil.Sub(now)), InFlight: e.inFlight, Limit: int(e.limit),
			Calls: e.calls, Answers: e.answers, Tokens: e.tokens, Failures: maps.Clone(e.failures),
		}
		switch {
		case e.open && (e.probing || !now.Before(e.probeAt)):
			s.Breaker = HalfOpen
		case e.open:
			s.Breaker = Open
		}
		stats[i] = s
	}
	return stats
}
