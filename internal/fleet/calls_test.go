package fleet_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

var update = flag.Bool("update", false, "rewrite docs/benchmarks.md's table of calls")

const (
	benchmarksFile = "../../docs/benchmarks.md"
	tableBegin     = "<!-- calls: begin -->\n"
	tableEnd       = "<!-- calls: end -->\n"
)

// views are the calls that a source costs in the account of the benchmark.
type views struct {
	first, full     int
	hour            float64
	toFirst, toFull time.Duration
}

// way is a way of reading, and what it may cost at most.
type way struct {
	name    string
	needs   awsapi.Needs
	accused bool // a third of the users are, of having no MFA device
	limit   views
}

func ways() []way {
	source := func(s awsapi.Source) awsapi.Needs { return awsapi.Needs{Source: s} }
	tags := func(s awsapi.TagSource) awsapi.Needs { return awsapi.Needs{Source: awsapi.SourceAuto, Tags: s} }
	return []way{
		{name: "`report`", needs: source(awsapi.SourceReport), limit: views{first: 5, full: 5, hour: 2}},
		{name: "`auto`", needs: source(awsapi.SourceAuto), limit: views{first: 12, full: 5000/scale + 100, hour: 5000/scale + 200}},
		{name: "`auto`, a third of the users accused", needs: source(awsapi.SourceAuto), accused: true, limit: views{first: 12, full: 8400/scale + 100, hour: 8400/scale + 200}},
		{name: "`live`", needs: source(awsapi.SourceLive), limit: views{first: 12, full: 18000/scale + 100, hour: 18000/scale + 100}},
		{name: "`auto` with tags", needs: tags(awsapi.TagsFromAuthorizationDetails), limit: views{first: 17, full: 5000/scale + 110, hour: 5000/scale + 210}},
		{name: "`auto` with tags from `ListUserTags`", needs: tags(awsapi.TagsFromListUserTags), limit: views{first: 12, full: 10000/scale + 100, hour: 10000/scale + 200}},
	}
}

// TestCallsOfEachSource counts requests in an account of 5,000 users, 6,000
// keys and 2,000 passwords, and holds docs/benchmarks.md to the counts. A
// scaled account is held to the limits alone.
func TestCallsOfEachSource(t *testing.T) {
	var table strings.Builder
	table.WriteString("| way of reading | first view | full view | each quiet hour | time to first view | time to full view |\n| --- | --- | --- | --- | --- | --- |\n")
	naive, counted := 0, make([]views, len(ways()))
	t.Run("count", func(t *testing.T) {
		t.Run("naive", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { naive = loopPeopleWrite(t, largeAccount(t, false)) })
		})
		for i, w := range ways() {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { counted[i] = countViews(t, w) })
			})
		}
	})
	fmt.Fprintf(&table, "| the usual loop, run every hour | %d | %d | %d | at 5 calls a second: %s | the same |\n", naive, naive, naive, time.Duration(naive/5)*time.Second)

	for i, w := range ways() {
		got := counted[i]
		if got.first > w.limit.first || got.full > w.limit.full || got.hour > w.limit.hour {
			t.Errorf("%s: got %+v, want at most %+v", w.name, got, w.limit)
		}
		fmt.Fprintf(&table, "| %s | %d | %s | %s | %s | %s |\n", w.name, got.first, about(float64(got.full)), about(got.hour), got.toFirst, aboutTime(got.toFull))
	}
	if scale == 1 {
		checkTable(t, table.String())
	}
}

// about rounds large numbers of calls to hundreds, because one more or less may
// fall within the second in which the exporter is watched.
func about(calls float64) string {
	switch {
	case calls >= 100:
		return fmt.Sprintf("%.0f", 100*math.Round(calls/100))
	case calls == math.Trunc(calls):
		return fmt.Sprintf("%.0f", calls)
	}
	return fmt.Sprintf("%.1f", calls)
}

// aboutTime rounds long times to minutes, for the same reason.
func aboutTime(d time.Duration) time.Duration {
	if d < time.Minute {
		return d
	}
	return d.Round(time.Minute)
}

