package awsiam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	// readers is how many users are read at the same time, so that the rate,
	// not the distance to AWS, sets the pace.
	readers = 4
	// publishInterval is how often a sweep shows what it has learnt so far: as
	// often as the more eager scrapes come, because each time the whole account
	// is judged anew.
	publishInterval = 30 * time.Second
	// giveUpAfter is how many times in a row a call may fail before the sweep
	// no longer makes it: what fails for ten users in a row fails for all, and
	// each failure is an event in the customer's CloudTrail.
	giveUpAfter = 10
)

// Sweep ends a refresh: it reads the users that are due, until none is left or
// the time until has come. Users in breach come early. It calls publish now
// and then while it learns something.
func (r *Reader) Sweep(ctx context.Context, until time.Time, inBreach func(name string) bool, publish func()) {
	defer r.endRefresh()
	if !r.sweeps() {
		r.cycle = cycle{}
		delete(r.failed, "sweep")
		delete(r.failed, "names")
		return
	}
	if !r.identified || r.listed.IsZero() || slices.ContainsFunc([]string{"users", "report", "tags"}, r.elsewhere) {
		return
	}
	if r.cycle.started.IsZero() {
		r.cycle.started = time.Now()
	}
	queue := r.due(until, inBreach)
	err := r.checkNames(ctx, queue)
	if r.note(ctx, "names", err); err != nil {
		r.cycle.started = time.Now()
		return
	}
	limits := newBreaker()
	published := time.Now()
	// One batch is read even if the calls before took all the time.
	for first := true; len(queue) > 0 && ctx.Err() == nil && (first || time.Now().Before(until)) && !limits.unreachable(); first = false {
		batch := queue[:min(readers, len(queue))]
		queue = append(queue[len(batch):], r.readAll(ctx, batch, limits)...)
		if ctx.Err() == nil && time.Since(published) >= publishInterval {
			publish()
			published = time.Now()
		}
	}
	busy := r.putBack()
	r.note(ctx, "sweep", busy)
	if busy != nil || limits.unreachable() {
		r.cycle.started = time.Now() // trouble tells nothing about the pace
		return
	}
	r.cycle.note(r.ordered)
}

// checkNames makes sure that whoever is to be asked about by name alone is a user
// of this account. Other sources have just listed the users; the last report may
// be hours old.
func (r *Reader) checkNames(ctx context.Context, queue []*record) error {
	if r.o.Source != awsapi.SourceReport || len(queue) == 0 {
		return nil
	}
	return r.checkCredentials(ctx, listTags, "the tags would be")
}

// sweeps tells whether anything is asked user by user.
func (r *Reader) sweeps() bool {
	return r.o.Source != awsapi.SourceReport || r.tags == awsapi.TagsFromListUserTags
}

func (r *Reader) endRefresh() {
	r.health.Duration = time.Since(r.began)
	r.health.Finished++
}

// putBack returns what AWS was too busy to answer about one of the users that
// are to be read again, or nil if there is none.
func (r *Reader) putBack() error {
	for _, rec := range r.ordered {
		for _, err := range rec.owed {
			return err
		}
	}
	return nil
}

// readAll reads the users at the same time and returns those that AWS was too
// busy for, to be read again later.
func (r *Reader) readAll(ctx context.Context, batch []*record, limits *breaker) (again []*record) {
	results := make([]*reading, len(batch))
	var group errgroup.Group
	for i, rec := range batch {
		results[i] = r.newReading(rec, limits)
		group.Go(func() error { results[i].read(ctx); return nil })
	}
	_ = group.Wait() // readings keep their failures
	for i, rec := range batch {
		if ctx.Err() != nil {
			return nil
		}
		if r.apply(rec, results[i]) {
			again = append(again, rec)
		}
	}
	return again
}

// due returns the users to be read before until, the most urgent first.
func (r *Reader) due(until time.Time, inBreach func(name string) bool) []*record {
	var due []*record
	var probe *record // of those that were denied, the one to try again
	for _, rec := range r.ordered {
		switch {
		case r.isDue(rec, until):
			due = append(due, rec)
		case len(rec.failed) > 0 && (probe == nil || rec.attempted.Before(probe.attempted)):
			probe = rec
		}
	}
	if probe != nil {
		due = append(due, probe)
	}
	rank := make(map[*record]int, len(due))
	for _, rec := range due {
		rank[rec] = r.rank(rec, inBreach)
	}
	slices.SortStableFunc(due, func(a, b *record) int {
		return cmp.Or(rank[a]-rank[b], a.attempted.Compare(b.attempted), strings.Compare(a.user.Name, b.user.Name))
	})
	return due
}

