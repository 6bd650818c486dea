package cost_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
)

// defaults are the settings without flags.
func defaults(source awsapi.Source) config.Settings {
	return config.Settings{Source: source, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour}
}

func defaultRates() cost.Rates { return cost.Rates{All: 20, Account: 5} }

// many returns so many equal accounts.
func many(n int, account cost.Account) []cost.Account {
	all := make([]cost.Account, n)
	for i := range all {
		all[i] = account
	}
	return all
}

// thousand are the accounts of an organization, a hundred users in each.
func thousand(source awsapi.Source) []cost.Account {
	return many(1000, cost.Account{Settings: defaults(source), Population: cost.Population{Users: 100, Keys: 100}, Role: true})
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %v, want %v, give or take %v", what, got, want, tolerance)
	}
}

// TestOrganization holds the reckoning to figures that can be checked by hand:
// 100,000 users an hour are 27.8 a second, and so on.
func TestOrganization(t *testing.T) {
	auto := cost.Of(thousand(awsapi.SourceAuto), awsapi.Sessions{}, defaultRates())
	near(t, "sweep", auto.Wanted.Sweep, 27.8, 0.05)
	near(t, "listings", auto.Wanted.Listing, 3.3, 0.05)
	near(t, "roles", auto.Wanted.Roles, 0.3, 0.05)
	near(t, "these three", auto.Wanted.Sweep+auto.Wanted.Listing+auto.Wanted.Roles, 31.4, 0.05)
	near(t, "reports", auto.Wanted.Reports, 0.21, 0.005)
	near(t, "aliases", auto.Wanted.Aliases, 0.28, 0.005)
	near(t, "tags", auto.Wanted.Tags, 0, 0)
	near(t, "calls made a second", auto.Made, 20, 0)
	near(t, "minutes of a round", auto.Round.Minutes(), 100, 5)
	near(t, "events a month", auto.Events(), 51_840_000, 1)
	near(t, "USD a month", auto.Price(), 1036.80, 0.01)

	report := cost.Of(thousand(awsapi.SourceReport), awsapi.Sessions{}, defaultRates())
	near(t, "reports and roles", report.Wanted.Reports+report.Wanted.Roles, 0.5, 0.05)
	near(t, "sweep for reports", report.Wanted.Sweep+report.Wanted.Listing, 0, 0)
	near(t, "calls made a second for reports", report.Made, report.Wanted.Total(), 1e-9)
	if report.Round != 0 {
		t.Errorf("round of reports: got %s, want none", report.Round)
	}
}

func TestRound(t *testing.T) {
	with := func(n, users int, change func(*config.Settings)) []cost.Account {
		settings := defaults(awsapi.SourceAuto)
		change(&settings)
		return many(n, cost.Account{Settings: settings, Population: cost.Population{Users: users}})
	}
	nothing := func(*config.Settings) {}
	for name, test := range map[string]struct {
		accounts  []cost.Account
		rates     cost.Rates
		want      time.Duration
		slow      int
		tolerance time.Duration
	}{
		"as often as asked":           {accounts: with(1, 100, nothing), rates: defaultRates(), want: time.Hour},
		"no accounts":                 {rates: defaultRates()},
		"the longest of all":          {accounts: append(with(1, 100, nothing), with(1, 1, func(s *config.Settings) { s.KeysInterval = 4 * time.Hour })...), rates: defaultRates(), want: 4 * time.Hour},
		"before the refresh too late": {accounts: with(1, 100, func(s *config.Settings) { s.RefreshInterval = 25 * time.Minute }), rates: defaultRates(), want: 50 * time.Minute},
		"more users than one account's rate reads": {
			accounts: with(1, 5000, nothing), rates: cost.Rates{All: 20, Account: 1},
			want: 5000 * time.Second, slow: 1, tolerance: 2 * time.Minute, // 0.02 of each second go elsewhere
		},
		"a slow one beside a fast one": {
			accounts: append(with(1, 5000, nothing), with(1, 10, nothing)...), rates: cost.Rates{All: 20, Account: 1},
			want: 5000 * time.Second, slow: 1, tolerance: 2 * time.Minute,
		},
		"nothing but listings": {accounts: with(1000, 100, nothing), rates: cost.Rates{All: 3, Account: 1}, want: cost.Endless},
		"nothing but listings in the account": {
			accounts: with(1, 100, func(s *config.Settings) { s.RefreshInterval = time.Second }),
			rates:    cost.Rates{All: 20, Account: 1}, want: cost.Endless, slow: 1,
		},
		"tags of each user": {
			accounts: with(1, 100, func(s *config.Settings) { s.Source, s.Tags = awsapi.SourceReport, awsapi.TagsFromListUserTags }),
			rates:    defaultRates(), want: time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := cost.Of(test.accounts, awsapi.Sessions{}, test.rates)
			if (got.Round - test.want).Abs() > test.tolerance {
				t.Errorf("round: got %s, want %s", got.Round, test.want)
			}
			if got.Slow != test.slow {
				t.Errorf("accounts above their rate: got %d, want %d", got.Slow, test.slow)
			}
			if got.Made > test.rates.All || got.Made > got.Wanted.Total() {
				t.Errorf("calls made a second: got %v of %v, allowed are %v", got.Made, got.Wanted.Total(), test.rates.All)
			}
		})
	}
}

