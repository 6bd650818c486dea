// Package awsiam reads one AWS account and keeps the newest good facts about
// it: a few calls at every refresh, and a sweep over the users in between.
package awsiam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// ReportLife is how long AWS keeps a credential report before it makes another.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
const ReportLife = 4 * time.Hour

// reportPatience is how long a report may be late before its facts are asked
// for one by one: a large account's report takes minutes to make, and asking
// for everything live costs thousands of calls.
const reportPatience = 15 * time.Minute

// Options are the settings of a Reader.
type Options struct {
	Source          awsapi.Source
	RefreshInterval time.Duration // between two refreshes
	KeysInterval    time.Duration // within which each user's keys are read again
	ReportLife      time.Duration // how long AWS keeps a report; 0 means ReportLife
	// Recall returns what an earlier process knew of the account, or nil. It is
	// first asked for the account "", before AWS has told which one this is. It
	// may be nil.
	Recall func(accountID string) *inventory.Snapshot
}

// Reader keeps what is known of one account. It is used by one goroutine.
type Reader struct {
	calls calls
	o     Options

	account    inventory.Account
	identified bool      // AWS has told that the account is this one
	ordered    []*record // the users, by name
	listed     time.Time // AWS's time of the newest complete listing of users
	root       inventory.Root
	complete   map[inventory.Group]bool

	report     *report
	rows       map[string]*credreport.Row // of the newest report, by user name
	reportFrom time.Time                  // since when a report is waited for
	denied     bool                       // the report is not allowed
	liveSince  time.Time                  // since when auto does without a report; zero if it does not

	tags     awsapi.TagSource // where tags come from
	tagsRead time.Time        // when the refresh began that last read everybody's; zero if none did

	skew   time.Duration    // AWS's clock less ours, where they differ much
	failed map[string]error // what went wrong in the refresh, by step
	health inventory.Health
	began  time.Time // the refresh under way
	cycle  cycle
}

// record is one user with what the sweep needs to know.
type record struct {
	user       inventory.User
	row        *credreport.Row // of the newest report; nil if no row is this user's
	rowChanged bool            // since the keys were last listed
	attempted  time.Time       // when the sweep last came by, by our clock
	failed     map[string]error
	owed       map[string]error // what AWS was too busy for, by call
	retry      bool             // what was denied to this user works for others again
	departed   bool             // stands in the report, but AWS knew no such user when asked for tags
}

// New returns a Reader that knows nothing but what it can recall.
func New(client *awsapi.Client, o Options) *Reader {
	if o.ReportLife == 0 {
		o.ReportLife = ReportLife
	}
	r := &Reader{
		calls: calls{client}, o: o,
		complete: map[inventory.Group]bool{}, failed: map[string]error{},
	}
	r.health.Errors = map[inventory.Reason]uint64{}
	r.recall("")
	r.setTagSource(client.Needs().Tags)
	return r
}

// Refresh asks, in few calls, for what changes the picture of the whole
// account. A failure leaves the facts it was about as they were, and stands in
// the next snapshot's health.
func (r *Reader) Refresh(ctx context.Context) {
	r.health.Refreshes++
	r.began = time.Now()
	err := r.identify(ctx)
	r.setTagSource(r.calls.client.Needs().Tags)
	if err != nil {
		return
	}
	if r.o.Source != awsapi.SourceReport {
		r.refreshUsers(ctx)
	}
	if r.elsewhere("users") {
		return
	}
	if r.wantsReport() {
		r.refreshReport(ctx)
	}
	if r.elsewhere("report") {
		return
	}
	if r.tags == awsapi.TagsFromAuthorizationDetails {
		r.refreshTags(ctx)
	}
	if r.elsewhere("tags") {
		return
	}
	r.decideFallback()
	if r.o.Source != awsapi.SourceReport && !r.reportUsable() {
		root, err := r.calls.rootSummary(ctx)
		if r.note(ctx, "root", err); err == nil {
			r.root = mergeRoot(r.root, root)
		}
	} else {
		delete(r.failed, "root")
	}
}

// note keeps the failure of a step of the refresh until the step succeeds.
func (r *Reader) note(ctx context.Context, step string, err error) {
	switch {
	case err == nil:
		delete(r.failed, step)
	case ctx.Err() == nil: // else we are stopping, which is no failure
		r.failed[step] = err
		r.health.Errors[awsapi.ReasonOf(err)]++
	}
}

