package config

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// policy makes a policy of what the file says, and notes values that do not fit
// together. It says nothing about values that could not be read.
func (d *document) policy(f *format, flags policy.Limits) *policy.Policy {
	defaults := d.limits(defaultsPath, f.Policy.Defaults, flags)
	return &policy.Policy{
		Default:         policy.Class{Name: policy.DefaultClass, Limits: defaults},
		Classes:         d.classes(f.Policy.Classes, defaults),
		OwnerTags:       d.tagKeys("owner_tags", f.OwnerTags),
		UserTags:        d.labelled("user_tags", d.tagKeys("user_tags", f.UserTags)),
		AccountTags:     d.labelled("account_tags", d.tagKeys("account_tags", f.AccountTags)),
		KeyDescriptions: f.KeyDescriptions,
		Exemptions:      d.exemptions(f.Exemptions),
		ExemptionTag:    string(f.ExemptionTag),
		Users: policy.Selection{
			Include: d.matches("users.include", f.Users.Include),
			Exclude: d.matches("users.exclude", f.Users.Exclude),
		},
	}
}

// defaultsPath is the path of the limits that classes inherit.
const defaultsPath = "policy.defaults"

func (d *document) limits(path string, own limits, inherited policy.Limits) policy.Limits {
	all := own.over(inherited)
	for _, p := range all.Problems() {
		if p.Other == "" {
			d.failLimit(path, p)
		} else {
			d.failRelation(path, p)
		}
	}
	return all
}

// failLimit notes a limit that makes no sense by itself.
func (d *document) failLimit(path string, p policy.LimitProblem) {
	limit, got := join(path, p.Limit), policy.InDays(p.Value)
	own := d.has(limit)
	switch {
	case d.broken[limit], !own && d.inheritsBroken(path):
	case own:
		d.fail(limit, "got %s, want %s", got, p.Want)
	default:
		d.fail(limit, "got %s, %s, want %s", got, originOf(path), p.Want)
	}
}

// failRelation notes a limit that makes no sense beside another one. It blames
// the one of the two that the file sets at the path.
func (d *document) failRelation(path string, p policy.LimitProblem) {
	limit, other := join(path, p.Limit), join(path, p.Other)
	own, ownOther := d.has(limit), d.has(other)
	got, want, origin := policy.InDays(p.Value), p.Wanted(p.Other), originOf(path)
	switch {
	case d.broken[limit], d.broken[other], (!own || !ownOther) && d.inheritsBroken(path):
	case own && ownOther:
		d.fail(limit, "got %s, want %s", got, want)
	case own:
		d.fail(limit, "got %s, want %s, %s", got, want, origin)
	case ownOther:
		d.fail(other, "got %s, want more than %s (%s), %s: set %s beside it", policy.InDays(p.OtherValue), p.Limit, got, origin, p.Limit)
	default:
		d.fail(limit, "got %s, %s, want %s", got, origin, want)
	}
}

// inheritsBroken reports whether the limits that the path inherits could not be
// read.
func (d *document) inheritsBroken(path string) bool {
	return path != defaultsPath && d.broken[defaultsPath]
}

// originOf says where the limits come from that are not set at the path.
func originOf(path string) string {
	if path == defaultsPath {
		return "which comes from the flags"
	}
	return "which is inherited"
}

func (d *document) classes(list []class, inherited policy.Limits) []policy.Class {
	var all []policy.Class
	first := map[string]string{}
	for i, c := range list {
		path := element("policy.classes", i)
		d.once(first, join(path, "name"), string(c.Name), string(c.Name))
		all = append(all, policy.Class{
			Name:   string(c.Name),
			Match:  d.match(join(path, "match"), c.Match),
			Limits: d.limits(path, c.limits, inherited),
		})
	}
	return all
}

// once reports a duplicate: a text with an identity that was met before. The map
// holds the path where each identity was met first.
func (d *document) once(first map[string]string, path, text, identity string) {
	if d.broken[path] || !d.has(path) {
		return
	}
	if met, found := first[identity]; found {
		d.fail(path, "got %q again, want it once; first on line %d", text, d.lines[met])
		return
	}
	first[identity] = path
}

func (d *document) matches(path string, list []conditions) []policy.Match {
	var all []policy.Match
	for i, m := range list {
		all = append(all, d.match(element(path, i), match{conditions: m}))
	}
	return all
}

func (d *document) match(path string, m match) policy.Match {
	matcher := policy.Match{
		Console: m.ConsoleAccess, Tags: d.tagMatches(join(path, "tags"), m.Tags),
		AccountID: string(m.AccountID), AccountOU: string(m.AccountOU), AccountTags: d.tagMatches(join(path, "account_tags"), m.AccountTags),
	}
	if m.AccountName != "" {
		matcher.AccountName = policy.Glob(string(m.AccountName))
	}
	d.needAccounts(join(path, "account_name"), "with names")
	d.needAccounts(join(path, "account_tags"), "with tags")
	if m.Path != "" {
		matcher.Path = policy.Glob(string(m.Path))
	}
	if m.UserName != "" {
		matcher.UserName = policy.Glob(string(m.UserName))
	}
	if at := join(path, "user_name_regexp"); m.UserNameRegexp != "" && !d.broken[at] {
		if d.has(join(path, "user_name")) {
			d.fail(at, "got it beside user_name, want one of them")
		}
		matcher.UserName = d.expression(at, string(m.UserNameRegexp))
	}
	return matcher
}

