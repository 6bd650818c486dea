package demo

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

func fixed() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newAccount(t *testing.T, seed uint64, now func() time.Time) *Account {
	t.Helper()
	a, err := members()[0].build(seed, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEveryRuleIsBroken(t *testing.T) {
	a := newAccount(t, 1, fixed)
	for _, v := range violations() {
		t.Run(v.rule, func(t *testing.T) {
			if len(a.violators(v)) == 0 {
				t.Error("nobody breaks the rule")
			}
		})
	}
}

// TestConfiguration checks that each exemption is in the state that it is to show.
func TestConfiguration(t *testing.T) {
	c, err := config.Parse("demo", Configuration(fixed()), config.Defaults{Limits: policy.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	a := newAccount(t, 1, fixed)
	states := map[string]string{}
	for _, e := range c.Policy.Exemptions {
		u, there := a.World.User(e.UserName)
		switch {
		case !there:
			states[e.UserName] = "unmatched"
		case compliant(u, fixed()):
			states[e.UserName] = "needless"
		case e.InForce(fixed()):
			states[e.UserName] = "in force"
		default:
			states[e.UserName] = "lapsed"
		}
	}
	scanner, _ := a.World.User("vendor-scanner")
	for _, tag := range scanner.Tags {
		if tag.Key == c.Policy.ExemptionTag {
			if _, err := policy.ParseExemptionTag(scanner.Name, tag.Value); err != nil {
				t.Error(err)
			}
			states[scanner.Name] = "by tag"
		}
	}
	want := map[string]string{
		"break-glass": "in force", "appliance-7": "in force", "legacy-erp": "lapsed", "contractor-2024": "unmatched", "vendor-scanner": "by tag",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("exemptions (-want +got):\n%s", diff)
	}
}

func TestViolationsCoverTheRules(t *testing.T) {
	want := []string{
		"console_key_never_used", "console_user_with_active_keys", "console_user_without_mfa", "key_created_at_user_setup",
		"key_rotation", "key_rotation_due", "key_unused", "multiple_active_keys", "password_unused", "root_access_key", "root_user_without_mfa",
	}
	var got []string
	for _, v := range violations() {
		got = append(got, v.rule)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestViolationsAndRepairs(t *testing.T) {
	for _, v := range violations() {
		t.Run(v.rule, func(t *testing.T) {
			a := newAccount(t, 1, fixed)
			for _, u := range a.everyone() {
				if compliant(u, fixed()) {
					continue
				}
				if err := a.repair(u); err != nil {
					t.Fatal(err)
				}
			}
			for _, u := range a.everyone() {
				if !compliant(u, fixed()) {
					t.Fatalf("%s breaks a rule after the repair: %+v", u.Name, u)
				}
			}
			if err := a.apply(v); err != nil {
				t.Fatal(err)
			}
			if got := len(a.violators(v)); got != 1 {
				t.Errorf("%d users break the rule, want 1", got)
			}
		})
	}
}

func TestPopulation(t *testing.T) {
	a := newAccount(t, 1, fixed)
	if diff := cmp.Diff(a.World.Users(), newAccount(t, 1, fixed).World.Users()); diff != "" {
		t.Errorf("the same seed gives different users:\n%s", diff)
	}
	if cmp.Equal(a.World.Users(), newAccount(t, 2, fixed).World.Users()) {
		t.Error("different seeds give the same users")
	}
	if n := len(a.World.Users()); n < 200 || n > 300 {
		t.Errorf("%d users, want a few hundred", n)
	}
	sound := 0
	for _, u := range a.World.Users() {
		if compliant(u, fixed()) {
			sound++
		}
		for _, k := range u.Keys {
			if k.Created.Before(u.Created) || k.Created.After(fixed()) || !k.Use.At.IsZero() && k.Use.At.Before(k.Created) {
				t.Errorf("%s: user of %v has a key of %v, used %v", u.Name, u.Created, k.Created, k.Use.At)
			}
			if strings.HasPrefix(u.Name, "ses-") && k.Use.Service != "ses" {
				t.Errorf("%s uses %s", u.Name, k.Use.Service)
			}
		}
	}
	if sound < len(a.World.Users())/2 {
		t.Errorf("only %d of %d users break no rule", sound, len(a.World.Users()))
	}
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, 1, time.Now)
		before := a.World.Users()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Live(ctx) }()
		missing := make(map[string]time.Duration)
		rotated := false
		for range 3 * 60 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := len(a.World.Users()) - len(before); n < 0 || n > 16 {
				t.Fatalf("the population changed by %d", n)
			}
			for _, v := range violations() {
				if len(a.violators(v)) > 0 {
					missing[v.rule] = 0
				} else if missing[v.rule] += time.Minute; missing[v.rule] > 15*time.Minute {
					t.Fatalf("for %v nobody breaks %s", missing[v.rule], v.rule)
				}
			}
			rotated = rotated || slices.ContainsFunc(a.World.Users(), func(u awssim.User) bool {
				return len(u.Keys) == 2 && len(activeKeys(u)) == 1
			})
		}
		if !rotated {
			t.Error("no key was seen deactivated during a rotation")
		}
		if cmp.Equal(before, a.World.Users()) {
			t.Error("nothing happened")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestReportIsRenewedEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, 1, time.Now)
		client := iam.NewFromConfig(a.World.Config())
		var generated []time.Time
		for range 2 {
			if _, err := client.GenerateCredentialReport(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			out, err := client.GetCredentialReport(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			generated = append(generated, *out.GeneratedTime)
			time.Sleep(58 * time.Second)
		}
		if got := generated[1].Sub(generated[0]); got != time.Minute {
			t.Errorf("the next report came after %v, want a minute", got)
		}
	})
}

func TestListen(t *testing.T) {
	a := newAccount(t, 1, fixed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server, err := Listen(ctx, a.World)
	if err != nil {
		t.Fatal(err)
	}
	config := a.World.Config()
	config.HTTPClient = http.DefaultClient
	config.BaseEndpoint = aws.String(server.URL)
	out, err := iam.NewFromConfig(config).ListUsers(t.Context(), &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(out.Users), len(a.World.Users()); got != want {
		t.Errorf("%d users over the network, want %d", got, want)
	}
	cancel()
	if err := server.Wait(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
