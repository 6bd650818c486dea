package awsapi

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// An account's rate never falls below this share of its limit, so that a
	// throttled account still makes progress.
	slowestShare = 1.0 / 64
	// halvingPause keeps answers already under way from halving the rate again.
	halvingPause = time.Second
	// After each recoveryStep without throttling, an account's rate grows by a
	// quarter. Recovery is slow on purpose: IAM's limits are shared with
	// everybody who works in the account.
	recoveryStep   = time.Minute
	recoveryFactor = 1.25
)

// pacer is the token bucket of one account. It counts attempts rather than
// calls, halves its rate when AWS throttles, and recovers slowly.
type pacer struct {
	limiter *rate.Limiter
	max     rate.Limit

	mu        sync.Mutex
	throttled time.Time // the last time the rate was halved
	grown     time.Time // since when the next recovery step counts
}

func newPacer(limit rate.Limit) *pacer {
	return &pacer{limiter: newLimiter(limit), max: limit}
}

// newLimiter allows bursts of one second's worth of requests.
func newLimiter(limit rate.Limit) *rate.Limiter {
	return rate.NewLimiter(limit, max(1, int(limit)))
}

// wait blocks until the account may send another request.
func (p *pacer) wait(ctx context.Context) error {
	p.recover(time.Now())
	return p.limiter.Wait(ctx)
}

// pause returns how long there is at present between two requests of many.
func (p *pacer) pause(shared *Shared) time.Duration {
	slowest := min(p.limiter.Limit(), shared.limiter.Limit())
	return time.Duration(float64(time.Second) / float64(slowest))
}

// slowDown halves the rate, once for all answers that come together.
func (p *pacer) slowDown(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.throttled) < halvingPause {
		return
	}
	p.throttled, p.grown = now, now
	p.limiter.SetLimit(max(p.limiter.Limit()/2, p.max*slowestShare))
}

// recover raises the rate by one step for each recoveryStep that has passed.
func (p *pacer) recover(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limiter.Limit()
	for limit < p.max && now.Sub(p.grown) >= recoveryStep {
		p.grown = p.grown.Add(recoveryStep)
		limit = min(limit*recoveryFactor, p.max)
	}
	if limit != p.limiter.Limit() {
		p.limiter.SetLimit(limit)
	}
}