// largeAccount is 5,000 users with 6,000 keys and 2,000 passwords; 30 of the
// users with a password hold a key. A third of all have a password and no MFA
// device, if they are to be accused of that; else everybody with a password has
// a device. All of them signed in lately.
func largeAccount(t *testing.T, accused bool) *awssim.World {
	world := awssim.New(awssim.Options{Seed: 1, ReportDelay: 20 * time.Second})
	created := time.Now().Add(-400 * 24 * time.Hour)
	for i := range 5000 / scale {
		name := fmt.Sprintf("user-%04d", i)
		_, err := world.CreateUser(name, "/", created)
		check(t, err)
		if i < 2000/scale {
			check(t, world.SetPassword(name, created.Add(time.Hour)))
			check(t, world.SignIn(name, created.Add(399*24*time.Hour)))
			if !accused || i >= 5000/scale/3 {
				_, err := world.AddMFA(name, created.Add(2*time.Hour))
				check(t, err)
			}
		}
		keys := 0
		switch {
		case i >= 1970/scale && i < 2000/scale:
			keys = 1
		case i >= 2000/scale && i < 4970/scale:
			keys = 2
		case i >= 4970/scale:
			keys = 1
		}
		for k := range keys {
			id, err := world.CreateKey(name, created.Add(time.Duration(380+k)*24*time.Hour))
			check(t, err)
			check(t, world.UseKey(id, awssim.Use{At: created.Add(399 * 24 * time.Hour), Service: "s3", Region: "eu-west-1"}))
		}
	}
	return world
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// loopPeopleWrite is the loop that the exporters of this kind use.
func loopPeopleWrite(t *testing.T, world *awssim.World) int {
	ctx := t.Context()
	client := iam.NewFromConfig(world.Config())
	users := iam.NewListUsersPaginator(client, &iam.ListUsersInput{})
	for users.HasMorePages() {
		page, err := users.NextPage(ctx)
		check(t, err)
		for _, user := range page.Users {
			keys, err := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user.UserName})
			check(t, err)
			for _, key := range keys.AccessKeyMetadata {
				_, err := client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId})
				check(t, err)
			}
			_, err = client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: aws.String(*user.UserName)})
			if err != nil && !awsapi.IsNoSuchEntity(err) {
				t.Fatal(err)
			}
		}
	}
	return total(world)
}

func total(world *awssim.World) int {
	n := 0
	for _, calls := range world.Calls() {
		n += calls
	}
	return n
}

// countViews runs the exporter at its defaults until it knows everything, and
// one hour more.
func countViews(t *testing.T, w way) views {
	world, needs := largeAccount(t, w.accused), w.needs
	board := newBoard()
	accounts := fleetOf(t, board, slog.New(slog.DiscardHandler), fleet.Target{
		Client: awsapi.New(world.Config(), awsapi.NewShared(20), awsapi.Options{
			Needs: needs, Rate: 5, Timeout: 10 * time.Second,
		}),
		Account: account.Options{RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour},
	})
	known := func() *inventory.Snapshot { return board.View().Account("").Snapshot }

	began := time.Now()
	var v views
	var requests int
	var mu sync.Mutex
	world.SetFault(func(string, int) http.HandlerFunc {
		mu.Lock()
		defer mu.Unlock()
		if v.first == 0 && len(known().Users) > 0 {
			v.toFirst, v.first = time.Since(began), requests
		}
		requests++
		return nil
	})
	stop := run(t, accounts)

	groups := len(inventory.Groups())
	if needs.Tags == awsapi.NoTags {
		groups-- // nobody asks for tags
	}
	waitFor(t, func() bool { return len(known().Complete) == groups })
	mu.Lock()
	v.toFull, v.full = time.Since(began), total(world)
	if v.first == 0 { // nothing was asked after the first view
		v.toFirst, v.first = v.toFull, v.full
	}
	mu.Unlock()
	hours := 1
	if needs.Source == awsapi.SourceReport {
		hours = 8 // reports come every four hours
	}
	time.Sleep(time.Duration(hours) * time.Hour)
	v.hour = float64(total(world)-v.full) / float64(hours)
	stop()
	return v
}

// waitFor lets synctest's clock run until the condition holds.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for range 2 * 3600 {
		if condition() {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("condition not met within two hours")
}

// checkTable holds the table in the docs to what was counted.
func checkTable(t *testing.T, table string) {
	content, err := os.ReadFile(benchmarksFile)
	check(t, err)
	before, rest, found := strings.Cut(string(content), tableBegin)
	old, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatalf("%s: expected %q and %q around the table", benchmarksFile, tableBegin, tableEnd)
	}
	if *update {
		check(t, os.WriteFile(benchmarksFile, []byte(before+tableBegin+table+tableEnd+after), 0o644))
		return
	}
	if old != table {
		t.Errorf("%s: the table of calls is out of date (go test -tags long ./internal/fleet -update rewrites it); counted:\n%s", benchmarksFile, table)
	}
}
