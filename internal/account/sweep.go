package account

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
)

// sweeps reports whether anything is asked user by user.
func (a *Account) sweeps() bool {
	return a.needs().Source != awsapi.SourceReport || a.tags.source == awsapi.TagsFromListUserTags
}

// mayRead reports whether it is certain enough whose users would be asked about.
func (a *Account) mayRead() bool {
	return a.sweeps() && a.identified && !a.known.listed.IsZero() && !a.trouble.wrongAccount("users", "report", "tags")
}

// planSweep decides whom to read until the next refresh, and reports whether
// anybody may be read at all.
func (a *Account) planSweep(ctx context.Context, accused map[string]bool) bool {
	if !a.sweeps() {
		a.pace = pace{}
		a.trouble.end("sweep")
		a.trouble.end("names")
		return false
	}
	if !a.mayRead() {
		return false
	}
	a.pace.begin(time.Now())
	a.round.queue = a.plan(accused).order(a.known.users)
	err := a.checkNames(ctx, len(a.round.queue))
	if a.trouble.note(ctx, "names", err); err != nil {
		a.pace.restart(time.Now())
		return false
	}
	a.round.limits, a.round.shown, a.round.phase = newBreaker(), time.Now(), sweeping
	return true
}

func (a *Account) plan(accused map[string]bool) *plan {
	needs := a.needs()
	return &plan{
		now: time.Now(), until: a.round.next, keysInterval: a.o.KeysInterval,
		source: needs.Source, tagsByUser: a.tags.source == awsapi.TagsFromListUserTags,
		reported: a.report.newest != nil, asksLive: a.asksLive(), liveSince: a.report.liveSince,
		accused: accused,
	}
}

// checkNames makes sure that whoever is to be asked about by name alone is a user
// of this account. Other sources have just listed the users; the last report may
// be hours old.
func (a *Account) checkNames(ctx context.Context, users int) error {
	if a.needs().Source != awsapi.SourceReport || users == 0 {
		return nil
	}
	return a.checkCredentials(ctx, awsiam.ListTags, "the tags would be")
}

// sweep reads the next few users, until none is left or the next refresh is
// due. One batch is read even if the calls before took all the time.
func (a *Account) sweep(ctx context.Context) Progress {
	a.hurry()
	if len(a.round.queue) == 0 || ctx.Err() != nil || a.round.limits.unreachable() ||
		a.round.asked && !time.Now().Before(a.round.next) {
		return a.endSweep(ctx)
	}
	batch := a.round.queue[:min(readers, len(a.round.queue))]
	again := a.readAll(ctx, batch, a.round.limits)
	a.round.queue = append(a.round.queue[len(batch):], again...)
	a.round.asked = true
	if time.Since(a.round.shown) < showInterval {
		return Progress{}
	}
	a.round.shown = time.Now()
	return Progress{Learnt: true}
}

// endSweep measures the pace, of which trouble tells nothing.
func (a *Account) endSweep(ctx context.Context) Progress {
	busy := a.known.firstDeferred()
	a.trouble.note(ctx, "sweep", busy)
	if busy != nil || a.round.limits.unreachable() {
		a.pace.restart(time.Now())
	} else {
		a.pace.note(a.known.users, time.Now())
	}
	return a.endRound()
}

// hurry puts the users who are wanted soon before all others.
func (a *Account) hurry() {
	urgent := a.takeUrgent()
	if len(urgent) == 0 {
		return
	}
	rest := slices.DeleteFunc(a.round.queue, func(user *trackedUser) bool { return slices.Contains(urgent, user) })
	a.round.queue = append(urgent, rest...)
}

// readUrgent reads between two rounds the users who are wanted soon, and
// reports whether there was any.
func (a *Account) readUrgent(ctx context.Context) bool {
	urgent := a.takeUrgent()
	if len(urgent) == 0 || !a.mayRead() {
		return false
	}
	if err := a.checkNames(ctx, len(urgent)); err != nil {
		return false // the next sweep says so
	}
	for batch := range slices.Chunk(urgent, readers) {
		a.readAll(ctx, batch, newBreaker()) // whatever is put back is due in the next sweep
	}
	return true
}

func (a *Account) takeUrgent() []*trackedUser {
	var users []*trackedUser
	for _, name := range a.round.urgent {
		if user := a.known.find(name); user != nil {
			users = append(users, user)
		}
	}
	a.round.urgent = nil
	return users
}

// readAll reads the users at the same time and returns those that AWS was too
// busy for, to be read again later.
func (a *Account) readAll(ctx context.Context, batch []*trackedUser, limits *breaker) (again []*trackedUser) {
	results := make([]*userRead, len(batch))
	var group errgroup.Group
	for i, user := range batch {
		results[i] = a.newRead(user, limits)
		group.Go(func() error { results[i].read(ctx); return nil })
	}
	_ = group.Wait() // reads keep their failures
	for i, user := range batch {
		if ctx.Err() != nil {
			return nil
		}
		result, before := results[i], user.failed
		if user.take(result, a.needs().Source, time.Now()) {
			again = append(again, user)
		}
		if !result.gone {
			a.trouble.countAll(result.failed)
			a.known.noteRecovery(before, result)
		}
	}
	return again
}

func (a *Account) newRead(user *trackedUser, limits *breaker) *userRead {
	r := &userRead{
		reads: a.reads, limits: limits,
		question: question{
			user: user.User, row: user.row, generated: a.report.generated(),
			asksLive: a.asksLive(), waitReport: a.report.newest == nil && !a.asksLive(),
			wantsTags: a.tags.source == awsapi.TagsFromListUserTags,
		},
		answer: answer{worked: map[string]bool{}, failed: map[string]error{}},
	}
	r.limitTo(user, a.needs().Source, a.report.liveSince)
	return r
}
