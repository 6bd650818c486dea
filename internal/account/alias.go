package account

import (
	"context"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
)

// aliasInterval is how often the account's alias is asked for, with success or
// without. It seldom changes, and nothing is decided by it.
const aliasInterval = time.Hour

// aliasDue reports whether to ask for the account's alias in the refresh that
// began then: an answer does not tell whose it is, so not while that is in doubt.
func (m *memory) aliasDue(began time.Time) bool {
	return !m.needs().Named && m.verified && began.Sub(m.aliasAsked) >= aliasInterval &&
		!m.trouble.wrongAccount("users", "report", "tags")
}

// askAlias learns what the account is called. It is worth no trouble: if it
// cannot be had, the last alias stays. New credentials may be another account's, so
// AWS is asked whose they are.
func (a *Account) askAlias(ctx context.Context) Progress {
	a.aliasAsked = a.began
	by := a.reads.KeyInUse()
	alias, err := a.reads.Alias(ctx)
	if err == nil && !a.isProven(by) {
		by = a.reads.KeyInUse()
		err = a.checkCredentials(ctx, awsiam.ListAliases, "the alias is")
	}
	switch {
	case err != nil:
		return Progress{AliasErr: err}
	case !a.isProven(by): // the credentials have changed again
		return Progress{}
	}
	changed := alias != a.known.account.Alias
	a.known.account.Alias = alias
	return Progress{Learnt: changed}
}
