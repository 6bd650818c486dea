package organization

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// maxAge is how long what was read about one account or unit counts as new.
	maxAge = 24 * time.Hour
	// mostAgain is how many are read again in one listing at most, so that what was
	// first read together does not come due together forever. At one listing an hour
	// it is enough for mostAccounts a day.
	mostAgain = 500
	// mostFailures is how many failures on end are enough to think that all others
	// would fail too.
	mostFailures = 3
)

// cache holds what is read by a call for each of many.
type cache[T any] struct{ entries map[string]*entry[T] }

// entry is what is known about one of them.
type entry[T any] struct {
	value T
	read  time.Time // zero if nothing was read so far
	tried time.Time // the last call about it, failed or not
}

// get returns what was read last.
func (c *cache[T]) get(id string) (T, bool) {
	e, found := c.entries[id]
	if !found || e.read.IsZero() {
		var none T
		return none, false
	}
	return e.value, true
}

// fill reads about those of whom nothing is known or not for a day, and forgets all
// who are not among the ids. What was read last stays if reading again fails. It
// returns the first failure.
func (c *cache[T]) fill(ctx context.Context, now time.Time, ids []string, read func(ctx context.Context, id string) (T, error)) error {
	var first error
	failures, again := 0, 0
	for _, id := range c.due(now, ids) {
		e := c.entries[id]
		if !e.read.IsZero() {
			if again++; again > mostAgain {
				continue
			}
		}
		value, err := read(ctx, id)
		e.tried = now
		if err == nil {
			e.value, e.read, failures = value, now, 0
			continue
		}
		if first == nil {
			first = err
		}
		if failures++; failures == mostFailures || ctx.Err() != nil {
			break
		}
	}
	return first
}

// due returns those that are to be read, the longest untried first: so a few that
// always fail never stand in the way of the others.
func (c *cache[T]) due(now time.Time, ids []string) []string {
	kept := make(map[string]*entry[T], len(ids))
	var due []string
	for _, id := range ids {
		e, found := c.entries[id]
		if !found {
			e = &entry[T]{}
		}
		kept[id] = e
		if e.read.IsZero() || now.Sub(e.read) >= maxAge {
			due = append(due, id)
		}
	}
	c.entries = kept
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(kept[a].tried.Compare(kept[b].tried), cmp.Compare(a, b))
	})
	return due
}
