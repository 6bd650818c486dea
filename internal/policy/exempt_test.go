package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// end is when the exemptions of these tests end.
var end = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func exempt(user string, until time.Time, rules ...policy.Rule) policy.Exemption {
	return policy.Exemption{UserName: user, Rules: rules, Reason: "agreed", Until: until}
}

func withExemptions(list ...policy.Exemption) *policy.Policy {
	p := policy.WithLimits(policy.DefaultLimits())
	p.Exemptions = list
	return p
}

// sinner has a key that is too old, and no MFA.
func sinner(name string) inventory.User {
	late := at(1000 * day)
	return inventory.User{
		Name: name, Created: born, Console: known(true, late), MFA: known(false, late),
		Keys: keys(late, usedAt(active("a", born), late, late)),
	}
}

func in(account string, users ...inventory.User) *inventory.Snapshot {
	return &inventory.Snapshot{Account: inventory.Account{ID: account}, Users: users}
}

// counted returns the verdicts of one rule.
func counted(j *policy.Evaluation, rule policy.Rule) map[policy.Verdict]int {
	counts := map[policy.Verdict]int{}
	for _, v := range policy.Verdicts() {
		if n := j.Count(rule, v); n != 0 {
			counts[v] = n
		}
	}
	return counts
}

// TestExemptionEnds judges the same facts under the same policy around the end
// of an exemption.
func TestExemptionEnds(t *testing.T) {
	rules := []policy.Rule{policy.KeyRotation, policy.ConsoleUserWithoutMFA, policy.ConsoleUserWithActiveKeys, policy.KeyCreatedAtUserSetup}
	p := withExemptions(exempt("bob", end, rules...))
	tests := []struct {
		name    string
		now     time.Time
		want    policy.Verdict
		changes time.Time
	}{
		{"long before", end.Add(-100 * day), policy.Exempted, end},
		{"in its last second", end.Add(-time.Second), policy.Exempted, end},
		{"in its last moment", end.Add(-1), policy.Exempted, end},
		{"at its end", end, policy.Violation, time.Time{}},
		{"a second after", end.Add(time.Second), policy.Violation, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := policy.Evaluate(snapshot(sinner("bob")), p, tt.now)
			found := map[policy.Rule]bool{}
			for _, f := range j.Findings {
				found[f.Rule] = true
			}
			for _, rule := range rules {
				if diff := cmp.Diff(map[policy.Verdict]int{tt.want: 1}, counted(j, rule)); diff != "" {
					t.Errorf("%s: -want +got:\n%s", rule, diff)
				}
				if want := tt.want == policy.Violation; found[rule] != want {
					t.Errorf("%s is a finding: %t, want %t", rule, found[rule], want)
				}
			}
			if want := tt.want == policy.Violation; (j.Accused()["bob"] != 0) != want {
				t.Errorf("accused: got %t, want %t", (j.Accused()["bob"] != 0), want)
			}
			if !j.ValidUntil.Equal(tt.changes) {
				t.Errorf("valid until: got %s, want %s", j.ValidUntil, tt.changes)
			}
			if diff := cmp.Diff(p.Exemptions, j.Exemptions); diff != "" {
				t.Errorf("Exemptions: -want +got:\n%s", diff)
			}
		})
	}
}

