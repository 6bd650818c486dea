package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestGeneratedBlocks holds to the code what documents say about this package;
// the tests in docs see to the rest.
func TestGeneratedBlocks(t *testing.T) {
	setEnvironment(t, nil)
	for _, b := range []struct {
		name, file string
		render     func(*testing.T) string
	}{
		{"command-lines", "docs/troubleshooting.md", commandLineTable},
		{"staleness", "docs/sources.md", stalenessTable},
		{"check-access", "docs/check-access.md", accessExample},
	} {
		t.Run(b.name, func(t *testing.T) {
			file := filepath.Join("..", "..", filepath.FromSlash(b.file))
			text := string(must[[]byte](t)(os.ReadFile(file)))
			begin, end := "<!-- "+b.name+": begin -->\n", "<!-- "+b.name+": end -->"
			before, rest, opened := strings.Cut(text, begin)
			old, after, closed := strings.Cut(rest, end)
			if !opened || !closed {
				t.Fatalf("%s has no block %q", b.file, b.name)
			}
			want := b.render(t)
			if *update {
				check(t, os.WriteFile(file, []byte(before+begin+want+end+after), 0o644))
				return
			}
			if diff := cmp.Diff(want, old); diff != "" {
				t.Errorf("%s: block %q is out of date; run make docs: -want +got:\n%s", b.file, b.name, diff)
			}
		})
	}
}

func commandLineTable(*testing.T) string {
	table := "| flags | message after `aws_iam_exporter: error:` |\n| --- | --- |\n"
	for _, c := range badCommandLines() {
		table += fmt.Sprintf("| `%s` | `%s` |\n", strings.Join(c.args, " "), c.want)
	}
	return table
}

// accessExample is what check-access says of three made-up accounts.
func accessExample(t *testing.T) (text string) {
	synctest.Test(t, func(t *testing.T) {
		made := must[*demo.Accounts](t)(demo.NewAccounts(3, 1, time.Now))
		result := tryAccessFor(t.Context(), t, demoSource(made, made.Realm.Config()), "--demo", "--demo.accounts=3")
		text = "```\n" + string(must[[]byte](t)(result.Text())) + "```\n"
	})
	return text
}

// stalenessTable asks the exporter itself, on an account with everything in it.
func stalenessTable(t *testing.T) string {
	lifetimes := map[awsapi.Source]map[inventory.Group]time.Duration{}
	for _, source := range awsapi.Sources() {
		synctest.Test(t, func(t *testing.T) { lifetimes[source] = lifetimesOf(t, source) })
	}
	table := "| facts | `auto` | `report` | `live` |\n| --- | --- | --- | --- |\n"
	for _, group := range inventory.Groups() {
		table += fmt.Sprintf("| `%s` |", group)
		for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport, awsapi.SourceLive} {
			table += fmt.Sprintf(" %s |", spoken(lifetimes[source][group]))
		}
		table += "\n"
	}
	return table
}

// lifetimesOf returns how long the facts about a user with a password and a key live.
func lifetimesOf(t *testing.T, source awsapi.Source) map[inventory.Group]time.Duration {
	s, _, err := parse([]string{"--iam.source=" + string(source)}, t.Output(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	b := builder{t, awssim.New(awssim.Options{Seed: 1}), time.Now()}
	b.user("erin", "/", day)
	b.console("erin", day, false)
	b.key("erin", day, never)
	p, err := wire(awsSource{config: b.world.Config(), configuration: []byte("owner_tags: [owner]")}, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.fleet.Run(ctx) }()
	time.Sleep(time.Minute)
	freshness := p.board.View().Account("").Snapshot.Freshness
	cancel()
	<-done
	lifetimes := map[inventory.Group]time.Duration{}
	for _, group := range inventory.Groups() {
		f, known := freshness[group]
		if !known {
			t.Fatalf("%s: nothing known of %s after a minute", source, group)
		}
		lifetimes[group] = f.Stale.Sub(f.Observed)
	}
	return lifetimes
}

// spoken writes 2h15m0s as "2 h 15 min".
func spoken(d time.Duration) string {
	hours, minutes := d/time.Hour, d%time.Hour/time.Minute
	switch {
	case hours == 0:
		return fmt.Sprintf("%d min", minutes)
	case minutes == 0:
		return fmt.Sprintf("%d h", hours)
	}
	return fmt.Sprintf("%d h %d min", hours, minutes)
}
