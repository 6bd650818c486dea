package policy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Policy is what the operator has decided: the limits of each class of users,
// whom a user belongs to, who is excused from what, and whose series are
// served. It is immutable once in force.
type Policy struct {
	Default Class   // of users whom no class matches; its name is DefaultClass
	Classes []Class // the first that matches counts; names are unique

	// OwnerTags are the keys of the tags that name a user's owner: the first
	// that the user has with a value counts, or else the first that the account has.
	OwnerTags []string
	// UserTags are the keys of the tags to be served, each as TagLabel has it;
	// no two of them make the same label.
	UserTags []string
	// AccountTags are the keys of the accounts' tags to be served, likewise.
	AccountTags []string
	// KeyDescriptions tells whether to serve the descriptions of access keys,
	// which AWS keeps in user tags named by the key's id.
	KeyDescriptions bool

	Exemptions []Exemption
	// ExemptionTag is the key of the user tag that holds an exemption, in the
	// form that ParseExemptionTag reads; empty for none.
	ExemptionTag string

	Users Selection // whose own series are served
}

// The names of classes that are no class of the configuration's.
const (
	DefaultClass = "default" // whom no class matches
	UnknownClass = "unknown" // whom the first class that might match cannot be told to match
)

// UnknownValue stands for an owner or tag that cannot be told because the tags
// are not known. No tag can have this value, nor is it a missing one.
const UnknownValue = "<unknown>"

// Class is a class of users that live under limits of their own.
type Class struct {
	Name   string
	Match  Match
	Limits Limits // all of them, inherited ones too
}

// Match tells users apart. All of its conditions must hold; one that is not
// set always holds.
type Match struct {
	UserName *regexp.Regexp // anchored
	Path     *regexp.Regexp // anchored
	Tags     []TagMatch
	Console  *bool // whether the user has console access

	AccountID   string         // of the user's account, whole
	AccountName *regexp.Regexp // anchored; an alias is no name
	AccountTags []TagMatch
	AccountOU   string // the id of an organizational unit, or of the root, that the account is in, however deep
}

// TagMatch is the condition that a user, or an account, has a tag with such a value.
type TagMatch struct {
	Key   string
	Value *regexp.Regexp // anchored
}

// In reports whether one of the tags meets the condition. As in IAM, case does not
// tell keys apart.
func (m TagMatch) In(tags inventory.Tags) bool {
	return slices.ContainsFunc(tags, func(t inventory.Tag) bool {
		return strings.EqualFold(t.Key, m.Key) && m.Value.MatchString(t.Value)
	})
}

// Selection selects users: those that one of Include matches (everybody, if
// there is none) and none of Exclude.
type Selection struct {
	Include, Exclude []Match
}

// Exemption excuses a user from rules until a certain moment.
type Exemption struct {
	Account  string // 12 digits; empty for every account
	UserName string // RootUserName for root
	Rules    []Rule
	Reason   string
	Until    time.Time // when it ends: from then on the rules count again
	FromTag  bool      // it stands in the user's own tag
}

// WithLimits returns the policy that holds the same limits for everybody.
func WithLimits(limits Limits) *Policy {
	return &Policy{Default: Class{Name: DefaultClass, Limits: limits}}
}

// NeedsTags tells whether anything in the policy rests on the users' tags.
func (p *Policy) NeedsTags() bool {
	needs := len(p.OwnerTags) > 0 || len(p.UserTags) > 0 || p.KeyDescriptions || p.ExemptionTag != ""
	for i := range p.Classes {
		needs = needs || len(p.Classes[i].Match.Tags) > 0
	}
	for _, m := range append(append([]Match(nil), p.Users.Include...), p.Users.Exclude...) {
		needs = needs || len(m.Tags) > 0
	}
	return needs
}

// TagLabel returns the label under which a tag of a user or an account is served.
func TagLabel(key string) string {
	return "tag_" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_':
			return r
		}
		return '_'
	}, key)
}

// Classification is how a user stands under the policy.
type Classification struct {
	Class  *Class // nil while it is unknown
	Owner  string // empty without one; UnknownValue while it cannot be told
	Hidden bool   // the user's own series are not served
}

// ClassName returns the name of the user's class, or UnknownClass.
func (c *Classification) ClassName() string {
	if c.Class == nil {
		return UnknownClass
	}
	return c.Class.Name
}

// Limits returns the limits that apply to the user; nil while they are unknown.
func (c *Classification) Limits() *Limits {
	if c.Class == nil {
		return nil
	}
	return &c.Class.Limits
}

// TagOf returns the value of a user's tag for a label: empty if the user has no
// such tag, UnknownValue while the tags are unknown.
func TagOf(user *inventory.User, key string) string {
	tags, known := user.Tags.Get()
	if !known {
		return UnknownValue
	}
	value, _ := tags.Get(key)
	return value
}

// TagOfAccount returns the value of an account's tag for a label, as TagOf does for
// a user's.
func TagOfAccount(account *inventory.Account, key string) string {
	if account.Tags == nil {
		return UnknownValue
	}
	value, _ := account.Tags.Get(key)
	return value
}