func TestExemptions(t *testing.T) {
	now := end.Add(-10 * day)
	elsewhere := exempt("bob", end, policy.KeyRotation)
	elsewhere.Account = "444455556666"
	here := elsewhere
	here.Account = "111122223333"
	compliantUser := sinner("bob")
	compliantUser.Keys = keys(at(day), active("a", born))
	type verdicts = map[policy.Verdict]int
	tests := []struct {
		name       string
		account    string
		user       inventory.User
		exemptions []policy.Exemption
		want       verdicts // of key_rotation
		concern    int      // how many of the exemptions concern somebody in the account
		changes    time.Time
	}{
		{"none", "111122223333", sinner("bob"), nil, verdicts{policy.Violation: 1}, 0, time.Time{}},
		{"the user's", "111122223333", sinner("bob"), []policy.Exemption{exempt("bob", end, policy.KeyRotation)}, verdicts{policy.Exempted: 1}, 1, end},
		{"another user's", "111122223333", sinner("bob"), []policy.Exemption{exempt("bobby", end, policy.KeyRotation)}, verdicts{policy.Violation: 1}, 0, time.Time{}},
		{"from another rule", "111122223333", sinner("bob"), []policy.Exemption{exempt("bob", end, policy.KeyUnused)}, verdicts{policy.Violation: 1}, 1, end},
		{"in the account", "111122223333", sinner("bob"), []policy.Exemption{here}, verdicts{policy.Exempted: 1}, 1, end},
		{"in another account", "111122223333", sinner("bob"), []policy.Exemption{elsewhere}, verdicts{policy.Violation: 1}, 0, time.Time{}},
		{"in an account not known yet", "", sinner("bob"), []policy.Exemption{here}, verdicts{policy.Violation: 1}, 0, time.Time{}},
		{"everywhere, account not known yet", "", sinner("bob"), []policy.Exemption{exempt("bob", end, policy.KeyRotation)}, verdicts{policy.Exempted: 1}, 1, end},
		{
			"one lapsed, one in force", "111122223333", sinner("bob"),
			[]policy.Exemption{exempt("bob", now, policy.KeyRotation), exempt("bob", end, policy.KeyRotation)},
			verdicts{policy.Exempted: 1},
			2, end,
		},
		{
			"the next end counts", "111122223333", sinner("bob"),
			[]policy.Exemption{exempt("bob", end.Add(day), policy.KeyRotation), exempt("bob", end, policy.KeyUnused), exempt("bob", end.Add(2*day), policy.KeyUnused)},
			verdicts{policy.Exempted: 1},
			3, end,
		},
		{"compliant all the same", "111122223333", compliantUser, []policy.Exemption{exempt("bob", end, policy.KeyRotation)}, verdicts{policy.Compliant: 1}, 1, end},
		{"unknown all the same", "111122223333", inventory.User{Name: "bob"}, []policy.Exemption{exempt("bob", end, policy.KeyRotation)}, verdicts{policy.Unknown: 1}, 1, end},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := policy.Evaluate(in(tt.account, tt.user), withExemptions(tt.exemptions...), now)
			if diff := cmp.Diff(tt.want, counted(j, policy.KeyRotation)); diff != "" {
				t.Errorf("verdicts: -want +got:\n%s", diff)
			}
			if len(j.Exemptions) != tt.concern {
				t.Errorf("%d exemptions, want %d", len(j.Exemptions), tt.concern)
			}
			if !j.ValidUntil.Equal(tt.changes) {
				t.Errorf("valid until: got %s, want %s", j.ValidUntil, tt.changes)
			}
		})
	}
}

