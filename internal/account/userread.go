package account

import (
	"context"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// userRead asks AWS about one user. It holds copies, so that several can run at
// once, and keeps each fact apart, so that one failure costs one fact.
type userRead struct {
	reads  awsiam.Reader
	limits *breaker
	question
	answer
}

// question is what there is to ask about a user.
type question struct {
	user       inventory.User                        // as known before
	listed     inventory.Fact[[]inventory.AccessKey] // the keys as they were last listed
	row        *credreport.Row                       // the user's, if the report in use has one
	generated  time.Time                             // of that report
	asksLive   bool                                  // no report is in use
	waitReport bool                                  // no report yet, but one is expected to tell all but keys and tags
	wantsTags  bool                                  // this user's are to be asked for
	verify     inventory.GroupSet                    // what a finding about the user rests on
	absent     map[string]bool                       // calls to which AWS said that there is no such user or key
	relisted   int                                   // how often AWS has listed the user since
	only       map[string]bool                       // the calls to make; nil for all that are needed
}

// answer is what was learnt about a user.
type answer struct {
	keys     inventory.Fact[[]inventory.AccessKey]
	password awsiam.Password
	mfa      inventory.Fact[bool]
	tags     inventory.Fact[inventory.Tags]
	worked   map[string]bool  // by call
	failed   map[string]error // by call
	absent   map[string]bool  // by call: AWS knows no such user or key; nil for none
	gone     bool             // AWS knows no such user
}

// limitTo has only that asked which AWS was too busy for the last time, if all
// else is known, was asked since the time that is given, and has not changed since.
func (r *userRead) limitTo(user *trackedUser, source awsapi.Source, since time.Time) {
	if source == awsapi.SourceReport {
		r.only = map[string]bool{awsiam.ListTags: true}
		return
	}
	again := user.deferred[awsiam.ListKeys] != nil || user.rowChanged || user.readWhole.Before(since)
	keys, known := user.live.Keys.Get()
	if !known || len(user.deferred) == 0 || again {
		return
	}
	r.only = map[string]bool{}
	for action := range user.deferred {
		r.only[action] = true
	}
	r.keys = inventory.Observe(slices.Clone(keys), user.live.Keys.Observed())
}

// tellsUse reports whether the row tells the key's last use.
func (r *userRead) tellsUse(keys []inventory.AccessKey, key *inventory.AccessKey) bool {
	slot := r.row.Slot(key, keys)
	if slot == nil {
		return false
	}
	_, tells := slot.LastUse.Get()
	return tells
}

// lacksKey reports whether the row has no active key where the user has one.
func (r *userRead) lacksKey(keys []inventory.AccessKey, key *inventory.AccessKey) bool {
	slot := r.row.Slot(key, keys)
	return slot == nil || !slot.Active
}

func (r *userRead) read(ctx context.Context) {
	r.readKeys(ctx)
	if !r.gone {
		r.readTags(ctx)
	}
	if r.gone || r.waitReport {
		return
	}
	r.readUse(ctx)
	if r.needsPassword() {
		r.do(awsiam.GetPassword, func() (err error) {
			r.password, err = r.reads.Password(ctx, r.user.Name)
			return err
		})
	}
	if r.needsMFA() {
		r.do(awsiam.ListMFA, func() (err error) {
			r.mfa, err = r.reads.MFA(ctx, r.user.Name)
			return err
		})
	}
}

// unanswered reports whether AWS did not answer, or could not be understood. A
// denial is an answer, and so is that AWS is busy.
func (r *userRead) unanswered() bool {
	for _, err := range r.failed {
		reason := awsapi.ReasonOf(err)
		if reason != inventory.ReasonThrottled && reason != inventory.ReasonDenied {
			return true
		}
	}
	return false
}

// do makes a call unless it has failed too often, and keeps its failure.
func (r *userRead) do(action string, call func() error) {
	if r.only != nil && !r.only[action] {
		return
	}
	if r.limits.open(action) {
		r.failed[action] = r.limits.reason(action)
		return
	}
	err := call()
	if awsapi.IsNoSuchEntity(err) {
		err = r.noteAbsent(action)
	}
	if err != nil {
		err = &awsiam.UserError{Name: r.user.Name, Action: action, Err: err}
	}
	r.limits.note(action, err)
	if err != nil {
		r.failed[action] = err
		return
	}
	r.worked[action] = true
}

// absentListings is how many listings of a user may come while AWS says that there is
// no such user, or that a key is none: changes take a while to show everywhere.
const absentListings = 2

// noteAbsent takes in that AWS knows no such user or key. The user or key went
// meanwhile, and the next listing tells; unless listings go on telling otherwise.
func (r *userRead) noteAbsent(action string) error {
	if r.answer.absent == nil {
		r.answer.absent = map[string]bool{}
	}
	r.answer.absent[action] = true
	if r.question.absent[action] && r.relisted >= absentListings {
		return awsapi.Wrap(action, "user "+r.user.Name, &awsapi.Malformed{What: "AWS says that there is no such user or key, and lists it again and again: expected one of the two"})
	}
	r.gone = r.gone || action == awsiam.ListKeys || action == awsiam.ListTags
	return nil
}

func (r *userRead) readKeys(ctx context.Context) {
	r.do(awsiam.ListKeys, func() (err error) {
		r.keys, err = r.reads.Keys(ctx, r.user.Name)
		return err
	})
	if listed, known := r.keys.Get(); known {
		earlier, _ := r.listed.Get()
		inventory.CarryUse(listed, earlier)
	}
}

// readTags asks for the user's tags, unless they are not wanted any more, from
// when on the guard refuses to.
func (r *userRead) readTags(ctx context.Context) {
	unwanted := func() bool { return !r.wantsTags || r.reads.Needs().Tags != awsapi.TagsFromListUserTags }
	if unwanted() {
		return
	}
	r.do(awsiam.ListTags, func() (err error) {
		if r.tags, err = r.reads.Tags(ctx, r.user.Name); unwanted() {
			return nil
		}
		return err
	})
}

func (r *userRead) readUse(ctx context.Context) {
	keys, _ := r.keys.Get()
	for i := range keys {
		key := &keys[i]
		verify := r.verify.Has(inventory.GroupKeyUse) && key.Status == inventory.Active
		if !r.asksLive && !verify && r.tellsUse(keys, key) {
			continue
		}
		r.do(awsiam.GetKeyUse, func() error {
			use, err := r.reads.KeyUse(ctx, r.user.Name, key.ID)
			if use.Known() {
				key.LastUse = use
			}
			return err
		})
	}
}

// needsPassword reports whether the report's word on console access is missing,
// or too old to rely on: a key or a sign-in came after it, or a finding rests on
// it, so that neither a new violation nor its repair waits for the next report.
func (r *userRead) needsPassword() bool {
	console, known := r.user.Console.Get()
	if r.asksLive || r.row == nil || !known || r.verify.Has(inventory.GroupConsole) {
		return true
	}
	signIn, _ := r.user.PasswordUse.Get()
	if !console && signIn.At.After(r.generated) {
		return true
	}
	keys, _ := r.keys.Get()
	for i := range keys {
		if keys[i].Status == inventory.Active && (console || r.lacksKey(keys, &keys[i])) {
			return true
		}
	}
	return false
}

// passwordChanged returns what is known of the password's last change after a live
// answer about it. Where no report will tell of a later change, the last one known
// stands as of now, or it would freeze what rests on it.
func (r *userRead) passwordChanged(before inventory.Fact[time.Time]) inventory.Fact[time.Time] {
	has, _ := r.password.Console.Get()
	changed, known := before.Get()
	switch {
	case !has:
		return inventory.Fact[time.Time]{}
	case known && (r.asksLive || r.row == nil):
		return inventory.Observe(changed, r.password.Console.Observed())
	}
	return before
}

// needsMFA reports whether a user with console access has to be asked for an MFA
// device: no report says, or it says there is none although the user has
// changed since.
func (r *userRead) needsMFA() bool {
	if r.only[awsiam.ListMFA] {
		return true
	}
	console, _ := r.user.Console.Get()
	if now, known := r.password.Console.Get(); known {
		console = now
	}
	if !console {
		return false
	}
	if r.asksLive || r.row == nil {
		return true
	}
	reported, told := r.row.MFA.Get()
	return !told || r.password.Console.Known() && !reported
}
