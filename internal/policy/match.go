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

// ternary is a truth that can be unknown.
type ternary int

const (
	no ternary = iota
	unknown
	yes
)

func truth(is bool) ternary {
	if is {
		return yes
	}
	return no
}

// matches tells whether all conditions hold; one that does not is enough to
// tell that not.
func (m *Match) matches(user *inventory.User) ternary {
	result := yes
	if m.UserName != nil {
		result = min(result, truth(m.UserName.MatchString(user.Name)))
	}
	if m.Path != nil {
		result = min(result, truth(m.Path.MatchString(user.Path)))
	}
	for i := range m.Tags {
		result = min(result, m.Tags[i].matches(user))
	}
	if m.Console != nil {
		console, known := user.Console.Get()
		if !known {
			return min(result, unknown)
		}
		result = min(result, truth(console == *m.Console))
	}
	return result
}

func (m *TagMatch) matches(user *inventory.User) ternary {
	tags, known := user.Tags.Get()
	if !known {
		return unknown
	}
	value, found := tags.Get(m.Key)
	return truth(found && m.Value.MatchString(value))
}

// standing judges how the user stands.
func (p *Policy) standing(user *inventory.User) Standing {
	return Standing{Class: p.classOf(user), Owner: p.ownerOf(user), Hidden: !p.Users.selects(user)}
}

// classOf returns the first class that matches. One that might match stands in
// the way of those after it: to pass it over would be a guess.
func (p *Policy) classOf(user *inventory.User) *Class {
	for i := range p.Classes {
		switch p.Classes[i].Match.matches(user) {
		case yes:
			return &p.Classes[i]
		case unknown:
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

// selects tells whether the user is known to be selected: as long as that
// cannot be told, privacy wins.
func (s *Selection) selects(user *inventory.User) bool {
	for i := range s.Exclude {
		if s.Exclude[i].matches(user) != no {
			return false
		}
	}
	for i := range s.Include {
		if s.Include[i].matches(user) == yes {
			return true
		}
	}
	return len(s.Include) == 0
}
