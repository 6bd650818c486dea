package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// What is written to disk. Unknown facts are absent; a nil list and an empty
// one are the same. Any change of meaning needs another version.

type facts struct {
	Account     account           `json:"account"`
	UsersListed time.Time         `json:"users_listed"`
	Complete    []inventory.Group `json:"complete"`
	Root        root              `json:"root"`
	Users       []user            `json:"users"`
}

type account struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	Partition string `json:"partition,omitempty"`
	OUPath    string `json:"ou_path,omitempty"`
}

type root struct {
	Created     time.Time          `json:"created,omitzero"`
	KeyPresent  *fact[bool]        `json:"key_present,omitempty"`
	Keys        *fact[[]accessKey] `json:"keys,omitempty"`
	Console     *fact[bool]        `json:"console,omitempty"`
	MFA         *fact[bool]        `json:"mfa,omitempty"`
	PasswordUse *fact[use]         `json:"password_use,omitempty"`
}

type user struct {
	ID              string             `json:"id,omitempty"`
	Name            string             `json:"name"`
	ARN             string             `json:"arn"`
	Path            string             `json:"path,omitempty"`
	Created         time.Time          `json:"created"`
	Keys            *fact[[]accessKey] `json:"keys,omitempty"`
	Console         *fact[bool]        `json:"console,omitempty"`
	PasswordCreated *fact[time.Time]   `json:"password_created,omitempty"`
	PasswordUse     *fact[use]         `json:"password_use,omitempty"`
	MFA             *fact[bool]        `json:"mfa,omitempty"`
	Tags            *fact[[]tag]       `json:"tags,omitempty"`
}

type accessKey struct {
	ID      string           `json:"id,omitempty"` // root's keys have none
	Status  inventory.Status `json:"status"`
	Created time.Time        `json:"created,omitzero"` // root's may be unknown
	LastUse *fact[use]       `json:"last_use,omitempty"`
}

// use is the last use on record; either never or at a time.
type use struct {
	Never   bool      `json:"never,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Region  string    `json:"region,omitempty"`
	Service string    `json:"service,omitempty"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// fact is a known fact. Its value is a pointer to tell a missing one from zero.
type fact[T any] struct {
	Value    *T        `json:"value"`
	Observed time.Time `json:"observed"`
}

func listed(s *inventory.Snapshot) time.Time {
	return s.Freshness[inventory.GroupUsers].Observed
}

// factsOf returns what is kept of a snapshot.
func factsOf(s *inventory.Snapshot) *facts {
	kept := &facts{
		Account:     account(s.Account),
		UsersListed: listed(s).UTC(),
		Complete:    []inventory.Group{},
		Root: root{
			Created:     s.Root.Created.UTC(),
			KeyPresent:  keep(s.Root.KeyPresent, same),
			Keys:        keep(s.Root.Keys, keepKeys),
			Console:     keep(s.Root.Console, same),
			MFA:         keep(s.Root.MFA, same),
			PasswordUse: keep(s.Root.PasswordUse, keepUse),
		},
		Users: make([]user, len(s.Users)),
	}
	for _, group := range inventory.Groups() {
		if s.Complete[group] {
			kept.Complete = append(kept.Complete, group)
		}
	}
	for i := range s.Users {
		kept.Users[i] = keepUser(&s.Users[i])
	}
	return kept
}

func keepUser(u *inventory.User) user {
	return user{
		ID: u.ID, Name: u.Name, ARN: u.ARN, Path: u.Path, Created: u.Created.UTC(),
		Keys:            keep(u.Keys, keepKeys),
		Console:         keep(u.Console, same),
		PasswordCreated: keep(u.PasswordCreated, time.Time.UTC),
		PasswordUse:     keep(u.PasswordUse, keepUse),
		MFA:             keep(u.MFA, same),
		Tags:            keep(u.Tags, keepTags),
	}
}

func keep[T, D any](f inventory.Fact[T], convert func(T) D) *fact[D] {
	value, known := f.Get()
	if !known {
		return nil
	}
	converted := convert(value)
	return &fact[D]{Value: &converted, Observed: f.Observed().UTC()}
}

func same(v bool) bool { return v }

func keepKeys(keys []inventory.AccessKey) []accessKey {
	kept := make([]accessKey, len(keys))
	for i, k := range keys {
		kept[i] = accessKey{ID: k.ID, Status: k.Status, Created: k.Created.UTC(), LastUse: keep(k.LastUse, keepUse)}
	}
	return kept
}

func keepUse(u inventory.Use) use {
	return use{Never: u.Never(), At: u.At.UTC(), Region: u.Region, Service: u.Service}
}

func keepTags(tags inventory.Tags) []tag {
	kept := make([]tag, len(tags))
	for i, t := range tags {
		kept[i] = tag(t)
	}
	return kept
}

// snapshot returns the snapshot that the facts make.
func (f *facts) snapshot() (*inventory.Snapshot, error) {
	if f.Users == nil {
		return nil, errors.New("it has no list of users")
	}
	r := &restorer{}
	s := &inventory.Snapshot{
		Account:   inventory.Account(f.Account),
		Users:     make([]inventory.User, len(f.Users)),
		Root:      r.root(&f.Root),
		Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {Observed: f.UsersListed.UTC()}},
		Complete:  make(map[inventory.Group]bool, len(f.Complete)),
		Health:    inventory.Health{State: inventory.StatePending},
	}
	if r.err != nil {
		return nil, fmt.Errorf("root: %w", r.err)
	}
	for _, group := range f.Complete {
		s.Complete[group] = true
	}
	for i := range f.Users {
		if s.Users[i] = r.user(&f.Users[i]); r.err != nil {
			return nil, fmt.Errorf("user %q: %w", f.Users[i].Name, r.err)
		}
	}
	return s, nil
}

