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
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	// readers is how many users are read at the same time, so that the rate,
	// not the distance to AWS, sets the pace.
	readers = 4
	// showInterval is how often a sweep shows what it has learnt so far: as
	// often as the more eager scrapes come, because each time the whole account
	// is judged again.
	showInterval = 30 * time.Second
	// introductionPause is how soon to ask again while AWS has not even told
	// which account this is: credentials or network often come a little after
	// the process.
	introductionPause = 30 * time.Second
)

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
	reads awsiam.Reader
	o     Options

	identified bool // AWS has told that the account is this one
	known      facts
	report     reportState
	tags       tagState
	clock      clock
	trouble    trouble
	health     inventory.Health // but for State, Errors and Problems
	round      round
	pace       pace
}

// phase is what the next step of a round does.
type phase int

const (
	waiting    phase = iota // for the next refresh
	refreshing              // asks the few calls about the whole account
	planning                // decides whom to read
	sweeping                // reads users
)

// round is one refresh and its sweep.
type round struct {
	phase  phase
	began  time.Time
	next   time.Time // when the next one begins
	queue  []*trackedUser
	limits *breaker
	asked  bool      // a batch of the queue was read
	shown  time.Time // when the sweep last showed what it knows
	urgent []string  // names of users to read before all others
}

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
	a := &Account{reads: reads, o: o, trouble: newTrouble()}
	a.Restore(kept)
	a.setTagSource(a.needs().Tags)
	return a
}

// Restore begins again with what an earlier process knew of the account; nil
// for nothing. Facts keep the times of their observation, so nothing passes for
// fresher than it is. The users' keys were asked for when they were observed,
// so a restart costs no extra calls.
func (a *Account) Restore(kept *inventory.Snapshot) {
	account := inventory.Account{ID: a.o.ID}
	if a.identified {
		account = a.known.account
	}
	if kept != nil && account.ID != "" && kept.Account.ID != account.ID {
		kept = nil
	}
	a.known = factsOf(kept, a.needs().Source, time.Now())
	if a.identified || kept == nil {
		a.known.account = account
	}
}

// Identified reports whether AWS has told which account this is.
func (a *Account) Identified() bool { return a.identified }

// ReadSoon has the users of those names read in the next step that reads users:
// before all others, and without waiting for the next refresh. Names of nobody
// are passed over, and all are where the source reads no users one by one.
func (a *Account) ReadSoon(names ...string) {
	for _, name := range names {
		if !slices.Contains(a.round.urgent, name) {
			a.round.urgent = append(a.round.urgent, name)
		}
	}
}

// RefreshSoon has the next refresh begin at once; what is under way is cut
// short after the users that are being read.
func (a *Account) RefreshSoon() { a.round.next = time.Now() }

// Step does the next piece of work: what is due about the whole account, or the
// reading of a few users. Users that a rule accuses are read early. The snapshot
// is as it was if the context ends meanwhile.
func (a *Account) Step(ctx context.Context, accused map[string]bool) Progress {
	switch a.round.phase {
	case waiting:
		if time.Now().Before(a.round.next) {
			return Progress{Learnt: a.readUrgent(ctx), Next: a.round.next}
		}
		return a.beginRefresh(ctx)
	case refreshing:
		return a.refresh(ctx)
	case planning:
		if !a.planSweep(ctx, accused) {
			return a.endRound()
		}
	}
	return a.sweep(ctx)
}

// beginRefresh learns once which account the credentials belong to.
func (a *Account) beginRefresh(ctx context.Context) Progress {
	now := time.Now()
	a.round = round{phase: planning, began: now, next: now.Add(a.o.RefreshInterval), urgent: a.round.urgent}
	a.health.Refreshes++
	restore, err := a.identify(ctx)
	a.setTagSource(a.needs().Tags)
	switch {
	case err != nil:
		return Progress{Learnt: true}
	case restore:
		a.round.phase = refreshing
		return Progress{Restore: true}
	}
	return a.refresh(ctx)
}

