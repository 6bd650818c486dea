package account

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// facts is what is known of the account.
type facts struct {
	account  inventory.Account
	users    []*trackedUser // by name
	listed   time.Time      // AWS's time of the newest complete listing of users
	root     rootFacts
	complete map[inventory.Group]bool // were once known of everybody
	seen     bool                     // a complete listing has come since the start
}

// rootFacts is what is known of root: what the newest report told, or an earlier
// process knew, and what the newest live answer told. Each is replaced as a
// whole, so that nothing outlives the answer it came in.
type rootFacts struct {
	told, live inventory.Root
	proven     *inventory.Root // live, as trackedUser.proven
}

// joined returns both together.
func (r *rootFacts) joined() inventory.Root { return inventory.MergeRoot(r.told, r.live) }

// takeLive takes over a live answer, which is proven to be of this account or not.
func (r *rootFacts) takeLive(root inventory.Root, proven bool) {
	if !proven && r.proven == nil {
		before := r.live
		r.proven = &before
	}
	r.live = root
}

// trackedUser is one user with what the sweep needs to know.
type trackedUser struct {
	inventory.User                  // what is known: what live answers told, and what the row adds
	live           inventory.User   // what live answers told, or rows of before, or an earlier process knew
	row            *credreport.Row  // of the newest report; nil if no row is this user's
	rowChanged     bool             // since the keys were last listed
	attempted      time.Time        // when the sweep last came by, by our clock
	readWhole      time.Time        // when it last asked all that it needed to
	failed         map[string]error // by call
	deferred       map[string]error // what AWS was too busy for, by call
	retry          bool             // what was denied to this user works for others again
	missing        bool             // stands in the report, but AWS knew no such user when asked for tags
	absent         map[string]bool  // calls to which AWS has said that there is no such user or key
	relisted       int              // how often AWS has listed the user since
	awaited        bool             // stood in the first complete listing, and was not read before
	// proven is live as it was before credentials came of which AWS has not proved yet
	// which account they are of; nil if it is the same.
	proven *inventory.User
}

// join puts together what is known. That there was no sign-in with a password
// says nothing about a user without one: AWS tells the same if there never was a
// password.
func (u *trackedUser) join(generated time.Time) {
	u.User = u.live
	if u.row != nil {
		u.row.Update(&u.User, generated)
	}
	use, _ := u.PasswordUse.Get()
	if console, _ := u.Console.Get(); use.Never() && !console {
		u.PasswordUse = inventory.Fact[inventory.Use]{}
	}
}

// prove takes in that all that has come is of this account.
func (f *facts) prove() {
	f.root.proven = nil
	for _, user := range f.users {
		user.proven = nil
	}
}

// disown forgets what has come by credentials that are another account's, and has those
// it was about read again.
func (f *facts) disown(generated time.Time) {
	if f.root.proven != nil {
		f.root.live, f.root.proven = *f.root.proven, nil
	}
	for _, user := range f.users {
		if user.proven != nil {
			user.live, user.proven, user.retry = *user.proven, nil, true
			user.join(generated)
		}
	}
}

// setTags notes what is known of the user's tags.
func (u *trackedUser) setTags(tags inventory.Fact[inventory.Tags]) {
	u.Tags, u.live.Tags = tags, tags
	if u.proven != nil {
		u.proven.Tags = tags
	}
}

// factsOf returns what a snapshot tells; of nil, nothing.
func factsOf(s *inventory.Snapshot, source awsapi.Source, now time.Time) facts {
	if s == nil {
		s = &inventory.Snapshot{}
	}
	f := facts{
		account: s.Account, root: rootFacts{told: s.Root}, listed: s.Freshness[inventory.GroupUsers].Observed,
		users: make([]*trackedUser, len(s.Users)), complete: map[inventory.Group]bool{},
	}
	maps.Copy(f.complete, s.Complete)
	for i, user := range s.Users {
		asked := askedAbout(&user, source, now)
		f.users[i] = &trackedUser{User: user, live: user, attempted: asked, readWhole: asked}
	}
	return f
}

// askedAbout returns when AWS was last asked about the user alone. That is by
// AWS's clock, which may be ahead of ours.
func askedAbout(user *inventory.User, source awsapi.Source, now time.Time) time.Time {
	asked := observedAlone(user, source)
	if asked.After(now) {
		return now
	}
	return asked
}

// observedAlone returns as of when the facts are that AWS was last asked about the user
// alone for; zero if there are none.
func observedAlone(user *inventory.User, source awsapi.Source) time.Time {
	if source == awsapi.SourceReport { // which tells everything but tags
		return user.Tags.Observed()
	}
	return user.Keys.Observed()
}

