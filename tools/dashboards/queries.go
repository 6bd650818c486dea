package dashboards

import (
	"slices"
	"strings"
)

// Selectors. The exporter's own series carry the labels of their target, the
// recorded ones don't.
const (
	ofTarget  = `job=~"$job", instance=~"$instance"`
	ofAccount = ofTarget + `, account_id=~"$account_id"`
	recorded  = `account_id=~"$account_id"`
	ofChosen  = recorded + `, account_id!~"$account_id."`

	// What is typed in is taken literally; match makes it a part of a name or
	// the whole of it. Regular expressions stand in back quotes, where
	// Grafana's escaping needs none of its own.
	typedName = "`${match}${user_name:regex}${match}`"
	ofUser    = ofAccount + `, user_name=~` + typedName
	ofOwner   = ofUser + `, user_owner=~"$user_owner"`
	ofListed  = ofAccount + `, user_name=~"$listed"`

	notDue = `rule!="key_rotation_due"`

	// suspended are the accounts that are not read on purpose, because their
	// organization has suspended them or the like.
	suspended = `aws_iam_account_info{` + ofAccount + `, state=~"suspended|pending_activation|pending_closure"}`
)

// selector has those of the matchers that are not empty.
func selector(metric string, matchers ...string) string {
	matchers = slices.DeleteFunc(slices.Clone(matchers), func(m string) bool { return m == "" })
	return metric + "{" + strings.Join(matchers, ", ") + "}"
}

// Of several targets that serve the same, one counts: the larger figure, the
// later time. The recording rules and the alerts have it the same way. One whose facts
// are out of date does not count, if another one's are fresh.
const unlessSuperseded = " unless on (account_id, job, instance) aws_iam:replica_superseded{" + ofTarget + "}"

// verdicts are the counts of each rule in each account.
func verdicts(matchers ...string) string {
	return "max by (account_id, rule, verdict) (" + selector("aws_iam_account_verdicts", append([]string{ofAccount}, matchers...)...) + unlessSuperseded + ")"
}

// findings are the times since when rules have been in violation.
func findings(scope string, matchers ...string) string {
	return "max by (account_id, rule, user_name, access_key_id, user_owner) (" +
		selector("aws_iam_finding_since_timestamp_seconds", append([]string{scope}, matchers...)...) + unlessSuperseded + ")"
}

// inDays is the time since a timestamp.
func inDays(timestamp string) string { return "(time() - " + timestamp + ") / " + secondsPerDay }

// until is the time until a timestamp, in days, negative once it has passed.
func until(timestamp string) string { return "(" + timestamp + " - time()) / " + secondsPerDay }

// violationOrUnknown is the number of verdicts in violation; without any, zero if that
// is certain, and noneKnown if not.
func violationOrUnknown(matchers ...string) string {
	return lines("sum("+verdicts(append(matchers, `verdict="violation"`)...)+") > 0", "or", "-"+anyDoubt(matchers...))
}

// anyDoubt is 1 if any verdict is unknown, if anything is out of date, or if an
// exporter is down: what is old, or is not shown, may be in violation by now.
// Without verdicts it is nothing.
func anyDoubt(matchers ...string) string {
	return "((sum(" + verdicts(append(matchers, `verdict="unknown"`)...) + ") + (count(" + staleAccounts + ") or vector(0))" +
		" + (count(up{" + ofTarget + "} == 0) or vector(0))) > bool 0)"
}

// hidden is the number of verdicts in violation that no finding is served for: those
// of users that the configuration excludes. Without verdicts it is nothing.
func hidden(matchers ...string) string {
	return "clamp_min(sum(" + verdicts(append(matchers, `verdict="violation"`)...) + ") - (count(" + findings(ofAccount, matchers...) +
		") or 0 * sum(" + verdicts(matchers...) + ")), 0)"
}

// staleAccounts are those whose facts are out of date, those that are lost, and those
// that were never read, as the alerts IAMFactsStale, IAMAccountLost and IAMAccountNeverRead
// have it. Accounts that are suspended or were taken out are none of them.
const staleAccounts = `group by (account_id) (
  max by (account_id, facts) (aws_iam_account_facts_stale_timestamp_seconds{` + ofAccount + `, account_id!=""}) < time()
  or
  group by (account_id) (aws_iam:account_seen_timestamp_seconds{` + ofAccount + `})
  unless on (account_id) aws_iam_account_info{` + ofAccount + `}
  unless on (account_id) aws_iam:account_retired_timestamp_seconds{` + recorded + `} >= on (account_id) max by (account_id) (aws_iam:account_seen_timestamp_seconds{` + ofAccount + `})
  or
  group by (account_id) (aws_iam_account_refreshes_total{` + ofAccount + `})
  unless on (account_id) aws_iam_account_facts_observed_timestamp_seconds{` + ofAccount + `, facts="users"}
  unless on (account_id) ` + suspended + `
)`

// accountNames has one series for each account about which anything is known, with
// its name if it has one. Root's findings come without verdicts
// while the users are unknown, so verdicts would lose them.
const accountNames = `(
  topk by (account_id) (1, group by (account_id, account_name) (aws_iam_account_info{` + ofAccount + `, account_name!=""}))
  or on (account_id) group by (account_id) (aws_iam_account_facts_observed_timestamp_seconds{` + ofAccount + `})
)`

// trend is a recorded figure of the chosen accounts, added up, by a label or by none. As long as none is
// chosen, it reads the sum of all: over years, each account would cost too much. Then
// $account_id is a pattern that matches the account_id that sums lack, and $account_id with
// something behind it matches that of every account.
func trend(metric, by string, matchers ...string) string {
	of := func(level string) []string { return append([]string{level}, matchers...) }
	return `sum` + by + `(` + lastRecorded("fleet:"+metric+":sum", of(recorded)...) + `) or sum` + by + `(` + lastRecorded("account:"+metric, of(ofChosen)...) + `)`
}

// accountsIn is how many accounts there are in a trend.
func accountsIn(metric string) string {
	return `sum(` + lastRecorded("fleet:"+metric+":count", recorded) + `) or count(` + lastRecorded("account:"+metric, ofChosen) + `)`
}

func lastRecorded(series string, matchers ...string) string {
	return `last_over_time(` + selector(series, matchers...) + `[1h])`
}

// named gives the series of a query the names of their accounts.
func named(query string) string {
	return query + "\n* on (account_id) group_left (account_name)\n" + accountNames
}

// lines makes one query of several lines.
func lines(parts ...string) string { return strings.Join(parts, "\n") }
