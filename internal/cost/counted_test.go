package cost_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// partOf names what each call is counted as.
func partOf(operation string) string {
	switch operation {
	case "ListAccessKeys", "GetAccessKeyLastUsed", "GetLoginProfile", "ListMFADevices":
		return "sweep"
	case "ListUsers", "GetAccountSummary":
		return "listings"
	case "GenerateCredentialReport", "GetCredentialReport":
		return "reports"
	case string(awsapi.TagsFromAuthorizationDetails), string(awsapi.TagsFromListUserTags):
		return "tags"
	case "ListAccountAliases":
		return "aliases"
	}
	return operation
}

// TestAgreesWithTheProgram runs the exporter on a simulated account for half a
// day after it knows everything, and compares the calls of each part.
func TestAgreesWithTheProgram(t *testing.T) {
	people := cost.Population{Users: 40, Keys: 60, Passwords: 10}
	for name, settings := range map[string]config.Settings{
		"auto":                       defaults(awsapi.SourceAuto),
		"report":                     defaults(awsapi.SourceReport),
		"live":                       defaults(awsapi.SourceLive),
		"auto, tags of all at once":  {Source: awsapi.SourceAuto, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour, Tags: awsapi.TagsFromAuthorizationDetails},
		"report, tags one by one":    {Source: awsapi.SourceReport, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour, Tags: awsapi.TagsFromListUserTags},
		"auto, rare refreshes":       {Source: awsapi.SourceAuto, RefreshInterval: 25 * time.Minute, KeysInterval: time.Hour},
		"live, rare and odd":         {Source: awsapi.SourceLive, RefreshInterval: 40 * time.Minute, KeysInterval: 130 * time.Minute},
		"auto, tags, rare refreshes": {Source: awsapi.SourceAuto, RefreshInterval: 25 * time.Minute, KeysInterval: time.Hour, Tags: awsapi.TagsFromAuthorizationDetails},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const hours = 12
			var counted map[string]int
			synctest.Test(t, func(t *testing.T) { counted = count(t, settings, people, hours*time.Hour) })

			reckoned := cost.Of([]cost.Account{{Settings: settings, Population: people}}, awsapi.Sessions{}, defaultRates()).Wanted
			for part, rate := range map[string]float64{
				"sweep": reckoned.Sweep, "listings": reckoned.Listing, "reports": reckoned.Reports, "tags": reckoned.Tags, "aliases": reckoned.Aliases,
			} {
				want := rate * 3600 * hours
				// A twentieth, and what falls in the half day or not by chance.
				near(t, part+" in half a day", float64(counted[part]), want, 0.05*want+3)
			}
		})
	}
}

// count returns how many calls of each part are made in so much time, once
// everything is known.
func count(t *testing.T, settings config.Settings, people cost.Population, watch time.Duration) map[string]int {
	world := awssim.New(awssim.Options{Seed: 1, ReportDelay: 20 * time.Second})
	populate(t, world, people)
	board := view.New(policy.WithLimits(policy.DefaultLimits()), view.Reload{}, view.Rendering{})
	accounts := fleet.New(board, fleet.Options{Logger: slog.New(slog.DiscardHandler)})
	check(t, accounts.Reconcile([]fleet.Target{{
		Client: awsapi.New(world.Config(), awsapi.NewShared(20), awsapi.Options{
			Needs: awsapi.Needs{Source: settings.Source, Tags: settings.Tags}, Rate: rate.Limit(5), Timeout: 10 * time.Second,
		}),
		Account: account.Options{RefreshInterval: settings.RefreshInterval, KeysInterval: settings.KeysInterval},
	}}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { accounts.Run(ctx); close(done) }()
	time.Sleep(settings.KeysInterval + settings.RefreshInterval)
	before := world.Calls()
	time.Sleep(watch)
	after := world.Calls()
	cancel()
	<-done

	counted := map[string]int{}
	for operation, n := range after {
		counted[partOf(operation)] += n - before[operation]
	}
	return counted
}

// populate makes users of whom no rule has anything to say.
func populate(t *testing.T, world *awssim.World, people cost.Population) {
	created := time.Now().Add(-30 * 24 * time.Hour)
	for i := range people.Users {
		name := fmt.Sprintf("user-%02d", i)
		_, err := world.CreateUser(name, "/", created)
		check(t, err)
		keys := 0
		if i < people.Passwords {
			check(t, world.SetPassword(name, created.Add(time.Hour)))
			_, err := world.AddMFA(name, created.Add(2*time.Hour))
			check(t, err)
		} else {
			keys = people.Keys / (people.Users - people.Passwords)
		}
		for k := range keys {
			id, err := world.CreateKey(name, created.Add(time.Duration(25+k)*24*time.Hour))
			check(t, err)
			check(t, world.UseKey(id, awssim.Use{At: created.Add(29 * 24 * time.Hour), Service: "s3", Region: "eu-west-1"}))
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAgreesWithTheDocuments compares with docs/benchmarks.md, whose table of
// calls is counted in an account of 5,000 users.
func TestAgreesWithTheDocuments(t *testing.T) {
	people := cost.Population{Users: 5000, Keys: 6000, Passwords: 2000}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "benchmarks.md"))
	check(t, err)
	for name, needs := range map[string]awsapi.Needs{
		"`report`":                             {Source: awsapi.SourceReport},
		"`auto`":                               {Source: awsapi.SourceAuto},
		"`live`":                               {Source: awsapi.SourceLive},
		"`auto` with tags":                     {Source: awsapi.SourceAuto, Tags: awsapi.TagsFromAuthorizationDetails},
		"`auto` with tags from `ListUserTags`": {Source: awsapi.SourceAuto, Tags: awsapi.TagsFromListUserTags},
	} {
		t.Run(name, func(t *testing.T) {
			settings := defaults(needs.Source)
			settings.Tags = needs.Tags
			got := cost.Of([]cost.Account{{Settings: settings, Population: people}}, awsapi.Sessions{}, defaultRates())
			want := hourlyCalls(t, string(text), name)
			near(t, "calls an hour", 3600*got.Wanted.Total(), want, math.Max(0.1, 0.02*want))
		})
	}
}

// hourlyCalls returns the calls of a quiet hour in the table's row.
func hourlyCalls(t *testing.T, text, name string) float64 {
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); cells[0] == "| "+name && len(cells) > 3 {
			calls, err := strconv.ParseFloat(cells[3], 64)
			check(t, err)
			return calls
		}
	}
	t.Fatalf("docs/benchmarks.md has no row %s", name)
	return 0
}