func (r *Reader) isDue(rec *record, until time.Time) bool {
	switch {
	case rec.attempted.IsZero(), rec.rowChanged, rec.retry, len(rec.owed) > 0, rec.attempted.Before(r.liveSince):
		return true
	case transient(rec.failed), len(rec.failed) == 0 && (r.lacks(&rec.user) || r.lacksTags(rec)):
		return true
	}
	return !rec.attempted.Add(r.o.KeysInterval).After(until)
}

// lacks tells whether a fact about the user is to be had but unknown: one that
// the report left out, or a live answer about a password beside active keys.
func (r *Reader) lacks(user *inventory.User) bool {
	if r.o.Source == awsapi.SourceReport || r.report == nil && !r.asksLive() {
		return false // a report is expected to tell
	}
	keys, known := user.Keys.Get()
	if !known || !user.Console.Known() {
		return true
	}
	console, _ := user.Console.Get()
	active, _ := user.CountKeys(inventory.Active)
	if console && (!user.MFA.Known() || active > 0 && !user.PasswordCreated.Known()) {
		return true
	}
	return slices.ContainsFunc(keys, func(k inventory.AccessKey) bool { return !k.LastUse.Known() })
}

// lacksTags tells whether the user's tags are to be had, one user at a time, but
// unknown.
func (r *Reader) lacksTags(rec *record) bool {
	return r.tags == awsapi.TagsFromListUserTags && !rec.user.Tags.Known() && !rec.departed
}

// transient tells whether asking again soon can help. A denied call is denied
// again until somebody changes a policy, and one that was given up is made
// again as soon as it works for somebody.
func transient(failed map[string]error) bool {
	for _, err := range failed {
		if awsapi.ReasonOf(err) != inventory.ReasonDenied && !errors.Is(err, errGivenUp) {
			return true
		}
	}
	return false
}

// rank orders the users that are due. Those that were never read come before
// all others, whoever may hold a key where no key belongs first. Among the
// others come first those who have waited too long already, so that nobody is
// forgotten where the rate is too low for everybody or calls about some go on
// failing, and those about whom a call failed; then those whom the report does
// not cover or a rule accuses.
func (r *Reader) rank(rec *record, inBreach func(name string) bool) int {
	activeSlot, password := false, false
	if rec.row != nil {
		password, _ = rec.row.Password.Get()
		activeSlot = slices.ContainsFunc(rec.row.Slots, func(s credreport.Slot) bool { return s.Active })
	}
	active, _ := rec.user.CountKeys(inventory.Active)
	unread := rec.attempted.IsZero() || rec.attempted.Before(r.liveSince)
	unreported := r.report != nil && rec.row == nil && !r.asksLive()
	overdue := time.Since(rec.attempted) > 2*r.o.KeysInterval
	switch {
	case rec.rowChanged, unread && (unreported || activeSlot && password):
		return 0
	case unread && (active > 0 || activeSlot):
		return 1
	case unread, overdue, len(rec.failed) > 0:
		return 2
	case unreported, inBreach(rec.user.Name):
		return 3
	}
	return 4
}

// reading asks AWS about one user. It holds copies, so that several can run at
// once, and keeps each fact apart, so that one failure costs one fact.
type reading struct {
	calls  calls
	limits *breaker

	user       inventory.User  // as known before
	row        *credreport.Row // the user's, if the report in use has one
	generated  time.Time       // of that report
	asksLive   bool            // no report is in use
	waitReport bool            // no report yet, but one is expected to tell all but keys and tags
	wantsTags  bool            // this user's are to be asked for
	only       map[string]bool // the calls to make; nil for all that are needed

	keys     inventory.Fact[[]inventory.AccessKey]
	password password
	mfa      inventory.Fact[bool]
	tags     inventory.Fact[inventory.Tags]
	worked   map[string]bool
	failed   map[string]error
	gone     bool // AWS knows no such user
}

