package account

import (
	"cmp"
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
	root     inventory.Root
	complete map[inventory.Group]bool // were once known of everybody
}

// trackedUser is one user with what the sweep needs to know.
type trackedUser struct {
	inventory.User
	row        *credreport.Row  // of the newest report; nil if no row is this user's
	rowChanged bool             // since the keys were last listed
	attempted  time.Time        // when the sweep last came by, by our clock
	failed     map[string]error // by call
	deferred   map[string]error // what AWS was too busy for, by call
	retry      bool             // what was denied to this user works for others again
	missing    bool             // stands in the report, but AWS knew no such user when asked for tags
}

// factsOf returns what a snapshot tells; of nil, nothing.
func factsOf(s *inventory.Snapshot, source awsapi.Source, now time.Time) facts {
	if s == nil {
		s = &inventory.Snapshot{}
	}
	f := facts{
		account: s.Account, root: s.Root, listed: s.Freshness[inventory.GroupUsers].Observed,
		users: make([]*trackedUser, len(s.Users)), complete: map[inventory.Group]bool{},
	}
	maps.Copy(f.complete, s.Complete)
	for i, user := range s.Users {
		f.users[i] = &trackedUser{User: user, attempted: askedAbout(&user, source, now)}
	}
	return f
}

// askedAbout returns when AWS was last asked about the user alone. That is by
// AWS's clock, which may be ahead of ours.
func askedAbout(user *inventory.User, source awsapi.Source, now time.Time) time.Time {
	asked := user.Keys.Observed()
	if source == awsapi.SourceReport { // which tells everything but tags
		asked = user.Tags.Observed()
	}
	if asked.After(now) {
		return now
	}
	return asked
}

// relist takes over a listing of users, who are known by id. Whoever was known
// keeps all that the listing does not tell.
func (f *facts) relist(listed []inventory.User, observed time.Time) {
	f.dropOtherSource(true)
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
		tracked.User = tracked.Relisted(user)
		users[user.ID] = tracked
	}
	f.setUsers(slices.Collect(maps.Values(users)), observed)
}

// setUsersFromReport replaces the users by those in the report, who are known
// by name and creation. Their tags are no news of the report's, so they stay.
func (f *facts) setUsersFromReport(report *awsiam.Report) {
	f.dropOtherSource(false)
	known := make(map[string]*trackedUser, len(f.users))
	for _, user := range f.users {
		known[user.Name] = user
	}
	made := make([]trackedUser, len(report.Users))
	users := make([]*trackedUser, len(made))
	for i := range made {
		user := report.Users[i].UserFacts(report.Generated)
		if old := known[user.Name]; old != nil && old.Created.Equal(user.Created) {
			made[i] = *old
			made[i].missing = false // for all that is known, until asked again
			user.Tags = old.Tags
		}
		made[i].User = user
		users[i] = &made[i]
	}
	f.setUsers(users, report.Generated)
}

// setUsers replaces the set of users. A name belongs to one user: of two that
// a listing shows while one is replaced by the other, the later one.
func (f *facts) setUsers(users []*trackedUser, observed time.Time) {
	slices.SortFunc(users, func(a, b *trackedUser) int {
		if byName := strings.Compare(a.Name, b.Name); byName != 0 {
			return byName
		}
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	f.users = slices.CompactFunc(users, func(a, b *trackedUser) bool { return a.Name == b.Name })
	f.listed = observed
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

// joinRows finds everybody's row in the report and takes over its facts.
func (f *facts) joinRows(rows map[string]*credreport.Row, generated time.Time) {
	for _, user := range f.users {
		row := credreport.RowOf(rows, &user.User)
		user.rowChanged = user.rowChanged || user.row != nil && row != nil && user.row.CredentialsDiffer(row)
		if user.row = row; row != nil {
			row.Update(&user.User, generated)
		}
	}
}

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

// take takes over what a read has learnt. It returns true if AWS was too busy
// to answer everything, in which case the user is to be read again.
func (u *trackedUser) take(r *userRead, source awsapi.Source, now time.Time) (again bool) {
	u.attempted, u.deferred, u.retry = now, nil, false
	if r.gone {
		u.failed, u.missing = nil, source == awsapi.SourceReport
		return false
	}
	u.takeFacts(r)
	before := u.failed
	u.failed = map[string]error{}
	for action, err := range r.failed {
		if awsapi.ReasonOf(err) == inventory.ReasonThrottled { // put back, not failed
			if u.deferred == nil {
				u.deferred = map[string]error{}
			}
			u.deferred[action] = err
			continue
		}
		u.failed[action] = err
	}
	for action, err := range before {
		if r.only != nil && !r.only[action] { // not asked this time
			u.failed[action] = err
		}
	}
	return len(u.deferred) > 0
}

func (u *trackedUser) takeFacts(r *userRead) {
	if keys, known := r.keys.Get(); known {
		if u.row != nil {
			keys = u.row.WithUse(keys, r.generated)
		}
		u.Keys, u.rowChanged = inventory.Observe(keys, r.keys.Observed()), false
	}
	u.Console = u.Console.Newer(r.password.Console)
	if r.password.Console.Known() {
		u.PasswordCreated = r.password.Created
	}
	u.MFA = u.MFA.Newer(r.mfa)
	if r.tags.Known() {
		u.Tags, u.missing = r.tags, false
	}
}
