package credreport

import (
	"fmt"
	"slices"
	"time"
)

// SetApart takes the rows that tell of something that has not happened by then
// for rows that cannot be read.
func (r *Report) SetApart(latest time.Time) {
	odd := func(row *Row) bool {
		err := row.Happened(latest)
		if err == nil {
			return false
		}
		unreadable := Unreadable{Line: row.Line, User: row.User, ARN: row.ARN, Created: row.Created, Err: err}
		if row.Created.After(latest) {
			unreadable.Created = time.Time{}
		}
		r.Unreadable = append(r.Unreadable, unreadable)
		return true
	}
	if r.Root != nil && odd(r.Root) {
		r.Root = nil
	}
	users := r.Users[:0]
	for i := range r.Users {
		if !odd(&r.Users[i]) {
			users = append(users, r.Users[i])
		}
	}
	clear(r.Users[len(users):])
	r.Users = users
	slices.SortFunc(r.Unreadable, func(a, b Unreadable) int { return a.Line - b.Line })
}

// Happened returns an error if the row tells of something that has not happened
// by then: a user, a key or a use of the future.
func (r *Row) Happened(latest time.Time) error {
	what, at := r.After(latest)
	if what == "" {
		return nil
	}
	return fmt.Errorf("line %d: %s at %s, want a time before now, which is about %s",
		r.Line, what, at.Format(time.RFC3339), latest.UTC().Truncate(time.Second).Format(time.RFC3339))
}

// After returns the first thing that the row tells of which is later; "" if there
// is none.
func (r *Row) After(latest time.Time) (what string, at time.Time) {
	if r.Created.After(latest) {
		return "created", r.Created
	}
	if use, _ := r.PasswordUse.Get(); use.At.After(latest) {
		return "signed in", use.At
	}
	if changed, _ := r.PasswordChanged.Get(); changed.After(latest) {
		return "a password set", changed
	}
	for i := range r.Slots {
		if created := r.Slots[i].Created; created.After(latest) {
			return "a key created", created
		}
		if use, _ := r.Slots[i].LastUse.Get(); use.At.After(latest) {
			return "a key used", use.At
		}
	}
	return "", time.Time{}
}
