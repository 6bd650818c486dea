package account

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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
)

// sweep reads users, a few in each step.
type sweep struct {
	*memory
	queue   []*trackedUser
	limits  *breaker                      // of this sweep, or the last one
	accused map[string]inventory.GroupSet // what findings rest on, by user
	asked   bool                          // a batch of the queue was read
	shown   time.Time                     // when what is known was last shown
	urgent  []string                      // names of users to read before all others
}

// mayRead reports whether it is certain enough whose users would be asked about.
func (s *sweep) mayRead() bool {
	return s.sweeps() && s.verified && !s.known.none() && !s.trouble.wrongAccount("users", "report", "tags")
}

// begin decides whom to read until the next refresh, and reports whether anybody
// may be read at all.
func (s *sweep) begin(ctx context.Context, until time.Time, accused map[string]inventory.GroupSet) bool {
	if !s.sweeps() {
		s.trouble.end("sweep")
		s.trouble.end("names")
		return false
	}
	if !s.mayRead() {
		return false
	}
	s.accused = accused
	s.queue = s.plan(until, accused).order(s.known.users)
	err := s.checkNames(ctx, len(s.queue))
	if s.trouble.note(ctx, "names", err); err != nil {
		s.queue = nil
		return false
	}
	s.limits, s.shown, s.asked = s.limits.next(), time.Now(), false
	return true
}

func (s *sweep) plan(until time.Time, accused map[string]inventory.GroupSet) *plan {
	needs := s.needs()
	return &plan{
		now: time.Now(), until: until, keysInterval: s.o.KeysInterval,
		source: needs.Source, tagsByUser: s.tags.source == awsapi.TagsFromListUserTags,
		reported: s.report.newest != nil, asksLive: s.asksLive(), liveSince: s.report.liveSince,
		accused: accused,
	}
}

// checkNames makes sure that whoever is to be asked about by name alone is a user
// of this account. Other sources have just listed the users; the last report may
// be hours old.
func (s *sweep) checkNames(ctx context.Context, users int) error {
	if s.needs().Source != awsapi.SourceReport || users == 0 {
		return nil
	}
	return s.checkCredentials(ctx, awsiam.ListTags, "the tags would be")
}

// step reads the next few users. It reports whether there is news to show, and
// whether more is to be read: not if none is left, or the next refresh is due.
// One batch is read even if the calls before took all the time.
func (s *sweep) step(ctx context.Context, until time.Time) (learnt, more bool) {
	s.moveUrgentUp()
	if len(s.queue) == 0 || ctx.Err() != nil || s.limits.unreachable() || s.asked && !time.Now().Before(until) {
		s.end(ctx)
		return false, false
	}
	batch := s.queue[:min(readers, len(s.queue))]
	again, worked := s.readAll(ctx, batch, s.limits)
	s.queue = append(s.queue[len(batch):], again...)
	s.moveDeferredUp(worked)
	s.asked = true
	if time.Since(s.shown) < showInterval {
		return false, true
	}
	s.shown = time.Now()
	return true, true
}

// end says what AWS was too busy for, and has those read again for whom was given up
// what works.
func (s *sweep) end(ctx context.Context) {
	s.trouble.keep(ctx, "sweep", s.known.firstDeferred())
	s.known.retryGivenUp(s.limits.worked)
	s.queue, s.accused = nil, nil
}

// replan orders those who are still to be read again, because something has come
// that matters for it.
func (s *sweep) replan(until time.Time) {
	s.queue = s.plan(until, s.accused).order(s.known.users)
}

// want has users read before all others, if users are read one by one.
func (s *sweep) want(names []string) {
	if !s.sweeps() {
		return
	}
	for _, name := range names {
		if !slices.Contains(s.urgent, name) {
			s.urgent = append(s.urgent, name)
		}
	}
}

