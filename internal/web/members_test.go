package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// TestOrganization says on the page what is known of the organization, why no newer
// list came, and who was taken out.
func TestOrganization(t *testing.T) {
	removals := []watchlist.Removal{{AccountID: "222233334444", Reason: watchlist.LeftOrganization, At: now.Add(-time.Hour)}}
	const (
		takenOut = "<p>Accounts that were taken out within the last 35 days:</p>\n<table class=\"cards\">\n<thead><tr><th>Account</th><th>Why</th><th>Since</th></tr></thead>\n<tbody>\n" +
			`<tr><td class="head">222233334444</td><td data-label="Why">left organization</td><td data-label="Since">2026-06-01T11:00:00Z</td></tr>` + "\n</tbody>\n</table>"
		failed = `<p class="warn">The last try to list the organization failed, so that it may have other accounts by now: &lt;script&gt; denied</p>`
		listed = "<p>The organization o-a1b2c3d4e5 has 3 accounts, as listed at 2026-06-01T12:00:00Z.</p>"
	)
	whole := watchlist.List{OrganizationID: "o-a1b2c3d4e5", Listed: now, Accounts: make([]organization.Account, 3), Removals: removals}
	serving := func(r watchlist.List, problem string) web.Options {
		v := view.Of(policy.WithLimits(policy.DefaultLimits()), view.Reload{}, nil, now)
		v.Watchlist, v.NotListed = r, problem
		o := options()
		o.View = func() *view.View { return v }
		return o
	}
	for name, test := range map[string]struct {
		watchlist watchlist.List
		problem   string
		want      []string
	}{
		"never listed":   {watchlist.List{}, "<script> denied", []string{failed}},
		"only a removal": {watchlist.List{Removals: removals}, "", []string{takenOut}},
		"everything":     {whole, "<script> denied", []string{listed, failed, takenOut}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Join(test.want, "\n"), section(t, serving(test.watchlist, test.problem), "Organization")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, _, body := ask(t, web.Handler(serving(watchlist.List{Watched: []string{"111122223333"}}, "")), "GET", "/"); strings.Contains(body, "<h2>Organization</h2>") {
		t.Error("without an organization: the page speaks of one")
	}
}