// identify returns whether what is kept of the account is still to be restored.
func (a *Account) identify(ctx context.Context) (restore bool, err error) {
	if a.identified {
		return false, nil
	}
	account, observed, err := a.reads.Account(ctx)
	if err == nil && a.o.ID != "" && account.ID != a.o.ID {
		err = refuseAccount(awsiam.GetCallerIdentity, a.o.ID, account.ID)
	}
	if a.trouble.note(ctx, "account", err); err != nil {
		return false, err
	}
	if account.ID != a.known.account.ID {
		a.known, restore = factsOf(nil, "", time.Time{}), true
	}
	a.known.account, a.identified = account, true
	a.clock.set(observed)
	return restore, nil
}

// refresh asks, in few calls, for what changes the picture of the whole
// account. A failure leaves the facts it was about as they were, and stands in
// the next snapshot's health.
func (a *Account) refresh(ctx context.Context) Progress {
	a.round.phase = planning
	source := a.needs().Source
	if source != awsapi.SourceReport {
		a.refreshUsers(ctx)
	}
	if !a.trouble.wrongAccount("users") && source != awsapi.SourceLive && a.report.due(a.clock.now(), a.o.ReportLife) {
		a.refreshReport(ctx)
	}
	if a.trouble.wrongAccount("users", "report") {
		return Progress{Learnt: true}
	}
	if a.tags.source == awsapi.TagsFromAuthorizationDetails {
		a.refreshTags(ctx)
	}
	if a.trouble.wrongAccount("tags") {
		return Progress{Learnt: true}
	}
	if source == awsapi.SourceAuto {
		a.report.decideFallback(time.Now(), a.reportUsable())
	}
	if source == awsapi.SourceReport || a.reportUsable() {
		a.trouble.end("root")
		return Progress{Learnt: true}
	}
	root, err := a.reads.Root(ctx)
	if a.trouble.note(ctx, "root", err); err == nil {
		a.known.root = inventory.MergeRoot(a.known.root, root)
	}
	return Progress{Learnt: true}
}

func (a *Account) refreshUsers(ctx context.Context) {
	users, observed, err := a.reads.Users(ctx)
	if err == nil {
		err = a.checkListing(ctx, users)
	}
	if a.trouble.note(ctx, "users", err); err != nil {
		return
	}
	a.known.relist(users, observed)
	a.joinReport()
}

// refreshTags reads everybody's tags when they are due.
func (a *Account) refreshTags(ctx context.Context) {
	if a.known.listed.IsZero() || !a.tagsDue() {
		return
	}
	users, err := a.reads.AllTags(ctx)
	if err == nil {
		err = checkUsers(awsiam.GetDetails, a.known.account.ID, users)
	}
	if a.needs().Tags != a.tags.source {
		return // no longer wanted, so the guard may have cut the reading short
	}
	if a.trouble.note(ctx, "tags", err); err != nil {
		return
	}
	a.tags.read = a.round.began
	a.known.joinTags(users, a.needs().Source)
}

// needs are what the account's client serves at the moment.
func (a *Account) needs() awsapi.Needs { return a.reads.Needs() }

// endRound is the end of a refresh and its sweep.
func (a *Account) endRound() Progress {
	now := time.Now()
	a.health.Duration = now.Sub(a.round.began)
	a.health.Finished++
	a.round.phase, a.round.queue, a.round.limits = waiting, nil, nil
	if soon := now.Add(introductionPause); !a.identified && soon.Before(a.round.next) {
		a.round.next = soon
	}
	return Progress{Ended: true, Next: a.round.next}
}

// clock knows how far our clock is from AWS's, which is the one in reports.
type clock struct{ skew time.Duration }

// set takes AWS's time of an answer that has just come. A few seconds are the
// time an answer takes.
func (c *clock) set(aws time.Time) {
	c.skew = time.Until(aws)
	if c.skew.Abs() < time.Minute {
		c.skew = 0
	}
}

// now is the time by AWS's clock.
func (c *clock) now() time.Time { return time.Now().Add(c.skew) }