// TestMakesRoomForOthers adds up: what is read in a round, and all other calls
// meanwhile, are just what the rate allows.
func TestMakesRoomForOthers(t *testing.T) {
	got := cost.Of(thousand(awsapi.SourceAuto), awsapi.Sessions{}, defaultRates())
	others := got.Wanted.Total() - got.Wanted.Sweep
	near(t, "calls in a round", 100_000+others*got.Round.Seconds(), 20*got.Round.Seconds(), 1)
}

func TestInitialRoleIsAssumedOnce(t *testing.T) {
	accounts := thousand(awsapi.SourceReport)
	without := cost.Of(accounts, awsapi.Sessions{}, defaultRates())
	with := cost.Of(accounts, awsapi.Sessions{InitialRole: "arn:aws:iam::111111111111:role/hub"}, defaultRates())
	near(t, "calls an hour for the initial role", 3600*(with.Wanted.Roles-without.Wanted.Roles), 1, 1e-6)
	near(t, "calls made an hour for it", 3600*(with.Made-without.Made), 1, 1e-6)

	own := many(1, cost.Account{Settings: defaults(awsapi.SourceReport)})
	unused := cost.Of(own, awsapi.Sessions{InitialRole: "arn:aws:iam::111111111111:role/hub"}, defaultRates())
	near(t, "calls for an initial role that nobody needs", unused.Wanted.Roles, 0, 0)
}

// TestDiscovery has a thousand accounts in sixty units: 50 pages an hour, and one
// call to see which organization it is.
func TestDiscovery(t *testing.T) {
	const hour, day = 3600.0, 24 * 3600.0
	accounts, hub := thousand(awsapi.SourceReport), awsapi.Sessions{InitialRole: "arn:aws:iam::111111111111:role/hub"}
	found := cost.Discovery{Accounts: 1000, Units: 60}
	of := func(tags, names bool) *cost.Cost {
		found.Tags, found.UnitNames = tags, names
		return cost.OfOrganization(found, accounts, awsapi.Sessions{}, defaultRates())
	}
	listed := cost.Of(accounts, awsapi.Sessions{}, defaultRates())
	near(t, "discovery of a list", listed.Wanted.Discovery, 0, 0)
	near(t, "discovery an hour", hour*of(false, false).Wanted.Discovery, 51, 1e-6)
	near(t, "tags a day", day*(of(true, false).Wanted.Discovery-of(false, false).Wanted.Discovery), 1000, 1e-6)
	near(t, "names of units a day", day*(of(false, true).Wanted.Discovery-of(false, false).Wanted.Discovery), 60, 1e-6)
	near(t, "calls made an hour to find them", hour*(of(false, false).Made-listed.Made), 51, 1e-6)

	own := many(1, cost.Account{Settings: defaults(awsapi.SourceReport)})
	near(t, "calls an hour for an initial role that lists alone", hour*cost.OfOrganization(found, own, hub, defaultRates()).Wanted.Roles, 1, 1e-6)

	few := cost.OfOrganization(cost.Discovery{Accounts: 21}, own, awsapi.Sessions{}, defaultRates()).String()
	if want := "wants 4.75 calls an hour (reports 0.75, aliases 1, discovery 3); "; !strings.HasPrefix(few, want) {
		t.Errorf("got %q, want %q first", few, want)
	}
	auto := cost.OfOrganization(cost.Discovery{Accounts: 7200}, thousand(awsapi.SourceAuto), awsapi.Sessions{}, defaultRates())
	others := auto.Wanted.Total() - auto.Wanted.Sweep
	near(t, "calls in a round", 100_000+others*auto.Round.Seconds(), 20*auto.Round.Seconds(), 1)
}

