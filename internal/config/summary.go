package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// soon is how long before its end Summary mentions an exemption.
const soon = 30 * 24 * time.Hour

// maxKinds is how many kinds of a thing Summary names.
const maxKinds = 10

// Summary describes the configuration in a few lines, with the exemptions that
// have lapsed or soon will.
func (c *Config) Summary(now time.Time) string {
	var b strings.Builder
	b.WriteString("classes, the first that matches counts:\n")
	for _, class := range slices.Concat(c.Policy.Classes, []policy.Class{c.Policy.Default}) {
		fmt.Fprintf(&b, "  %s: %s\n", class.Name, class.Limits)
	}
	if c.Own.Settings.Tags == awsapi.NoTags {
		b.WriteString("tags: not read, nothing needs them\n")
	} else {
		fmt.Fprintf(&b, "tags: read by %s\n", c.Own.Settings.Tags)
	}
	fmt.Fprintf(&b, "exemptions: %d\n", len(c.Policy.Exemptions))
	for _, e := range c.Policy.Exemptions {
		switch {
		case !e.InForce(now):
			fmt.Fprintf(&b, "  %s: lapsed, its last day was %s\n", exemptionInWords(e), policy.LastDay(e.Until))
		case !e.InForce(now.Add(soon)):
			fmt.Fprintf(&b, "  %s: lapses soon, its last day is %s\n", exemptionInWords(e), policy.LastDay(e.Until))
		}
	}
	if c.Policy.ExemptionTag != "" {
		fmt.Fprintf(&b, "  and those that users' tags %s hold\n", c.Policy.ExemptionTag)
	}
	b.WriteString("users with series of their own: " + chosenInWords(len(c.Policy.Users.Include), len(c.Policy.Users.Exclude)) + "\n")
	c.summarizeAccounts(&b)
	return b.String()
}

// summarizeAccounts writes a line for each kind of access and of settings, because
// there can be thousands of accounts.
func (c *Config) summarizeAccounts(b *strings.Builder) {
	if c.Organization != nil {
		c.summarizeOrganization(b)
		return
	}
	if c.Accounts == nil {
		return
	}
	fmt.Fprintf(b, "accounts: %d\n", len(c.Accounts))
	var access, settings kinds
	for _, a := range c.Accounts {
		access.add(accessInWords(a))
		settings.add(settingsInWords(a.Settings))
	}
	access.write(b)
	if c.Sessions.InitialRole != "" {
		fmt.Fprintf(b, "  roles are assumed through %s\n", c.Sessions.InitialRole)
	}
	settings.write(b)
	c.summarizeStrangers(b)
}

// summarizeOrganization does not know how many accounts there are.
func (c *Config) summarizeOrganization(b *strings.Builder) {
	o := c.Organization
	fmt.Fprintf(b, "accounts of the organization: %s\n", chosenInWords(len(o.Include), len(o.Exclude)))
	fmt.Fprintf(b, "  %s\n", accessInWords(o.Default))
	if c.Sessions.InitialRole != "" {
		fmt.Fprintf(b, "  the organization is read, and roles are assumed, through %s\n", c.Sessions.InitialRole)
	}
	fmt.Fprintf(b, "  %s\n", settingsInWords(o.Default.Settings))
	if asked := c.Discovery(); asked.Tags || asked.UnitNames {
		var what []string
		if asked.Tags {
			what = append(what, "the tags of each account")
		}
		if asked.UnitNames {
			what = append(what, "the name of each organizational unit")
		}
		fmt.Fprintf(b, "  read once a day: %s\n", strings.Join(what, ", "))
	}
	if len(o.Overrides) > 0 {
		fmt.Fprintf(b, "overrides: %d\n", len(o.Overrides))
		var ways kinds
		for _, a := range o.Overrides {
			ways.add(accessInWords(a) + ", " + settingsInWords(a.Settings))
		}
		ways.write(b)
	}
}

// summarizeStrangers says what is about accounts that are not in the list, be they
// misspelt or gone. That is no mistake: an account may leave the list before whatever
// names it does.
func (c *Config) summarizeStrangers(b *strings.Builder) {
	for _, e := range c.Policy.Exemptions {
		if e.Account != "" && !c.hasAccount(policy.Match{AccountID: e.Account}) {
			fmt.Fprintf(b, "  none is that of the exemption of %s\n", exemptionInWords(e))
		}
	}
	for i := range c.Policy.Classes {
		if class := &c.Policy.Classes[i]; !c.hasAccount(class.Match) {
			fmt.Fprintf(b, "  none is one that class %s asks for\n", class.Name)
		}
	}
	for _, part := range []struct {
		name    string
		matches []policy.Match
	}{{"include", c.Policy.Users.Include}, {"exclude", c.Policy.Users.Exclude}} {
		for i, m := range part.matches {
			if !c.hasAccount(m) {
				fmt.Fprintf(b, "  none is one that %s asks for\n", element("users."+part.name, i))
			}
		}
	}
}

// hasAccount reports whether the conditions on the account hold for one of the list.
func (c *Config) hasAccount(m policy.Match) bool {
	return slices.ContainsFunc(c.Accounts, func(a Account) bool {
		return m.MayBeIn(&inventory.Account{ID: a.ID, Name: a.Name, Tags: a.Tags})
	})
}

// accessInWords says how the account is reached, but no external id.
func accessInWords(a Account) string {
	switch {
	case a.Role == nil:
		return "by the exporter's own credentials"
	case a.Role.ExternalID != "":
		return "by role " + a.Role.Name + " with an external id"
	}
	return "by role " + a.Role.Name
}

func settingsInWords(s Settings) string {
	text := fmt.Sprintf("read with source %s, every %s, keys every %s", s.Source, policy.InDays(s.RefreshInterval), policy.InDays(s.KeysInterval))
	if s.Tags != awsapi.NoTags {
		text += fmt.Sprintf(", tags by %s", s.Tags)
	}
	return text
}

// kinds counts things that are described alike.
type kinds []kind

type kind struct {
	text  string
	count int
}

func (k *kinds) add(text string) {
	i := slices.IndexFunc(*k, func(known kind) bool { return known.text == text })
	if i < 0 {
		i, *k = len(*k), append(*k, kind{text: text})
	}
	(*k)[i].count++
}

// write writes a line for each kind, the most frequent first.
func (k *kinds) write(b *strings.Builder) {
	slices.SortStableFunc(*k, func(x, y kind) int { return y.count - x.count })
	rest := 0
	for i, one := range *k {
		if i < maxKinds {
			fmt.Fprintf(b, "  %s: %d\n", one.text, one.count)
		} else {
			rest += one.count
		}
	}
	if rest > 0 {
		fmt.Fprintf(b, "  and in %d other ways: %d\n", len(*k)-maxKinds, rest)
	}
}

func exemptionInWords(e policy.Exemption) string {
	text := e.UserName
	if e.Account != "" {
		text += " in " + e.Account
	}
	return text + " from " + inventory.Listed(e.Rules)
}

// chosenInWords says who is chosen by so many includes and excludes.
func chosenInWords(includes, excludes int) string {
	text := "all"
	if includes > 0 {
		text = fmt.Sprintf("those that match one of %d under include", includes)
	}
	if excludes > 0 {
		text += fmt.Sprintf(", but for those that match one of %d under exclude", excludes)
	}
	return text
}