// moveUrgentUp puts the users who are wanted soon before all others.
func (s *sweep) moveUrgentUp() {
	urgent := s.takeUrgent()
	if len(urgent) == 0 {
		return
	}
	rest := slices.DeleteFunc(s.queue, func(user *trackedUser) bool { return slices.Contains(urgent, user) })
	s.queue = append(urgent, rest...)
}

// readUrgent reads between two rounds the users who are wanted soon, and
// reports whether there was any.
func (s *sweep) readUrgent(ctx context.Context) bool {
	if len(s.urgent) == 0 || !s.mayRead() || s.checkNames(ctx, len(s.urgent)) != nil { // of which the next sweep tells
		return false
	}
	urgent := s.takeUrgent()
	for batch := range slices.Chunk(urgent, readers) {
		s.readAll(ctx, batch, newBreaker()) // whatever is put back is due in the next sweep
	}
	return len(urgent) > 0
}

func (s *sweep) takeUrgent() []*trackedUser {
	var users []*trackedUser
	for _, name := range s.urgent {
		if user := s.known.find(name); user != nil {
			users = append(users, user)
		}
	}
	s.urgent = nil
	return users
}

// readAll reads the users at the same time and returns those that AWS was too
// busy for, to be read again later, and which calls have worked.
func (s *sweep) readAll(ctx context.Context, batch []*trackedUser, limits *breaker) (again []*trackedUser, worked map[string]bool) {
	results := make([]*userRead, len(batch))
	began, by := time.Now(), s.reads.KeyInUse()
	var group errgroup.Group
	for i, user := range batch {
		results[i] = s.newRead(user, limits)
		group.Go(func() error { results[i].read(ctx); return nil })
	}
	_ = group.Wait() // reads keep their failures
	if ctx.Err() != nil {
		return nil, nil
	}
	worked = map[string]bool{}
	if !slices.ContainsFunc(results, (*userRead).unanswered) { // trouble tells nothing about the pace
		s.pace.note(time.Since(began), len(batch))
	}
	proven := s.isProven(by)
	for i, user := range batch {
		result, before := results[i], user.failed
		if !proven {
			user.doubt()
		}
		if user.take(result, s.needs().Source, time.Now()) {
			again = append(again, user)
		}
		if !result.gone {
			s.trouble.countAll(result.failed)
			s.known.noteRecovery(before, result)
		}
		maps.Copy(worked, result.worked)
	}
	return again, worked
}

// moveDeferredUp has those read next for whom AWS was too busy for what works
// again.
func (s *sweep) moveDeferredUp(worked map[string]bool) {
	waits := func(user *trackedUser) bool {
		for action := range user.deferred {
			if worked[action] {
				return true
			}
		}
		return false
	}
	if !slices.ContainsFunc(s.queue, waits) {
		return
	}
	slices.SortStableFunc(s.queue, func(a, b *trackedUser) int {
		switch {
		case waits(a) == waits(b):
			return 0
		case waits(a):
			return -1
		}
		return 1
	})
}

func (s *sweep) newRead(user *trackedUser, limits *breaker) *userRead {
	r := &userRead{
		reads: s.reads, limits: limits,
		question: question{
			user: user.User, listed: user.live.Keys, row: user.row, generated: s.report.generated(), verify: s.verify(user),
			asksLive: s.asksLive(), waitReport: s.report.newest == nil && !s.asksLive(),
			absent: user.absent, relisted: user.relisted, wantsTags: s.tags.source == awsapi.TagsFromListUserTags,
		},
		answer: answer{worked: map[string]bool{}, failed: map[string]error{}},
	}
	since := time.Now().Add(-s.o.KeysInterval)
	if s.report.liveSince.After(since) {
		since = s.report.liveSince
	}
	r.limitTo(user, s.needs().Source, since)
	return r
}

// verify returns what to ask live about a user whom a rule accuses, rather than
// wait for the next report: once in each round over all users.
func (s *sweep) verify(user *trackedUser) inventory.GroupSet {
	if s.needs().Source != awsapi.SourceAuto {
		return 0
	}
	return s.accused[user.Name]
}
