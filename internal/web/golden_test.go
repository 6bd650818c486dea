package web_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

// golden compares what is served at the path with the page of that name.
func golden(t *testing.T, o web.Options, path, name string) {
	t.Helper()
	status, header, body := ask(t, web.Handler(o), "GET", path)
	if got := header.Get("Content-Type"); status != http.StatusOK || got != "text/html; charset=utf-8" {
		t.Errorf("%s: got status %d, %q", path, status, got)
	}
	file := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), body); diff != "" {
		t.Errorf("%s (-want +got); -update rewrites:\n%s", path, diff)
	}
}

// excusing is the policy of the golden pages: alice may keep her old key, and
// in another account there is somebody who may have two.
func excusing(t *testing.T) *policy.Policy {
	p := policy.WithLimits(policy.DefaultLimits())
	p.ExemptionTag = exemptionTag
	p.Exemptions = []policy.Exemption{
		{UserName: "alice", Rules: []policy.Rule{policy.KeyUnused}, Reason: "cannot rotate yet", Until: until(t, "2026-12-31")},
		{UserName: "bob", Account: "222222222222", Rules: []policy.Rule{policy.MultipleActiveKeys}, Reason: "on leave", Until: until(t, "2026-05-31")},
	}
	return p
}

// watched is an account that is up, whose alice has a key that is too old.
func watched(id, name string) *inventory.Snapshot {
	observed := inventory.Freshness{Observed: now.Add(-time.Minute), Stale: now.Add(time.Hour)}
	alice, bob := user("alice", ""), user("bob", "key_rotation until 2026-12-31 vendor")
	alice.Keys = inventory.Observe([]inventory.AccessKey{{ID: "AKIAA", Status: inventory.Active, Created: now.Add(-100 * 24 * time.Hour)}}, now)
	return &inventory.Snapshot{
		Account: inventory.Account{ID: id, Partition: "aws", Name: name},
		Users:   []inventory.User{alice, bob},
		Freshness: map[inventory.Group]inventory.Freshness{
			inventory.GroupUsers: observed, inventory.GroupTags: observed,
			inventory.GroupKeys: {Observed: now.Add(-3 * time.Hour), Stale: now.Add(time.Hour)},
		},
		Complete: map[inventory.Group]bool{inventory.GroupUsers: true},
		Report:   inventory.Report{Wanted: true, Usable: true, Generated: now.Add(-time.Hour)},
		Health:   inventory.Health{State: inventory.StateUp},
	}
}

func TestPageOfOneAccount(t *testing.T) {
	o := options()
	o.View = under(excusing(t), watched("111111111111", "production"))
	golden(t, o, "/", "one")
}

// down is an account whose role cannot be assumed any more, and which has a name that
// is hard on a page.
func down(id string) *inventory.Snapshot {
	s := watched(id, `<b>legacy</b> & "old"`+"\n\t"+strings.Repeat("accounts", 20))
	s.Health = inventory.Health{State: inventory.StateDown, Problems: []inventory.Problem{
		{Reason: inventory.ReasonCredentials, Text: "sts:AssumeRole: no role arn:aws:iam::" + id + ":role/audit, or it does not trust us"},
		{Reason: inventory.ReasonDenied, Text: "user alice: denied", User: "alice", Action: "iam:ListAccessKeys"},
	}}
	s.Freshness[inventory.GroupKeys] = inventory.Freshness{Observed: now.Add(-50*time.Hour - 29*time.Minute), Stale: now.Add(-time.Hour)}
	return s
}

// three are accounts of which one is up, one down, and one not read yet.
func three() []*inventory.Snapshot {
	return []*inventory.Snapshot{
		watched("111111111111", "production"),
		down("222222222222"),
		{
			Account: inventory.Account{ID: "333333333333", Alias: "sandbox"},
			Report:  inventory.Report{Wanted: true}, Health: inventory.Health{State: inventory.StatePending},
		},
	}
}

func TestPagesOfThreeAccounts(t *testing.T) {
	o := options()
	o.Source = func(id string) string {
		return map[string]string{"111111111111": "auto", "222222222222": "report", "333333333333": "live"}[id]
	}
	o.View = under(excusing(t), three()...)
	for path, name := range map[string]string{
		"/": "three", "/accounts/111111111111": "up", "/accounts/222222222222": "down", "/accounts/333333333333": "pending",
	} {
		t.Run(name, func(t *testing.T) { golden(t, o, path, name) })
	}
}

// TestPagesWithHiddenUsers has the policy hide alice in one run, and nobody have
// series in the other.
func TestPagesWithHiddenUsers(t *testing.T) {
	excluding := excusing(t)
	excluding.Users.Exclude = []policy.Match{{UserName: policy.Glob("alice")}}
	for name, test := range map[string]struct {
		policy *policy.Policy
		users  bool
		not    *regexp.Regexp
	}{
		"hidden":   {excluding, true, regexp.MustCompile("alice")},
		"no-users": {excusing(t), false, regexp.MustCompile("alice|bob")},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Users, o.View = test.users, under(test.policy, three()...)
			golden(t, o, "/accounts/222222222222", name)
			for _, path := range []string{"/", "/accounts/111111111111", "/accounts/222222222222", "/accounts/333333333333"} {
				if _, _, body := ask(t, web.Handler(o), "GET", path); test.not.MatchString(body) {
					t.Errorf("%s: names %s", path, test.not.FindString(body))
				}
			}
		})
	}
}
