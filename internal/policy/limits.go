package policy

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const day = 24 * time.Hour

// Limits are the thresholds of the rules.
type Limits struct {
	MaxKeyAge       time.Duration // how old an active key may become
	RotationWarning time.Duration // how long before that its rotation is due
	MaxKeyIdle      time.Duration // how long an active key may go unused
	MaxPasswordIdle time.Duration // how long a password may go unused
	RotationOverlap time.Duration // how long a user may have two or more active keys
	SetupWindow     time.Duration // how long after the user a key counts as created together with it
}

// Limit is one of the limits.
type Limit struct {
	Name  string // in the configuration file, such as max_key_age
	Value time.Duration
}

// All returns every limit, in the order in which they are shown.
func (l Limits) All() []Limit {
	return []Limit{
		{"max_key_age", l.MaxKeyAge},
		{"rotation_warning", l.RotationWarning},
		{"max_key_idle", l.MaxKeyIdle},
		{"max_password_idle", l.MaxPasswordIdle},
		{"rotation_overlap", l.RotationOverlap},
		{"setup_window", l.SetupWindow},
	}
}

// String names every limit with its value, such as max_key_age 90d.
func (l Limits) String() string {
	var words []string
	for _, limit := range l.All() {
		words = append(words, limit.Name+" "+InDays(limit.Value))
	}
	return inventory.Listed(words)
}

// DefaultLimits returns the limits of the CIS AWS Foundations Benchmark, and
// this exporter's own choice where the benchmark gives no number.
func DefaultLimits() Limits {
	return Limits{
		MaxKeyAge:       90 * day,
		RotationWarning: 14 * day,
		MaxKeyIdle:      45 * day,
		MaxPasswordIdle: 45 * day,
		RotationOverlap: 7 * day,
		SetupWindow:     15 * time.Minute,
	}
}

// LimitProblem is a limit that makes no sense.
type LimitProblem struct {
	Limit string // its name in the configuration file, such as max_key_age
	Value time.Duration
	Want  string // what would make sense, such as "more than 0"; with Other, only "less than"
	// Other is the limit that Want compares this one with; empty if it compares
	// with none.
	Other      string
	OtherValue time.Duration
}

// Wanted says what would make sense. Where that depends on the other limit, it
// is called by the given name.
func (p LimitProblem) Wanted(otherName string) string {
	if p.Other == "" {
		return p.Want
	}
	return fmt.Sprintf("%s %s (%s)", p.Want, otherName, InDays(p.OtherValue))
}

// Problems returns every limit that makes no sense.
func (l Limits) Problems() []LimitProblem {
	var problems []LimitProblem
	expect := func(ok bool, limit string, value time.Duration, want string) {
		if !ok {
			problems = append(problems, LimitProblem{Limit: limit, Value: value, Want: want})
		}
	}
	expect(l.MaxKeyAge > 0, "max_key_age", l.MaxKeyAge, "more than 0")
	expect(l.RotationWarning >= 0, "rotation_warning", l.RotationWarning, "0 or more")
	if l.MaxKeyAge > 0 && l.RotationWarning >= l.MaxKeyAge {
		problems = append(problems, LimitProblem{
			Limit: "rotation_warning", Value: l.RotationWarning, Want: "less than", Other: "max_key_age", OtherValue: l.MaxKeyAge,
		})
	}
	expect(l.MaxKeyIdle > 0, "max_key_idle", l.MaxKeyIdle, "more than 0")
	expect(l.MaxPasswordIdle > 0, "max_password_idle", l.MaxPasswordIdle, "more than 0")
	expect(l.RotationOverlap >= 0, "rotation_overlap", l.RotationOverlap, "0 or more")
	expect(l.SetupWindow >= 0, "setup_window", l.SetupWindow, "0 or more")
	return problems
}

// InDays writes a duration as people write limits: in days and what is less, so
// that 14d does not come back as 2w.
func InDays(d time.Duration) string {
	days, rest := d/day, d%day
	switch {
	case days == 0:
		return model.Duration(rest).String()
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, model.Duration(rest))
}

// RotationDeadline returns when the key becomes too old.
func (l Limits) RotationDeadline(key *inventory.AccessKey) time.Time {
	return key.Created.Add(l.MaxKeyAge)
}

// UnusedDeadline returns when the key becomes unused for too long, unless it is
// used before, and whether its use is known. A key that was never used counts
// from its creation.
func (l Limits) UnusedDeadline(key *inventory.AccessKey) (time.Time, bool) {
	use, known := key.LastUse.Get()
	if !known {
		return time.Time{}, false
	}
	from := key.Created
	if !use.Never() {
		from = use.At
	}
	return from.Add(l.MaxKeyIdle), true
}

// PasswordUnusedDeadline returns when the user's password becomes unused for too
// long, unless it is used or set anew before, and whether that is known. Both count:
// a sign-in on record may have been with a password of before.
func (l Limits) PasswordUnusedDeadline(user *inventory.User) (time.Time, bool) {
	set, known := passwordSet(user).Get()
	use, told := user.PasswordUse.Get()
	if has, _ := user.Console.Get(); !has || !known || !told {
		return time.Time{}, false
	}
	return later(set, use.At).Add(l.MaxPasswordIdle), true
}

// OverlapDeadline returns until when the user may have several active keys, and
// whether there are two or more. It counts from the second-oldest of them: from
// then on there were several, and yet newer ones put nothing off.
func (l Limits) OverlapDeadline(user *inventory.User) (time.Time, bool) {
	n := 0
	for key := range user.ActiveKeys() { // ordered by creation
		if n++; n == 2 {
			return key.Created.Add(l.RotationOverlap), true
		}
	}
	return time.Time{}, false
}

// CreatedAtSetup tells whether the key came to be together with its user,
// whoever that user is.
func (l Limits) CreatedAtSetup(user *inventory.User, key *inventory.AccessKey) bool {
	return !key.Created.After(user.Created.Add(l.SetupWindow))
}
