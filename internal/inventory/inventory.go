// Package inventory holds what is known about the access keys of one AWS
// account: plain data, handed from the readers of AWS to the policy and the
// metrics. It knows neither the AWS SDK nor Prometheus.
package inventory

import (
	"cmp"
	"iter"
	"strings"
	"time"
)

// Group names a set of facts that are learnt together and age together.
type Group string

// The fact groups.
const (
	GroupUsers   Group = "users"   // which users exist
	GroupKeys    Group = "keys"    // their access keys: id, status, creation
	GroupKeyUse  Group = "key_use" // when each key was last used, and where
	GroupConsole Group = "console" // who has a password
	GroupMFA     Group = "mfa"     // which console users have an MFA device
	GroupRoot    Group = "root"    // the root user's credentials
	GroupTags    Group = "tags"    // the users' tags, if the configuration needs them
)

// Groups lists every fact group, in the order in which they are shown.
func Groups() []Group {
	return []Group{GroupUsers, GroupKeys, GroupKeyUse, GroupConsole, GroupMFA, GroupRoot, GroupTags}
}

// Fact is a value together with the moment at which AWS stated it. The zero
// Fact is unknown, which is neither false, nor zero, nor never.
type Fact[T any] struct {
	value    T
	observed time.Time
}

// Observe returns a known fact. The observation time must not be zero: it is
// AWS's own clock where AWS told it (a report's generation, an answer's date).
func Observe[T any](value T, observed time.Time) Fact[T] {
	return Fact[T]{value: value, observed: observed}
}

// Get returns the value and whether it is known.
func (f Fact[T]) Get() (T, bool) { return f.value, f.Known() }

// Known tells whether AWS has stated the fact.
func (f Fact[T]) Known() bool { return !f.observed.IsZero() }

// Observed returns when AWS stated the fact; zero if it is unknown.
func (f Fact[T]) Observed() time.Time { return f.observed }

// Newer returns whichever fact AWS stated last; f wins a tie. An unknown fact
// never replaces a known one.
func (f Fact[T]) Newer(other Fact[T]) Fact[T] {
	if other.observed.After(f.observed) {
		return other
	}
	return f
}

// Account is one AWS account.
type Account struct {
	ID string `json:"id"` // 12 digits; empty while unknown
	// Alias is what the account's own administrators call it; empty if they don't,
	// or if that is not known. It is shown, and nothing is decided by it.
	Alias     string `json:"name,omitempty"`
	Partition string `json:"partition,omitempty"` // aws, aws-cn, aws-us-gov, …; empty while unknown
	OUPath    string `json:"ou_path,omitempty"`   // the path of organizational units; empty outside an organization

	// What is not kept with the account's facts, because each start knows it anew.
	Name string `json:"-"` // from the configuration or the organization; empty if neither gives one
	Tags Tags   `json:"-"` // of the account, ordered by key; nil while they are not known, unlike an empty list
	// State is what the organization says of it, active or suspended for instance;
	// empty outside an organization.
	State string `json:"-"`
	// Units holds the ids of the organization's root and of the organizational units
	// that the account is in, the root first; nil while they are not known.
	Units []string `json:"-"`
}

// IsAccountID reports whether the text is the id of an account: 12 digits.
func IsAccountID(id string) bool { return len(id) == 12 && strings.Trim(id, "0123456789") == "" }

// ShownName returns the account's name, or else its alias; empty if it has neither.
func (a Account) ShownName() string { return cmp.Or(a.Name, a.Alias) }

// Status is the status of an access key.
type Status string

// The statuses of access keys. Only active keys open doors; only they are judged.
const (
	Active   Status = "active"
	Inactive Status = "inactive"
	Expired  Status = "expired"
)

// Statuses lists every status of an access key.
func Statuses() []Status { return []Status{Active, Inactive, Expired} }

// Use is the last use on record of a key or password. A zero At means that no
// use is on record, which is a known value, unlike an unknown Fact[Use].
type Use struct {
	At      time.Time `json:"at,omitzero"`
	Region  string    `json:"region,omitempty"`  // empty where AWS gives none
	Service string    `json:"service,omitempty"` // empty where AWS gives none
}

// Never tells whether no use is on record.
func (u Use) Never() bool { return u.At.IsZero() }

// AccessKey is one access key of a user or of root.
type AccessKey struct {
	// ID is the access key id, or one made by CreatedKeyID where the source
	// of the facts gives no ids. It is unique within its user.
	ID      string    `json:"id,omitempty"` // root's keys have none
	Status  Status    `json:"status"`
	Created time.Time `json:"created,omitzero"` // whole seconds, UTC; zero if unknown, which only root's can be
	LastUse Fact[Use] `json:"last_use,omitzero"`
}

