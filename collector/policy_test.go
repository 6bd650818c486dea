package collector_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// tagged is the user with those tags, keys and values in turns.
func tagged(u inventory.User, keysAndValues ...string) inventory.User {
	tags := inventory.Tags{}
	for i := 0; i < len(keysAndValues); i += 2 {
		tags = append(tags, inventory.Tag{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	u.Tags = inventory.Observe(tags, live)
	return u
}

// withTags says how old the tags are.
func withTags(s *inventory.Snapshot) *inventory.Snapshot {
	s.Freshness[inventory.GroupTags] = inventory.Freshness{Observed: live, Stale: live.Add(time.Hour)}
	return s
}

func reloaded() view.Reload { return view.Reload{Wanted: true, Successful: true, At: live} }

func defaults() *policy.Policy { return policy.WithLimits(policy.DefaultLimits()) }

func named(glob string) policy.Match { return policy.Match{UserName: policy.Glob(glob)} }

func withTag(key, value string) policy.Match {
	return policy.Match{Tags: []policy.TagMatch{{Key: key, Value: policy.Glob(value)}}}
}

// class is a class under the default limits but for the age of keys.
func class(name string, match policy.Match, maxKeyAge time.Duration) policy.Class {
	limits := policy.DefaultLimits()
	limits.MaxKeyAge = maxKeyAge
	return policy.Class{Name: name, Match: match, Limits: limits}
}

func exempt(user string, until time.Time, rules ...policy.Rule) policy.Exemption {
	return policy.Exemption{UserName: user, Rules: rules, Reason: "agreed", Until: until}
}

// everyPolicy uses everything that a policy offers.
func everyPolicy() *policy.Policy {
	p := defaults()
	p.Classes = []policy.Class{class("robots", withTag("kind", "robot"), 365*day)}
	p.OwnerTags = []string{"Owner"}
	p.UserTags = []string{"kind"}
	p.KeyDescriptions = true
	p.Exemptions = []policy.Exemption{exempt("bob", now.Add(30*day), policy.ConsoleUserWithoutMFA)}
	return p
}

func describing() *policy.Policy {
	p := defaults()
	p.KeyDescriptions = true
	return p
}

func oddTags() *policy.Policy {
	p := defaults()
	p.OwnerTags = []string{"odd"}
	p.UserTags = []string{"odd", "ключ/1", "1 a-b:c.d"}
	return p
}

// classes has classes by name, tag and console access, in this order.
func classes() *policy.Policy {
	console := true
	p := defaults()
	p.Classes = []policy.Class{
		class("break-glass", named("glass"), 30*day),
		class("robots", withTag("kind", "robot*"), 365*day),
		class("people", policy.Match{Console: &console}, 60*day),
	}
	return p
}

func classed() *inventory.Snapshot {
	created := ago(80 * day)
	keyOf := func(id string) []inventory.AccessKey {
		return []inventory.AccessKey{
			used(key("AKIA"+id+"1", inventory.Active, created), inventory.Use{}),
			used(key("AKIA"+id+"2", inventory.Active, created), inventory.Use{}),
		}
	}
	return withTags(settled(account("111122223333",
		tagged(full("ci", created, true, true, keyOf("CI")...), "Kind", "robot-2"),
		full("glass", created, true, true, keyOf("GLASS")...), // tags unknown, and not needed
		full("mystery", created, true, true, keyOf("MYSTERY")...),
		tagged(full("other", created, false, false, keyOf("OTHER")...)),
		tagged(full("person", created, true, true, keyOf("PERSON")...), "kind", "human"))))
}

func owners() *policy.Policy {
	p := defaults()
	p.OwnerTags = []string{"Owner", "team"}
	p.UserTags = []string{"cost-center", "Owner"}
	return p
}

// owned has users with every sort of owner, all of them in violation.
func owned() *inventory.Snapshot {
	violator := func(name string) inventory.User { return full(name, ago(day), true, false) }
	return withTags(settled(account("111122223333",
		tagged(violator("both"), "Owner", "ann", "team", "red"),
		tagged(violator("case"), "OWNER", "bea", "Cost-Center", "42"),
		tagged(violator("empty"), "Owner", "", "cost-center", "", "team", "blue"),
		tagged(violator("missing"), "unrelated", "x"),
		tagged(violator("no-owner"), "Owner", "no owner"),
		violator("unreadable"),
		tagged(violator("untagged")))))
}

// accountTags finds owners and serves tags of accounts.
func accountTags() *policy.Policy {
	p := defaults()
	p.OwnerTags = []string{"Owner"}
	p.AccountTags = []string{"cost-center", "Environment", "missing"}
	return p
}

// ownedAccount has tags, as one of its users and its root have not.
func ownedAccount() *inventory.Snapshot {
	s := everything()
	s.Account.Tags = inventory.Tags{{Key: "Cost-Center", Value: "42\xff"}, {Key: "environment"}, {Key: "owner", Value: "platform"}}
	return s
}

// exemptions are in force, lapsed, doubled, of nobody, and of other accounts.
func exemptions() *policy.Policy {
	p := defaults()
	p.ExemptionTag = "excuse"
	elsewhere := exempt("anna", now.Add(day), policy.ConsoleUserWithoutMFA)
	elsewhere.Account = "999988887777"
	p.Exemptions = []policy.Exemption{
		exempt("glass", now.Add(time.Second), policy.ConsoleUserWithoutMFA, policy.KeyRotation),
		exempt("lapsed", now, policy.ConsoleUserWithoutMFA),
		exempt("twice", ago(day), policy.ConsoleUserWithoutMFA),
		exempt("gone", now.Add(day), policy.KeyRotation),
		exempt(policy.RootUserName, now.Add(day), policy.RootAccessKey),
		elsewhere,
	}
	return p
}

func exempted() *inventory.Snapshot {
	violator := func(name string) inventory.User { return full(name, ago(day), true, false) }
	s := withTags(settled(account("111122223333",
		tagged(violator("anna")),
		tagged(violator("glass")),
		tagged(violator("lapsed")),
		tagged(violator("misspelt"), "excuse", "console_user_without_mfa for ever"),
		tagged(violator("self"), "excuse", "console_user_without_mfa until 2026-12-31 the token is lost"),
		tagged(violator("twice"), "excuse", "console_user_without_mfa until 2026-11-30 the token is lost"))))
	s.Root.Keys = inventory.Observe([]inventory.AccessKey{key("created-root", inventory.Active, ago(900*day))}, reported)
	return s
}

// hiding excludes users, by name and by tag.
func hiding() *policy.Policy {
	p := defaults()
	p.OwnerTags = []string{"Owner"}
	p.Users.Exclude = []policy.Match{named("ceo*"), withTag("private", "*")}
	p.Exemptions = []policy.Exemption{
		exempt("ceo", now.Add(day), policy.KeyRotation), exempt("shown", now.Add(day), policy.KeyRotation),
	}
	return p
}

// including serves users of one path who are known to have a tag.
func including() *policy.Policy {
	p := defaults()
	yes := withTag("public", "yes")
	yes.Path = policy.Glob("/")
	p.Users = policy.Selection{Include: []policy.Match{named("nobody"), yes}, Exclude: []policy.Match{named("ceo")}}
	return p
}

// private has five users in violation; hiding shows one of them, including another.
func private() *inventory.Snapshot {
	violator := func(name string) inventory.User {
		return full(name, ago(400*day), true, false,
			used(key("AKIA"+strings.ToUpper(name), inventory.Active, ago(400*day)), inventory.Use{At: ago(day), Service: "s3"}))
	}
	return withTags(settled(account("444455556666",
		tagged(violator("ceo"), "public", "yes"),
		tagged(violator("ceo-2"), "public", "no"),
		tagged(violator("private"), "Private", "", "public", "yes"),
		tagged(violator("shown"), "Owner", "ann"),
		violator("unreadable"))))
}

func rootExempted() *policy.Policy {
	p := everyPolicy()
	p.Exemptions = append(p.Exemptions, exempt(policy.RootUserName, ago(day), policy.RootAccessKey))
	return p
}

func TestKeyIDsStayShortInDescriptions(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(scene{snapshots: of(collide()), policy: describing(), ids: view.KeyIDSuffix}.build())
	got := string(encode(t, registry))
	if !strings.Contains(got, `aws_iam_access_key_info{access_key_id="A1234",account_id="111122223333",description="the laptop",user_name="bob"} 1`) {
		t.Error("the description is not served")
	}
	if strings.Contains(got, "AKIA") {
		t.Error("an access key id is served in full")
	}
}

// TestLatestExemptionEndWins exempts a user several times from a rule, in
// different orders.
func TestLatestExemptionEndWins(t *testing.T) {
	first, second, third := now.Add(day), now.Add(2*day), now.Add(3*day)
	s := settled(account("111122223333", full("bob", ago(day), true, false)))
	for name, ends := range map[string][]time.Time{
		"last":   {first, second, third},
		"first":  {third, second, first},
		"middle": {second, third, first},
	} {
		t.Run(name, func(t *testing.T) {
			p := defaults()
			for _, end := range ends {
				p.Exemptions = append(p.Exemptions, exempt("bob", end, policy.KeyRotation))
			}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(scene{snapshots: of(s), policy: p}.build())
			want := `aws_iam_exemption_expiry_timestamp_seconds{account_id="111122223333",rule="key_rotation",user_name="bob"} 1.795437296e+09` + "\n"
			if got := string(encode(t, registry)); !strings.Contains(got, want) {
				t.Errorf("want %s in\n%s", want, got)
			}
		})
	}
}

// TestPolicyChangesBetweenScrapes serves one view per scrape, whatever labels
// it asks for, from a collector that was registered once.
func TestPolicyChangesBetweenScrapes(t *testing.T) {
	s := withTags(settled(account("111122223333", tagged(full("bob", ago(day), false, false), "team", "red", "Owner", "ann"))))
	tests := []struct {
		name   string
		change func(*policy.Policy)
		want   string
	}{
		{"no tags", func(*policy.Policy) {}, `class="default",path="/",user_name="bob",user_owner=""`},
		{"a tag", func(p *policy.Policy) { p.UserTags = []string{"team"} }, `class="default",path="/",tag_team="red",user_name="bob",user_owner=""`},
		{"another", func(p *policy.Policy) { p.UserTags = []string{"x", "owner"} }, `class="default",path="/",tag_owner="ann",tag_x="",user_name="bob",user_owner=""`},
		{"an owner and a class", func(p *policy.Policy) {
			p.OwnerTags = []string{"owner"}
			p.Classes = []policy.Class{class("people", named("b?b"), day)}
		}, `class="people",path="/",user_name="bob",user_owner="ann"`},
	}
	var current *view.View
	views := 0
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(scene{}.over(func() *view.View { views++; return current }))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := defaults()
			tt.change(p)
			current, views = scene{snapshots: of(s), policy: p}.view(), 0
			want := `aws_iam_user_info{account_id="111122223333",arn="arn:aws:iam::111122223333:user/bob",` + tt.want + "} 1\n"
			if got := string(encode(t, registry)); !strings.Contains(got, want) {
				t.Errorf("want %s in\n%s", want, got)
			}
			if views != 1 {
				t.Errorf("the view was asked for %d times, want once", views)
			}
		})
	}
}
