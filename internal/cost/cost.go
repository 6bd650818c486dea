// Package cost reckons what settings cost: calls to AWS, events in CloudTrail,
// and how long it takes until every user was read again.
package cost

import (
	"math"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
)

const (
	// pageSize is how many users come in an answer.
	pageSize = 1000
	// reportCalls are for one credential report: have it made, look for it while
	// it is in the making, and take it.
	reportCalls = 3
	// hourly is how often a role is assumed again, the alias asked for, and the
	// organization's accounts listed.
	hourly = time.Hour
	// daily is how often the tags of an organization's account are read, and the name
	// of a unit.
	daily = 24 * time.Hour
	// accountsPerPage is how many accounts of an organization come in an answer.
	accountsPerPage = 20
)

const (
	// Month is the time that events are counted over.
	Month = 30 * 24 * time.Hour
	// pricePerEvent is AWS's list price in USD for each event that a trail delivers
	// beside the first, free one: 2 USD for 100,000.
	// https://aws.amazon.com/cloudtrail/pricing/
	pricePerEvent = 2.0 / 100_000
)

// Account is what decides how many calls an account costs.
type Account struct {
	config.Settings
	Population
	Named bool // by the configuration: the alias is not asked for
	Role  bool // its credentials are got by a role
}

// readsUsers reports whether anything is asked user by user.
func (a *Account) readsUsers() bool {
	return a.Source != awsapi.SourceReport || a.Tags == awsapi.TagsFromListUserTags
}

// Population is how much of each there is in an account.
type Population struct {
	Users, Keys, Passwords int
	Assumed                bool // AWS has not told yet
}

// Endless is the round that the other calls leave no time for.
const Endless time.Duration = math.MaxInt64

// Assumed is what an account has as long as nobody knows.
func Assumed() Population { return Population{Users: 100, Keys: 100, Assumed: true} }

// Configured returns the accounts of the configuration, with assumed users.
func Configured(accounts []config.Account) []Account {
	all := make([]Account, 0, len(accounts))
	for i := range accounts {
		a := &accounts[i]
		all = append(all, Account{Settings: a.Settings, Population: Assumed(), Named: a.Name != "", Role: a.Role != nil})
	}
	return all
}

// Rates are the most calls a second.
type Rates struct {
	All     float64 // of the process
	Account float64 // of each account
}

// Calls are calls a second, by what they are for. Calls that nothing but a
// change in the account causes, or a violation, are not among them.
type Calls struct {
	Sweep     float64 // keys, and what no report tells, user by user
	Listing   float64 // who there is; root, where no report tells
	Reports   float64
	Roles     float64 // to assume them
	Aliases   float64
	Tags      float64
	Discovery float64 // which accounts an organization has
}

// Total returns all calls a second.
func (c Calls) Total() float64 {
	return c.Sweep + c.Listing + c.Reports + c.Roles + c.Aliases + c.Tags + c.Discovery
}

func (c Calls) plus(d Calls) Calls {
	return Calls{
		Sweep: c.Sweep + d.Sweep, Listing: c.Listing + d.Listing, Reports: c.Reports + d.Reports,
		Roles: c.Roles + d.Roles, Aliases: c.Aliases + d.Aliases, Tags: c.Tags + d.Tags, Discovery: c.Discovery + d.Discovery,
	}
}

// Cost is what the settings of all accounts cost.
type Cost struct {
	Accounts []Account
	Rates    Rates
	Wanted   Calls         // that keep every interval
	Made     float64       // calls a second that the rates allow of these
	Slow     int           // accounts that want more than the rate of one
	Round    time.Duration // in which every user is read again, or Endless; 0 if none is read singly
}

// Events returns how many events CloudTrail records in a Month: each call is one.
func (c *Cost) Events() float64 { return c.Made * Month.Seconds() }

// Price returns what a paid copy of a trail costs in a Month, in USD.
func (c *Cost) Price() float64 { return c.Events() * pricePerEvent }

// Discovery is an organization whose accounts are found.
type Discovery struct {
	Accounts, Units int // all that it has, be they watched or not
	awsapi.Discovery
}

// calls returns the calls that find the accounts; none without an organization, which
// has one account at least.
func (d Discovery) calls() Calls {
	if d.Accounts == 0 {
		return Calls{}
	}
	c := Calls{Discovery: (1 + math.Ceil(float64(d.Accounts)/accountsPerPage)) * every(hourly)}
	if d.Tags {
		c.Discovery += float64(d.Accounts) * every(daily)
	}
	if d.UnitNames {
		c.Discovery += float64(d.Units) * every(daily)
	}
	return c
}