func TestConfigured(t *testing.T) {
	settings := defaults(awsapi.SourceReport)
	got := cost.Configured([]config.Account{
		{ID: "111111111111", Name: "production", Settings: settings},
		{ID: "222222222222", Role: &awsapi.Role{Name: "reader"}, Settings: settings},
	})
	assumed := cost.Population{Users: 100, Keys: 100, Assumed: true}
	want := []cost.Account{
		{Settings: settings, Population: assumed, Named: true},
		{Settings: settings, Population: assumed, Role: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
}

func TestString(t *testing.T) {
	assumed := cost.Configured([]config.Account{{Settings: defaults(awsapi.SourceAuto)}})
	for name, test := range map[string]struct {
		accounts []cost.Account
		rates    cost.Rates
		want     string
	}{
		"one account": {
			assumed, defaultRates(),
			"wants 114 calls an hour (sweep 100, listings 12, reports 0.75, aliases 1), and some more for each user with a finding: a full round takes 1h; " +
				"81,900 CloudTrail events a month, 1.64 USD for each paid copy of a trail; assumed: 100 users with a key each",
		},
		"an organization": {
			thousand(awsapi.SourceAuto), defaultRates(),
			"wants 31.9 calls a second (sweep 27.8, listings 3.3, reports 0.21, roles 0.28, aliases 0.28), and some more for each user with a finding, " +
				"more than --iam.rate 20: a full round takes 1h45m; 51.8 million CloudTrail events a month, 1,037 USD for each paid copy of a trail",
		},
		"a list of accounts of which nothing is known": {
			cost.Configured([]config.Account{{Name: "a", Settings: defaults(awsapi.SourceLive)}, {Name: "b", Settings: defaults(awsapi.SourceLive)}}), defaultRates(),
			"wants 0.18 calls a second (sweep 0.17, listings 0.013): a full round takes 1h; 467,000 CloudTrail events a month, 9.33 USD for each paid copy of a trail; " +
				"assumed: 100 users with a key each in each of 2 accounts",
		},
		"users who are not read singly": {
			cost.Configured([]config.Account{{Name: "a", Settings: defaults(awsapi.SourceReport)}}), defaultRates(),
			"wants 0.75 calls an hour (reports 0.75); 540 CloudTrail events a month, 0.01 USD for each paid copy of a trail",
		},
		"reports of an organization": {
			thousand(awsapi.SourceReport), defaultRates(),
			"wants 0.764 calls a second (reports 0.21, roles 0.28, aliases 0.28); 2 million CloudTrail events a month, 39.60 USD for each paid copy of a trail",
		},
		"a rate of one account": {
			many(1, cost.Account{Settings: defaults(awsapi.SourceLive), Population: cost.Population{Users: 5000, Keys: 6000, Passwords: 2000}, Named: true}), defaultRates(),
			"wants 5.02 calls a second (sweep 5, listings 0.02), in one account more than --iam.account-rate 5: a full round takes 1h; " +
				"13 million CloudTrail events a month, 259 USD for each paid copy of a trail",
		},
		"rates of several accounts": {
			many(2, cost.Account{Settings: defaults(awsapi.SourceLive), Population: cost.Population{Users: 5000}, Named: true}),
			cost.Rates{All: 20, Account: 1},
			"wants 5.6 calls a second (sweep 5.6, listings 0.04), in 2 accounts more than --iam.account-rate 1: a full round takes 2h50m; " +
				"5.2 million CloudTrail events a month, 104 USD for each paid copy of a trail",
		},
		"hardly any": {
			thousand(awsapi.SourceLive),
			cost.Rates{All: 2, Account: 1},
			"wants 90.6 calls a second (sweep 83.3, listings 6.7, roles 0.28, aliases 0.28), more than --iam.rate 2: hardly any user is read again; " +
				"5.2 million CloudTrail events a month, 104 USD for each paid copy of a trail",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := cost.Of(test.accounts, awsapi.Sessions{}, test.rates).String()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}
