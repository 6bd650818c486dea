package policy

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Glob compiles a pattern that must match the whole of a text, in which *
// stands for any characters or none, slashes included, and ? for one character.
func Glob(pattern string) *regexp.Regexp {
	var expr strings.Builder
	for _, r := range pattern {
		switch r {
		case '*':
			expr.WriteString(".*")
		case '?':
			expr.WriteString(".")
		default:
			expr.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile("^(?s:" + expr.String() + ")$") // quoted, so it always compiles
}

// Anchored compiles a regular expression, in Go's syntax, that must match the
// whole of a text.
func Anchored(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // unbalanced brackets could close ours
		return nil, err
	}
	return regexp.Compile("^(?s:" + expr + ")$")
}

// matches reports whether all conditions hold, and whether that is known. One
// that is known not to hold decides, even while others are unknown.
func (m *Match) matches(account *inventory.Account, user *inventory.User) (all, known bool) {
	ofUser, userKnown := m.matchesUser(user)
	ofAccount, accountKnown := m.matchesAccount(account)
	if userKnown && !ofUser || accountKnown && !ofAccount {
		return false, true
	}
	known = userKnown && accountKnown
	return known, known
}

func (m *Match) matchesUser(user *inventory.User) (all, known bool) {
	tags, tagsKnown := user.Tags.Get()
	console, consoleKnown := user.Console.Get()
	switch {
	case m.UserName != nil && !m.UserName.MatchString(user.Name),
		m.Path != nil && !m.Path.MatchString(user.Path),
		tagsKnown && !matchTags(m.Tags, tags),
		consoleKnown && m.Console != nil && console != *m.Console:
		return false, true
	}
	known = (tagsKnown || len(m.Tags) == 0) && (consoleKnown || m.Console == nil)
	return known, known
}

// MayBeIn reports whether users of the account may match: nothing that is known of the
// account speaks against it.
func (m *Match) MayBeIn(account *inventory.Account) bool {
	matches, known := m.matchesAccount(account)
	return matches || !known
}

// matchesAccount never takes an account that nobody has named for one of another
// name: the name is known to be missing only where the tags are known.
func (m *Match) matchesAccount(account *inventory.Account) (all, known bool) {
	idKnown, tagsKnown := account.ID != "", account.Tags != nil
	nameKnown, unitsKnown := account.Name != "" || tagsKnown, account.Units != nil
	switch {
	case m.AccountID != "" && idKnown && m.AccountID != account.ID,
		m.AccountName != nil && nameKnown && (account.Name == "" || !m.AccountName.MatchString(account.Name)),
		tagsKnown && !matchTags(m.AccountTags, account.Tags),
		m.AccountOU != "" && unitsKnown && !slices.Contains(account.Units, m.AccountOU):
		return false, true
	}
	known = (idKnown || m.AccountID == "") && (nameKnown || m.AccountName == nil) &&
		(tagsKnown || len(m.AccountTags) == 0) && (unitsKnown || m.AccountOU == "")
	return known, known
}

func matchTags(conditions []TagMatch, tags inventory.Tags) bool {
	return !slices.ContainsFunc(conditions, func(c TagMatch) bool { return !c.In(tags) })
}

// classification tells the class, the owner and the visibility of the user.
func (p *Policy) classification(account *inventory.Account, user *inventory.User) Classification {
	return Classification{
		Class:  p.classOf(account, user),
		Owner:  p.ownerOf(account, user),
		Hidden: !p.Users.selects(account, user),
	}
}

// classOf returns the first class that matches. One that might match stands in
// the way of those after it: to pass it over would be a guess.
func (p *Policy) classOf(account *inventory.Account, user *inventory.User) *Class {
	for i := range p.Classes {
		switch matches, known := p.Classes[i].Match.matches(account, user); {
		case matches:
			return &p.Classes[i]
		case !known:
			return nil
		}
	}
	return &p.Default
}

// ownerOf returns the account's owner where the user has none, so that a finding
// reaches somebody.
func (p *Policy) ownerOf(account *inventory.Account, user *inventory.User) string {
	tags, known := user.Tags.Get()
	if !known && len(p.OwnerTags) > 0 {
		return UnknownValue
	}
	return cmp.Or(p.ownerIn(tags), p.ownerOfAccount(account))
}

// ownerOfAccount returns the account's owner; UnknownValue as long as its tags are
// asked for and not known.
func (p *Policy) ownerOfAccount(account *inventory.Account) string {
	if account.Tags == nil && account.State != "" && len(p.AccountTags) > 0 && len(p.OwnerTags) > 0 {
		return UnknownValue
	}
	return p.ownerIn(account.Tags)
}

// ownerIn returns the owner that the tags name; empty without one.
func (p *Policy) ownerIn(tags inventory.Tags) string {
	for _, key := range p.OwnerTags {
		if owner, _ := tags.Get(key); owner != "" {
			return owner
		}
	}
	return ""
}

// selects reports whether the user is known to be selected: as long as that
// cannot be told, privacy wins.
func (s *Selection) selects(account *inventory.Account, user *inventory.User) bool {
	for i := range s.Exclude {
		if excluded, known := s.Exclude[i].matches(account, user); excluded || !known {
			return false
		}
	}
	for i := range s.Include {
		if included, _ := s.Include[i].matches(account, user); included {
			return true
		}
	}
	return len(s.Include) == 0
}
