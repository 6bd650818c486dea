package awssim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// Root names the root user in the methods that take a user's name.
const Root = "<root_account>"

// Use is a use of an access key. Region and Service may be empty, for which
// AWS shows N/A.
type Use struct {
	At              time.Time
	Service, Region string
}

// User is what the world knows about a user.
type User struct {
	Name, Path, ID string
	Created        time.Time
	Password       bool
	PasswordSet    time.Time // when the password was last set or changed; zero without one
	SignedIn       time.Time // the last sign-in; zero if there was none
	MFADevices     int
	Keys           []Key // in order of creation
	Tags           []Tag // ordered by key; nil if there are none
}

// Tag is a tag of a user.
type Tag struct{ Key, Value string }

// IAM's limits on tags.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
const (
	maxTags     = 50 // of a user
	maxTagKey   = 128
	maxTagValue = 256
)

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// Key is what the world knows about an access key.
type Key struct {
	ID      string
	Status  types.StatusType
	Created time.Time
	Use     Use // zero if never used
}

// RootPassword is the state of the root user's password as reports show it.
type RootPassword string

// The states of the root user's password.
const (
	RootPasswordEnabled      RootPassword = "true"
	RootPasswordDisabled     RootPassword = "false"         // centrally managed root
	RootPasswordNotSupported RootPassword = "not_supported" // older reports
)

// Users returns all users but root as they are, hidden changes included,
// ordered by name.
func (w *World) Users() []User {
	w.mu.Lock()
	defer w.mu.Unlock()
	users := make([]User, 0, len(w.truth.users))
	for _, u := range w.truth.ordered() {
		users = append(users, u.public())
	}
	return users
}

// User returns the named user, or root, as it is.
func (w *World) User(name string) (User, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u, err := w.truth.find(name)
	if err != nil {
		return User{}, false
	}
	return u.public(), true
}

func (u *user) public() User {
	keys := make([]Key, len(u.keys))
	for i, k := range u.keys {
		keys[i] = Key{ID: k.id, Status: k.status, Created: k.created, Use: k.use}
	}
	var set time.Time
	if u.password != nil {
		set = u.password.changed
	}
	return User{
		Name: u.name, Path: u.path, ID: u.id, Created: u.created,
		Password: u.password != nil, PasswordSet: set, SignedIn: u.signedIn, MFADevices: len(u.mfa), Keys: keys,
		Tags: append([]Tag(nil), u.tags...),
	}
}