// restorer turns what was kept into facts again, and keeps the first error.
type restorer struct{ err error }

func (r *restorer) root(k *root) inventory.Root {
	return inventory.Root{
		Created:     k.Created.UTC(),
		KeyPresent:  restore(r, k.KeyPresent, same),
		Keys:        restore(r, k.Keys, r.keys),
		Console:     restore(r, k.Console, same),
		MFA:         restore(r, k.MFA, same),
		PasswordUse: restore(r, k.PasswordUse, r.use),
	}
}

func (r *restorer) user(k *user) inventory.User {
	return inventory.User{
		ID: k.ID, Name: k.Name, ARN: k.ARN, Path: k.Path, Created: k.Created.UTC(),
		Keys:            restore(r, k.Keys, r.keys),
		Console:         restore(r, k.Console, same),
		PasswordCreated: restore(r, k.PasswordCreated, time.Time.UTC),
		PasswordUse:     restore(r, k.PasswordUse, r.use),
		MFA:             restore(r, k.MFA, same),
		Tags:            restore(r, k.Tags, restoreTags),
	}
}

func restore[D, T any](r *restorer, f *fact[D], convert func(D) T) inventory.Fact[T] {
	switch {
	case f == nil:
		return inventory.Fact[T]{}
	case f.Value == nil || f.Observed.IsZero():
		r.fail("a fact lacks its value or the time of its observation")
		return inventory.Fact[T]{}
	}
	return inventory.Observe(convert(*f.Value), f.Observed.UTC())
}

func (r *restorer) fail(text string) {
	if r.err == nil {
		r.err = errors.New(text)
	}
}

func (r *restorer) keys(kept []accessKey) []inventory.AccessKey {
	keys := make([]inventory.AccessKey, len(kept))
	for i, k := range kept {
		keys[i] = inventory.AccessKey{ID: k.ID, Status: k.Status, Created: k.Created.UTC(), LastUse: restore(r, k.LastUse, r.use)}
	}
	return keys
}

func (r *restorer) use(k use) inventory.Use {
	if k.Never != k.At.IsZero() {
		r.fail("a last use must be either never or at a time")
	}
	return inventory.Use{At: k.At.UTC(), Region: k.Region, Service: k.Service}
}

func restoreTags(kept []tag) inventory.Tags {
	tags := make(inventory.Tags, len(kept))
	for i, t := range kept {
		tags[i] = inventory.Tag(t)
	}
	return tags
}