// relist takes over a listing of users, who are known by id. Whoever was known
// keeps all that the listing does not tell; those of whom it told what cannot be
// keep everything.
func (f *facts) relist(listed []inventory.User, odd []*awsiam.UserError, observed time.Time) {
	f.dropOtherSource(true)
	listed = slices.Concat(listed, f.liveOf(odd, listed))
	known := make(map[string]*trackedUser, len(f.users))
	for _, user := range f.users {
		known[user.ID] = user
	}
	users := make(map[string]*trackedUser, len(listed))
	for _, user := range listed {
		tracked := known[user.ID]
		if tracked == nil {
			tracked = &trackedUser{}
		}
		tracked.live = tracked.live.Relisted(user)
		if len(tracked.absent) > 0 {
			tracked.relisted, tracked.retry = tracked.relisted+1, true
		}
		users[user.ID] = tracked
	}
	f.setUsers(slices.Collect(maps.Values(users)), observed)
}

// liveOf returns those users as they are known. Who was told of under an impossible
// name is known by id, unless the listing tells of that id as well.
func (f *facts) liveOf(odd []*awsiam.UserError, listed []inventory.User) []inventory.User {
	names, ids := map[string]bool{}, map[string]bool{}
	for _, err := range odd {
		names[err.Name], ids[err.ID] = true, err.ID != ""
	}
	for i := range listed {
		delete(ids, listed[i].ID)
	}
	var users []inventory.User
	for _, user := range f.users {
		if names[user.Name] || ids[user.ID] {
			users = append(users, user.live)
		}
	}
	return users
}

// setUsersFromReport replaces the users by those in the report, who are known
// by name and creation. Their tags are no news of the report's, so they stay. A
// report with rows that cannot be read takes nobody away: whoever it does not
// tell of stays with all that was known, and so does the listing's age.
func (f *facts) setUsersFromReport(report *awsiam.Report) {
	f.dropOtherSource(false)
	rest := make(map[string]*trackedUser, len(f.users)) // not in the report so far
	for _, user := range f.users {
		rest[user.Name] = user
	}
	users := make([]*trackedUser, 0, len(report.Users)+len(report.Unreadable))
	made := make([]trackedUser, len(report.Users))
	for i := range made {
		user := report.Users[i].UserFacts(report.Generated)
		if old := rest[user.Name]; old != nil && old.Created.Equal(user.Created) {
			made[i] = *old
			made[i].missing = false // for all that is known, until asked again
			user.Tags = old.live.Tags
		}
		made[i].live = user
		made[i].join(report.Generated)
		delete(rest, user.Name)
		users = append(users, &made[i])
	}
	complete := true
	for i := range report.Unreadable {
		user, certain := report.Unreadable[i].UserFacts()
		complete = complete && (certain || report.Unreadable[i].User == credreport.RootUser)
		if old := rest[user.Name]; certain && (old == nil || !old.Created.Equal(user.Created)) {
			rest[user.Name] = &trackedUser{User: user, live: user}
		}
	}
	listed := report.Generated
	if len(report.Unreadable) > 0 {
		users = slices.AppendSeq(users, maps.Values(rest))
		if !complete || !f.listed.IsZero() {
			listed = f.listed
		}
	}
	f.setUsers(users, listed)
	for _, user := range rest {
		user.ID, user.live.ID = "", "" // reports tell none
	}
}

// setUsers replaces the set of users. A name belongs to one user: of two that
// a listing shows while one is replaced by the other, the later one.
func (f *facts) setUsers(users []*trackedUser, observed time.Time) {
	slices.SortFunc(users, func(a, b *trackedUser) int {
		if byName := strings.Compare(a.live.Name, b.live.Name); byName != 0 {
			return byName
		}
		return cmp.Or(b.live.Created.Compare(a.live.Created), strings.Compare(a.live.ID, b.live.ID))
	})
	f.users = slices.CompactFunc(users, func(a, b *trackedUser) bool { return a.live.Name == b.live.Name })
	f.listed = observed
	for _, user := range f.users {
		user.awaited = user.awaited || !f.seen && user.attempted.IsZero()
	}
	f.seen = true
}

// dropOtherSource forgets what was complete, once users are at hand that take
// the place of some restored from a source of the other kind, with ids or
// without: what was known of those is not known of these, and counts would show
// it as zero.
func (f *facts) dropOtherSource(withIDs bool) {
	if slices.ContainsFunc(f.users, func(user *trackedUser) bool { return (user.ID != "") != withIDs }) {
		f.complete = map[inventory.Group]bool{}
	}
}

// joinRows finds everybody's row in the report, and puts together what is known.
func (f *facts) joinRows(rows map[string]*credreport.Row, generated time.Time) {
	for _, user := range f.users {
		row := credreport.RowOf(rows, &user.live)
		switch {
		case user.row == nil:
		case row == nil: // what it told stays as it was
			user.rowChanged, user.live = true, user.Relisted(user.live)
		case user.row.CredentialsDiffer(row):
			user.rowChanged = true
		}
		user.row = row
		user.join(generated)
	}
}

