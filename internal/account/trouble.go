package account

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// trouble is what went wrong with the account as a whole.
type trouble struct {
	failed map[string]error            // by step of the refresh, until the step succeeds
	errors map[inventory.Reason]uint64 // failures to learn a fact, since the start
	noRole bool                        // the account's role could not be assumed
	// inherited holds the steps that failed for another client, and that were not
	// taken since: this one may not take them at all.
	inherited map[string]bool
}

func newTrouble() trouble {
	return trouble{failed: map[string]error{}, errors: map[inventory.Reason]uint64{}}
}

// note keeps the failure of a step of the refresh until the step succeeds.
func (t *trouble) note(ctx context.Context, step string, err error) {
	delete(t.inherited, step)
	switch {
	case err == nil:
		t.end(step)
	case ctx.Err() == nil: // else we are stopping, which is no failure
		t.failed[step] = err
		t.add(awsapi.ReasonOf(err))
	}
}

// add counts a failure.
func (t *trouble) add(reason inventory.Reason) {
	t.errors[reason]++
	t.noRole = t.noRole || reason == inventory.ReasonRole
}

// keep is note for a failure that goes on: it counts once, when it begins.
func (t *trouble) keep(ctx context.Context, step string, err error) {
	if err != nil && t.failed[step] != nil {
		t.failed[step] = err
		return
	}
	t.note(ctx, step, err)
}

// inherit takes over the failures that another client has met.
func (t *trouble) inherit(other *trouble) {
	*t = trouble{failed: maps.Clone(other.failed), errors: maps.Clone(other.errors), inherited: map[string]bool{}}
	for step := range t.failed {
		t.inherited[step] = true
	}
}

// endInherited forgets the failures of steps that were not taken since.
func (t *trouble) endInherited() {
	for step := range t.inherited {
		t.end(step)
	}
	t.inherited = nil
}

// end forgets the failure of a step that is not taken any more.
func (t *trouble) end(step string) { delete(t.failed, step) }

// countAll counts the failed calls about a user. One that was put back has not
// failed, and one that was given up was not made.
func (t *trouble) countAll(failed map[string]error) {
	for _, err := range failed {
		reason := awsapi.ReasonOf(err)
		if reason != inventory.ReasonThrottled && !errors.Is(err, errGivenUp) {
			t.add(reason)
		}
	}
}

// count counts failures that no step of the refresh has met.
func (t *trouble) count(failures ...error) {
	for _, err := range failures {
		t.add(awsapi.ReasonOf(err))
	}
}

// counts returns a copy of the counters.
func (t *trouble) counts() map[inventory.Reason]uint64 { return maps.Clone(t.errors) }

// wrongAccount reports whether one of the steps has shown that the credentials may
// reach another account, in which a user of the same name would be somebody else.
func (t *trouble) wrongAccount(steps ...string) bool {
	return slices.ContainsFunc(steps, func(step string) bool {
		return errors.Is(t.failed[step], errWrongAccount) || errors.Is(t.failed[step], errPerhapsWrongAccount)
	})
}

// errWrongAccount says that the credentials are not those of the account that
// they were, or ought to be.
var errWrongAccount = errors.New("the credentials are another account's now; restart the exporter")

// errPerhapsWrongAccount says that this may be so, and that AWS did not tell.
var errPerhapsWrongAccount = errors.New("AWS did not say whether the credentials are another account's now; the next refresh asks again")

// refuseAccount is the failure of a call that another account has answered than
// the one that was expected from the start.
func refuseAccount(action, want, got string) error {
	return awsapi.Wrap(action, "account "+want, &awsapi.Malformed{
		What: fmt.Sprintf("the credentials are those of account %s, want account %s: correct the credentials or role for it", got, want),
	})
}

// checkListing refuses a listing of another account. One without users does not
// tell whose it is, so AWS is asked again who we are.
func (m *memory) checkListing(ctx context.Context, users []inventory.User) error {
	if len(users) == 0 {
		return m.checkCredentials(ctx, awsiam.ListUsers, "the listing is")
	}
	return m.checkOwners(ctx, awsiam.ListUsers, namesOf(users))
}

// checkCredentials asks AWS again who we are, for the sake of answers that do not
// tell whose they are.
func (m *memory) checkCredentials(ctx context.Context, action, answers string) error {
	by := m.reads.KeyInUse()
	account, err := m.reads.Account(ctx)
	if err == nil && account.ID != m.known.account.ID {
		err = awsapi.Wrap(action, "account "+m.known.account.ID, &awsapi.Malformed{What: answers + " of account " + account.ID, Err: errWrongAccount})
	}
	if err == nil {
		m.prove(by)
	}
	return err
}

// checkOwners refuses an answer that names users of another account. One that names some
// of this account, too, tells nothing about whose the credentials are, so AWS is asked:
// as long as they are this account's, the answer alone is wrong.
func (m *memory) checkOwners(ctx context.Context, action string, owners iter.Seq2[string, string]) error {
	own, stranger := false, ""
	wrong := &awsapi.Malformed{}
	for name, userARN := range owners {
		if id, _ := inventory.AccountOf(userARN); id == m.known.account.ID {
			own = true
		} else if wrong.What == "" {
			stranger = name
			wrong.What = fmt.Sprintf("user %q has the ARN %q: expected one in account %s", name, userARN, m.known.account.ID)
		}
	}
	if wrong.What == "" {
		return nil
	}
	if wrong.Err = errWrongAccount; own {
		wrong.Err = m.whose(ctx, action)
	}
	return awsapi.Wrap(action, "account "+m.known.account.ID, &awsiam.UserError{Name: stranger, Err: wrong})
}

// whose asks AWS whose the credentials are, and returns nil if they are the account's.
func (m *memory) whose(ctx context.Context, action string) error {
	err := m.checkCredentials(ctx, action, "the answer is")
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errWrongAccount):
		return errWrongAccount
	}
	return errPerhapsWrongAccount
}

// namesOf yields the names and ARNs of users.
func namesOf(users []inventory.User) iter.Seq2[string, string] {
	return func(yield func(name, userARN string) bool) {
		for i := range users {
			if !yield(users[i].Name, users[i].ARN) {
				return
			}
		}
	}
}

// ownersOf yields the names and ARNs of whose rows a report has.
func ownersOf(report *awsiam.Report) iter.Seq2[string, string] {
	return func(yield func(name, userARN string) bool) {
		for _, owner := range report.Owners() {
			if !yield(owner.User, owner.ARN) {
				return
			}
		}
	}
}
