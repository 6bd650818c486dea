package policy_test

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// tags are known tags, keys and values in turns.
func tags(keysAndValues ...string) inventory.Fact[inventory.Tags] {
	list := inventory.Tags{}
	for i := 0; i < len(keysAndValues); i += 2 {
		list = append(list, inventory.Tag{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return inventory.Observe(list, at(1000*day))
}

func withTag(key, value string) policy.Match {
	return policy.Match{Tags: []policy.TagMatch{{Key: key, Value: policy.Glob(value)}}}
}

func named(glob string) policy.Match { return policy.Match{UserName: policy.Glob(glob)} }

// classification returns how a user stands under the policy.
func classification(u inventory.User, p *policy.Policy) policy.Classification {
	return policy.Evaluate(snapshot(u), p, born).Users[0]
}

// classOf returns the class that a user falls into.
func classOf(u inventory.User, classes ...policy.Class) string {
	p := policy.WithLimits(policy.DefaultLimits())
	p.Classes = classes
	s := classification(u, p)
	return s.ClassName()
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"bob", "bob", true},
		{"bob", "bobby", false},
		{"bob", "abob", false},
		{"bob", "Bob", false},
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b\nc", true},
		{"ci-*", "ci-", true},
		{"ci-*", "ci-a/b", true},
		{"ci-*", "xci-a", false},
		{"*-ci", "a-ci", true},
		{"*-ci", "a-cid", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "acb", false},
		{"/robots/*", "/robots/x/y/", true},
		{"/robots/*", "/robots", false},
		{"b?b", "bob", true},
		{"b?b", "bb", false},
		{"b?b", "boob", false},
		{"b?b", "böb", true},
		{"b?b", "b/b", true},
		{"?", "\n", true},
		{"a.b", "a.b", true},
		{"a.b", "axb", false},
		{"a+b|c(d)[e]{1}^$\\", "a+b|c(d)[e]{1}^$\\", true},
		{"[ab]", "a", false},
		{"a|b", "a", false},
		{"a+", "aa", false},
		{"bob", "bob\n", false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q/%q", tt.pattern, tt.text), func(t *testing.T) {
			if got := policy.Glob(tt.pattern).MatchString(tt.text); got != tt.want {
				t.Errorf("Glob(%q) on %q = %t, want %t", tt.pattern, tt.text, got, tt.want)
			}
		})
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("ci-*", "ci-1")
	f.Add("a?*b", "a\xffxb")
	f.Add(`\Q*$`, `\Qx$`)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern)*len(text) > 1<<16 {
			return
		}
		got, want := policy.Glob(pattern).MatchString(text), globs([]rune(pattern), []rune(text))
		if got != want {
			t.Errorf("Glob(%q) on %q = %t, want %t", pattern, text, got, want)
		}
		if utf8.ValidString(pattern) && !policy.Glob("*"+pattern).MatchString(text+pattern) {
			t.Errorf("Glob(%q) does not match %q", "*"+pattern, text+pattern)
		}
	})
}

// globs is a slow and plain way to match a glob: whether the first runes of the
// pattern match the first runes of the text, for more and more of the pattern.
func globs(pattern, text []rune) bool {
	matches := make([]bool, len(text)+1)
	matches[0] = true
	for _, p := range pattern {
		next := make([]bool, len(text)+1)
		next[0] = p == '*' && matches[0]
		for i, r := range text {
			switch p {
			case '*':
				next[i+1] = matches[i+1] || next[i]
			case '?', r:
				next[i+1] = matches[i]
			}
		}
		matches = next
	}
	return matches[len(text)]
}

