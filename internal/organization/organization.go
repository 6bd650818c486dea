// Package organization tells which accounts an AWS organization has, which of them
// are to be watched and why, and which process of several watches each.
package organization

import (
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// State is the phase of life that an account is in.
type State string

// The states of accounts.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
const (
	Active            State = "active"
	Suspended         State = "suspended"
	PendingActivation State = "pending_activation"
	PendingClosure    State = "pending_closure"
	Closed            State = "closed"
	Unknown           State = "unknown" // AWS tells none, or one that this program does not know
)

// States lists every state.
func States() []State {
	return []State{Active, Suspended, PendingActivation, PendingClosure, Closed, Unknown}
}

// Readable reports whether an account in this state is to be read. One whose state
// is not known is: to leave it out would be a guess that costs safety, to read one
// that is closed costs calls that fail.
func (s State) Readable() bool { return s == Active || s == Unknown }

// stateOf reads what AWS tells. Its State counts; its Status, which AWS withdraws,
// counts where there is no State.
func stateOf(state, status string) State {
	if state == "" {
		state = status
	}
	switch state {
	case "ACTIVE":
		return Active
	case "SUSPENDED":
		return Suspended
	case "PENDING_ACTIVATION":
		return PendingActivation
	case "PENDING_CLOSURE":
		return PendingClosure
	case "CLOSED":
		return Closed
	}
	return Unknown
}

// Account is an account as its organization tells of it.
type Account struct {
	ID    string `json:"id"`   // 12 digits
	Name  string `json:"name"` // to be shown; empty if it is not known
	State State  `json:"state"`
	// OUPath holds the ids of the root and of the organizational units that the
	// account is in, the root first; nil if they are not known.
	OUPath []string `json:"ou_path"`
	// OUNames holds the name of each in OUPath; empty for one that is not known, as
	// for the root.
	OUNames []string       `json:"ou_names"`
	Tags    inventory.Tags `json:"tags"` // ordered by key; nil if they are not known
}

// Listing is a complete list of an organization's accounts.
type Listing struct {
	OrganizationID string
	ManagementID   string // the account that manages the organization
	Accounts       []Account
	Observed       time.Time // by this machine's clock, before the first page came
}

// The longest names that are shown, which are the longest that AWS allows.
const (
	longestAccountName = 50
	longestUnitName    = 128
)

// shownName returns the name, or nothing if it is too long or would not show as one
// line of text: names are chosen by whoever administers the account, and a bad one
// must not stand in the way of anything.
func shownName(name string, longest int) string {
	if utf8.RuneCountInString(name) > longest || !utf8.ValidString(name) {
		return ""
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) {
			return ""
		}
	}
	return name
}

// same reports whether two tellings of an account agree.
func (a *Account) same(other *Account) bool {
	return a.ID == other.ID && a.Name == other.Name && a.State == other.State && slices.Equal(a.OUPath, other.OUPath)
}
