package policy

import (
	"regexp"
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
func (m *Match) matches(user *inventory.User) (all, known bool) {
	tags, tagsKnown := user.Tags.Get()
	console, consoleKnown := user.Console.Get()
	switch {
	case m.UserName != nil && !m.UserName.MatchString(user.Name),
		m.Path != nil && !m.Path.MatchString(user.Path),
		tagsKnown && !m.matchesTags(tags),
		consoleKnown && m.Console != nil && console != *m.Console:
		return false, true
	}
	known = (tagsKnown || len(m.Tags) == 0) && (consoleKnown || m.Console == nil)
	return known, known
}

func (m *Match) matchesTags(tags inventory.Tags) bool {
	for i := range m.Tags {
		value, found := tags.Get(m.Tags[i].Key)
		if !found || !m.Tags[i].Value.MatchString(value) {
			return false
		}
	}
	return true
}

// classification tells the class, the owner and the visibility of the user.
func (p *Policy) classification(user *inventory.User) Classification {
	return Classification{Class: p.classOf(user), Owner: p.ownerOf(user), Hidden: !p.Users.selects(user)}
}

// classOf returns the first class that matches. One that might match stands in
// the way of those after it: to pass it over would be a guess.
func (p *Policy) classOf(user *inventory.User) *Class {
	for i := range p.Classes {
		switch matches, known := p.Classes[i].Match.matches(user); {
		case matches:
			return &p.Classes[i]
		case !known:
			return nil
		}
	}
	return &p.Default
}

func (p *Policy) ownerOf(user *inventory.User) string {
	if len(p.OwnerTags) == 0 {
		return ""
	}
	tags, known := user.Tags.Get()
	if !known {
		return UnknownValue
	}
	for _, key := range p.OwnerTags {
		if owner, _ := tags.Get(key); owner != "" {
			return owner
		}
	}
	return ""
}

// selects reports whether the user is known to be selected: as long as that
// cannot be told, privacy wins.
func (s *Selection) selects(user *inventory.User) bool {
	for i := range s.Exclude {
		if excluded, known := s.Exclude[i].matches(user); excluded || !known {
			return false
		}
	}
	for i := range s.Include {
		if included, _ := s.Include[i].matches(user); included {
			return true
		}
	}
	return len(s.Include) == 0
}