// User is one IAM user; the root user is none of them.
type User struct {
	ID      string    `json:"id,omitempty"` // AWS's unique UserId; empty where the source gives none
	Name    string    `json:"name"`
	ARN     string    `json:"arn"`
	Path    string    `json:"path,omitempty"`
	Created time.Time `json:"created"` // whole seconds, UTC

	// Keys holds all access keys of the user, ordered by creation, then id.
	Keys Fact[[]AccessKey] `json:"keys,omitzero"`
	// MaybeMoreKeys tells that Keys may not be all: a credential report shows two,
	// and did not say whether there are more.
	MaybeMoreKeys bool `json:"maybe_more_keys,omitempty"`
	// Console tells whether the user has a password.
	Console Fact[bool] `json:"console,omitzero"`
	// PasswordCreated is when the present password came to be; only a live
	// answer tells, so it is often unknown for a user with console access.
	PasswordCreated Fact[time.Time] `json:"password_created,omitzero"`
	// PasswordChanged is when the password was last set or changed; only a
	// report tells.
	PasswordChanged Fact[time.Time] `json:"password_changed,omitzero"`
	// PasswordUse is the last sign-in with a password. It outlives a deleted
	// password, so it says nothing about console access.
	PasswordUse Fact[Use] `json:"password_use,omitzero"`
	// MFA tells whether the user has an MFA device.
	MFA Fact[bool] `json:"mfa,omitzero"`
	// Tags holds all tags of the user, ordered by key; a known, empty list is a
	// user without tags.
	Tags Fact[Tags] `json:"tags,omitzero"`
}

// Tag is a tag of a user or of an account.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Tags are the tags of one user or account.
type Tags []Tag

// Get returns the value of the tag and whether there is one. As in IAM, case
// does not tell keys apart.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
func (t Tags) Get(key string) (string, bool) {
	for i := range t {
		if strings.EqualFold(t[i].Key, key) {
			return t[i].Value, true
		}
	}
	return "", false
}

// ActiveKeys yields the active keys of the user; none while keys are unknown.
func (u *User) ActiveKeys() iter.Seq[*AccessKey] {
	return func(yield func(*AccessKey) bool) {
		keys, _ := u.Keys.Get()
		for i := range keys {
			if keys[i].Status == Active && !yield(&keys[i]) {
				return
			}
		}
	}
}

// CountKeys returns how many keys have the status, and whether that is known.
func (u *User) CountKeys(status Status) (int, bool) {
	keys, known := u.Keys.Get()
	n := 0
	for i := range keys {
		if keys[i].Status == status {
			n++
		}
	}
	return n, known
}

// Root is what is known of the account's root user.
type Root struct {
	Created time.Time `json:"created,omitzero"` // zero if unknown
	// KeyPresent tells whether root has any access key, active or not.
	KeyPresent Fact[bool] `json:"key_present,omitzero"`
	// Keys holds root's access keys with their status. It can be unknown while
	// KeyPresent is known: GetAccountSummary tells presence only.
	Keys        Fact[[]AccessKey] `json:"keys,omitzero"`
	Console     Fact[bool]        `json:"console,omitzero"`
	MFA         Fact[bool]        `json:"mfa,omitzero"`
	PasswordUse Fact[Use]         `json:"password_use,omitzero"`
}

// AccessKeys returns root's access keys. A later word on whether there are any
// overrules an older listing that says otherwise; that there are none needs no
// listing.
func (r *Root) AccessKeys() Fact[[]AccessKey] {
	present, told := r.KeyPresent.Get()
	if !told || r.KeyPresent.Observed().Before(r.Keys.Observed()) {
		return r.Keys
	}
	if !present {
		return Observe([]AccessKey(nil), r.KeyPresent.Observed())
	}
	if keys, _ := r.Keys.Get(); len(keys) == 0 {
		return Fact[[]AccessKey]{}
	}
	return r.Keys
}

// GroupSet is a set of fact groups.
type GroupSet uint8

// GroupsOf returns the set of the groups.
func GroupsOf(groups ...Group) GroupSet {
	var set GroupSet
	for i, group := range Groups() {
		for _, g := range groups {
			if g == group {
				set |= 1 << i
			}
		}
	}
	return set
}

// Has reports whether the group is in the set.
func (s GroupSet) Has(group Group) bool { return s&GroupsOf(group) != 0 }

// Freshness tells how old the facts of one group are.
type Freshness struct {
	Observed time.Time // the oldest observation in the group
	Stale    time.Time // when the group counts as stale, unless observed anew; zero for never
}

// IsStale reports whether the group counts as stale.
func (f Freshness) IsStale(now time.Time) bool { return !f.Stale.IsZero() && now.After(f.Stale) }

// Report tells how the account's credential report is doing.
type Report struct {
	Wanted    bool      // the source in force uses credential reports
	Usable    bool      // a recent report is in use; else its facts are asked live, or freeze
	Generated time.Time // when AWS made the newest report read; zero before the first
}

// Snapshot is the newest good facts about one account. It is immutable once
// published: readers share it, writers build another.
type Snapshot struct {
	Account Account
	// Users holds every user once, ordered by name. Names are unique.
	Users []User
	Root  Root
	// Freshness holds the groups of which something is known.
	Freshness map[Group]Freshness
	// Complete holds the groups that were once known for every user, so that
	// counts over them mean what they say.
	Complete map[Group]bool
	Report   Report
	Sweep    Sweep
	Health   Health
}

// Sweep tells how the reading of users, one by one, goes.
type Sweep struct {
	Length time.Duration // how long it takes to come by everybody at the present pace; 0 while unknown
	Unread int           // users that were never read
}

// Left returns about how long it takes until everybody has been read; 0 while
// that is not known.
func (s *Snapshot) Left() time.Duration {
	if len(s.Users) == 0 {
		return 0
	}
	return s.Sweep.Length / time.Duration(len(s.Users)) * time.Duration(s.Sweep.Unread)
}
