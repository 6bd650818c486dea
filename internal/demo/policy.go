package demo

import (
	_ "embed"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

//go:embed config.yml
var configuration string

// Configuration returns the configuration file for the account. Its dates are
// as far from now as their placeholders say.
func Configuration(now time.Time) []byte {
	day := func(days int) string { return now.UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	return []byte(strings.NewReplacer(
		"LAST-MONTH", day(-30), "NEXT-WEEK", day(7), "NEXT-QUARTER", day(90),
	).Replace(configuration))
}

// The tags that users have.
const (
	tagKind   = "kind"
	tagTeam   = "team"
	tagOwner  = "Owner"
	tagCost   = "cost-center"
	tagExempt = "key-policy-exemption"
)

// excusedPath is the path of machines that nobody expects to follow the rules.
const excusedPath = "/excused/"

// isExcused reports whether the user's violations stay as they are.
func isExcused(u awssim.User) bool { return u.Path == excusedPath || u.Path == "/emergency/" }

func (a *Account) dayFromNow(days int) string {
	return a.now().UTC().AddDate(0, 0, days).Format(time.DateOnly)
}

// tag gives a user tags: keys and values in turn.
func (a *Account) tag(name string, keysAndValues ...string) error {
	if name == awssim.Root { // which can have none
		return nil
	}
	for i := 0; i < len(keysAndValues); i += 2 {
		if err := a.World.TagUser(name, keysAndValues[i], keysAndValues[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// tagPerson tags most people with an owner, and a few with "no owner".
func (a *Account) tagPerson(name string) error {
	_, team, inTeam := strings.Cut(name, ".")
	tags := []string{tagKind, "person"}
	switch {
	case inTeam:
		tags = append(tags, tagOwner, team, tagCost, "cc-"+team)
	case a.chance(20):
		tags = append(tags, tagOwner, "no owner")
	}
	return a.tag(name, tags...)
}
