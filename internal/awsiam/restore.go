package awsiam

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// identify learns once which account the credentials belong to. What was
// recalled of another account is not this one's, and goes.
func (r *Reader) identify(ctx context.Context) error {
	if r.identified {
		return nil
	}
	account, observed, err := r.calls.account(ctx)
	if r.note(ctx, "account", err); err != nil {
		return err
	}
	if account.ID != r.account.ID {
		r.recall(account.ID)
	}
	r.account = account
	r.identified = true
	r.setClock(observed)
	return nil
}

// Identified tells whether AWS has told which account this is.
func (r *Reader) Identified() bool { return r.identified }

// recall begins anew with what an earlier process knew of the account. Facts
// keep their observation times, so nothing passes for fresher than it is. The
// users' keys were asked for when they were observed, so a restart costs no
// extra calls.
func (r *Reader) recall(accountID string) {
	s := &inventory.Snapshot{}
	if r.o.Recall != nil {
		if known := r.o.Recall(accountID); known != nil {
			s = known
		}
	}
	r.account, r.root = s.Account, s.Root
	r.listed = s.Freshness[inventory.GroupUsers].Observed
	r.complete = map[inventory.Group]bool{}
	maps.Copy(r.complete, s.Complete)
	r.ordered = make([]*record, len(s.Users))
	for i, user := range s.Users {
		r.ordered[i] = &record{user: user, attempted: r.askedAbout(&user)}
	}
}

// dropOtherSource forgets what was complete, once users are at hand that take
// the place of some recalled from a source of the other kind, with ids or
// without: what was known of those is not known of these, and counts would show
// it as zero.
func (r *Reader) dropOtherSource() {
	withIDs := r.o.Source != awsapi.SourceReport
	if slices.ContainsFunc(r.ordered, func(rec *record) bool { return (rec.user.ID != "") != withIDs }) {
		r.complete = map[inventory.Group]bool{}
	}
}

// askedAbout returns when AWS was last asked about the user alone. That is by
// AWS's clock, which may be ahead of ours.
func (r *Reader) askedAbout(user *inventory.User) time.Time {
	asked := user.Keys.Observed()
	if r.o.Source == awsapi.SourceReport { // which tells everything but tags
		asked = user.Tags.Observed()
	}
	if now := time.Now(); asked.After(now) {
		return now
	}
	return asked
}
