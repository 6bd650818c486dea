package watchlist_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

const (
	one, two, three = "111111111111", "222222222222", "333333333333"
	four            = "444444444444"

	org, otherOrg = "o-aaaaaaaaaa", "o-bbbbbbbbbb"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func configuration(string) (watchlist.Reason, bool) { return watchlist.Configuration, true }

func removed(id string, reason watchlist.Reason, ago time.Duration) watchlist.Removal {
	return watchlist.Removal{AccountID: id, Reason: reason, At: now.Add(-ago)}
}

func TestNext(t *testing.T) {
	for name, test := range map[string]struct {
		before    watchlist.List
		watched   []string
		why       func(string) (watchlist.Reason, bool)
		want      watchlist.List
		forgotten []string
	}{
		"at first": {watchlist.List{}, []string{two, one}, configuration, watchlist.List{Watched: []string{one, two}}, nil},
		"one goes": {
			watchlist.List{Watched: []string{one, two}},
			[]string{two},
			configuration,
			watchlist.List{Watched: []string{two}, Removals: []watchlist.Removal{removed(one, watchlist.Configuration, 0)}},
			nil,
		},
		"one goes to another shard": {
			watchlist.List{Watched: []string{one, two}},
			[]string{two},
			func(string) (watchlist.Reason, bool) { return "", false },
			watchlist.List{Watched: []string{two}},
			nil,
		},
		"watched by another shard by now": {
			watchlist.List{Removals: []watchlist.Removal{removed(one, watchlist.Excluded, time.Hour)}},
			nil, func(string) (watchlist.Reason, bool) { return "", false },
			watchlist.List{},
			nil,
		},
		"one is back": {
			watchlist.List{Watched: []string{two}, Removals: []watchlist.Removal{removed(one, watchlist.Closed, time.Hour), removed(three, watchlist.Closed, time.Hour)}},
			[]string{one, two},
			configuration,
			watchlist.List{Watched: []string{one, two}, Removals: []watchlist.Removal{removed(three, watchlist.Closed, time.Hour)}},
			nil,
		},
		"remembered to the end": {
			watchlist.List{Removals: []watchlist.Removal{removed(one, watchlist.Excluded, watchlist.Memory-1)}},
			nil, configuration,
			watchlist.List{Removals: []watchlist.Removal{removed(one, watchlist.Excluded, watchlist.Memory-1)}},
			nil,
		},
		"and no longer": {
			watchlist.List{Removals: []watchlist.Removal{removed(one, watchlist.Excluded, watchlist.Memory)}},
			nil, configuration,
			watchlist.List{},
			[]string{one},
		},
		"in order": {
			watchlist.List{Watched: []string{one, three}, Removals: []watchlist.Removal{removed(two, watchlist.Closed, time.Hour)}},
			nil, configuration,
			watchlist.List{Removals: []watchlist.Removal{removed(one, watchlist.Configuration, 0), removed(two, watchlist.Closed, time.Hour), removed(three, watchlist.Configuration, 0)}},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, forgotten := test.before.Next(now, test.watched, test.why)
			if diff := cmp.Diff(test.want, got, emptyIsNil()); diff != "" {
				t.Errorf("watchlist (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.forgotten, forgotten); diff != "" {
				t.Errorf("forgotten (-want +got):\n%s", diff)
			}
		})
	}
}

func emptyIsNil() cmp.Option {
	return cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
}

func TestWhyNot(t *testing.T) {
	listing := &organization.Listing{OrganizationID: org, Accounts: []organization.Account{
		{ID: one, State: organization.Closed}, {ID: two, State: organization.Active}, {ID: three, State: organization.Active},
	}}
	decisions := organization.Select(*listing, []organization.Match{{ID: one}, {ID: three}}, nil)
	for name, test := range map[string]struct {
		before, id string
		reason     watchlist.Reason
		removed    bool
	}{
		"closed":                         {org, one, watchlist.Closed, true},
		"not included":                   {org, two, watchlist.Excluded, true},
		"included, so of another shard":  {org, three, "", false},
		"not in the list":                {org, four, watchlist.LeftOrganization, true},
		"of another organization":        {otherOrg, four, watchlist.Configuration, true},
		"of a list in the configuration": {"", four, watchlist.Configuration, true},
	} {
		t.Run(name, func(t *testing.T) {
			reason, removed := watchlist.WhyNot(test.before, listing, decisions)(test.id)
			if reason != test.reason || removed != test.removed {
				t.Errorf("got %q, %t, want %q, %t", reason, removed, test.reason, test.removed)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := func() watchlist.List {
		return watchlist.List{
			OrganizationID: org, Listed: now, Accounts: []organization.Account{{ID: one, State: organization.Active}},
			Watched: []string{one, two}, Removals: []watchlist.Removal{removed(three, watchlist.Closed, time.Hour)},
		}
	}
	if err := good().Check(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for want, spoil := range map[string]func(*watchlist.List){
		"not in order": func(r *watchlist.List) { r.Watched = []string{two, one} },
		`account "12345": want an id of 12 digits`: func(r *watchlist.List) { r.Watched = []string{"12345"} },
		`the account "x": want`:                    func(r *watchlist.List) { r.Accounts[0].ID = "x" },
		`the state "asleep": want`:                 func(r *watchlist.List) { r.Accounts[0].State = "asleep" },
		`for the reason "boredom": want`:           func(r *watchlist.List) { r.Removals[0].Reason = "boredom" },
		"was removed at 0001-01-01":                func(r *watchlist.List) { r.Removals[0].At = time.Time{} },
	} {
		r := good()
		spoil(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %s", err, want)
		}
	}
}

// TestWithListing keeps what a newer list does not know, of the same organization alone.
func TestWithListing(t *testing.T) {
	tags := inventory.Tags{{Key: "stage", Value: "prod"}}
	known := organization.Account{ID: one, Name: "a", State: organization.Active, OUPath: []string{"r-ab12", "ou-ab12-prod1234"}, OUNames: []string{"", "prod"}, Tags: tags}
	before := watchlist.List{OrganizationID: org, Accounts: []organization.Account{known}}
	with := func(change func(*organization.Account)) organization.Account {
		a := known
		change(&a)
		return a
	}
	for name, test := range map[string]struct {
		organization string
		told, want   organization.Account
	}{
		"nothing is known of tags and units": {
			org,
			organization.Account{ID: one, Name: "b", State: organization.Suspended},
			with(func(a *organization.Account) { a.Name, a.State = "b", organization.Suspended }),
		},
		"it has no tags any more": {org, with(func(a *organization.Account) { a.Tags = inventory.Tags{} }), with(func(a *organization.Account) { a.Tags = inventory.Tags{} })},
		"names are not known":     {org, with(func(a *organization.Account) { a.OUNames = nil }), known},
		"names are not known, and it has moved": {
			org, with(func(a *organization.Account) { a.OUPath, a.OUNames = []string{"r-ab12"}, nil }),
			with(func(a *organization.Account) { a.OUPath, a.OUNames = []string{"r-ab12"}, nil }),
		},
		"another organization": {otherOrg, organization.Account{ID: one, State: organization.Active}, organization.Account{ID: one, State: organization.Active}},
	} {
		t.Run(name, func(t *testing.T) {
			listing := organization.Listing{OrganizationID: test.organization, Observed: now, Accounts: []organization.Account{test.told}}
			want := watchlist.List{OrganizationID: test.organization, Listed: now, Accounts: []organization.Account{test.want}}
			if diff := cmp.Diff(want, before.WithListing(&listing)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.told, listing.Accounts[0]); diff != "" {
				t.Errorf("the listing itself has changed:\n%s", diff)
			}
		})
	}
}

func TestAlsoWatching(t *testing.T) {
	r := watchlist.List{Watched: []string{two}, Removals: []watchlist.Removal{removed(three, watchlist.Closed, time.Hour)}}.AlsoWatching(one, two, three)
	if diff := cmp.Diff([]string{one, two}, r.Watched); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
}

func TestUntil(t *testing.T) {
	gone, back, both := removed(one, watchlist.Closed, 0), removed(two, watchlist.Excluded, time.Hour), removed(three, watchlist.Closed, time.Hour)
	before := watchlist.List{OrganizationID: org, Listed: now.Add(-time.Hour), Watched: []string{one}, Removals: []watchlist.Removal{back, both}}
	next := watchlist.List{OrganizationID: org, Listed: now, Watched: []string{two}, Removals: []watchlist.Removal{gone, both}}
	want := before
	want.Removals = []watchlist.Removal{gone, back, both}
	if diff := cmp.Diff(want, before.Until(next)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(before.Removals) != 2 || len(next.Removals) != 2 {
		t.Errorf("the lists have changed: %v, %v", before, next)
	}
}
