// Package account keeps the newest good facts about one AWS account: a few
// calls about the whole of it at every refresh, and a sweep that reads user by
// user in between.
//
// It does so in steps, and whoever takes them decides what happens between two
// of them. What is known comes back as snapshots; what a policy makes of them
// goes in as data.
package account

import (
	"context"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// introductionPause is how soon to ask again while AWS has not even told which
// account this is: credentials or network often come a little after the process.
const introductionPause = 30 * time.Second

// Options are the settings of an Account.
type Options struct {
	// ID is the account's id, 12 digits, where it is known before AWS has told
	// it; an answer for another account is then refused. If it is empty, the
	// account is the one that the credentials turn out to belong to.
	ID              string
	RefreshInterval time.Duration // between two refreshes
	KeysInterval    time.Duration // within which each user's keys are read again
	ReportLife      time.Duration // how long AWS keeps a report; 0 means ReportLife
}

// Account is the state machine of one account. It is for one goroutine.
type Account struct {
	*memory
	sweep  sweep
	health inventory.Health // but for State, Errors and Problems
	phase  phase
	began  time.Time // the refresh under way, or the last one
	next   time.Time // when the next one begins
}

// phase is what the next step of a round does.
type phase int

const (
	waiting    phase = iota // for the next refresh
	refreshing              // asks the few calls about the whole account
	planning                // decides whom to read
	sweeping                // reads users
)

// Progress is what a step has brought.
type Progress struct {
	Learnt bool // Snapshot has news
	Ended  bool // a refresh and its sweep have ended; Snapshot has news
	// Restore tells that AWS has just said which account this is, and that it
	// is not the one that facts were kept of: Restore is to be called with what
	// is kept of the right one, if anything is.
	Restore bool
	// Next is when there is something to do again; in the past for at once.
	Next time.Time
}

// New returns an account about which nothing is known but what was kept of it
// by an earlier process; nil for nothing.
func New(reads awsiam.Reader, o Options, kept *inventory.Snapshot) *Account {
	if o.ReportLife == 0 {
		o.ReportLife = ReportLife
	}
	m := &memory{reads: reads, o: o, trouble: newTrouble()}
	a := &Account{memory: m, sweep: sweep{memory: m}}
	a.Restore(kept)
	a.setTagSource(a.needs().Tags)
	return a
}

// ReadSoon has the users of those names read in the next step that reads users:
// before all others, and without waiting for the next refresh. Names of nobody
// are passed over, and all are where the source reads no users one by one.
func (a *Account) ReadSoon(names ...string) { a.sweep.want(names) }

// RefreshSoon has the next refresh begin at once; what is under way is cut
// short after the users that are being read.
func (a *Account) RefreshSoon() { a.next = time.Now() }

// Step does the next piece of work: what is due about the whole account, or the
// reading of a few users. Users that a rule accuses are read early. The snapshot
// is as it was if the context ends meanwhile.
func (a *Account) Step(ctx context.Context, accused map[string]bool) Progress {
	switch a.phase {
	case waiting:
		if time.Now().Before(a.next) {
			return Progress{Learnt: a.sweep.readUrgent(ctx), Next: a.next}
		}
		return a.beginRefresh(ctx)
	case refreshing:
		return a.refresh(ctx)
	case planning:
		if !a.sweep.begin(ctx, a.next, accused) {
			return a.endRefresh()
		}
		a.phase = sweeping
	}
	learnt, more := a.sweep.step(ctx, a.next)
	if !more {
		return a.endRefresh()
	}
	return Progress{Learnt: learnt}
}

// beginRefresh learns once which account the credentials belong to.
func (a *Account) beginRefresh(ctx context.Context) Progress {
	a.began = time.Now()
	a.next, a.phase = a.began.Add(a.o.RefreshInterval), planning
	a.health.Refreshes++
	restore, err := a.identify(ctx)
	a.setTagSource(a.needs().Tags)
	switch {
	case err != nil:
		return Progress{Learnt: true}
	case restore:
		a.phase = refreshing
		return Progress{Restore: true}
	}
	return a.refresh(ctx)
}

// refresh asks the few calls about the whole account.
func (a *Account) refresh(ctx context.Context) Progress {
	(&refresh{a.memory, a.began}).run(ctx)
	a.phase = planning
	return Progress{Learnt: true}
}

// endRefresh is the end of a refresh and its sweep.
func (a *Account) endRefresh() Progress {
	now := time.Now()
	a.health.Duration = now.Sub(a.began)
	a.health.Finished++
	a.phase = waiting
	if soon := now.Add(introductionPause); !a.identified && soon.Before(a.next) {
		a.next = soon
	}
	return Progress{Ended: true, Next: a.next}
}
