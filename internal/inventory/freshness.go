package inventory

import (
	"iter"
	"time"
)

// Coverage tells how much is known of one group of facts, and how old that is.
type Coverage struct {
	Oldest  time.Time // the oldest observation of a known fact; zero if none is known
	Missing bool      // a fact is unknown
}

// Add takes in one fact.
func (c *Coverage) Add(known bool, observed time.Time) {
	switch {
	case !known:
		c.Missing = true
	case c.Oldest.IsZero() || observed.Before(c.Oldest):
		c.Oldest = observed
	}
}

// Or returns c, or other if c covers nothing: a group with nobody in it is as
// old as the group that says so.
func (c Coverage) Or(other Coverage) Coverage {
	if c.Oldest.IsZero() && !c.Missing {
		return other
	}
	return c
}

// Cover looks at everything known about users and root. Users were listed at
// that time; zero if it is not known whether they are all. Tags are a matter of
// CoverTags.
func Cover(users []User, root *Root, listed time.Time) map[Group]Coverage {
	var list, keys, use, console, mfa Coverage
	for _, c := range []*Coverage{&list, &keys, &use, &console, &mfa} {
		c.Missing = listed.IsZero()
	}
	list.Add(!listed.IsZero(), listed)
	for i := range users {
		user := &users[i]
		keys.Add(user.Keys.Known(), user.Keys.Observed())
		console.Add(user.Console.Known(), user.Console.Observed())
		if has, known := user.Console.Get(); has || !known {
			mfa.Add(user.MFA.Known() && known, user.MFA.Observed())
		}
		coverUse(&use, user.Keys)
	}
	keys, console = keys.Or(list), console.Or(list)
	return map[Group]Coverage{
		GroupUsers: list, GroupKeys: keys, GroupConsole: console,
		GroupKeyUse: use.Or(keys), GroupMFA: mfa.Or(console), GroupRoot: coverRoot(root),
	}
}

func coverUse(c *Coverage, keys Fact[[]AccessKey]) {
	list, known := keys.Get()
	c.Missing = c.Missing || !known
	for i := range list {
		c.Add(list[i].LastUse.Known(), list[i].LastUse.Observed())
	}
}

// coverRoot takes in everything that root's series and rule rest on: a summary
// renews only part of what a report has told.
func coverRoot(root *Root) Coverage {
	var c Coverage
	c.Add(root.KeyPresent.Known(), root.KeyPresent.Observed())
	c.Add(root.Console.Known(), root.Console.Observed())
	if keys := root.AccessKeys(); keys.Known() {
		c.Add(true, keys.Observed())
	}
	if root.MFA.Known() {
		c.Add(true, root.MFA.Observed())
	}
	return c
}

// CoverTags looks at the tags of those users whose tags can be learnt.
func CoverTags(users iter.Seq[*User]) Coverage {
	var c Coverage
	for user := range users {
		c.Add(user.Tags.Known(), user.Tags.Observed())
	}
	return c
}
