package web_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
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
		Report: inventory.Report{Wanted: true, Usable: true, Generated: now.Add(-time.Hour)},
		Health: inventory.Health{State: inventory.StateUp},
	}
}

func TestPageOfOneAccount(t *testing.T) {
	o := options()
	o.View = under(excusing(t), watched("111111111111", "production"))
	golden(t, o, "/", "one")
}