func (r *Reader) refreshUsers(ctx context.Context) {
	users, observed, err := r.calls.listUsers(ctx)
	if err == nil {
		err = r.checkListing(ctx, users)
	}
	if r.note(ctx, "users", err); err != nil {
		return
	}
	r.dropOtherSource()
	known := make(map[string]*record, len(r.ordered))
	for _, rec := range r.ordered {
		known[rec.user.ID] = rec
	}
	records := make(map[string]*record, len(users))
	for _, user := range users {
		rec := known[user.ID]
		if rec == nil {
			rec = &record{}
		}
		old := rec.user
		user.Keys, user.Console, user.PasswordCreated, user.MFA = old.Keys, old.Console, old.PasswordCreated, old.MFA
		user.Tags = old.Tags
		user.PasswordUse = laterUse(old.PasswordUse, user.PasswordUse)
		rec.user = user
		records[user.ID] = rec
	}
	r.setUsers(slices.Collect(maps.Values(records)), observed)
}

// checkListing refuses a listing of another account. One without users does not
// tell whose it is, so AWS is asked again who we are.
func (r *Reader) checkListing(ctx context.Context, users []inventory.User) error {
	if len(users) == 0 {
		return r.checkCredentials(ctx, "iam:ListUsers", "the listing is")
	}
	return r.checkAccounts("iam:ListUsers", users)
}

// checkCredentials asks AWS again who we are, for the sake of answers that do not
// tell whose they are.
func (r *Reader) checkCredentials(ctx context.Context, action, answers string) error {
	account, _, err := r.calls.account(ctx)
	if err == nil && account.ID != r.account.ID {
		err = awsapi.Wrap(action, "account "+r.account.ID, &awsapi.Malformed{What: answers + " of account " + account.ID, Err: errOtherAccount})
	}
	return err
}

// checkAccounts refuses users of another account.
func (r *Reader) checkAccounts(action string, users []inventory.User) error {
	for i := range users {
		if err := r.checkAccount(users[i].Name, users[i].ARN); err != nil {
			return awsapi.Wrap(action, "account "+r.account.ID, err)
		}
	}
	return nil
}

func (r *Reader) checkReport(newest *report) error {
	var err error
	if newest.Root != nil {
		err = r.checkAccount(newest.Root.User, newest.Root.ARN)
	}
	for i := 0; i < len(newest.Users) && err == nil; i++ {
		err = r.checkAccount(newest.Users[i].User, newest.Users[i].ARN)
	}
	return awsapi.Wrap("iam:GetCredentialReport", "account "+r.account.ID, err)
}

// errOtherAccount says that the credentials changed while the program runs.
var errOtherAccount = errors.New("the credentials are another account's now; restart the exporter")

// checkAccount refuses a user of another account.
func (r *Reader) checkAccount(name, userARN string) error {
	if strings.Contains(userARN, "::"+r.account.ID+":") {
		return nil
	}
	return &aboutUser{name, "", &awsapi.Malformed{What: fmt.Sprintf("user %q has the ARN %q: expected one in account %s", name, userARN, r.account.ID), Err: errOtherAccount}}
}

// elsewhere tells whether the step has shown that the credentials reach another
// account, in which a user of the same name would be somebody else.
func (r *Reader) elsewhere(step string) bool {
	return errors.Is(r.failed[step], errOtherAccount)
}

// setUsers replaces the set of users. A name belongs to one user: of two that
// a listing shows while one is replaced by the other, the later one.
func (r *Reader) setUsers(records []*record, observed time.Time) {
	slices.SortFunc(records, func(a, b *record) int {
		if byName := strings.Compare(a.user.Name, b.user.Name); byName != 0 {
			return byName
		}
		return cmp.Or(b.user.Created.Compare(a.user.Created), strings.Compare(a.user.ID, b.user.ID))
	})
	r.ordered = slices.CompactFunc(records, func(a, b *record) bool { return a.user.Name == b.user.Name })
	r.listed = observed
	for _, rec := range r.ordered {
		r.joinRow(rec)
	}
}

// joinRow finds the user's row in the newest report and takes over its facts.
func (r *Reader) joinRow(rec *record) {
	if r.o.Source != awsapi.SourceAuto {
		return
	}
	row := rowOf(r.rows, &rec.user)
	rec.rowChanged = rec.rowChanged || rec.row != nil && row != nil && credentialsChanged(rec.row, row)
	if rec.row = row; row == nil {
		return
	}
	generated := r.report.generated
	user := &rec.user
	user.Console = user.Console.Newer(row.Password.ObservedAt(generated))
	user.MFA = user.MFA.Newer(row.MFA.ObservedAt(generated))
	user.PasswordUse = laterUse(user.PasswordUse, row.PasswordUse.ObservedAt(generated))
	if console, _ := user.Console.Get(); !console {
		user.PasswordCreated = inventory.Fact[time.Time]{}
	}
	if keys, known := user.Keys.Get(); known {
		user.Keys = inventory.Observe(withUse(keys, row, generated), user.Keys.Observed())
	}
}