func (d *document) expression(path, text string) *regexp.Regexp {
	compiled, err := policy.Anchored(text)
	var malformed *syntax.Error
	if errors.As(err, &malformed) {
		d.fail(path, "got %q, want a regular expression in Go's syntax: %s: %q", text, malformed.Code, malformed.Expr)
	} else if err != nil {
		d.fail(path, "got %q, want a regular expression in Go's syntax: %q", text, err)
	}
	return compiled
}

// tagMatches returns the conditions in their order in the file.
func (d *document) tagMatches(path string, conditions tagConditions) []policy.TagMatch {
	var all []policy.TagMatch
	for _, key := range keysOnce(d, path, conditions) {
		all = append(all, policy.TagMatch{Key: string(key), Value: policy.Glob(string(conditions[key]))})
	}
	return all
}

// keysOnce returns the keys of a mapping in their order in the file, and notes those
// that differ in case alone.
func keysOnce[V any](d *document, path string, mapping map[tagKey]V) []tagKey {
	at := func(key tagKey) string { return join(path, string(key)) }
	keys := slices.SortedFunc(maps.Keys(mapping), func(a, b tagKey) int {
		return cmp.Or(d.lines[at(a)]-d.lines[at(b)], cmp.Compare(a, b))
	})
	first := map[string]string{}
	for _, key := range keys {
		d.once(first, at(key), string(key), fold(string(key)))
	}
	return keys
}

// tagKeys returns the keys, and notes those that differ in case alone.
func (d *document) tagKeys(path string, list []tagKey) []string {
	var all []string
	first := map[string]string{}
	for i, key := range list {
		d.once(first, element(path, i), string(key), fold(string(key)))
		all = append(all, string(key))
	}
	return all
}

// labelled notes keys that would share a label.
func (d *document) labelled(path string, keys []string) []string {
	first := map[string]int{}
	for i, key := range keys {
		at, label := element(path, i), policy.TagLabel(key)
		met, found := first[label]
		switch {
		case d.broken[at]:
		case found:
			d.fail(at, "got %q, want a key with a label of its own: %s is that of %q on line %d",
				key, label, keys[met], d.lines[element(path, met)])
		default:
			first[label] = i
		}
	}
	return keys
}

// fold returns the same text for texts that strings.EqualFold calls equal.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, text)
}

func (d *document) exemptions(list []exemption) []policy.Exemption {
	var all []policy.Exemption
	met := map[exemptionKey]string{}
	for i, e := range list {
		all = append(all, policy.Exemption{
			Account:  string(e.Account),
			UserName: string(e.User),
			Rules:    d.exempted(element("exemptions", i), e, met),
			Reason:   string(e.Reason),
			Until:    time.Time(e.Until),
		})
	}
	return all
}

// exemptionKey says which user is exempted from which rule, and in which account.
type exemptionKey struct {
	user    userName
	rule    rule
	account idAlone
}

// anyAccount in an exemptionKey stands for the account that was met first.
const anyAccount idAlone = "*"

// exempted returns the rules of an exemption, and notes those that cannot apply
// to the user or were exempted before. The map holds the paths of those met.
func (d *document) exempted(path string, e exemption, met map[exemptionKey]string) []policy.Rule {
	var all []policy.Rule
	unclear := d.broken[join(path, "user")] || d.broken[join(path, "account")]
	for i, r := range e.Rules {
		all = append(all, policy.Rule(r))
		if at := element(join(path, "rules"), i); !unclear && !d.broken[at] {
			d.exemptedOnce(at, exemptionKey{e.User, r, e.Account}, met)
		}
	}
	return all
}

func (d *document) exemptedOnce(path string, x exemptionKey, met map[exemptionKey]string) {
	isRoot, isRootRule := x.user == policy.RootUserName, policy.Rule(x.rule).Subject() == policy.SubjectAccount
	if isRoot && !isRootRule {
		d.fail(path, "got %q for %s, want %s, which alone judge root", x.rule, x.user, inventory.Listed(policy.RulesAbout(policy.SubjectAccount)))
	}
	if !isRoot && isRootRule {
		d.fail(path, "got %q for a user, want a rule that judges users; this one is for %s", x.rule, policy.RootUserName)
	}
	everywhere, anywhere := exemptionKey{x.user, x.rule, ""}, exemptionKey{x.user, x.rule, anyAccount}
	before := cmp.Or(met[x], met[everywhere])
	if x.account == "" {
		before = met[anywhere]
	}
	if before != "" {
		d.fail(path, "got %q for %s again, want it once for an account; first on line %d", x.rule, x.user, d.lines[before])
		return
	}
	met[x] = path
	met[anywhere] = cmp.Or(met[anywhere], path)
}
