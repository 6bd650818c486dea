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

// introductionPause is how soon to ask again while AWS has not even told which
// account this is: credentials or network often come a little after the process.
// It doubles each time, because what they do not bring soon, they may never bring.
const introductionPause = 30 * time.Second

// Options are the settings of an Account.
type Options struct {
	// ID is the account's id, 12 digits, where it is known before AWS has told
	// it; an answer for another account is then refused. If it is empty, the
	// account is the one that the credentials turn out to belong to.
	ID string
	// Name, Tags and Partition are what the configuration tells of the account, or
	// what follows from it. AWS has the last word on the partition.
	Name      string
	Tags      inventory.Tags
	Partition string
	// OUPath, Units and State are what the organization tells of it; empty outside one.
	OUPath, State string
	Units         []string
	// Suspended tells that AWS is to be asked nothing, and that what is known stays.
	Suspended bool

	RefreshInterval time.Duration // between two refreshes
	KeysInterval    time.Duration // within which each user's keys are read again
	ReportLife      time.Duration // how long AWS keeps a report; 0 means ReportLife
}

// SameReading reports whether the account is to be read in the same way, whatever
// else is told of it.
func (o Options) SameReading(other Options) bool {
	return o.describedBy(other).Equal(other)
}

// describedBy returns the options with what the others tell of the account beside how
// to read it.
func (o Options) describedBy(other Options) Options {
	o.Name, o.Tags, o.OUPath, o.Units, o.State = other.Name, other.Tags, other.OUPath, other.Units, other.State
	return o
}

// Equal reports whether both are the same settings.
func (o Options) Equal(other Options) bool {
	return o.ID == other.ID && o.Name == other.Name && sameList(o.Tags, other.Tags) && o.Partition == other.Partition &&
		o.OUPath == other.OUPath && o.State == other.State && sameList(o.Units, other.Units) && o.Suspended == other.Suspended &&
		o.RefreshInterval == other.RefreshInterval && o.KeysInterval == other.KeysInterval && o.ReportLife == other.ReportLife
}

// sameList reports whether both lists say the same: nil says that nothing is known,
// and an empty one that there is nothing.
func sameList[T comparable](a, b []T) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// Account is the state machine of one account. It is for one goroutine.
type Account struct {
	*memory
	sweep  sweep
	health inventory.Health // but for State, Errors and Problems
	phase  phase
	began  time.Time     // the refresh under way, or the last one
	next   time.Time     // when the next one begins
	pause  time.Duration // the last one for want of an introduction
}

// phase is what the next step of a round does.
type phase int

const (
	waiting  phase = iota // for the next refresh
	listing               // asks who there is
	asking                // asks the other few calls about the whole account
	planning              // decides whom to read
	sweeping              // reads users
)

// Progress is what a step has brought.
type Progress struct {
	Began  bool // a refresh has begun
	Learnt bool // Snapshot has news
	Ended  bool // a refresh and its sweep have ended; Snapshot has news
	// Restore tells that AWS has just said which account this is, and that it
	// is not the one that facts were kept of: Restore is to be called with what
	// is kept of the right one, if anything is.
	Restore bool
	Tried   bool // the few calls about the whole account were tried
	// News is what is to be said about AWS's clock.
	News []string
	// AliasErr is why the account's alias could not be learnt, which is no problem.
	AliasErr error
	// Next is when there is something to do again; in the past for at once.
	Next time.Time
}

// New returns the account that the client reaches, about which nothing is known
// but what was kept of it by an earlier process; nil for nothing.
func New(client *awsapi.Client, o Options, kept *inventory.Snapshot) *Account {
	if o.ReportLife == 0 {
		o.ReportLife = ReportLife
	}
	clock := awsiam.NewClock(2 * o.RefreshInterval)
	m := &memory{reads: awsiam.New(client, clock), clock: clock, o: o, trouble: newTrouble()}
	a := &Account{memory: m, sweep: sweep{memory: m, limits: newBreaker()}}
	a.Restore(kept)
	a.setTagSource(a.needs().Tags)
	return a
}

// ReadSoon has the users of those names read in the next step that reads users:
// before all others, and without waiting for the next refresh. Names of nobody
// are passed over, and all are where the source reads no users one by one.
func (a *Account) ReadSoon(names ...string) { a.sweep.want(names) }

// Continue takes over how the reading of the same account has gone so far, by
// another client or at other intervals: until the next refresh, that is what counts.
func (a *Account) Continue(other *Account) {
	a.health = other.health
	a.clock.Continue(other.clock)
	a.trouble.inherit(&other.trouble)
	if a.needs().Source != other.needs().Source { // which asks other things about users
		return
	}
	for _, user := range a.known.users {
		if before := other.known.find(user.Name); before != nil {
			user.failed = before.failed
		}
	}
}