// TestExemptionsAmongOthers excuses a user from one rule: their other violations,
// and other users' violations of that rule, stay findings.
func TestExemptionsAmongOthers(t *testing.T) {
	s := in("111122223333", sinner("ann"), sinner("bob"), sinner("eve"))
	s.Root.Keys = keys(at(1000*day), active("r", born))
	all := exempt("bob", end, policy.Rules()...)
	j := policy.Evaluate(s, withExemptions(exempt("ann", end, policy.KeyRotation), all, exempt(policy.RootUserName, end, policy.RootAccessKey)), end.Add(-1))

	if diff := cmp.Diff(map[policy.Verdict]int{policy.Exempted: 2, policy.Violation: 1}, counted(j, policy.KeyRotation)); diff != "" {
		t.Errorf("key_rotation: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[policy.Verdict]int{policy.Exempted: 1, policy.Violation: 2}, counted(j, policy.ConsoleUserWithoutMFA)); diff != "" {
		t.Errorf("console_user_without_mfa: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[policy.Verdict]int{policy.Exempted: 1}, counted(j, policy.RootAccessKey)); diff != "" {
		t.Errorf("root_access_key: -want +got:\n%s", diff)
	}
	for name, want := range map[string]bool{"ann": true, "bob": false, "eve": true, policy.RootUserName: false} {
		if got := (j.Accused()[name] != 0); got != want {
			t.Errorf("accused %q: got %t, want %t", name, got, want)
		}
	}
}

func TestExemptionTag(t *testing.T) {
	now := end.Add(-10 * day)
	with := func(tags inventory.Fact[inventory.Tags]) inventory.User {
		u := sinner("bob")
		u.Tags = tags
		return u
	}
	exemptionKey := "key_rotation until 2026-12-31 vendor cannot rotate yet"
	exemption := policy.Exemption{
		UserName: "bob", Rules: []policy.Rule{policy.KeyRotation}, Reason: "vendor cannot rotate yet", Until: end, FromTag: true,
	}
	tests := []struct {
		name     string
		tag      string
		user     inventory.User
		want     policy.Verdict // of key_rotation
		list     []policy.Exemption
		problems []string
	}{
		{"off by default", "", with(tags("exemptionKey", exemptionKey)), policy.Violation, nil, nil},
		{"tagged", "exemptionKey", with(tags("exemptionKey", exemptionKey)), policy.Exempted, []policy.Exemption{exemption}, nil},
		{"tagged, without case", "Excuse", with(tags("EXCUSE", exemptionKey)), policy.Exempted, []policy.Exemption{exemption}, nil},
		{"another tag", "exemptionKey", with(tags("excuses", exemptionKey)), policy.Violation, nil, nil},
		{"no tags", "exemptionKey", with(tags()), policy.Violation, nil, nil},
		{"tags unknown", "exemptionKey", with(inventory.Fact[inventory.Tags]{}), policy.Violation, nil, nil},
		{
			"lapsed", "exemptionKey", with(tags("exemptionKey", "key_rotation until 2026-12-21 vendor cannot rotate yet")), policy.Violation,
			[]policy.Exemption{{UserName: "bob", Rules: exemption.Rules, Reason: exemption.Reason, Until: now, FromTag: true}},
			nil,
		},
		{
			"misspelt", "exemptionKey", with(tags("exemptionKey", "key_rotation until christmas at least")), policy.Violation, nil,
			[]string{`user bob is not exempted: tag exemptionKey: end date: got "christmas", want a date such as 2026-12-31`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := withExemptions()
			p.ExemptionTag = tt.tag
			j := policy.Evaluate(in("111122223333", tt.user), p, now)
			if diff := cmp.Diff(map[policy.Verdict]int{tt.want: 1}, counted(j, policy.KeyRotation)); diff != "" {
				t.Errorf("verdicts: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.list, j.Exemptions); diff != "" {
				t.Errorf("Exemptions: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.problems, j.Problems); diff != "" {
				t.Errorf("Problems: -want +got:\n%s", diff)
			}
		})
	}
}

func TestParseExemptionTag(t *testing.T) {
	const grammar = `want rules, "until", a date and a reason, such as "key_rotation until 2026-12-31 vendor cannot rotate yet"`
	mfaAndRotation := []policy.Rule{policy.ConsoleUserWithoutMFA, policy.KeyRotation}
	tests := []struct {
		name, value string
		want        policy.Exemption
		err         string
	}{
		{
			"one rule", "key_rotation until 2026-12-31 agreed",
			policy.Exemption{UserName: "bob", Rules: []policy.Rule{policy.KeyRotation}, Reason: "agreed", Until: end, FromTag: true},
			"",
		},
		{
			"two rules, spaces, a long reason", "  console_user_without_mfa  key_rotation until 2026-12-31  wait until the move is over ",
			policy.Exemption{UserName: "bob", Rules: mfaAndRotation, Reason: "wait until the move is over", Until: end, FromTag: true},
			"",
		},
		{"nothing", "", policy.Exemption{}, grammar},
		{"no rule", "until 2026-12-31 agreed", policy.Exemption{}, grammar},
		{"no until", "key_rotation 2026-12-31 agreed", policy.Exemption{}, grammar},
		{"no date", "key_rotation until", policy.Exemption{}, grammar},
		{"no reason", "key_rotation until 2026-12-31", policy.Exemption{}, grammar},
		{"another until", "key_rotation UNTIL 2026-12-31 agreed", policy.Exemption{}, grammar},
		{"not a date", "key_rotation until tomorrow maybe", policy.Exemption{}, `end date: got "tomorrow", want a date such as 2026-12-31`},
		{"no such day", "key_rotation until 2026-02-29 agreed", policy.Exemption{}, `end date: got "2026-02-29", want a date such as 2026-12-31`},
		{
			"no such rule", "key_rotation everything until 2026-12-31 agreed",
			policy.Exemption{},
			`rule: got "everything", want one of multiple_active_keys, console_user_with_active_keys, key_created_at_user_setup, ` +
				"console_key_never_used, key_rotation, key_rotation_due, key_unused, console_user_without_mfa, password_unused",
		},
		{
			"root's rule", "root_access_key until 2026-12-31 agreed",
			policy.Exemption{},
			`rule: got "root_access_key", want one of multiple_active_keys, console_user_with_active_keys, key_created_at_user_setup, ` +
				"console_key_never_used, key_rotation, key_rotation_due, key_unused, console_user_without_mfa, password_unused",
		},
		{"twice the same", "key_rotation key_rotation until 2026-12-31 agreed", policy.Exemption{}, `rule "key_rotation": got it twice, want it once`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := policy.ParseExemptionTag("bob", tt.value)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tt.err {
				t.Errorf("error %q, want %q", message, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzParseExemptionTag writes down what was read, and reads it again.
func FuzzParseExemptionTag(f *testing.F) {
	f.Add("key_rotation until 2026-12-31 vendor cannot rotate yet")
	f.Add("console_user_without_mfa\tkey_unused until 0000-01-01 until \xff")
	f.Add("key_rotation until 9999-12-31 x")
	f.Fuzz(func(t *testing.T, value string) {
		e, err := policy.ParseExemptionTag("bob", value)
		if err != nil {
			if diff := cmp.Diff(policy.Exemption{}, e); diff != "" {
				t.Errorf("beside an error: -want +got:\n%s", diff)
			}
			return
		}
		var words []string
		for _, r := range e.Rules {
			if !slices.Contains(policy.Rules(), r) {
				t.Errorf("rule %q does not exist", r)
			}
			words = append(words, string(r))
		}
		words = append(words, "until", policy.LastDay(e.Until), e.Reason)
		again, err := policy.ParseExemptionTag("bob", strings.Join(words, " "))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
	})
}

func TestEndOf(t *testing.T) {
	tests := []struct {
		name, day string
		want      time.Time
		err       string
	}{
		{"end of a year", "2026-12-31", end, ""},
		{"leap day", "2028-02-28", time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC), ""},
		{"when clocks change", "2026-03-29", time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC), ""},
		{"nothing", "", time.Time{}, `got "", want a date such as 2026-12-31`},
		{"no such day", "2026-06-31", time.Time{}, `got "2026-06-31", want a date such as 2026-12-31`},
		{"a time", "2026-12-31T00:00:00Z", time.Time{}, `got "2026-12-31T00:00:00Z", want a date such as 2026-12-31`},
		{"too short", "2026-1-1", time.Time{}, `got "2026-1-1", want a date such as 2026-12-31`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := policy.EndOf(tt.day)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if !got.Equal(tt.want) || message != tt.err {
				t.Errorf("EndOf(%q) = %s, %q, want %s, %q", tt.day, got, message, tt.want, tt.err)
			}
			if err == nil && policy.LastDay(got) != tt.day {
				t.Errorf("LastDay(%s) = %s, want %s", got, policy.LastDay(got), tt.day)
			}
		})
	}
}