func (r *Reader) newReading(rec *record, limits *breaker) *reading {
	g := &reading{
		calls: r.calls, limits: limits, user: rec.user, row: rec.row,
		asksLive: r.asksLive(), waitReport: r.report == nil && !r.asksLive(),
		wantsTags: r.tags == awsapi.TagsFromListUserTags,
		worked:    map[string]bool{}, failed: map[string]error{},
	}
	if r.o.Source == awsapi.SourceReport {
		g.only = map[string]bool{listTags: true}
		return g
	}
	if rec.row != nil {
		g.generated = r.report.generated
	}
	anew := rec.owed[listKeys] != nil || rec.rowChanged || rec.attempted.Before(r.liveSince)
	if keys, known := rec.user.Keys.Get(); known && len(rec.owed) > 0 && !anew {
		g.only = map[string]bool{} // what AWS was too busy for
		for action := range rec.owed {
			g.only[action] = true
		}
		g.keys = inventory.Observe(slices.Clone(keys), rec.user.Keys.Observed())
	}
	return g
}

// reports tells whether the row tells the key's last use.
func (g *reading) reports(keys []inventory.AccessKey, key *inventory.AccessKey) bool {
	slot := slotOf(key, keys, g.row)
	if slot == nil {
		return false
	}
	_, tells := slot.LastUse.Get()
	return tells
}

// lacksKey tells whether the row has no active key where the user has one.
func (g *reading) lacksKey(keys []inventory.AccessKey, key *inventory.AccessKey) bool {
	slot := slotOf(key, keys, g.row)
	return slot == nil || !slot.Active
}

func (g *reading) read(ctx context.Context) {
	g.readKeys(ctx)
	if !g.gone {
		g.readTags(ctx)
	}
	if g.gone || g.waitReport {
		return
	}
	g.readUse(ctx)
	if g.needsPassword() {
		g.do(getPassword, func() (err error) {
			g.password, err = g.calls.password(ctx, g.user.Name)
			return err
		})
	}
	if g.needsMFA() {
		g.do(listMFA, func() (err error) {
			g.mfa, err = g.calls.mfa(ctx, g.user.Name)
			return err
		})
	}
}

// do makes a call unless it has failed too often, and keeps its failure.
func (g *reading) do(action string, call func() error) {
	if g.only != nil && !g.only[action] {
		return
	}
	if g.limits.open(action) {
		g.failed[action] = g.limits.reason(action)
		return
	}
	err := call()
	if awsapi.IsNoSuchEntity(err) {
		g.gone = g.gone || action == listKeys || action == listTags
		err = nil // the user or key went meanwhile; the next listing tells
	}
	if err != nil {
		err = &aboutUser{g.user.Name, action, err}
	}
	g.limits.note(action, err)
	if err != nil {
		g.failed[action] = err
		return
	}
	g.worked[action] = true
}

func (g *reading) readKeys(ctx context.Context) {
	g.do(listKeys, func() (err error) {
		g.keys, err = g.calls.listKeys(ctx, g.user.Name)
		return err
	})
	if listed, known := g.keys.Get(); known {
		earlier, _ := g.user.Keys.Get()
		carryUse(listed, earlier)
	}
}

// readTags asks for the user's tags, unless they are not wanted any more, from
// when on the guard refuses to.
func (g *reading) readTags(ctx context.Context) {
	unwanted := func() bool { return !g.wantsTags || g.calls.client.Needs().Tags != awsapi.TagsFromListUserTags }
	if unwanted() {
		return
	}
	g.do(listTags, func() (err error) {
		if g.tags, err = g.calls.listTags(ctx, g.user.Name); unwanted() {
			return nil
		}
		return err
	})
}

func (g *reading) readUse(ctx context.Context) {
	keys, _ := g.keys.Get()
	for i := range keys {
		key := &keys[i]
		if !g.asksLive && g.reports(keys, key) {
			continue
		}
		g.do(getKeyUse, func() error {
			use, err := g.calls.keyUse(ctx, g.user.Name, key.ID)
			key.LastUse = laterUse(key.LastUse, use)
			return err
		})
	}
}

// needsPassword tells whether the report's word on console access is missing,
// or too old to rely on: a key or a sign-in came after it, or the user stands
// accused, so that neither the sin nor its repair waits for the next report.
func (g *reading) needsPassword() bool {
	console, known := g.user.Console.Get()
	if g.asksLive || g.row == nil || !known {
		return true
	}
	signIn, _ := g.user.PasswordUse.Get()
	if !console && signIn.At.After(g.generated) {
		return true
	}
	keys, _ := g.keys.Get()
	for i := range keys {
		if keys[i].Status == inventory.Active && (console || g.lacksKey(keys, &keys[i])) {
			return true
		}
	}
	return false
}

