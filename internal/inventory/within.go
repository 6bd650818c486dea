package inventory

import (
	"reflect"
	"slices"
	"time"
)

// Within returns the user without what cannot be at that time: facts observed
// later count as observed now, and what is said to have happened after latest is
// unknown. The user's own creation stays as it is.
func (u User) Within(now, latest time.Time) User {
	pullBack(&u, now)
	u.Keys = keysWithin(u.Keys, now, latest)
	u.PasswordUse = useWithin(u.PasswordUse, latest)
	u.PasswordCreated, u.PasswordChanged = momentWithin(u.PasswordCreated, latest), momentWithin(u.PasswordChanged, latest)
	return u
}

// Within is User.Within for root.
func (r Root) Within(now, latest time.Time) Root {
	pullBack(&r, now)
	r.Keys = keysWithin(r.Keys, now, latest)
	r.PasswordUse = useWithin(r.PasswordUse, latest)
	if r.Created.After(latest) {
		r.Created = time.Time{}
	}
	return r
}

// keysWithin copies the keys, which others may share.
func keysWithin(keys Fact[[]AccessKey], now, latest time.Time) Fact[[]AccessKey] {
	list, known := keys.Get()
	if !known || slices.ContainsFunc(list, func(k AccessKey) bool { return k.Created.After(latest) }) {
		return Fact[[]AccessKey]{}
	}
	list = slices.Clone(list)
	for i := range list {
		pullBack(&list[i], now)
		list[i].LastUse = useWithin(list[i].LastUse, latest)
	}
	return Observe(list, keys.Observed())
}

func momentWithin(moment Fact[time.Time], latest time.Time) Fact[time.Time] {
	if at, known := moment.Get(); known && at.After(latest) {
		return Fact[time.Time]{}
	}
	return moment
}

func useWithin(use Fact[Use], latest time.Time) Fact[Use] {
	if u, known := use.Get(); known && u.At.After(latest) {
		return Fact[Use]{}
	}
	return use
}

// pullBack has no fact in the struct that holder points to be observed later
// than now.
func pullBack(holder any, now time.Time) {
	for _, value := range reflect.ValueOf(holder).Elem().Fields() {
		if fact, ok := value.Addr().Interface().(interface{ pullBack(now time.Time) }); ok {
			fact.pullBack(now)
		}
	}
}

func (f *Fact[T]) pullBack(now time.Time) {
	if f.observed.After(now) {
		f.observed = now
	}
}
