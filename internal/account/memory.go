package account

import (
	"context"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// memory is what an account remembers between two steps, and what follows from
// that alone. Refresh and sweep share it.
type memory struct {
	reads awsiam.Reader
	o     Options

	identified bool // AWS has told that the account is this one
	known      facts
	report     reportState
	tags       tagState
	clock      clock
	trouble    trouble
}

// needs are what the account's client serves at the moment.
func (m *memory) needs() awsapi.Needs { return m.reads.Needs() }

// Restore begins again with what an earlier process knew of the account; nil
// for nothing. Facts keep the times of their observation, so nothing passes for
// fresher than it is. The users' keys were asked for when they were observed,
// so a restart costs no extra calls.
func (m *memory) Restore(kept *inventory.Snapshot) {
	account := inventory.Account{ID: m.o.ID}
	if m.identified {
		account = m.known.account
	}
	if kept != nil && account.ID != "" && kept.Account.ID != account.ID {
		kept = nil
	}
	m.known = factsOf(kept, m.needs().Source, time.Now())
	if m.identified || kept == nil {
		m.known.account = account
	}
}

// Identified reports whether AWS has told which account this is.
func (m *memory) Identified() bool { return m.identified }

// identify learns once which account this is. It returns whether what is kept
// of the account is still to be restored.
func (m *memory) identify(ctx context.Context) (restore bool, err error) {
	if m.identified {
		return false, nil
	}
	account, observed, err := m.reads.Account(ctx)
	if err == nil && m.o.ID != "" && account.ID != m.o.ID {
		err = refuseAccount(awsiam.GetCallerIdentity, m.o.ID, account.ID)
	}
	if m.trouble.note(ctx, "account", err); err != nil {
		return false, err
	}
	if account.ID != m.known.account.ID {
		m.known, restore = factsOf(nil, "", time.Time{}), true
	}
	m.known.account, m.identified = account, true
	m.clock.set(observed)
	return restore, nil
}

// clock knows how far our clock is from AWS's, which is the one in reports.
type clock struct{ skew time.Duration }

// set takes AWS's time of an answer that has just come. A few seconds are the
// time an answer takes.
func (c *clock) set(aws time.Time) {
	c.skew = time.Until(aws)
	if c.skew.Abs() < time.Minute {
		c.skew = 0
	}
}

// now is the time by AWS's clock.
func (c *clock) now() time.Time { return time.Now().Add(c.skew) }