// CreateUser adds a user and returns its id, which is new even for a name that
// existed before. Names are unique regardless of case; the path is "/" if empty.
func (w *World) CreateUser(name, path string, created time.Time) (string, error) {
	if path == "" {
		path = "/"
	}
	id := w.newID("AIDA", 17)
	err := w.change(func(a *account) error {
		if a.users[fold(name)] != nil || name == "" || name == Root {
			return fmt.Errorf("create user %q: the name is taken or not allowed", name)
		}
		a.insert(&user{name: name, path: path, id: id, created: seconds(created)})
		return nil
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// DeleteUser removes a user with all that it has.
func (w *World) DeleteUser(name string) error {
	return w.changeUser("delete user", name, func(a *account, u *user) error {
		if u == a.root {
			return errors.New("root cannot be deleted")
		}
		for len(u.keys) > 0 {
			a.removeKey(u.keys[0])
		}
		a.remove(u)
		return nil
	})
}

// RenameUser gives a user a new name; everything else stays.
func (w *World) RenameUser(name, newName string) error {
	return w.changeUser("rename user", name, func(a *account, u *user) error {
		other := a.users[fold(newName)]
		if u == a.root || newName == "" || newName == Root || (other != nil && other != u) {
			return fmt.Errorf("the new name %q is taken or not allowed", newName)
		}
		a.remove(u)
		u.name = newName
		a.insert(u)
		return nil
	})
}

// SetPassword gives a user a password, created and last changed at that time.
func (w *World) SetPassword(name string, created time.Time) error {
	return w.changeUser("set password of", name, func(a *account, u *user) error {
		if u == a.root {
			return errors.New("use SetRootPassword for root")
		}
		u.password = &password{created: seconds(created), changed: seconds(created)}
		return nil
	})
}

// ChangePassword changes the password that a user has.
func (w *World) ChangePassword(name string, changed time.Time) error {
	return w.changeUser("change password of", name, func(_ *account, u *user) error {
		if u.password == nil {
			return errors.New("the user has no password")
		}
		u.password.changed = seconds(changed)
		return nil
	})
}

// RemovePassword takes away a user's password. The last sign-in stays on record.
func (w *World) RemovePassword(name string) error {
	return w.changeUser("remove password of", name, func(a *account, u *user) error {
		if u == a.root {
			return errors.New("use SetRootPassword for root")
		}
		u.password = nil
		return nil
	})
}

// SetRootPassword sets the state of the root user's password.
func (w *World) SetRootPassword(state RootPassword) error {
	return w.change(func(a *account) error {
		a.rootPassword = state
		return nil
	})
}

// accountAlias is what AWS takes as an alias. Go's regular expressions cannot
// tell that no hyphen follows another.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html
var accountAlias = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// SetAlias sets the account's alias; an empty one removes it.
func (w *World) SetAlias(alias string) error {
	if alias != "" && (!accountAlias.MatchString(alias) || strings.Contains(alias, "--")) {
		return fmt.Errorf("set alias %q: want 3 to 63 lower case letters, digits and single hyphens, with no hyphen at an end", alias)
	}
	return w.change(func(a *account) error {
		a.alias = alias
		return nil
	})
}

// SignIn records that a user, or root, signed in with the password.
func (w *World) SignIn(name string, at time.Time) error {
	return w.changeUser("sign in", name, func(a *account, u *user) error {
		if u != a.root && u.password == nil {
			return errors.New("the user has no password")
		}
		u.signedIn = seconds(at)
		return nil
	})
}

// AddMFA adds a virtual MFA device to a user or root and returns its serial number.
func (w *World) AddMFA(name string, enabled time.Time) (string, error) {
	serial := fmt.Sprintf("arn:%s:iam::%s:mfa/%s", w.options.Partition, w.options.AccountID, w.newID("device-", 8))
	return serial, w.changeUser("add MFA device of", name, func(_ *account, u *user) error {
		u.mfa = append(u.mfa, device{serial, seconds(enabled)})
		return nil
	})
}

// RemoveMFA removes all MFA devices of a user or root.
func (w *World) RemoveMFA(name string) error {
	return w.changeUser("remove MFA devices of", name, func(_ *account, u *user) error {
		u.mfa = nil
		return nil
	})
}

// TagUser adds a tag to a user, or changes its value. Keys that differ only in
// case are the same.
func (w *World) TagUser(name, key, value string) error {
	return w.changeUser("tag", name, func(a *account, u *user) error {
		switch {
		case u == a.root:
			return errors.New("root has no tags")
		case key == "", utf8.RuneCountInString(key) > maxTagKey, utf8.RuneCountInString(value) > maxTagValue:
			return fmt.Errorf("the key has 1 to %d characters and the value at most %d", maxTagKey, maxTagValue)
		case !tagText.MatchString(key), !tagText.MatchString(value):
			return errors.New("tags hold letters, digits, spaces and _.:/=+-@ only")
		}
		return u.tag(Tag{key, value})
	})
}

// UntagUser removes a tag of a user, if the user has it.
func (w *World) UntagUser(name, key string) error {
	return w.changeUser("untag", name, func(_ *account, u *user) error {
		if at, found := u.findTag(key); found {
			u.tags = slices.Delete(u.tags, at, at+1)
		}
		return nil
	})
}

// PutUserPolicy gives a user an inline policy. The exporter has no use for it and
// must not show it.
func (w *World) PutUserPolicy(name, policyName, document string) error {
	return w.changeUser("put policy of", name, func(a *account, u *user) error {
		if u == a.root {
			return errors.New("root has no policies")
		}
		u.policies = slices.DeleteFunc(u.policies, func(p inlinePolicy) bool { return p.name == policyName })
		u.policies = append(u.policies, inlinePolicy{policyName, document})
		return nil
	})
}

// CreateKey makes an active access key for a user or root and returns its id.
func (w *World) CreateKey(name string, created time.Time) (string, error) {
	id := w.newID("AKIA", 16)
	err := w.changeUser("create key of", name, func(a *account, u *user) error {
		if len(u.keys) >= w.options.KeysPerUser {
			return fmt.Errorf("the quota of %d keys is used up", w.options.KeysPerUser)
		}
		k := &key{id: id, owner: u, created: seconds(created), status: types.StatusTypeActive}
		u.keys = append(u.keys, k)
		a.keys[id] = k
		return nil
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// SetKeyStatus activates, deactivates or expires a key.
func (w *World) SetKeyStatus(id string, status types.StatusType) error {
	return w.changeKey("set status of", id, func(_ *account, k *key) { k.status = status })
}

// UseKey records a use of a key. It is visible with the next read, or after
// the VisibilityDelay; AWS itself records the first use in 15 minutes.
func (w *World) UseKey(id string, use Use) error {
	use.At = seconds(use.At)
	return w.changeKey("use", id, func(_ *account, k *key) { k.use = use })
}

// DeleteKey removes a key.
func (w *World) DeleteKey(id string) error {
	return w.changeKey("delete", id, func(a *account, k *key) { a.removeKey(k) })
}

func (w *World) changeUser(verb, name string, apply func(*account, *user) error) error {
	return w.change(func(a *account) error {
		u, err := a.find(name)
		if err == nil {
			err = apply(a, u)
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", verb, name, err)
		}
		return nil
	})
}

func (w *World) changeKey(verb, id string, apply func(*account, *key)) error {
	return w.change(func(a *account) error {
		k, err := a.findKey(id)
		if err != nil {
			return fmt.Errorf("%s key %s: %w", verb, id, err)
		}
		apply(a, k)
		return nil
	})
}