// within forgets what cannot be at that time: see inventory.User.Within.
func (f *facts) within(now, latest time.Time) {
	if f.listed.After(now) {
		f.listed = now
	}
	f.root.told, f.root.live = f.root.told.Within(now, latest), f.root.live.Within(now, latest)
	if f.root.proven != nil {
		*f.root.proven = f.root.proven.Within(now, latest)
	}
	for _, user := range f.users {
		user.live, user.User = user.live.Within(now, latest), user.Within(now, latest)
		if user.proven != nil {
			*user.proven = user.proven.Within(now, latest)
		}
	}
}

// retryMisdated has users read again who were asked about later than it looks: our clock
// was behind AWS's then.
func (f *facts) retryMisdated(now, here time.Time, source awsapi.Source) {
	for _, user := range f.users {
		observed := observedAlone(&user.User, source)
		misdated := !observed.IsZero() && now.Sub(observed)-here.Sub(user.attempted) > clockTolerance
		user.retry = user.retry || misdated
	}
}

// clockTolerance is how far two clocks may be apart.
const clockTolerance = time.Minute

// none reports whether nobody is known, and not even that there is nobody.
func (f *facts) none() bool { return f.listed.IsZero() && len(f.users) == 0 }

// find returns the user of that name; nil if there is none.
func (f *facts) find(name string) *trackedUser {
	i, found := slices.BinarySearchFunc(f.users, name, func(user *trackedUser, name string) int { return strings.Compare(user.Name, name) })
	if !found {
		return nil
	}
	return f.users[i]
}

// firstDeferred returns what AWS was too busy to answer about one of the users
// that are to be read again, or nil if there is none.
func (f *facts) firstDeferred() error {
	for _, user := range f.users {
		for _, err := range user.deferred {
			return err
		}
	}
	return nil
}

// noteRecovery has users read again to whom the same was denied that now works.
// That a call was not needed this time is no sign that it would.
func (f *facts) noteRecovery(before map[string]error, result *userRead) {
	for action := range before {
		if !result.worked[action] || result.failed[action] != nil {
			continue
		}
		for _, user := range f.users {
			user.retry = user.retry || user.failed[action] != nil
		}
	}
}

// retryGivenUp has users read again about whom was not asked what has worked for others.
func (f *facts) retryGivenUp(worked map[string]bool) {
	for _, user := range f.users {
		for action, err := range user.failed {
			user.retry = user.retry || worked[action] && errors.Is(err, errGivenUp)
		}
	}
}

// doubt remembers what is known before an answer comes that is not proven to be of
// this account.
func (u *trackedUser) doubt() {
	if u.proven == nil {
		before := u.live
		u.proven = &before
	}
}

// take takes over what a read has learnt. It returns true if AWS was too busy
// to answer everything, in which case the user is to be read again.
func (u *trackedUser) take(r *userRead, source awsapi.Source, now time.Time) (again bool) {
	u.attempted, u.deferred, u.retry, u.absent = now, nil, false, r.answer.absent
	if len(u.absent) == 0 {
		u.relisted = 0
	}
	if r.only == nil {
		u.readWhole = now
	}
	if r.gone {
		u.failed, u.missing = nil, source == awsapi.SourceReport
		return false
	}
	u.takeFacts(r)
	before := u.failed
	u.failed = nil // of nearly all: a map for everybody takes memory
	fail := func(action string, err error) {
		if u.failed == nil {
			u.failed = map[string]error{}
		}
		u.failed[action] = err
	}
	for action, err := range r.failed {
		if awsapi.ReasonOf(err) == inventory.ReasonThrottled { // put back, not failed
			if u.deferred == nil {
				u.deferred = map[string]error{}
			}
			u.deferred[action] = err
			continue
		}
		fail(action, err)
	}
	for action, err := range before {
		if r.only != nil && !r.only[action] { // not asked this time
			fail(action, err)
		}
	}
	return len(u.deferred) > 0
}

// takeFacts takes over what was learnt. An answer replaces the one before it,
// whatever their times are: they came in this order.
func (u *trackedUser) takeFacts(r *userRead) {
	if r.keys.Known() {
		u.live.Keys, u.live.MaybeMoreKeys, u.rowChanged = r.keys, false, false
	}
	if r.password.Console.Known() {
		u.live.Console, u.live.PasswordCreated = r.password.Console, r.password.Created
		u.live.PasswordChanged = r.passwordChanged(u.live.PasswordChanged)
	}
	if r.mfa.Known() {
		u.live.MFA = r.mfa
	}
	if r.tags.Known() {
		u.live.Tags, u.missing = r.tags, false
	}
	u.join(r.generated)
}
