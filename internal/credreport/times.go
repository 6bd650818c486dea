package credreport

import (
	"fmt"
	"time"
)

// Happened returns an error if the row tells of something that has not happened
// by then: a user, a key or a use of the future.
func (r *Row) Happened(latest time.Time) error {
	what, at := r.after(latest)
	if what == "" {
		return nil
	}
	return fmt.Errorf("line %d: %s at %s, want a time before now, which is about %s",
		r.Line, what, at.Format(time.RFC3339), latest.UTC().Truncate(time.Second).Format(time.RFC3339))
}

// after returns the first thing that the row tells of which is later; "" if
// there is none.
func (r *Row) after(latest time.Time) (what string, at time.Time) {
	if r.Created.After(latest) {
		return "created", r.Created
	}
	if use, _ := r.PasswordUse.Get(); use.At.After(latest) {
		return "signed in", use.At
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
