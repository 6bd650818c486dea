package account

import (
	"cmp"
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
	clock *awsiam.Clock
	o     Options

	identified bool // AWS has told that the account is this one
	verified   bool // AWS has told that the credentials at hand are this account's
	known      facts
	report     reportState
	tags       tagState
	pace       pace
	trouble    trouble
	provenBy   string    // KeyInUse when AWS last proved which account this is
	aliasAsked time.Time // when the refresh began that last asked for the alias
	settled    int       // as of when nothing is known that cannot be, by the clock's count
}

// needs are what the account's client serves at the moment.
func (m *memory) needs() awsapi.Needs { return m.reads.Needs() }

// Restore begins again with what an earlier process knew of the account; nil
// for nothing. Facts keep the times of their observation, so nothing passes for
// fresher than it is. The users' keys were asked for when they were observed,
// so a restart costs no extra calls.
func (m *memory) Restore(kept *inventory.Snapshot) {
	account := inventory.Account{ID: m.o.ID, Partition: m.o.Partition}
	if m.identified {
		account = m.known.account
	}
	if kept != nil && account.ID != "" && kept.Account.ID != account.ID {
		kept = nil
	}
	m.known = factsOf(kept, m.needs().Source, time.Now())
	m.settled = 0 // what is kept may be of a time that is still to come
	if kept != nil {
		m.pace = paceOf(kept.Sweep.Length, len(kept.Users))
	}
	m.known.account = m.completed(account, kept)
}

// completed returns the account with what is kept of it as far as nothing newer
// is known, and what the configuration tells.
func (m *memory) completed(account inventory.Account, kept *inventory.Snapshot) inventory.Account {
	if kept != nil {
		account.ID = cmp.Or(account.ID, kept.Account.ID)
		account.Partition = cmp.Or(account.Partition, kept.Account.Partition)
		account.Alias = cmp.Or(account.Alias, kept.Account.Alias)
		account.OUPath = cmp.Or(account.OUPath, kept.Account.OUPath)
	}
	account.Name, account.Tags, account.State, account.Units = m.o.Name, m.o.Tags, m.o.State, m.o.Units
	if m.o.ID != "" { // the configuration says where the account is, or that nobody knows
		account.OUPath = m.o.OUPath
	}
	return account
}

// Identified reports whether AWS has told which account this is.
func (m *memory) Identified() bool { return m.identified }

// identify learns which account this is, and again whether it is that one once
// there are other credentials. It returns whether what is kept of the account is
// still to be restored.
func (m *memory) identify(ctx context.Context) (restore bool, err error) {
	renewed, err := m.reads.RenewCredentials(ctx)
	m.trouble.note(ctx, "credentials", err) // those at hand stay, and may do
	if m.verified = m.verified && !renewed; m.verified {
		m.askDate(ctx)
		return false, nil
	}
	account, err := m.reads.Account(ctx)
	if expected := m.expected(); err == nil && expected != "" && account.ID != expected {
		err = refuseAccount(awsiam.GetCallerIdentity, expected, account.ID)
		m.reads.WantCredentials()
	}
	if m.trouble.note(ctx, "account", err); err != nil {
		return false, err
	}
	if account.ID != m.known.account.ID {
		m.known, restore = factsOf(nil, "", time.Time{}), true
		m.known.account = m.completed(account, nil)
	}
	m.known.account.Partition, m.identified, m.verified = account.Partition, true, true
	m.provenBy = m.reads.KeyInUse()
	return restore, nil
}

// askDate has AWS tell its date as long as that is in doubt: a report alone would take
// hours to settle it. Nothing else rests on the answer.
func (m *memory) askDate(ctx context.Context) {
	if m.clock.Doubt() != 0 {
		_, _ = m.reads.Account(ctx)
	}
}

// prove takes in that answers to requests that the key has signed are of this account:
// most do not tell whose they are. It proves nothing if another key has signed some.
func (m *memory) prove(key string) {
	if m.reads.KeyInUse() == key {
		m.provenBy = key
		m.known.prove()
	}
}

// isProven reports whether what has come since the key was in use is of this account
// for certain. Credentials can become another account's at any time.
func (m *memory) isProven(key string) bool {
	return key == m.provenBy && m.reads.KeyInUse() == key
}

// expected is the id of the only account whose answers count; empty before it is
// known.
func (m *memory) expected() string {
	if m.identified {
		return m.known.account.ID
	}
	return m.o.ID
}

// settle forgets what cannot be, once AWS's time is certain: the first trusted
// date tells what an earlier process kept wrongly, and the end of doubts what
// was taken in meanwhile. What counts as older than it is, is asked for again.
func (m *memory) settle() {
	count, certain := m.clock.Settled()
	if !certain || count == m.settled {
		return
	}
	m.settled = count
	now, latest := inventory.Truncate(m.clock.Now()), m.clock.Latest()
	m.known.within(now, latest)
	m.known.retryMisdated(now, time.Now(), m.needs().Source)
	m.report.within(now, latest, time.Now())
	m.joinReport()
}

// sweeps reports whether anything is asked user by user.
func (m *memory) sweeps() bool {
	return m.needs().Source != awsapi.SourceReport || m.tags.source == awsapi.TagsFromListUserTags
}