func TestAnchored(t *testing.T) {
	tests := []struct {
		expr, text string
		want       bool
	}{
		{"bob", "bob", true},
		{"bob", "bobby", false},
		{"bob", "abob", false},
		{"bob.*", "bobby", true},
		{"a|b", "a", true},
		{"a|b", "b", true},
		{"a|b", "ax", false},
		{"a|b", "xb", false},
		{"(ci|cd)-.+", "cd-1", true},
		{"(?i)bob", "BOB", true},
		{"(?m)a$", "a\nb", false},
		{"^bob$", "bob", true},
		{"a.b", "a\nb", true},
		{"", "", true},
		{"", "a", false},
		{"bob", "bob\n", false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q/%q", tt.expr, tt.text), func(t *testing.T) {
			anchored, err := policy.Anchored(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := anchored.MatchString(tt.text); got != tt.want {
				t.Errorf("Anchored(%q) on %q = %t, want %t", tt.expr, tt.text, got, tt.want)
			}
		})
	}
	for _, bad := range []string{"(", "a)|(b", "[", `a\`, "*", `\Qa`} {
		t.Run("refuse "+bad, func(t *testing.T) {
			if got, err := policy.Anchored(bad); err == nil {
				t.Errorf("Anchored(%q) = %s, want an error", bad, got)
			}
		})
	}
}

// condition is one condition of a Match in a state of its own: met, not met,
// unknown, or not asked for.
type condition struct {
	name  string
	apply func(*policy.Match, *inventory.User)
}

// TestMatchMixes tries every mix of conditions that are met, are not met, are
// unknown, and are not asked for.
func TestMatchMixes(t *testing.T) {
	console := func(want bool, is inventory.Fact[bool]) func(*policy.Match, *inventory.User) {
		return func(m *policy.Match, u *inventory.User) { m.Console, u.Console = &want, is }
	}
	tag := func(is inventory.Fact[inventory.Tags]) func(*policy.Match, *inventory.User) {
		return func(m *policy.Match, u *inventory.User) { m.Tags, u.Tags = withTag("kind", "robot").Tags, is }
	}
	skip := condition{"-", func(*policy.Match, *inventory.User) {}}
	mixes := [][]condition{
		{
			skip,
			{"yes", func(m *policy.Match, _ *inventory.User) { m.UserName = policy.Glob("ci-*") }},
			{"no", func(m *policy.Match, _ *inventory.User) { m.UserName = policy.Glob("ci") }},
		},
		{
			skip,
			{"yes", func(m *policy.Match, _ *inventory.User) { m.Path = policy.Glob("/robots/*") }},
			{"no", func(m *policy.Match, _ *inventory.User) { m.Path = policy.Glob("/people/*") }},
		},
		{
			skip,
			{"yes", tag(tags("kind", "robot"))},
			{"no", tag(tags("kind", "human"))},
			{"no", tag(tags())},
			{"unknown", tag(inventory.Fact[inventory.Tags]{})},
		},
		{
			skip,
			{"yes", console(true, known(true, born))},
			{"yes", console(false, known(false, born))},
			{"no", console(true, known(false, born))},
			{"no", console(false, known(true, born))},
			{"unknown", console(true, inventory.Fact[bool]{})},
			{"unknown", console(false, inventory.Fact[bool]{})},
		},
	}
	for _, name := range mixes[0] {
		for _, path := range mixes[1] {
			for _, tag := range mixes[2] {
				for _, console := range mixes[3] {
					u := inventory.User{Name: "ci-1", Path: "/robots/ci/"}
					var m policy.Match
					states := map[string]bool{}
					for _, c := range []condition{name, path, tag, console} {
						c.apply(&m, &u)
						states[c.name] = true
					}
					want := "robots"
					switch {
					case states["no"]:
						want = policy.DefaultClass
					case states["unknown"]:
						want = policy.UnknownClass
					}
					t.Run(fmt.Sprintf("name %s, path %s, tag %s, console %s", name.name, path.name, tag.name, console.name), func(t *testing.T) {
						if got := classOf(u, policy.Class{Name: "robots", Match: m}); got != want {
							t.Errorf("class %s, want %s", got, want)
						}
					})
				}
			}
		}
	}
}

func TestClasses(t *testing.T) {
	both := policy.Match{Tags: append(withTag("kind", "robot").Tags, withTag("team", "r*").Tags...)}
	class := func(name string, m policy.Match) policy.Class { return policy.Class{Name: name, Match: m} }
	untold := inventory.User{Name: "bob"} // neither tags nor console access are known
	robot := inventory.User{Name: "bob", Tags: tags("Kind", "robot", "team", "red")}
	tests := []struct {
		name    string
		user    inventory.User
		classes []policy.Class
		want    string
	}{
		{"no classes", untold, nil, policy.DefaultClass},
		{"none matches", robot, []policy.Class{class("a", named("bobby"))}, policy.DefaultClass},
		{"the first of two", robot, []policy.Class{class("a", named("b*")), class("b", named("bob"))}, "a"},
		{"the second of two", robot, []policy.Class{class("a", named("bo")), class("b", named("bob"))}, "b"},
		{"unknown before one that matches", untold, []policy.Class{class("a", withTag("kind", "robot")), class("b", named("bob"))}, policy.UnknownClass},
		{"unknown after one that matches", untold, []policy.Class{class("b", named("bob")), class("a", withTag("kind", "robot"))}, "b"},
		{"unknown before none", untold, []policy.Class{class("a", withTag("kind", "robot"))}, policy.UnknownClass},
		{"keys of tags without case", robot, []policy.Class{class("a", withTag("KIND", "robot"))}, "a"},
		{"values of tags with case", robot, []policy.Class{class("a", withTag("kind", "Robot"))}, policy.DefaultClass},
		{"both tags", robot, []policy.Class{class("a", both)}, "a"},
		{"one tag of two", inventory.User{Name: "bob", Tags: tags("kind", "robot")}, []policy.Class{class("a", both)}, policy.DefaultClass},
		{"any value, but no such tag", robot, []policy.Class{class("a", withTag("owner", "*"))}, policy.DefaultClass},
		{"any value, and it is empty", inventory.User{Name: "bob", Tags: tags("owner", "")}, []policy.Class{class("a", withTag("owner", "*"))}, "a"},
		{"no condition", untold, []policy.Class{class("a", policy.Match{})}, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := classOf(tt.user, tt.classes...); got != tt.want {
				t.Errorf("class %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSelection tries every mix: whoever is not known to be selected is hidden.
func TestSelection(t *testing.T) {
	// Of bob, whose tags are unknown, these match, do not match, and might.
	matches := map[string]policy.Match{"yes": named("bob"), "no": named("eve"), "maybe": withTag("a", "*")}
	list := func(names ...string) []policy.Match {
		var all []policy.Match
		for _, n := range names {
			all = append(all, matches[n])
		}
		return all
	}
	tests := []struct {
		name             string
		include, exclude []policy.Match
		hidden           bool
	}{
		{"everybody", nil, nil, false},
		{"included", list("yes"), nil, false},
		{"not included", list("no"), nil, true},
		{"perhaps included", list("maybe"), nil, true},
		{"included by the last", list("no", "maybe", "yes"), nil, false},
		{"excluded", nil, list("yes"), true},
		{"not excluded", nil, list("no"), false},
		{"perhaps excluded", nil, list("maybe"), true},
		{"excluded by the last", nil, list("no", "yes"), true},
		{"included, excluded", list("yes"), list("yes"), true},
		{"included, not excluded", list("yes"), list("no"), false},
		{"included, perhaps excluded", list("yes"), list("no", "maybe"), true},
		{"not included, not excluded", list("no"), list("no"), true},
		{"perhaps included, not excluded", list("maybe"), list("no"), true},
		{"perhaps both", list("maybe"), list("maybe"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy.WithLimits(policy.DefaultLimits())
			p.Users = policy.Selection{Include: tt.include, Exclude: tt.exclude}
			if got := classification(inventory.User{Name: "bob"}, p).Hidden; got != tt.hidden {
				t.Errorf("Hidden = %t, want %t", got, tt.hidden)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	tests := []struct {
		name string
		tags inventory.Fact[inventory.Tags]
		keys []string
		want string
	}{
		{"no owner tags", inventory.Fact[inventory.Tags]{}, nil, ""},
		{"tags unknown", inventory.Fact[inventory.Tags]{}, []string{"Owner"}, policy.UnknownValue},
		{"no tags", tags(), []string{"Owner", "team"}, ""},
		{"the first present", tags("Owner", "ann", "team", "red"), []string{"Owner", "team"}, "ann"},
		{"the second present", tags("team", "red"), []string{"Owner", "team"}, "red"},
		{"the first empty", tags("Owner", "", "team", "red"), []string{"Owner", "team"}, "red"},
		{"all empty", tags("Owner", ""), []string{"Owner"}, ""},
		{"without case", tags("OWNER", "ann"), []string{"owner"}, "ann"},
		{"in so many words", tags("Owner", "no owner"), []string{"Owner"}, "no owner"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy.WithLimits(policy.DefaultLimits())
			p.OwnerTags = tt.keys
			if got := classification(inventory.User{Name: "bob", Tags: tt.tags}, p).Owner; got != tt.want {
				t.Errorf("Owner = %q, want %q", got, tt.want)
			}
		})
	}
}

// inside is a snapshot of the account with the user in it.
func inside(account inventory.Account, u inventory.User) *inventory.Snapshot {
	s := snapshot(u)
	s.Account = account
	return s
}

// accountTags are known tags of an account, keys and values in turns.
func accountTags(keysAndValues ...string) inventory.Tags {
	all, _ := tags(keysAndValues...).Get()
	return all
}

// TestMatchAccounts tries every mix of conditions on the account with one on the
// user. Whatever is not known of the account is not guessed.
func TestMatchAccounts(t *testing.T) {
	const robots = "robots"
	byID := policy.Match{AccountID: "111122223333"}
	byName := policy.Match{AccountName: policy.Glob("prod-*")}
	byAnyName := policy.Match{AccountName: policy.Glob("*")}
	byTag := policy.Match{AccountTags: withTag("env", "prod*").Tags}
	byUnit := policy.Match{AccountOU: "ou-ab12-prod1234"}
	placed := inventory.Account{ID: "111122223333", Units: []string{"r-ab12", "ou-ab12-prod1234", "ou-ab12-team1234"}}
	all := policy.Match{
		AccountID: byID.AccountID, AccountName: byName.AccountName, AccountTags: byTag.AccountTags,
		UserName: policy.Glob("bob"),
	}
	with := func(m policy.Match, change func(*policy.Match)) policy.Match { change(&m); return m }
	untold := inventory.Account{ID: "111122223333"} // its name and tags are unknown
	told := inventory.Account{ID: "111122223333", Name: "prod-1", Tags: accountTags("Env", "production")}
	plain := inventory.Account{ID: "111122223333", Tags: inventory.Tags{}} // neither name nor tags
	tests := []struct {
		name    string
		match   policy.Match
		account inventory.Account
		want    string
	}{
		{"id", byID, untold, robots},
		{"another id", byID, inventory.Account{ID: "111122223334"}, policy.DefaultClass},
		{"unknown id", byID, inventory.Account{}, policy.UnknownClass},
		{"name", byName, told, robots},
		{"another name", byName, inventory.Account{ID: "1", Name: "my-prod-1"}, policy.DefaultClass},
		{"name in another case", byName, inventory.Account{ID: "1", Name: "Prod-1"}, policy.DefaultClass},
		{"no name", byName, plain, policy.DefaultClass},
		{"no name, and any will do", byAnyName, plain, policy.DefaultClass},
		{"unknown name", byName, untold, policy.UnknownClass},
		{"a name while the tags are unknown", byName, inventory.Account{ID: "1", Name: "prod-1"}, robots},
		{"an alias is no name", byName, inventory.Account{ID: "1", Alias: "prod-1", Tags: inventory.Tags{}}, policy.DefaultClass},
		{"an alias tells no name", byName, inventory.Account{ID: "1", Alias: "prod-1"}, policy.UnknownClass},
		{"an alias beside a name", byName, inventory.Account{ID: "1", Alias: "x", Name: "prod-1"}, robots},
		{"tag", byTag, told, robots},
		{"another value", byTag, inventory.Account{ID: "1", Tags: accountTags("env", "test")}, policy.DefaultClass},
		{"no tag", byTag, plain, policy.DefaultClass},
		{"unknown tags", byTag, untold, policy.UnknownClass},
		{"unit", byUnit, placed, robots},
		{"unit above", policy.Match{AccountOU: "r-ab12"}, placed, robots},
		{"another unit", policy.Match{AccountOU: "ou-ab12-test1234"}, placed, policy.DefaultClass},
		{"part of a unit's id", policy.Match{AccountOU: "ou-ab12-prod123"}, placed, policy.DefaultClass},
		{"no unit", byUnit, inventory.Account{ID: "1", Units: []string{}}, policy.DefaultClass},
		{"unknown units", byUnit, told, policy.UnknownClass},
		{"unknown units of another account", policy.Match{AccountID: "999988887777", AccountOU: byUnit.AccountOU}, told, policy.DefaultClass},
		{"everything", all, told, robots},
		{"everything, but unknown", all, untold, policy.UnknownClass},
		{"unknown, but another id", with(all, func(m *policy.Match) { m.AccountID = "999988887777" }), untold, policy.DefaultClass},
		{"unknown, but another user", with(all, func(m *policy.Match) { m.UserName = policy.Glob("eve") }), untold, policy.DefaultClass},
		{"unknown user, another account", with(byID, func(m *policy.Match) { m.Tags = withTag("kind", "*").Tags }), inventory.Account{ID: "1"}, policy.DefaultClass},
		{"unknown user of the account", with(byID, func(m *policy.Match) { m.Tags = withTag("kind", "*").Tags }), untold, policy.UnknownClass},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy.WithLimits(policy.DefaultLimits())
			p.Classes = []policy.Class{{Name: robots, Match: tt.match}}
			p.Users.Exclude = []policy.Match{tt.match}
			if tt.want != policy.DefaultClass && !tt.match.MayBeIn(&tt.account) {
				t.Error("MayBeIn = false, but a user of the account may match")
			}
			got := policy.Evaluate(inside(tt.account, inventory.User{Name: "bob"}), p, born).Users[0]
			if got.ClassName() != tt.want {
				t.Errorf("class %s, want %s", got.ClassName(), tt.want)
			}
			if hidden := tt.want != policy.DefaultClass; got.Hidden != hidden {
				t.Errorf("Hidden = %t, want %t", got.Hidden, hidden)
			}
		})
	}
}

// TestMayBeIn needs no user.
func TestMayBeIn(t *testing.T) {
	untold := inventory.Account{ID: "111122223333"}
	told := inventory.Account{ID: "111122223333", Name: "prod", Tags: accountTags("env", "prod")}
	for name, test := range map[string]struct {
		match        policy.Match
		untold, told bool
	}{
		"anywhere":       {named("bob"), true, true},
		"this account":   {policy.Match{AccountID: "111122223333"}, true, true},
		"another":        {policy.Match{AccountID: "999988887777"}, false, false},
		"a name":         {policy.Match{AccountName: policy.Glob("p*")}, true, true},
		"another name":   {policy.Match{AccountName: policy.Glob("q*")}, true, false},
		"tags":           {policy.Match{AccountTags: withTag("env", "prod").Tags}, true, true},
		"other tags":     {policy.Match{AccountTags: withTag("env", "test").Tags}, true, false},
		"one that fails": {policy.Match{AccountID: "999988887777", AccountTags: withTag("env", "prod").Tags}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.match.MayBeIn(&untold); got != test.untold {
				t.Errorf("of an account that is known by its id: got %t, want %t", got, test.untold)
			}
			if got := test.match.MayBeIn(&told); got != test.told {
				t.Errorf("of an account that is known: got %t, want %t", got, test.told)
			}
		})
	}
}

func TestOwnerOfAccount(t *testing.T) {
	unknown := inventory.Fact[inventory.Tags]{}
	tests := []struct {
		name       string
		user       inventory.Fact[inventory.Tags]
		account    inventory.Tags
		keys       []string
		want, root string
	}{
		{"no owner tags", tags("Owner", "ann"), accountTags("Owner", "ops"), nil, "", ""},
		{"nobody", tags(), accountTags("env", "prod"), []string{"Owner"}, "", ""},
		{"the user's before the account's", tags("Owner", "ann"), accountTags("Owner", "ops"), []string{"Owner"}, "ann", "ops"},
		{"the user's last key before the account's first", tags("team", "red"), accountTags("Owner", "ops"), []string{"Owner", "team"}, "red", "ops"},
		{"the account's", tags(), accountTags("Owner", "ops"), []string{"Owner"}, "ops", "ops"},
		{"the account's in the order of the keys", tags(), accountTags("Owner", "ops", "team", "blue"), []string{"team", "Owner"}, "blue", "blue"},
		{"the account's first is empty", tags(), accountTags("owner", "", "team", "blue"), []string{"Owner", "team"}, "blue", "blue"},
		{"an empty tag of the user", tags("Owner", ""), accountTags("OWNER", "ops"), []string{"Owner"}, "ops", "ops"},
		{"unknown tags of the user", unknown, accountTags("Owner", "ops"), []string{"Owner"}, policy.UnknownValue, "ops"},
		{"unknown tags of the account", tags(), nil, []string{"Owner"}, "", ""},
		{"unknown tags of both", unknown, nil, []string{"Owner"}, policy.UnknownValue, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy.WithLimits(policy.DefaultLimits())
			p.OwnerTags = tt.keys
			j := policy.Evaluate(inside(inventory.Account{ID: "1", Tags: tt.account}, inventory.User{Name: "bob", Tags: tt.user}), p, born)
			if got := j.Users[0].Owner; got != tt.want || j.RootOwner != tt.root {
				t.Errorf("Owner = %q, RootOwner = %q, want %q, %q", got, j.RootOwner, tt.want, tt.root)
			}
		})
	}
}

func TestTagOfAccount(t *testing.T) {
	for name, test := range map[string]struct {
		tags inventory.Tags
		want string
	}{
		"unknown":               {nil, policy.UnknownValue},
		"missing":               {inventory.Tags{}, ""},
		"empty":                 {accountTags("Owner", ""), ""},
		"present, without case": {accountTags("a", "b", "owner", "ann"), "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.TagOfAccount(&inventory.Account{Tags: test.tags}, "Owner"); got != test.want {
				t.Errorf("TagOfAccount = %q, want %q", got, test.want)
			}
		})
	}
}

func TestTagOf(t *testing.T) {
	tests := []struct {
		name string
		tags inventory.Fact[inventory.Tags]
		want string
	}{
		{"unknown", inventory.Fact[inventory.Tags]{}, policy.UnknownValue},
		{"missing", tags("team", "red"), ""},
		{"empty", tags("Owner", ""), ""},
		{"present, without case", tags("a", "b", "owner", "ann"), "ann"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := policy.TagOf(&inventory.User{Tags: tt.tags}, "Owner"); got != tt.want {
				t.Errorf("TagOf = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTagLabel(t *testing.T) {
	for key, want := range map[string]string{
		"team":        "tag_team",
		"Owner_2":     "tag_Owner_2",
		"cost-center": "tag_cost_center",
		"aws:x/y =+@": "tag_aws_x_y____",
		"1":           "tag_1",
		"größe":       "tag_gr__e",
		"a\xffb":      "tag_a_b",
		"":            "tag_",
	} {
		t.Run(key, func(t *testing.T) {
			if got := policy.TagLabel(key); got != want {
				t.Errorf("TagLabel(%q) = %q, want %q", key, got, want)
			}
		})
	}
}

func TestWithLimits(t *testing.T) {
	l := policy.Limits{MaxKeyAge: day, MaxKeyIdle: 2 * day}
	p := policy.WithLimits(l)
	j := policy.Evaluate(snapshot(inventory.User{Name: "ann"}, inventory.User{Name: "bob", Console: known(true, born)}), p, born)
	want := []policy.Classification{{Class: &p.Default}, {Class: &p.Default}}
	if diff := cmp.Diff(want, j.Users); diff != "" {
		t.Errorf("Users: -want +got:\n%s", diff)
	}
	for i := range j.Users {
		if got := j.Users[i].Limits(); j.Users[i].ClassName() != policy.DefaultClass || *got != l {
			t.Errorf("user %d is in class %s with limits %v, want %s with %v", i, j.Users[i].ClassName(), *got, policy.DefaultClass, l)
		}
	}
	if p.NeedsTags() {
		t.Error("NeedsTags() = true, want false")
	}
}

func TestNeedsTags(t *testing.T) {
	console := true
	untagged := policy.Match{
		UserName: policy.Glob("*"), Path: policy.Glob("*"), Console: &console,
		AccountID: "1", AccountName: policy.Glob("*"), AccountTags: withTag("a", "b").Tags, AccountOU: "r-ab12",
	}
	tests := []struct {
		name   string
		change func(*policy.Policy)
		want   bool
	}{
		{"nothing", func(*policy.Policy) {}, false},
		{"owners", func(p *policy.Policy) { p.OwnerTags = []string{"a"} }, true},
		{"account tags", func(p *policy.Policy) { p.AccountTags = []string{"a"} }, false},
		{"user tags", func(p *policy.Policy) { p.UserTags = []string{"a"} }, true},
		{"descriptions", func(p *policy.Policy) { p.KeyDescriptions = true }, true},
		{"exemption tag", func(p *policy.Policy) { p.ExemptionTag = "a" }, true},
		{"exemptions", func(p *policy.Policy) { p.Exemptions = []policy.Exemption{{UserName: "bob"}} }, false},
		{"a class by other means", func(p *policy.Policy) { p.Classes = []policy.Class{{Match: untagged}} }, false},
		{"the last class", func(p *policy.Policy) { p.Classes = []policy.Class{{Match: untagged}, {Match: withTag("a", "b")}} }, true},
		{"users by other means", func(p *policy.Policy) {
			p.Users = policy.Selection{Include: []policy.Match{untagged}, Exclude: []policy.Match{untagged}}
		}, false},
		{"include", func(p *policy.Policy) { p.Users.Include = []policy.Match{untagged, withTag("a", "b")} }, true},
		{"exclude", func(p *policy.Policy) { p.Users.Exclude = []policy.Match{untagged, withTag("a", "b")} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy.WithLimits(policy.DefaultLimits())
			tt.change(p)
			if got := p.NeedsTags(); got != tt.want {
				t.Errorf("NeedsTags() = %t, want %t", got, tt.want)
			}
		})
	}
}
