package pool

import (
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcil/mcil/caption"
)

// limits are an endpoint's requests and tokens a minute; a nil limiter is no limit.
type limits struct {
	requests, tokens *rate.Limiter
	back             int // tokens that were reserved and not used: a limiter does not take them back
}

func newLimits(o Options) limits {
	var l limits
	if n := o.RequestsPerMin; n > 0 {
		l.requests = rate.NewLimiter(rate.Limit(float64(n)/60), max(1, n/60))
	}
	if n := o.TokensPerMin; n > 0 {
		l.tokens = rate.NewLimiter(rate.Limit(float64(n)/60), max(1, n/6))
	}
	return l
}

// wait is how long a call of so many tokens must wait at least.
func (l *limits) wait(now time.Time, tokens int) time.Duration {
	d := until(l.requests, now, 1)
	if l.tokens != nil {
		// A call that takes more than the limiter holds goes when it is full, and leaves it in debt.
		d = max(d, until(l.tokens, now, min(max(0, tokens-l.back), l.tokens.Burst())))
	}
	return d
}

// until is how long it takes a limiter to have n.
func until(l *rate.Limiter, now time.Time, n int) time.Duration {
	if l == nil {
		return 0
	}
	lack := float64(n) - l.TokensAt(now)
	if lack <= 1e-9 { // what floating point leaves over
		return 0
	}
	return max(time.Microsecond, time.Duration(math.Ceil(lack/float64(l.Limit())*float64(time.Second))))
}

// take books a call.
func (l *limits) take(now time.Time, tokens int) {
	if l.requests != nil {
		l.requests.ReserveN(now, 1)
	}
	l.correct(now, tokens)
}

// correct books so many tokens more, or fewer.
func (l *limits) correct(now time.Time, tokens int) {
	if l.tokens == nil {
		return
	}
	l.back = min(l.back-tokens, l.tokens.Burst()) // more would come out as a burst, long after
	for l.back < 0 {
		n := min(-l.back, l.tokens.Burst())
		l.tokens.ReserveN(now, n)
		l.back += n
	}
}

// usage is the tokens of a call, as a mean in which the last calls count most.
type usage struct {
	mean  float64
	known bool
}

func (u *usage) learn(tokens int) {
	const share = 0.1 // of the newest
	switch {
	case tokens <= 0: // the endpoint does not say
	case !u.known:
		u.mean, u.known = float64(tokens), true
	default:
		u.mean += share * (float64(tokens) - u.mean)
	}
}

// estimate is the tokens of a call to come, of which its request says rough.
func (u *usage) estimate(rough int) int {
	if u.known {
		return int(math.Ceil(u.mean))
	}
	return rough
}

// roughTokens is about the most that a request may take: a token for four bytes of text, a picture's, and the whole answer.
func roughTokens(r caption.Request) int {
	const ofPicture, bytesInToken = 300, 4
	return len(r.Prompt)/bytesInToken + ofPicture + r.Decoding.WithDefaults().MaxTokens
}