// credentialsChanged tells whether two rows of a user differ in what a listing
// of keys would show, or in the password.
func credentialsChanged(a, b *credreport.Row) bool {
	shown := func(row *credreport.Row) []string {
		var keys []string
		for _, slot := range row.Slots {
			keys = append(keys, fmt.Sprint(slot.Created.Unix(), slot.Active))
		}
		slices.Sort(keys)
		return keys
	}
	return a.Password != b.Password || !slices.Equal(shown(a), shown(b))
}

// setClock notes how far our clock is from AWS's. A few seconds are the time
// an answer takes.
func (r *Reader) setClock(aws time.Time) {
	r.skew = time.Until(aws)
	if r.skew.Abs() < time.Minute {
		r.skew = 0
	}
}

// awsNow is the time by AWS's clock, which is the one in reports.
func (r *Reader) awsNow() time.Time { return time.Now().Add(r.skew) }

// wantsReport tells whether the source uses reports, and a newer one can exist.
func (r *Reader) wantsReport() bool {
	if r.o.Source == awsapi.SourceLive {
		return false
	}
	return r.report == nil || !r.awsNow().Before(r.report.generated.Add(r.o.ReportLife))
}

func (r *Reader) refreshReport(ctx context.Context) {
	var known time.Time
	if r.report != nil {
		known = r.report.generated
	}
	if r.reportFrom.IsZero() {
		r.reportFrom = time.Now()
	}
	newest, err := r.calls.report(ctx, known)
	if err == nil {
		r.setClock(newest.served)
		err = r.checkReport(newest)
	}
	if err == nil && !newest.generated.After(known) && !r.reportUsable() {
		// AWS still hands out a report that it should have replaced long ago.
		err = awsapi.Wrap("iam:GetCredentialReport", "the account", awsapi.ErrReportNotReady)
	}
	r.denied = err != nil && awsapi.ReasonOf(err) == inventory.ReasonDenied
	if r.note(ctx, "report", err); err != nil || !newest.generated.After(known) {
		return
	}
	r.report = newest
	if newest.Root != nil {
		r.root = mergeRoot(r.root, rootFromRow(newest.Root, newest.generated))
	}
	if r.o.Source == awsapi.SourceReport {
		r.setUsersFromReport()
		return
	}
	r.rows = make(map[string]*credreport.Row, len(newest.Users))
	for i := range newest.Users {
		r.rows[newest.Users[i].User] = &newest.Users[i]
	}
	for _, rec := range r.ordered {
		r.joinRow(rec)
	}
}

// setUsersFromReport replaces the users by those in the report. Their tags are
// no news of the report's, so they stay.
func (r *Reader) setUsersFromReport() {
	r.dropOtherSource()
	known := make(map[string]*record, len(r.ordered))
	for _, rec := range r.ordered {
		known[rec.user.Name] = rec
	}
	made := make([]record, len(r.report.Users))
	records := make([]*record, len(made))
	for i := range made {
		user := userFromRow(&r.report.Users[i], r.report.generated)
		if old := known[user.Name]; old != nil && old.user.Created.Equal(user.Created) {
			made[i] = *old
			made[i].departed = false // for all that is known, until asked again
			user.Tags = old.user.Tags
		}
		made[i].user = user
		records[i] = &made[i]
	}
	r.setUsers(records, r.report.generated)
}

// reportSlack is how late a report may come before it is given up: a refresh
// or two must fall due, and AWS takes its time.
func (r *Reader) reportSlack() time.Duration { return 2*r.o.RefreshInterval + reportPatience }

// reportUsable tells whether the facts that reports give come from one.
func (r *Reader) reportUsable() bool {
	return r.report != nil && r.awsNow().Before(r.report.generated.Add(r.o.ReportLife+r.reportSlack()))
}

// decideFallback lets auto do without a report once none can be had: not
// allowed, too old, or late for too long.
func (r *Reader) decideFallback() {
	if r.o.Source != awsapi.SourceAuto {
		return
	}
	late := r.report != nil || !r.reportFrom.IsZero() && time.Since(r.reportFrom) >= reportPatience
	switch {
	case r.reportUsable():
		r.liveSince = time.Time{}
	case r.liveSince.IsZero() && (r.denied || late):
		r.liveSince = time.Now()
	}
}

// asksLive tells whether console access, MFA and key use are asked user by user.
func (r *Reader) asksLive() bool {
	return r.o.Source == awsapi.SourceLive || !r.liveSince.IsZero()
}
