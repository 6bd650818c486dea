package organization

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// alice is an account of which everything is known.
func alice() Account {
	return Account{
		ID: aliceID, Name: "prod-web", State: Active, OUPath: []string{rootID, prod, team},
		Tags: inventory.Tags{{Key: "Owner", Value: "platform"}, {Key: "env", Value: "dev"}},
	}
}

// nobody is an account of which nothing is known but its id.
func nobody() Account { return Account{ID: bobID, State: Unknown} }

func inState(state State) Account {
	a := alice()
	a.State = state
	return a
}

func TestSelect(t *testing.T) {
	all, none := []Match(nil), []Match(nil)
	for name, test := range map[string]struct {
		account          Account
		include, exclude []Match
		cause            Cause
		why              string
	}{
		"no configuration":         {alice(), all, none, CauseIncluded, "included: there is no include, so every account is"},
		"by id":                    {alice(), []Match{{ID: bobID}, {ID: aliceID}}, none, CauseIncluded, "included by include[1] (id " + aliceID + ")"},
		"by another id":            {alice(), []Match{{ID: bobID}}, none, CauseNotIncluded, "not in include"},
		"by name":                  {alice(), []Match{{Name: "prod-*"}}, none, CauseIncluded, "included by include[0] (name prod-*)"},
		"by part of a name":        {alice(), []Match{{Name: "prod"}}, none, CauseNotIncluded, "not in include"},
		"by unit":                  {alice(), []Match{{OU: team}}, none, CauseIncluded, "included by include[0] (ou " + team + ")"},
		"by a unit above":          {alice(), []Match{{OU: prod}}, none, CauseIncluded, "included by include[0] (ou " + prod + ")"},
		"by root":                  {alice(), []Match{{OU: rootID}}, none, CauseIncluded, "included by include[0] (ou " + rootID + ")"},
		"by part of a unit's id":   {alice(), []Match{{OU: "ou-ab12-1111111"}}, none, CauseNotIncluded, "not in include"},
		"by tag, in another case":  {alice(), []Match{{Tags: []TagMatch{{"OWNER", "plat*"}}}}, none, CauseIncluded, "included by include[0] (tag OWNER=plat*)"},
		"by a tag's other value":   {alice(), []Match{{Tags: []TagMatch{{"Owner", "Plat*"}}}}, none, CauseNotIncluded, "not in include"},
		"by a missing tag":         {alice(), []Match{{Tags: []TagMatch{{"team", "*"}}}}, none, CauseNotIncluded, "not in include"},
		"by two conditions":        {alice(), []Match{{OU: prod, Tags: []TagMatch{{"env", "dev"}}}}, none, CauseIncluded, "included by include[0] (ou " + prod + ", tag env=dev)"},
		"by two tags":              {alice(), []Match{{Tags: []TagMatch{{"env", "dev"}, {"owner", "*"}}}}, none, CauseIncluded, "included by include[0] (tag env=dev, tag owner=*)"},
		"by one of two tags":       {alice(), []Match{{Tags: []TagMatch{{"env", "dev"}, {"team", "*"}}}}, none, CauseNotIncluded, "not in include"},
		"by one of two conditions": {alice(), []Match{{OU: prod, Tags: []TagMatch{{"env", "live"}}}}, none, CauseNotIncluded, "not in include"},
		"without a condition":      {alice(), []Match{{}}, none, CauseNotIncluded, "not in include"},

		"excluded by id":                {alice(), all, []Match{{ID: aliceID}}, CauseExcluded, "excluded by exclude[0] (id " + aliceID + ")"},
		"excluded with a reason":        {alice(), []Match{{ID: aliceID}}, []Match{{ID: aliceID, Reason: "sandbox"}}, CauseExcluded, "excluded by exclude[0]: sandbox"},
		"excluded by unit":              {alice(), all, []Match{{ID: bobID}, {OU: prod}}, CauseExcluded, "excluded by exclude[1] (ou " + prod + ")"},
		"excluded by tag":               {alice(), all, []Match{{Tags: []TagMatch{{"env", "*"}}}}, CauseExcluded, "excluded by exclude[0] (tag env=*)"},
		"not excluded by name":          {alice(), all, []Match{{Name: "*"}}, CauseIncluded, "included: there is no include, so every account is"},
		"not excluded by name and unit": {alice(), all, []Match{{Name: "*", OU: prod}}, CauseIncluded, "included: there is no include, so every account is"},
		"not excluded by nothing":       {alice(), all, []Match{{}}, CauseIncluded, "included: there is no include, so every account is"},

		"nothing known": {nobody(), all, none, CauseIncluded, "included: there is no include, so every account is; its state is not known"},
		"an include that might match": {
			nobody(),
			[]Match{{OU: prod}, {Name: "p*", Tags: []TagMatch{{"env", "dev"}}}},
			none, CauseNotIncluded,
			"not in include; include[0] (ou " + prod + ") might match: not known: its organizational units; " +
				"include[1] (name p*, tag env=dev) might match: not known: its name, its tags",
		},
		"an include that might match before one that does": {
			nobody(), []Match{{OU: prod}, {ID: bobID}}, none, CauseIncluded, "included by include[1] (id " + bobID + "); its state is not known",
		},
		"an include that cannot match whatever the tags": {nobody(), []Match{{ID: aliceID, Tags: []TagMatch{{"env", "dev"}}}}, none, CauseNotIncluded, "not in include"},
		"an exclude that might match": {
			nobody(), all,
			[]Match{{Tags: []TagMatch{{"env", "dev"}}, Reason: "sandbox"}},
			CauseIncluded,
			"included: there is no include, so every account is; its state is not known; exclude[0]: sandbox might match: not known: its tags",
		},
		"an exclude that might match before one that does": {nobody(), all, []Match{{OU: prod}, {ID: bobID}}, CauseExcluded, "excluded by exclude[1] (id " + bobID + ")"},

		"suspended":               {inState(Suspended), all, none, CauseState, "suspended; otherwise included: there is no include, so every account is"},
		"closed":                  {inState(Closed), []Match{{ID: aliceID}}, none, CauseState, "closed; otherwise included by include[0] (id " + aliceID + ")"},
		"not yet there":           {inState(PendingActivation), []Match{{ID: aliceID}}, none, CauseState, "pending activation; otherwise included by include[0] (id " + aliceID + ")"},
		"suspended and excluded":  {inState(Suspended), all, []Match{{ID: aliceID, Reason: "sandbox"}}, CauseExcluded, "excluded by exclude[0]: sandbox"},
		"suspended, not included": {inState(Suspended), []Match{{ID: bobID}}, none, CauseNotIncluded, "not in include"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Select(Listing{Accounts: []Account{test.account}}, test.include, test.exclude)
			unsure := strings.Contains(test.why, "might match")
			want := []Decision{{test.account, test.cause == CauseIncluded, test.cause, unsure, test.why}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnmatched(t *testing.T) {
	listing := Listing{Accounts: []Account{inState(Suspended), nobody()}}
	include := []Match{
		{ID: aliceID},
		{ID: hubID},
		{OU: prod},
		{OU: "ou-ab12-99999999"},
		{Name: "prod-*"},
		{Name: "test-*"},
		{Tags: []TagMatch{{"env", "*"}}},
		{Tags: []TagMatch{{"env", "live"}}},
		{},
	}
	if diff := cmp.Diff([]int{1, 3, 5, 7, 8}, Unmatched(listing, include)); diff != "" {
		t.Errorf("unmatched (-want +got):\n%s", diff)
	}
	if got := Unmatched(listing, nil); got != nil {
		t.Errorf("of none: got %v, want none", got)
	}
}

// FuzzSelect holds on to what a selection promises whatever is configured.
func FuzzSelect(f *testing.F) {
	f.Add("prod-web", "active", prod, "Owner", "platform", aliceID, "prod-*", prod, "owner", "*", true, true)
	f.Add("", "unknown", "", "", "", bobID, "*", "r-ab12", "env", "dev", false, false)
	f.Add("\xff", "suspended", "x", "k", "(", "", "[", "", "", "", true, false)
	f.Fuzz(func(t *testing.T, name, state, unit, key, value, id, glob, ou, tag, pattern string, pathKnown, tagsKnown bool) {
		account := Account{ID: aliceID, Name: name, State: State(state)}
		if pathKnown {
			account.OUPath = []string{rootID, unit}
		}
		if tagsKnown {
			account.Tags = inventory.Tags{{Key: key, Value: value}}
		}
		listing := Listing{Accounts: []Account{account, nobody()}}
		var tags []TagMatch
		if tag != "" {
			tags = []TagMatch{{tag, pattern}}
		}
		include := []Match{{ID: id, Name: glob, OU: ou, Tags: tags}}
		exclude := []Match{{ID: id, OU: ou, Tags: tags}}

		everybody, chosen := Select(listing, nil, nil), Select(listing, include, nil)
		rest, neither := Select(listing, nil, exclude), Select(listing, include, exclude)
		for i := range listing.Accounts {
			for _, d := range []Decision{everybody[i], chosen[i], rest[i], neither[i]} {
				if d.Account.ID != listing.Accounts[i].ID || d.Why == "" || d.Included != (d.Cause == CauseIncluded) {
					t.Errorf("decision: got %+v, want one about account %s, with a reason", d, listing.Accounts[i].ID)
				}
				if d.Included && !d.Account.State.Readable() {
					t.Errorf("read in state %q", d.Account.State)
				}
			}
			if neither[i].Included && (!chosen[i].Included || !rest[i].Included) {
				t.Errorf("got %+v, but not by include (%s) and exclude (%s) alone", neither[i], chosen[i].Why, rest[i].Why)
			}
			if chosen[i].Included && !everybody[i].Included {
				t.Errorf("got %+v, which is not included without an include", chosen[i])
			}
		}
		matched := slices.ContainsFunc(chosen, func(d Decision) bool { return d.Cause != CauseNotIncluded })
		if unmatched := len(Unmatched(listing, include)) > 0; unmatched == matched {
			t.Errorf("unmatched: got %t, but the decisions are %+v", unmatched, chosen)
		}

		renamed := listing
		renamed.Accounts = slices.Clone(listing.Accounts)
		renamed.Accounts[0].Name = strings.ToUpper(name) + "x"
		byName := []Match{{Name: glob, ID: id, OU: ou, Tags: tags}}
		for i, d := range Select(renamed, nil, byName) {
			if d.Cause == CauseExcluded && glob != "" || d.Cause != rest[i].Cause && glob == "" {
				t.Errorf("got %+v, want no account to be excluded for its name", d)
			}
		}
	})
}