// needsMFA tells whether a user with console access has to be asked for an MFA
// device: no report says, or it says there is none although the user has
// changed since.
func (g *reading) needsMFA() bool {
	if g.only[listMFA] {
		return true
	}
	console, _ := g.user.Console.Newer(g.password.console).Get()
	if !console {
		return false
	}
	if g.asksLive || g.row == nil {
		return true
	}
	reported, told := g.row.MFA.Get()
	return !told || g.password.console.Known() && !reported
}

// apply takes over what the reading has learnt. It returns true if AWS was too
// busy to answer everything, in which case the user is to be read again.
func (r *Reader) apply(rec *record, g *reading) (again bool) {
	rec.attempted, rec.owed = time.Now(), nil
	if g.gone {
		rec.failed, rec.retry, rec.departed = nil, false, r.o.Source == awsapi.SourceReport
		return false
	}
	if keys, known := g.keys.Get(); known {
		if rec.row != nil {
			keys = withUse(keys, rec.row, r.report.generated)
		}
		rec.user.Keys = inventory.Observe(keys, g.keys.Observed())
		rec.rowChanged = false
	}
	rec.user.Console = rec.user.Console.Newer(g.password.console)
	if g.password.console.Known() {
		rec.user.PasswordCreated = g.password.created
	}
	rec.user.MFA = rec.user.MFA.Newer(g.mfa)
	if g.tags.Known() {
		rec.user.Tags, rec.departed = g.tags, false
	}
	for action, err := range g.failed {
		if awsapi.ReasonOf(err) == inventory.ReasonThrottled {
			if rec.owed == nil {
				rec.owed = map[string]error{}
			}
			rec.owed[action] = err
			delete(g.failed, action) // put back, not failed
			continue
		}
		if !errors.Is(err, errGivenUp) {
			r.health.Errors[awsapi.ReasonOf(err)]++
		}
	}
	before := rec.failed
	rec.failed = g.failed
	for action, err := range before {
		if g.only != nil && !g.only[action] { // not asked this time
			rec.failed[action] = err
		}
	}
	r.noteRecovery(before, g)
	rec.retry = false
	return len(rec.owed) > 0
}

// noteRecovery has users read again to whom the same was denied that now works.
// That a call was not needed this time is no sign that it would.
func (r *Reader) noteRecovery(before map[string]error, g *reading) {
	for action := range before {
		if !g.worked[action] || g.failed[action] != nil {
			continue
		}
		for _, rec := range r.ordered {
			rec.retry = rec.retry || rec.failed[action] != nil
		}
	}
}

// errGivenUp marks calls that were not made because they failed for others.
var errGivenUp = errors.New("not asked, because it failed for other users")

// breaker counts, for one sweep, how often in a row each call has failed, and
// how often in a row any call has failed for another reason than a policy.
type breaker struct {
	mu         sync.Mutex
	failures   map[string]int
	last       map[string]error
	unanswered int
}

func newBreaker() *breaker {
	return &breaker{failures: map[string]int{}, last: map[string]error{}}
}

func (b *breaker) note(action string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reason := awsapi.ReasonOf(err)
	switch {
	case err == nil:
		b.failures[action], b.unanswered = 0, 0
		return
	case reason == inventory.ReasonThrottled:
		return
	case reason != inventory.ReasonDenied:
		b.unanswered++
	}
	b.failures[action]++
	b.last[action] = err
}

// unreachable tells whether there is no sense in asking AWS for anything more.
func (b *breaker) unreachable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unanswered >= giveUpAfter
}

func (b *breaker) open(action string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures[action] >= giveUpAfter
}

func (b *breaker) reason(action string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &givenUp{b.last[action]}
}

// givenUp carries the error that other users met, and its class.
type givenUp struct{ err error }

func (e *givenUp) Error() string   { return e.err.Error() }
func (e *givenUp) Unwrap() []error { return []error{e.err, errGivenUp} }

// cycle measures how long the sweep takes to come by everybody.
type cycle struct {
	started time.Time
	length  time.Duration // of the last full cycle; 0 before the first
}

// note ends the cycle if everybody was read since it began.
func (c *cycle) note(all []*record) {
	now := time.Now()
	for _, rec := range all {
		if rec.attempted.Before(c.started) {
			return
		}
	}
	c.length, c.started = now.Sub(c.started), now
}
