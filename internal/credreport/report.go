// Package credreport reads IAM's credential report: CSV bytes in, rows out. It
// knows neither the AWS SDK nor which user or key a row will turn out to mean.
//
// A row that cannot be read costs the facts about its user, and no other's. A
// report has no trailer, so one that was cut is known by its last row: it has
// too few fields, or ends in half a value, and the report is refused. One cut
// exactly between two rows, or inside a last column of free text, cannot be told
// from a complete one.
//
// Columns and values: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
package credreport

import (
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// RootUser stands in the place of a name in the row of the root user. No IAM
// user can be called so.
const RootUser = "<root_account>"

// Report is one credential report. It does not know when it was made: AWS
// says so beside the content (GetCredentialReport's GeneratedTime).
type Report struct {
	Root  *Row  // nil if the report has no row of the root user that can be read
	Users []Row // in the report's order; names are unique, whatever their case
	// Unreadable holds the rows that cannot be read, in the report's order. Two
	// rows that tell different things of one user are two of them.
	Unreadable []Unreadable
}

// Unreadable is a row that cannot be read.
type Unreadable struct {
	Line int    // in the report, from 1
	User string // as far as the row tells; empty if it does not
	ARN  string // the user's own; empty if it is not certain that it is
	// Created is when the user came to be. It is zero unless it is certain whose
	// row it is.
	Created time.Time
	Err     error // which line and column, what stands there, and what was expected
}

// Row is what a report says of one user.
type Row struct {
	Line    int // in the report, from 1
	User    string
	ARN     string
	Created time.Time // whole seconds, UTC; never zero

	Password Maybe[bool] // whether the user has a password
	// PasswordUse is the last sign-in with a password. AWS keeps none from
	// before October 2014 and has none for a user without a password; both are
	// "no use on record". Region and Service are empty.
	PasswordUse Maybe[inventory.Use]
	// PasswordChanged is when the password was last set or changed; unknown
	// without one, and for root. Whole seconds, UTC.
	PasswordChanged Maybe[time.Time]
	MFA             Maybe[bool] // whether the user has an MFA device

	// Slots holds the keys that the row shows. Their order means nothing:
	// neither age nor key id, and a key may change places between reports.
	Slots []Slot
	// Additional tells whether the user has more keys or certificates than a row
	// can show (additional_credentials_info); most reports do not say.
	Additional Maybe[bool]
}

// Slot is one access key as a row shows it: without its id.
type Slot struct {
	Active bool
	// Created is access_key_N_last_rotated: whole seconds, UTC; zero if the
	// report does not say, so that the slot matches no key.
	Created time.Time
	LastUse Maybe[inventory.Use] // At is in whole seconds, UTC
}

// Maybe is a value that a report can decline to give. The zero Maybe is
// unknown, which is neither false nor never.
type Maybe[T any] struct {
	value T
	known bool
}

// Known returns a Maybe that holds the value.
func Known[T any](value T) Maybe[T] { return Maybe[T]{value: value, known: true} }

// Get returns the value and whether the report gives one.
func (m Maybe[T]) Get() (T, bool) { return m.value, m.known }

// ObservedAt returns the fact that AWS stated by making the report at that
// time; an unknown fact if the report declines.
func (m Maybe[T]) ObservedAt(generated time.Time) inventory.Fact[T] {
	if !m.known {
		return inventory.Fact[T]{}
	}
	return inventory.Observe(m.value, generated)
}
