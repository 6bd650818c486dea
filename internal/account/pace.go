package account

import "time"

// pace measures how long the sweep takes to come by everybody.
type pace struct {
	started time.Time
	length  time.Duration // of the last full cycle; 0 before the first
}

// begin starts the clock unless it runs.
func (p *pace) begin(now time.Time) {
	if p.started.IsZero() {
		p.started = now
	}
}

// restart begins the measurement again: trouble tells nothing about the pace.
func (p *pace) restart(now time.Time) { p.started = now }

// note ends the cycle if everybody was read since it began.
func (p *pace) note(all []*trackedUser, now time.Time) {
	for _, user := range all {
		if user.attempted.Before(p.started) {
			return
		}
	}
	p.length, p.started = now.Sub(p.started), now
}
