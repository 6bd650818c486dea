package awssim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// account is the state of the world, either the truth or what reads see.
type account struct {
	alias        string // empty if there is none
	root         *user
	rootPassword RootPassword
	users        map[string]*user // by fold(name); without root
	keys         map[string]*key  // by id; with root's
	sorted       []*user          // by fold(name); nil if it must be sorted again
}

type user struct {
	name, path, id string
	created        time.Time
	password       *password
	signedIn       time.Time // outlives the password
	mfa            []device
	keys           []*key // in order of creation calls
	tags           []Tag  // ordered by fold(key), which is unique
	policies       []inlinePolicy
}

type inlinePolicy struct{ name, document string }

type password struct{ created, changed time.Time }

type device struct {
	serial  string
	enabled time.Time
}

type key struct {
	id      string
	owner   *user
	created time.Time
	status  types.StatusType
	use     Use
}

func newAccount(created time.Time) *account {
	root := &user{name: Root, created: seconds(created), mfa: []device{{"root-account-mfa-device", seconds(created)}}}
	return &account{
		root:         root,
		rootPassword: RootPasswordEnabled,
		users:        make(map[string]*user),
		keys:         make(map[string]*key),
	}
}

// fold returns the form in which names are unique and ordered.
func fold(name string) string { return strings.ToLower(name) }

// seconds returns the time as AWS keeps it.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// find returns the user, or the root user.
func (a *account) find(name string) (*user, error) {
	if name == Root {
		return a.root, nil
	}
	if u, ok := a.users[fold(name)]; ok {
		return u, nil
	}
	return nil, errNoEntity
}

func (a *account) findKey(id string) (*key, error) {
	if k, ok := a.keys[id]; ok {
		return k, nil
	}
	return nil, errNoEntity
}

func (a *account) insert(u *user) {
	a.users[fold(u.name)] = u
	a.sorted = nil
}

func (a *account) remove(u *user) {
	delete(a.users, fold(u.name))
	a.sorted = nil
}

func (a *account) removeKey(k *key) {
	delete(a.keys, k.id)
	k.owner.keys = slices.DeleteFunc(k.owner.keys, func(other *key) bool { return other == k })
}

// tag sets a tag. A key in another case names the same tag, which takes it on.
func (u *user) tag(t Tag) error {
	at, found := u.findTag(t.Key)
	switch {
	case found:
		u.tags[at] = t
	case len(u.tags) == maxTags:
		return fmt.Errorf("the quota of %d tags is used up", maxTags)
	default:
		u.tags = slices.Insert(u.tags, at, t)
	}
	return nil
}

func (u *user) findTag(key string) (int, bool) {
	return slices.BinarySearchFunc(u.tags, fold(key), func(t Tag, folded string) int {
		return strings.Compare(fold(t.Key), folded)
	})
}

// ordered returns the users ordered by name. It sorts only after users came or
// went, so that reading large accounts stays cheap.
func (a *account) ordered() []*user {
	if a.sorted == nil {
		a.sorted = make([]*user, 0, len(a.users))
		for _, u := range a.users {
			a.sorted = append(a.sorted, u)
		}
		slices.SortFunc(a.sorted, func(x, y *user) int { return strings.Compare(fold(x.name), fold(y.name)) })
	}
	return a.sorted
}