// Describe takes over what the options tell of the account, but not how to read it.
// Snapshot has news then.
func (a *Account) Describe(o Options) {
	a.o = a.o.describedBy(o)
	a.known.account = a.completed(a.known.account, nil)
}

// RefreshSoon has the next refresh begin at once; what is under way is cut
// short after the users that are being read.
func (a *Account) RefreshSoon() { a.next, a.pause = time.Now(), 0 }

// Step does the next piece of work: a few calls about the whole account, or the
// reading of a few users. Accused holds the users about whom there are findings,
// and the facts that those rest on: such users are read early, and the facts
// asked for live. The snapshot is as it was if the context ends meanwhile.
func (a *Account) Step(ctx context.Context, accused map[string]inventory.GroupSet) Progress {
	if a.o.Suspended {
		return Progress{Tried: true, Next: time.Now().Add(a.o.RefreshInterval)}
	}
	p := a.step(ctx, accused)
	if a.trouble.noRole { // the next refresh asks for it once, before anything else
		a.verified, a.trouble.noRole = false, false
	}
	if a.trouble.wrongAccount("users", "report", "tags", "names") {
		a.known.disown(a.report.generated())
	}
	a.settle()
	p.News = a.clock.News()
	return p
}

func (a *Account) step(ctx context.Context, accused map[string]inventory.GroupSet) Progress {
	switch a.phase {
	case waiting:
		if time.Now().Before(a.next) {
			return Progress{Learnt: a.sweep.readUrgent(ctx), Next: a.next}
		}
		return a.begin(ctx)
	case listing:
		a.refresh().list(ctx)
		a.phase = asking
		return Progress{Learnt: true}
	case asking:
		return a.ask(ctx)
	}
	if polls := a.report.polls; len(polls) > 0 && !time.Now().Before(polls[0]) {
		return a.poll(ctx)
	}
	if a.phase == planning && a.aliasDue(a.began) {
		return a.askAlias(ctx)
	}
	if a.phase == planning && !a.sweep.begin(ctx, a.next, accused) {
		return a.endSweep(ctx)
	}
	a.phase = sweeping
	learnt, more := a.sweep.step(ctx, a.next)
	if !more {
		return a.endSweep(ctx)
	}
	return Progress{Learnt: learnt}
}

func (a *Account) refresh() *refresh { return &refresh{a.memory, a.began} }

// begin learns which account the credentials belong to, unless that is known.
func (a *Account) begin(ctx context.Context) Progress {
	a.began = time.Now()
	a.next, a.phase = a.began.Add(a.o.RefreshInterval), listing
	a.health.Refreshes++
	restore, err := a.identify(ctx)
	a.setTagSource(a.needs().Tags)
	if err != nil {
		a.phase = planning
		return Progress{Began: true, Learnt: true, Tried: true}
	}
	if a.needs().Source == awsapi.SourceReport { // which lists the users
		a.phase = asking
	}
	return Progress{Began: true, Restore: restore}
}

// ask asks the other few calls about the whole account. If the first report is
// in the making, it is worth a short wait: it tells whom to read first.
func (a *Account) ask(ctx context.Context) Progress {
	a.phase = planning
	if !a.verified { // its role is gone
		return Progress{Learnt: true, Tried: true}
	}
	if !a.trouble.wrongAccount("users") {
		a.refresh().askReport(ctx)
	}
	p := Progress{Learnt: true, Tried: true}
	switch polls := a.report.polls; {
	case len(polls) == 0:
		a.refresh().conclude(ctx)
	case a.report.newest == nil:
		p.Next = polls[0]
	}
	return p
}

// poll looks for a report in the making. One that has come changes who is to be
// read next.
func (a *Account) poll(ctx context.Context) Progress {
	a.refresh().poll(ctx)
	if len(a.report.polls) > 0 {
		return Progress{}
	}
	a.refresh().conclude(ctx)
	switch {
	case a.trouble.wrongAccount("report", "tags"):
		a.sweep.queue = nil // users of those names would be somebody else
	case a.phase == sweeping:
		a.sweep.replan(a.next)
	}
	return Progress{Learnt: true}
}

// endSweep ends the refresh, unless a report is still in the making.
func (a *Account) endSweep(ctx context.Context) Progress {
	if len(a.report.polls) > 0 && ctx.Err() == nil {
		return Progress{Learnt: true, Next: a.report.polls[0]}
	}
	a.sweep.end(ctx)
	a.trouble.endInherited()
	now := time.Now()
	a.health.Duration = now.Sub(a.began)
	a.health.Finished++
	a.phase, a.report.polls = waiting, nil
	if !a.identified {
		a.pause = min(max(introductionPause, 2*a.pause), a.o.RefreshInterval)
		if soon := now.Add(a.pause); soon.Before(a.next) {
			a.next = soon
		}
	}
	return Progress{Ended: true, Next: a.next}
}
