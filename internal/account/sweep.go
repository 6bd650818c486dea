package account

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
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
	pace   pace
	queue  []*trackedUser
	limits *breaker
	asked  bool      // a batch of the queue was read
	shown  time.Time // when what is known was last shown
	urgent []string  // names of users to read before all others
}

// sweeps reports whether anything is asked user by user.
func (s *sweep) sweeps() bool {
	return s.needs().Source != awsapi.SourceReport || s.tags.source == awsapi.TagsFromListUserTags
}

// mayRead reports whether it is certain enough whose users would be asked about.
func (s *sweep) mayRead() bool {
	return s.sweeps() && s.identified && !s.known.listed.IsZero() && !s.trouble.wrongAccount("users", "report", "tags")
}

// begin decides whom to read until the next refresh, and reports whether anybody
// may be read at all.
func (s *sweep) begin(ctx context.Context, until time.Time, accused map[string]bool) bool {
	if !s.sweeps() {
		s.pace = pace{}
		s.trouble.end("sweep")
		s.trouble.end("names")
		return false
	}
	if !s.mayRead() {
		return false
	}
	s.pace.begin(time.Now())
	s.queue = s.plan(until, accused).order(s.known.users)
	err := s.checkNames(ctx, len(s.queue))
	if s.trouble.note(ctx, "names", err); err != nil {
		s.pace.restart(time.Now())
		return false
	}
	s.limits, s.shown, s.asked = newBreaker(), time.Now(), false
	return true
}

func (s *sweep) plan(until time.Time, accused map[string]bool) *plan {
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
	again := s.readAll(ctx, batch, s.limits)
	s.queue = append(s.queue[len(batch):], again...)
	s.asked = true
	if time.Since(s.shown) < showInterval {
		return false, true
	}
	s.shown = time.Now()
	return true, true
}

// end measures the pace, of which trouble tells nothing.
func (s *sweep) end(ctx context.Context) {
	busy := s.known.firstDeferred()
	s.trouble.note(ctx, "sweep", busy)
	if busy != nil || s.limits.unreachable() {
		s.pace.restart(time.Now())
	} else {
		s.pace.note(s.known.users, time.Now())
	}
	s.queue = nil
}

// want has users read before all others.
func (s *sweep) want(names []string) {
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
	urgent := s.takeUrgent()
	if len(urgent) == 0 || !s.mayRead() {
		return false
	}
	if err := s.checkNames(ctx, len(urgent)); err != nil {
		return false // the next sweep says so
	}
	for batch := range slices.Chunk(urgent, readers) {
		s.readAll(ctx, batch, newBreaker()) // whatever is put back is due in the next sweep
	}
	return true
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
// busy for, to be read again later.
func (s *sweep) readAll(ctx context.Context, batch []*trackedUser, limits *breaker) (again []*trackedUser) {
	results := make([]*userRead, len(batch))
	var group errgroup.Group
	for i, user := range batch {
		results[i] = s.newRead(user, limits)
		group.Go(func() error { results[i].read(ctx); return nil })
	}
	_ = group.Wait() // reads keep their failures
	for i, user := range batch {
		if ctx.Err() != nil {
			return nil
		}
		result, before := results[i], user.failed
		if user.take(result, s.needs().Source, time.Now()) {
			again = append(again, user)
		}
		if !result.gone {
			s.trouble.countAll(result.failed)
			s.known.noteRecovery(before, result)
		}
	}
	return again
}

func (s *sweep) newRead(user *trackedUser, limits *breaker) *userRead {
	r := &userRead{
		reads: s.reads, limits: limits,
		question: question{
			user: user.User, row: user.row, generated: s.report.generated(),
			asksLive: s.asksLive(), waitReport: s.report.newest == nil && !s.asksLive(),
			wantsTags: s.tags.source == awsapi.TagsFromListUserTags,
		},
		answer: answer{worked: map[string]bool{}, failed: map[string]error{}},
	}
	r.limitTo(user, s.needs().Source, s.report.liveSince)
	return r
}
