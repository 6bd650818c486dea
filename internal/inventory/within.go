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

// Aged returns the snapshot as it would be if the same facts were observed that much
// later: nothing has happened meanwhile.
func (s *Snapshot) Aged(by time.Duration) *Snapshot {
	later := *s
	later.Users = make([]User, len(s.Users))
	for i, user := range s.Users {
		age(&user, by)
		user.Keys = agedKeys(user.Keys, by)
		later.Users[i] = user
	}
	age(&later.Root, by)
	later.Root.Keys = agedKeys(later.Root.Keys, by)
	return &later
}

// agedKeys copies the keys, which others may share.
func agedKeys(keys Fact[[]AccessKey], by time.Duration) Fact[[]AccessKey] {
	keys.value = slices.Clone(keys.value)
	for i := range keys.value {
		age(&keys.value[i], by)
	}
	return keys
}

// age has every fact in the struct that holder points to be observed later.
func age(holder any, by time.Duration) {
	for _, value := range reflect.ValueOf(holder).Elem().Fields() {
		if fact, ok := value.Addr().Interface().(interface{ age(by time.Duration) }); ok {
			fact.age(by)
		}
	}
}

func (f *Fact[T]) age(by time.Duration) {
	if f.Known() {
		f.observed = f.observed.Add(by)
	}
}