// Of reckons what the accounts cost.
func Of(accounts []Account, sessions awsapi.Sessions, rates Rates) *Cost {
	return OfOrganization(Discovery{}, accounts, sessions, rates)
}

// OfOrganization reckons what these accounts cost, and to find them.
func OfOrganization(d Discovery, accounts []Account, sessions awsapi.Sessions, rates Rates) *Cost {
	c := &Cost{Accounts: accounts, Rates: rates, Wanted: d.calls(), Made: d.calls().Total()}
	shares := make([]share, 0, len(accounts))
	sweeps := 0.0
	for i := range accounts {
		s := shareOf(&accounts[i], rates.Account)
		shares = append(shares, s)
		sweeps += s.made - s.others
		c.Wanted = c.Wanted.plus(s.wanted)
		c.Made += s.made
		if s.wanted.Total() > rates.Account {
			c.Slow++
		}
	}
	if sessions.InitialRole != "" && c.Wanted.Roles+c.Wanted.Discovery > 0 {
		c.Wanted.Roles += every(hourly)
		c.Made += every(hourly)
	}
	all := slowness(sweeps, rates.All-(c.Made-sweeps))
	c.Made = min(c.Made, rates.All)
	for _, s := range shares {
		if s.round > 0 {
			c.Round = max(c.Round, times(s.round, max(s.slowness, all)))
		}
	}
	return c
}

// slowness returns how many times as long the calls take, if so many a second are
// left for them.
func slowness(wanted, left float64) float64 {
	switch {
	case wanted == 0:
		return 1
	case left <= 0:
		return math.Inf(1)
	}
	return max(1, wanted/left)
}

// times returns the duration times the factor, or Endless.
func times(d time.Duration, factor float64) time.Duration {
	if product := float64(d) * factor; product < float64(Endless) {
		return time.Duration(product)
	}
	return Endless
}

// share is one account's part in the cost.
type share struct {
	wanted   Calls
	others   float64       // calls a second for anything but the sweep
	made     float64       // calls a second that the account's rate allows
	round    time.Duration // in which to read every user again; 0 for no sweep
	slowness float64       // how many times as long it takes by the account's rate
}

func shareOf(a *Account, limit float64) share {
	s := share{wanted: callsOf(a)}
	swept := s.wanted.Sweep
	if a.Tags == awsapi.TagsFromListUserTags {
		swept += s.wanted.Tags
	}
	s.others = min(s.wanted.Total()-swept, limit)
	s.made = min(s.wanted.Total(), limit)
	if swept > 0 {
		s.round, s.slowness = sweepInterval(a), slowness(swept, limit-s.others)
	}
	return s
}

// callsOf returns the calls that keep the account's intervals.
func callsOf(a *Account) Calls {
	users := float64(a.Users)
	pages := math.Max(1, math.Ceil(users/pageSize))
	var c Calls
	if a.Source != awsapi.SourceReport {
		c.Listing = pages * every(a.RefreshInterval)
		c.Sweep = users * every(sweepInterval(a))
	}
	if a.Source == awsapi.SourceLive {
		c.Listing += every(a.RefreshInterval) // root
		// Whether there is a password, and of those who have one, whether MFA.
		c.Sweep += (users + float64(a.Keys+a.Passwords)) * every(sweepInterval(a))
	} else {
		c.Reports = reportCalls * every(inRefreshes(account.ReportLife, a.RefreshInterval))
	}
	switch a.Tags {
	case awsapi.TagsFromListUserTags:
		c.Tags = users * every(sweepInterval(a))
	case awsapi.TagsFromAuthorizationDetails:
		c.Tags = pages * every(inRefreshes(a.KeysInterval, a.RefreshInterval))
	case awsapi.NoTags:
	}
	if a.Role {
		c.Roles = every(hourly)
	}
	if !a.Named {
		c.Aliases = every(hourly)
	}
	return c
}

// every returns how many times a second.
func every(d time.Duration) float64 { return 1 / d.Seconds() }

// inRefreshes returns after how much time something is done that is due after so
// much, and done by refreshes.
func inRefreshes(due, refresh time.Duration) time.Duration {
	return refresh * ((due + refresh - 1) / refresh)
}

// sweepInterval returns after how much time a user is read again: in the last
// sweep before it is due.
func sweepInterval(a *Account) time.Duration {
	return max(a.RefreshInterval, a.KeysInterval/a.RefreshInterval*a.RefreshInterval)
}
