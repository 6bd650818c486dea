package awsapi

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestPacerSlowsDownAndRecovers(t *testing.T) {
	const max = rate.Limit(8)
	begin := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	throttledAt := func(times ...time.Duration) func(*pacer) {
		return func(p *pacer) {
			for _, d := range times {
				p.slowDown(at(d))
			}
		}
	}
	everySecond := make([]time.Duration, 20)
	for i := range everySecond {
		everySecond[i] = time.Duration(i) * time.Second
	}
	for name, test := range map[string]struct {
		before func(*pacer)
		now    time.Duration
		want   rate.Limit
	}{
		"undisturbed":                        {throttledAt(), 24 * time.Hour, 8},
		"halved at once":                     {throttledAt(0), 0, 4},
		"once for answers that come at once": {throttledAt(0, time.Millisecond, 999*time.Millisecond), time.Second, 4},
		"again a second later":               {throttledAt(0, time.Second), time.Second, 2},
		"never below the floor":              {throttledAt(everySecond...), 19 * time.Second, 8.0 / 64},
		"no recovery before a minute":        {throttledAt(0), 59 * time.Second, 4},
		"one step after a minute":            {throttledAt(0), time.Minute, 5},
		"two steps after two":                {throttledAt(0), 2*time.Minute + 59*time.Second, 6.25},
		"never above the limit":              {throttledAt(0), time.Hour, 8},
		"no credit from quiet times": {func(p *pacer) {
			p.slowDown(at(0))
			p.recover(at(24 * time.Hour))
			p.slowDown(at(24 * time.Hour))
		}, 24*time.Hour + 59*time.Second, 4},
		"a throttle starts the minute anew": {throttledAt(0, 59*time.Second), 118 * time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPacer(max)
			test.before(p)
			p.recover(at(test.now))
			if got := p.limiter.Limit(); got != test.want {
				t.Errorf("rate: got %v a second, want %v", got, test.want)
			}
		})
	}
}

func TestSlowRatesStillSendSomething(t *testing.T) {
	for _, limit := range []rate.Limit{0.1, 1, 2.5} {
		if burst := newLimiter(limit).Burst(); burst < 1 {
			t.Errorf("limit %v: got burst %d, want at least 1", limit, burst)
		}
	}
}
