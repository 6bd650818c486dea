package situations

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

// The accounts.
const (
	one   = "111111111111"
	two   = "222222222222"
	three = "333333333333"
	four  = "444444444444"
	five  = "555555555555"
)

// production is an account about which everything is known.
func production() Account {
	return Account{ID: one, Name: "production", OU: "r-ab12/ou-prod", Owner: "payments"}
}

// oldKey is a finding about a key of bob's.
func oldKey() Finding {
	return Finding{Rule: "key_rotation", User: "bob", Owner: "payments", Key: "AKIABOB", Ago: 30 * day}
}

func rootKey(ago time.Duration) Finding {
	return Finding{Rule: "root_access_key", User: "<root_account>", Owner: "payments", Ago: ago}
}

// odd is a name that nobody should have.
const odd = `a"b'c\{{"d"}}$1%s%q|.*)` + "`é\u200b\n\t`"

// How the alerts about these two look.
const (
	oldKeyFires         = "IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=bob user_owner=payments access_key_id=AKIABOB"
	rootKeyFires        = "IAMRootAccessKey account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments"
	rootKeyCreatedFires = "IAMRootAccessKeyCreated account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments"
	down                = "IAMExporterDown job=aws_iam instance=a:10190"
)

func until(t time.Duration) []Span { return []Span{{To: t}} }
func since(t time.Duration) []Span { return []Span{{From: t}} }
func never() []Span                { return []Span{} }

// fires is what fires at a moment, and nothing else.
func fires(at time.Duration, alerts ...string) Expectation {
	return Expectation{At: at, Firing: alerts}
}

// nothing has ever fired until a moment.
func nothingUntil(at time.Duration) Expectation {
	return Expectation{At: at, Query: fmt.Sprintf(`count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[%dm:1m]))`, int(at.Minutes()))}
}

// removed says that an account was taken out at a moment.
func removed(account, reason string, at time.Duration) Series {
	return Series{"aws_iam_account_removed_timestamp_seconds", fmt.Sprintf("account_id=%q, reason=%q", account, reason), within(unix(at), Span{From: at})}
}

func verdicts(rule, verdict string, n float64) Series {
	return Series{"aws_iam_account_verdicts", fmt.Sprintf("rule=%q, verdict=%q", rule, verdict), always(n)}
}

// crashes are the spans in which a target answers that does so for one minute in three.
func crashes(from, to time.Duration) (answers []Span, starts []time.Duration) {
	answers = []Span{{To: from}, {From: to}}
	for t := from; t < to; t += 3 * time.Minute {
		answers = append(answers, Span{t, t + time.Minute})
		starts = append(starts, t)
	}
	return answers, starts
}

// All returns every situation.
func All() []Situation {
	return slices.Concat(accounts(), exporters(), replicas(), hiding(), exemptions(), rest())
}

func accounts() []Situation {
	known := production()
	known.Series = []Series{
		verdicts("key_rotation", "unknown", 0), verdicts("key_rotation", "violation", 0),
		{"aws_iam_account_hidden_users", "", always(0)},
		{"aws_iam_account_credential_report_usable", "", always(1)},
		{"aws_iam_account_state_saved_timestamp_seconds", "", func(t time.Duration) float64 { return unix(t.Truncate(hour)) }},
		{"aws_iam_account_state_save_successful", "", always(1)},
		{"aws_iam_exemption_expiry_timestamp_seconds", `rule="key_rotation", user_name="bob"`, always(unix(8 * day))},
		{"aws_iam_account_refresh_errors_total", `reason="throttled"`, always(0)},
	}
	healthyTarget := Target{
		Starts:   []time.Duration{0, hour, 3*hour + 30*time.Minute},
		Accounts: []Account{known},
		Own: []Series{
			{"aws_iam_exporter_api_requests_total", `service="iam", operation="ListUsers"`, func(t time.Duration) float64 { return 60 * t.Minutes() }},
			{"aws_iam_exporter_api_throttles_total", `service="iam", operation="ListUsers"`, func(t time.Duration) float64 { return 2 * t.Minutes() }},
			{"aws_iam_exporter_config_last_reload_successful", "", always(1)},
			{"aws_iam_exporter_exemptions_unmatched", "", always(0)},
			{"aws_iam_exporter_accounts", `state="up"`, always(1)},
			{"aws_iam_exporter_accounts", `state="down"`, always(0)},
			{"aws_iam_exporter_discovery_success_timestamp_seconds", "", func(t time.Duration) float64 { return unix(t.Truncate(hour)) }},
		},
	}
	one1, two1, three1, four1, five1 := production(), Account{ID: two}, Account{ID: three}, Account{ID: four}, Account{ID: five}
	silent := production()
	silent.Read, silent.Reason, silent.Findings = []Span{{To: hour}, {From: 25 * hour}}, "network", []Finding{oldKey()}
	unread := production()
	unread.Read, unread.Reason = never(), "denied"
	noRole := production()
	noRole.Read, noRole.Reason = never(), "role"
	slow := func(a Account, reason string, reads []Span) Account {
		a.Every, a.Reason, a.Read = 2*hour, reason, reads
		return a
	}
	lostRole := two1
	lostRole.Read, lostRole.Reason = until(hour), "role"
	rootOnly := production()
	rootOnly.Read, rootOnly.Findings = never(), []Finding{rootKey(30 * day)}
	rootOnly.Series = []Series{
		{"aws_iam_account_facts_observed_timestamp_seconds", `facts="root"`, unix},
		{"aws_iam_account_facts_stale_timestamp_seconds", `facts="root"`, func(t time.Duration) float64 { return unix(t + lifetime) }},
		verdicts("root_access_key", "violation", 1), verdicts("root_access_key", "unknown", 0), verdicts("root_user_without_mfa", "unknown", 1),
	}
	tags := production()
	tags.Frozen, tags.Reason, tags.Findings = map[string]time.Duration{"root": hour, "tags": hour}, "denied", []Finding{oldKey()}
	keys := production()
	keys.Frozen, keys.Reason = map[string]time.Duration{"keys": hour, "root": 90 * time.Minute}, "throttled"
	gone := func(a Account) Account { a.Served = until(hour); return a }
	suspended := func(a Account, as string) Account { a.As, a.Suspended = as, since(30*time.Minute); return a }
	back := production()
	back.As, back.Suspended, back.Read = "suspended", []Span{{hour, 7 * hour}}, []Span{{To: hour}, {From: 7*hour + 5*time.Minute}}
	back.Findings = []Finding{oldKey()}
	reactivated := four1
	reactivated.As, reactivated.Suspended, reactivated.Served = "suspended", until(30*time.Minute), until(hour)
	unknown := func(a Account) Account {
		a.Series = []Series{verdicts("key_rotation", "unknown", 3), verdicts("root_access_key", "unknown", 0), {"aws_iam_account_credential_report_usable", "", always(0)}}
		return a
	}
	return []Situation{
		{
			Name: "healthy", Lasts: 6 * hour,
			Targets: []Target{healthyTarget, {Instance: "b:10190", Accounts: []Account{two1}}},
			Others: []Series{
				{"prometheus_rule_evaluation_failures_total", `job="prometheus", instance="localhost:9090", rule_group="/rules/aws_iam.rules.yaml;aws_iam_findings"`, always(3)},
				{"prometheus_rule_evaluation_failures_total", `job="prometheus", instance="localhost:9090", rule_group="/rules/node.yaml;node"`, func(t time.Duration) float64 { return t.Minutes() }},
			},
			Expect: []Expectation{nothingUntil(6 * hour)},
		},
		{
			Name: "an account that is never read", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{unread}}, {Instance: "b:10190", Accounts: []Account{two1}}},
			Expect: []Expectation{
				fires(14 * time.Minute),
				fires(15*time.Minute, "IAMAccountNeverRead account_id=111111111111"),
				fires(5*hour, "IAMAccountNeverRead account_id=111111111111"),
			},
		},
		{
			Name: "no credentials", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{{Read: never(), Reason: "credentials"}}}, {Instance: "b:10190", Accounts: []Account{two1}}},
			Expect:  []Expectation{fires(14 * time.Minute), fires(5*hour, "IAMAccountNeverRead job=aws_iam instance=a:10190")},
		},
		{
			Name: "an exporter starts again without credentials", Lasts: 3 * hour,
			Targets: []Target{{Accounts: []Account{gone(one1), {Served: since(hour), Read: never(), Reason: "credentials"}}}, {Instance: "b:10190", Accounts: []Account{two1}}},
			Expect: []Expectation{
				fires(3*hour, "IAMAccountNeverRead job=aws_iam instance=a:10190", "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190"),
			},
		},
		{
			Name: "a role that cannot be assumed, from the beginning and later", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{noRole, lostRole}}},
			Expect: []Expectation{
				fires(14 * time.Minute),
				fires(15*time.Minute, "IAMRoleNotAssumed account_id=111111111111", "IAMAccountNeverRead account_id=111111111111"), // which the other mutes
				fires(2*hour, "IAMRoleNotAssumed account_id=111111111111", "IAMAccountNeverRead account_id=111111111111", "IAMRoleNotAssumed account_id=222222222222"),
				fires(5*hour, "IAMRoleNotAssumed account_id=111111111111", "IAMAccountNeverRead account_id=111111111111", "IAMRoleNotAssumed account_id=222222222222",
					"IAMFactsStale account_id=222222222222 findings=frozen"),
			},
		},
		{
			Name: "two hours between two refreshes, and every account fails", Lasts: 13 * hour,
			Targets: []Target{{Accounts: []Account{
				slow(one1, "role", never()), slow(two1, "role", until(hour)), slow(three1, "denied", until(hour)), slow(four1, "denied", never()), slow(five1, "", nil),
			}}},
			Expect: []Expectation{
				fires(2*hour+14*time.Minute, "IAMRoleNotAssumed account_id=111111111111", "IAMAccountNeverRead account_id=111111111111", "IAMAccountNeverRead account_id=444444444444"),
				{At: 13 * hour, Query: `count by (alertname, account_id) (count_over_time(ALERTS{alertstate="firing"}[10h:1m]) == 600)`, Firing: []string{
					"1 alertname=IAMRoleNotAssumed account_id=111111111111", "1 alertname=IAMAccountNeverRead account_id=111111111111",
					"1 alertname=IAMRoleNotAssumed account_id=222222222222", "1 alertname=IAMRefreshFailing account_id=333333333333", "1 alertname=IAMAccountNeverRead account_id=444444444444",
				}},
				fires(5*hour, "IAMRoleNotAssumed account_id=111111111111", "IAMAccountNeverRead account_id=111111111111", "IAMRoleNotAssumed account_id=222222222222",
					"IAMRefreshFailing account_id=333333333333", "IAMAccountNeverRead account_id=444444444444"),
				fires(12*hour, "IAMRoleNotAssumed account_id=111111111111", "IAMAccountNeverRead account_id=111111111111", "IAMRoleNotAssumed account_id=222222222222",
					"IAMRefreshFailing account_id=333333333333", "IAMAccountNeverRead account_id=444444444444",
					"IAMFactsStale account_id=222222222222 findings=frozen", "IAMFactsStale account_id=333333333333 findings=frozen"),
			},
		},
		{
			Name: "AWS is silent for a day", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 27 * hour,
			Targets: []Target{{Accounts: []Account{silent}}},
			Expect: []Expectation{
				fires(80*time.Minute, oldKeyFires),
				fires(90*time.Minute, oldKeyFires, "IAMRefreshFailing account_id=111111111111"),
				fires(180*time.Minute, oldKeyFires, "IAMRefreshFailing account_id=111111111111"),
				fires(190*time.Minute, oldKeyFires, "IAMRefreshFailing account_id=111111111111", "IAMFactsStale account_id=111111111111 findings=frozen"),
				fires(25*hour, oldKeyFires, "IAMRefreshFailing account_id=111111111111", "IAMFactsStale account_id=111111111111 findings=frozen"),
				fires(25*hour+20*time.Minute, oldKeyFires),
			},
		},
		{
			Name: "facts about keys and root are not updated any more", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{keys}}},
			Expect:  []Expectation{fires(4*hour, "IAMRefreshFailing account_id=111111111111", "IAMFactsStale account_id=111111111111 findings=frozen")},
		},
		{
			Name: "facts about root and tags alone are not updated any more", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{tags}}},
			Expect:  []Expectation{fires(4*hour, oldKeyFires, "IAMRefreshFailing account_id=111111111111", "IAMFactsStale account_id=111111111111")},
		},
		{
			Name: "a finding about root while users are unknown", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{rootOnly}}},
			Expect:  []Expectation{fires(5*hour, rootKeyFires, "IAMAccountNeverRead account_id=111111111111")},
		},
		{
			Name: "an account is lost, its exporter with it, and for good", Step: hour, Evaluates: hour, Lasts: 37 * day,
			Targets: []Target{{Known: until(3 * hour), Accounts: []Account{production()}}, {Instance: "b:10190", Accounts: []Account{two1}}},
			Expect: []Expectation{
				fires(3 * hour), fires(4*hour, "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190"), fires(2*day, "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190"),
				fires(35*day, "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190"), fires(36 * day),
			},
		},
		{
			Name: "an account is lost by an exporter that goes on, and comes back", Step: hour, Evaluates: hour, Lasts: 4 * day,
			Targets: []Target{{Accounts: []Account{{ID: one, Served: []Span{{To: 3 * hour}, {From: 3 * day}}}, two1}}},
			Expect:  []Expectation{fires(2*day, "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190"), fires(3*day + 2*hour)},
		},
		{
			Name: "four accounts are taken out for four reasons, and one is lost", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 3 * day,
			Targets: []Target{
				{
					Answers: until(3 * hour), Accounts: []Account{gone(one1), gone(two1), gone(three1), gone(four1), gone(five1)},
					Own: []Series{removed(one, "excluded", hour), removed(two, "configuration", hour), removed(three, "closed", hour), removed(four, "left_organization", hour)},
				},
				{Instance: "b:10190", Accounts: []Account{{ID: "666666666666"}}},
			},
			Expect: []Expectation{
				fires(2*hour, "IAMAccountRemoved account_id=111111111111 reason=excluded", "IAMAccountRemoved account_id=222222222222 reason=configuration",
					"IAMAccountRemoved account_id=333333333333 reason=closed", "IAMAccountRemoved account_id=444444444444 reason=left_organization",
					"IAMAccountLost account_id=555555555555 job=aws_iam instance=a:10190"),
				fires(2*day, down, "IAMAccountLost account_id=555555555555 job=aws_iam instance=a:10190"), // who took them out is dead
			},
		},
		{
			Name: "the removal of an account is told for a day", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 3 * day,
			Targets: []Target{{Accounts: []Account{gone(one1), two1}, Own: []Series{removed(one, "closed", hour)}}},
			Expect:  []Expectation{fires(24*hour, "IAMAccountRemoved account_id=111111111111 reason=closed"), fires(26 * hour), fires(3 * day)},
		},
		{
			Name: "an account is taken out by mistake, put back, and lost, all within an hour", Lasts: 5 * hour,
			Targets: []Target{
				{
					Accounts: []Account{two1, {ID: one, Served: []Span{{To: hour}, {hour + 10*time.Minute, hour + 40*time.Minute}}}},
					Own:      []Series{{"aws_iam_account_removed_timestamp_seconds", fmt.Sprintf("account_id=%q, reason=%q", one, "configuration"), within(unix(hour), Span{hour, hour + 10*time.Minute})}},
				},
			},
			Expect: []Expectation{fires(5*hour, "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190")},
		},
		{
			Name: "an account is taken out by a rolling update", Lasts: 5 * hour,
			Targets: []Target{
				{Known: until(hour + 20*time.Minute), Accounts: []Account{one1, two1}},
				{Instance: "b:10190", Known: since(hour), Accounts: []Account{two1}, Own: []Series{removed(one, "configuration", hour)}},
			},
			Expect: []Expectation{fires(89 * time.Minute), fires(5*hour, "IAMAccountRemoved account_id=111111111111 reason=configuration")},
		},
		{
			Name: "an account moves to another exporter, which loses it", Lasts: 5 * hour,
			Targets: []Target{
				{Accounts: []Account{two1}, Own: []Series{removed(one, "configuration", 0)}},
				{Instance: "b:10190", Accounts: []Account{{ID: one, Name: "production", OU: "r-ab12/ou-prod", Owner: "payments", Served: until(2 * hour)}}},
			},
			Expect: []Expectation{fires(2 * hour), fires(5*hour, "IAMAccountLost account_id=111111111111 job=aws_iam instance=b:10190")},
		},
		{
			Name: "an account is lost after it moved to another job, under another name", Lasts: 4 * hour,
			Targets: []Target{
				{Known: until(hour), Accounts: []Account{one1}},
				{Job: "prod-iam", Known: []Span{{hour, 2 * hour}}, Accounts: []Account{{ID: one, Name: "prod"}}},
				{Instance: "b:10190", Accounts: []Account{two1}},
			},
			Expect: []Expectation{fires(4*hour, "IAMAccountLost account_id=111111111111 job=prod-iam instance=a:10190")},
		},
		{
			Name: "three accounts are suspended, and one was until it got lost", Lasts: 9 * hour,
			Targets: []Target{{Accounts: []Account{
				unknown(suspended(one1, "suspended")), unknown(suspended(two1, "pending_activation")), unknown(suspended(three1, "pending_closure")), reactivated,
				{ID: five, As: "suspended", Suspended: since(0)},
			}}},
			Expect: []Expectation{fires(69 * time.Minute), fires(70*time.Minute, "IAMAccountLost account_id=444444444444 job=aws_iam instance=a:10190"), fires(9*hour, "IAMAccountLost account_id=444444444444 job=aws_iam instance=a:10190")},
		},
		{
			Name: "a suspended account comes back, and is read five minutes later", Lasts: 9 * hour,
			Targets: []Target{{Accounts: []Account{back}}},
			Expect:  []Expectation{fires(hour, oldKeyFires), fires(7*hour+20*time.Minute, oldKeyFires), {At: 9 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[9h:1m]))`, Firing: []string{"1 alertname=IAMKeyRotation"}}},
		},
		{
			Name: "a suspended account goes with its exporter", Lasts: 3 * hour,
			Targets: []Target{{Known: until(hour), Accounts: []Account{suspended(one1, "suspended")}}, {Instance: "b:10190", Accounts: []Account{two1}}},
			Expect:  []Expectation{nothingUntil(3 * hour)},
		},
		{
			Name: "what cannot be judged, and has no report", Lasts: 6 * hour,
			Targets: []Target{{Accounts: []Account{unknown(one1)}}},
			Expect: []Expectation{
				fires(179 * time.Minute), fires(3*hour, "IAMVerdictsUnknown account_id=111111111111"), fires(239*time.Minute, "IAMVerdictsUnknown account_id=111111111111"),
				fires(4*hour, "IAMVerdictsUnknown account_id=111111111111", "IAMReportUnusable account_id=111111111111"),
			},
		},
		{
			Name: "an organization cannot be listed, never was, or is not asked for", Lasts: 8 * hour,
			Targets: []Target{
				{Accounts: []Account{one1}, Own: []Series{
					{"aws_iam_exporter_accounts", `state="up"`, always(1)},
					{"aws_iam_exporter_discovery_success_timestamp_seconds", "", func(t time.Duration) float64 { return unix(min(t, hour)) }},
				}},
				{Instance: "b:10190", Own: []Series{{"aws_iam_exporter_accounts", `state="up"`, always(0)}, {"aws_iam_exporter_accounts", `state="down"`, always(0)}, {"aws_iam_exporter_discovery_successful", "", always(0)}}},
				{Instance: "e:10190", Own: []Series{{"aws_iam_exporter_accounts", `state="up"`, always(0)}}},                                                           // a shard of a list, which has got no account
				{Instance: "f:10190", Own: []Series{{"aws_iam_exporter_accounts", `state="up"`, always(3)}, {"aws_iam_exporter_discovery_successful", "", always(0)}}}, // failed since a while
				{Instance: "c:10190", Own: []Series{{"aws_iam_exporter_accounts", `state="up"`, always(0)}, {"aws_iam_exporter_accounts", `state="down"`, always(1)}}},
				{Instance: "d:10190", Own: []Series{
					{"aws_iam_exporter_accounts", `state="up"`, always(0)},
					{"aws_iam_exporter_discovery_success_timestamp_seconds", "", func(t time.Duration) float64 { return unix(t.Truncate(hour)) }},
				}},
			},
			Expect: []Expectation{
				fires(29 * time.Minute), fires(7*hour+30*time.Minute, "IAMOrganizationNotListed job=aws_iam instance=b:10190"),
				fires(7*hour+31*time.Minute, "IAMOrganizationNotListed job=aws_iam instance=a:10190", "IAMOrganizationNotListed job=aws_iam instance=b:10190"),
			},
		},
		{
			Name: "organizations lose many accounts, few, one, and by configuration", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 2 * day,
			Targets: []Target{
				shrinking("a:10190", 20, "excluded", 3), shrinking("b:10190", 100, "excluded", 3), shrinking("c:10190", 5, "closed", 1), shrinking("d:10190", 20, "configuration", 3),
			},
			Expect: []Expectation{
				fires(2*hour, slices.Concat([]string{"IAMOrganizationShrunk job=aws_iam instance=a:10190"}, removals("a:10190", "excluded", 3), removals("b:10190", "excluded", 3), removals("c:10190", "closed", 1), removals("d:10190", "configuration", 3))...),
				fires(2 * day),
			},
		},
	}
}

// shrinking is an exporter that watches some accounts, and took others out.
func shrinking(instance string, left int, reason string, out int) Target {
	t := Target{Instance: instance, Own: []Series{{"aws_iam_exporter_accounts", `state="up"`, always(float64(left))}}}
	for i := range out {
		t.Own = append(t.Own, removed(fmt.Sprintf("%012d", i+int(instance[0])*10), reason, hour))
	}
	return t
}

func removals(instance, reason string, out int) []string {
	var all []string
	for i := range out {
		all = append(all, fmt.Sprintf("IAMAccountRemoved account_id=%012d reason=%s", i+int(instance[0])*10, reason))
	}
	return all
}

func exporters() []Situation {
	watched := production()
	watched.Findings = []Finding{oldKey(), rootKey(30 * day)}
	answers, starts := crashes(hour, 150*time.Minute)
	crashing, loop := crashes(hour, 9*hour)
	early, starting := crashes(3*time.Minute, 9*hour)
	var mostly []Span
	for t := time.Duration(0); t < 5*hour; t += 3 * time.Minute {
		mostly = append(mostly, Span{t, t + 2*time.Minute})
	}
	var flaky []Span
	for t := hour; t < 2*hour; t += 10 * time.Minute {
		flaky = append(flaky, Span{t, t + 5*time.Minute})
	}
	flaky = append(flaky, Span{To: hour}, Span{From: 2 * hour})
	quick := Target{Accounts: []Account{production()}}
	for t := hour; t < 2*hour; t += 10 * time.Minute {
		quick.Starts = append(quick.Starts, t)
	}
	two1 := Account{ID: two}
	other := Target{Instance: "b:10190", Accounts: []Account{two1}}
	named := func(job, instance string, answers []Span, accounts ...Account) Target {
		return Target{Job: job, Instance: instance, Answers: answers, Accounts: accounts}
	}
	lost := "IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190"
	older := two1
	older.Frozen = map[string]time.Duration{"users": 40 * time.Minute, "keys": 40 * time.Minute, "root": 40 * time.Minute, "tags": 40 * time.Minute}
	olderLost := "IAMAccountLost account_id=222222222222 job=monitoring/aws-iam-exporter instance=a:10190"
	lostByPod := "IAMAccountLost account_id=111111111111 job=monitoring/aws-iam-exporter instance=a:10190"
	return []Situation{
		{
			Name: "the only exporter is dead for three hours", Lasts: 6 * hour,
			Targets: []Target{{Answers: []Span{{To: hour}, {From: 4 * hour}}, Accounts: []Account{watched}}},
			Expect: []Expectation{
				fires(69*time.Minute, oldKeyFires, rootKeyFires),
				fires(70*time.Minute, oldKeyFires, rootKeyFires, down, lost),
				fires(89*time.Minute, oldKeyFires, rootKeyFires, down, lost), // the finding is forgotten after it is muted
				fires(90*time.Minute, rootKeyFires, down, lost),
				fires(188*time.Minute, rootKeyFires, down, lost), // its facts are out of date from 2:59 on
				fires(189*time.Minute, rootKeyFires, down, lost, "IAMExporterAbsent"),
				fires(249*time.Minute, rootKeyFires, down, lost, "IAMExporterAbsent"),
				fires(250*time.Minute, oldKeyFires, rootKeyFires, down, lost, "IAMExporterAbsent"), // it is back before it is unmuted
				fires(255*time.Minute, oldKeyFires, rootKeyFires),
			},
		},
		{
			Name: "an exporter is dead for ten minutes", Lasts: 3 * hour,
			Targets: []Target{{Answers: []Span{{To: hour}, {From: 70 * time.Minute}}, Accounts: []Account{watched}}},
			Expect: []Expectation{
				fires(69*time.Minute, oldKeyFires, rootKeyFires),
				{At: 3 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[2h:1m]) == 120)`, Firing: []string{"1 alertname=IAMKeyRotation", "1 alertname=IAMRootAccessKey"}},
				{At: 3 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[2h:1m]) < 120)`},
			},
		},
		{
			Name: "no exporter is scraped any more", Lasts: 5 * hour,
			Targets: []Target{{Job: "monitoring/aws-iam-exporter", Known: until(hour), Accounts: []Account{watched, older}}},
			Others:  []Series{{"up", `job="node", instance="n:9100"`, always(1)}},
			Expect: []Expectation{
				fires(2*hour, rootKeyFires, lostByPod, olderLost), fires(188*time.Minute, rootKeyFires, lostByPod, olderLost), fires(189*time.Minute, rootKeyFires, lostByPod, olderLost, "IAMExporterAbsent"),
			},
		},
		{
			Name: "the only exporter is dead, and another program's job is named like it", Lasts: 4 * hour,
			Targets: []Target{{Answers: until(hour), Accounts: []Account{production()}}},
			Others:  []Series{{"up", `job="aws_iam_push", instance="p:9091"`, always(1)}},
			Expect:  []Expectation{fires(188*time.Minute, down, lost), fires(189*time.Minute, down, lost, "IAMExporterAbsent")},
		},
		{
			Name: "an exporter whose build_info is not kept has facts out of date", Lasts: 6 * hour,
			Targets: []Target{{NoBuildInfo: true, Accounts: []Account{{ID: one, Read: until(hour)}}}},
			Expect:  []Expectation{fires(6*hour, "IAMRefreshFailing account_id=111111111111", "IAMFactsStale account_id=111111111111 findings=frozen")},
		},
		{
			Name: "no exporter has ever been scraped", Lasts: hour,
			Others: []Series{{"up", `job="node", instance="n:9100"`, always(1)}},
			Expect: []Expectation{fires(9 * time.Minute), fires(10*time.Minute, "IAMExporterAbsent")},
		},
		{
			Name: "a crash loop, up for one minute in three", Lasts: 5 * hour,
			Targets: []Target{{Answers: answers, Starts: starts, Accounts: []Account{production()}}, other},
			Expect: []Expectation{
				fires(hour), fires(78 * time.Minute), fires(79*time.Minute, "IAMExporterFlapping job=aws_iam instance=a:10190"),
				fires(150*time.Minute, "IAMExporterFlapping job=aws_iam instance=a:10190"), fires(4 * hour),
			},
		},
		{
			Name: "an exporter without its facts crashes before it has read anything", Lasts: 4 * hour,
			Targets: []Target{{Answers: early, Starts: starting, Accounts: []Account{{ID: one, Read: never()}}}, other},
			Expect: []Expectation{
				fires(14 * time.Minute), fires(4*hour, "IAMAccountNeverRead account_id=111111111111", "IAMExporterFlapping job=aws_iam instance=a:10190"),
			},
		},
		{
			Name: "the only exporter crashes in a loop, and reads nothing any more", Lasts: 5 * hour,
			Targets: []Target{{Answers: crashing, Starts: loop, Accounts: []Account{{ID: one, Read: until(hour)}}}},
			Expect: []Expectation{
				fires(79*time.Minute, "IAMExporterFlapping job=aws_iam instance=a:10190"), fires(188*time.Minute, "IAMExporterFlapping job=aws_iam instance=a:10190"),
				fires(4*hour, "IAMExporterFlapping job=aws_iam instance=a:10190", "IAMExporterAbsent"),
			},
		},
		{
			Name: "nothing is fresh, and one scrape in three fails", Lasts: 5 * hour,
			Targets: []Target{{Answers: mostly, Accounts: []Account{{ID: one, Read: until(hour)}}}},
			Expect:  []Expectation{{At: 5 * hour, Query: `count(count_over_time(ALERTS{alertname="IAMExporterAbsent", alertstate="firing"}[5h]))`}},
		},
		{
			Name: "a crash loop, scraped every four minutes", Step: 4 * time.Minute, Lasts: 5 * hour,
			Targets: []Target{{Answers: answers, Starts: starts, Accounts: []Account{production()}}, other},
			Expect:  []Expectation{fires(hour), fires(2*hour, "IAMExporterFlapping job=aws_iam instance=a:10190"), fires(4 * hour)},
		},
		{
			Name: "every other five minutes scrapes fail, and the exporter goes on", Lasts: 4 * hour,
			Targets: []Target{{Answers: flaky, Starts: []time.Duration{0}, Accounts: []Account{production()}}},
			Expect:  []Expectation{fires(hour), fires(2*hour, "IAMExporterFlapping job=aws_iam instance=a:10190"), fires(4 * hour)},
		},
		{
			Name: "an exporter starts again every ten minutes, so fast that no scrape fails", Lasts: 4 * hour,
			Targets: []Target{quick},
			Expect:  []Expectation{fires(99 * time.Minute), fires(2*hour, "IAMExporterFlapping job=aws_iam instance=a:10190"), fires(4 * hour)},
		},
		{
			Name: "jobs of any name: one that has answered, one of a PodMonitor, one by its name alone, and others'", Lasts: 3 * hour,
			Targets: []Target{
				named("prod-iam", "c:10190", until(hour), production()), named("monitoring/aws-iam-exporter", "10.0.0.7:10190", until(hour)),
				named("aws-iam", "e:10190", never()), other,
			},
			Others: []Series{{"up", `job="node", instance="n:9100"`, always(0)}, {"up", `job="my_aws_iam_portal", instance="m:80"`, always(0)}},
			Expect: []Expectation{
				fires(hour, "IAMExporterDown job=aws-iam instance=e:10190"),
				fires(3*hour, "IAMExporterDown job=prod-iam instance=c:10190", "IAMExporterDown job=monitoring/aws-iam-exporter instance=10.0.0.7:10190",
					"IAMExporterDown job=aws-iam instance=e:10190", "IAMAccountLost account_id=111111111111 job=prod-iam instance=c:10190"),
			},
		},
		{
			Name: "a dead target of any name is remembered as long as it is scraped, and for 35 days when it is not", Step: hour, Evaluates: hour, Lasts: 37 * day,
			Targets: []Target{named("prod-iam", "c:10190", until(hour)), {Job: "prod-iam", Instance: "d:10190", Known: until(hour)}, other},
			Expect: []Expectation{
				fires(34*day, "IAMExporterDown job=prod-iam instance=c:10190"), fires(36*day, "IAMExporterDown job=prod-iam instance=c:10190"),
				{At: 34 * day, Query: "count(aws_iam:exporter_seen_timestamp_seconds)", Firing: []string{"3"}},
				{At: 36 * day, Query: "count(aws_iam:exporter_seen_timestamp_seconds)", Firing: []string{"2"}},
			},
		},
		{
			Name: "a job is renamed", Lasts: 4 * hour,
			Targets: []Target{
				{Known: until(hour), Accounts: []Account{watched}}, {Job: "prod-iam", Known: since(hour), Accounts: []Account{watched}},
			},
			Expect: []Expectation{
				{At: 4 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[3h:1m]) == 180)`, Firing: []string{"1 alertname=IAMKeyRotation", "1 alertname=IAMRootAccessKey"}},
				fires(4*hour, oldKeyFires, rootKeyFires),
			},
		},
		{
			Name: "an account moves with another number of shards", Lasts: 4 * hour,
			Targets: []Target{
				{Answers: []Span{{To: hour}, {From: hour + 3*time.Minute}}, Accounts: []Account{two1, {ID: one, Served: until(hour), Findings: []Finding{oldKey()}}}},
				{Instance: "c:10190", Known: since(hour + 5*time.Minute), Accounts: []Account{{ID: one, Findings: []Finding{oldKey()}}}},
			},
			Expect: []Expectation{
				{At: 4 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[3h:1m]) == 180)`, Firing: []string{"1 alertname=IAMKeyRotation"}},
				fires(4*hour, oldKeyFires),
			},
		},
		{
			Name: "an exporter starts again without its facts and needs twenty minutes", Lasts: 3 * hour,
			Targets: []Target{{
				Answers: []Span{{To: hour}, {From: hour + 2*time.Minute}},
				Accounts: []Account{{ID: one, Findings: []Finding{
					{Rule: "key_rotation", User: "bob", Owner: "payments", Key: "AKIABOB", Ago: 30 * day, During: []Span{{To: hour}, {From: hour + 20*time.Minute}}},
				}}},
			}},
			Expect: []Expectation{
				{At: 3 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[2h:1m]) == 120)`, Firing: []string{"1 alertname=IAMKeyRotation"}},
				fires(3*hour, oldKeyFires),
			},
		},
		{
			Name: "scrapes every fifteen seconds", Step: 15 * time.Second, Lasts: 3 * hour,
			Targets: []Target{{Accounts: []Account{watched}}, {Instance: "b:10190", Answers: until(hour), Accounts: []Account{two1}}},
			Expect:  []Expectation{fires(hour, oldKeyFires, rootKeyFires), fires(2*hour, oldKeyFires, rootKeyFires, "IAMExporterDown job=aws_iam instance=b:10190", "IAMAccountLost account_id=222222222222 job=aws_iam instance=b:10190")},
		},
		{
			Name: "scrapes every four minutes", Step: 4 * time.Minute, Lasts: 3 * hour,
			Targets: []Target{{Accounts: []Account{watched}}, {Instance: "b:10190", Answers: until(hour), Accounts: []Account{two1}}},
			Expect:  []Expectation{fires(hour, oldKeyFires, rootKeyFires), fires(2*hour, oldKeyFires, rootKeyFires, "IAMExporterDown job=aws_iam instance=b:10190", "IAMAccountLost account_id=222222222222 job=aws_iam instance=b:10190")},
		},
		{
			Name: "many refusals, few, and some at the beginning", Lasts: 3 * hour,
			Targets: []Target{
				refused("a:10190", func(t time.Duration) float64 { return 15 * t.Minutes() }, 5), refused("b:10190", func(t time.Duration) float64 { return 5 * t.Minutes() }, 0),
				refused("c:10190", func(t time.Duration) float64 { return min(50*t.Minutes(), 500) }, 0),
			},
			Expect: []Expectation{fires(2 * hour), fires(2*hour+time.Minute, "IAMThrottled job=aws_iam instance=a:10190"), fires(3*hour, "IAMThrottled job=aws_iam instance=a:10190")},
		},
		{
			Name: "many refusals and few, of exporters that ask every hour or twice a day", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 2 * day,
			Targets: []Target{
				seldom(hour, refused("a:10190", func(t time.Duration) float64 { return 15 * t.Minutes() }, 5)),
				seldom(12*hour, refused("b:10190", func(t time.Duration) float64 { return 15 * t.Minutes() }, 0)),
				seldom(12*hour, refused("c:10190", func(t time.Duration) float64 { return 2 * t.Minutes() }, 0)),
			},
			Expect: []Expectation{
				fires(3*hour, "IAMThrottled job=aws_iam instance=a:10190"),
				fires(14*hour, "IAMThrottled job=aws_iam instance=a:10190", "IAMThrottled job=aws_iam instance=b:10190"),
				{
					At: 2 * day, Query: `count by (alertname, instance) (count_over_time(ALERTS{alertstate="firing"}[1d:10m]) == 144)`,
					Firing: []string{"1 alertname=IAMThrottled instance=a:10190", "1 alertname=IAMThrottled instance=b:10190"},
				},
			},
		},
	}
}

// seldom is an exporter that counts what it does once in a while.
func seldom(every time.Duration, x Target) Target {
	for i, o := range x.Own {
		x.Own[i].Value = func(t time.Duration) float64 { return o.Value(t.Truncate(every)) }
	}
	return x
}

func refused(instance string, throttles func(time.Duration) float64, ofUsers float64) Target {
	return Target{Instance: instance, Own: []Series{
		{"aws_iam_exporter_api_requests_total", `service="iam", operation="ListAccessKeys"`, func(t time.Duration) float64 { return 90 * t.Minutes() }},
		{"aws_iam_exporter_api_requests_total", `service="iam", operation="ListUsers"`, func(t time.Duration) float64 { return 10 * t.Minutes() }},
		{"aws_iam_exporter_api_throttles_total", `service="iam", operation="ListAccessKeys"`, throttles},
		{"aws_iam_exporter_api_throttles_total", `service="iam", operation="ListUsers"`, func(t time.Duration) float64 { return ofUsers * t.Minutes() }},
	}}
}

func replicas() []Situation {
	frozen, fresh := production(), production()
	frozen.Frozen, frozen.Reason, frozen.Findings = map[string]time.Duration{"keys": hour}, "network", []Finding{oldKey()}
	repaired := oldKey()
	repaired.During = until(2 * hour)
	fresh.Findings = []Finding{repaired}
	fresh.Series = []Series{verdicts("key_rotation", "unknown", 0), verdicts("key_unused", "unknown", 2), verdicts("console_key_never_used", "unknown", 2)}
	frozen.Series = []Series{verdicts("key_rotation", "unknown", 5), verdicts("key_unused", "unknown", 0), verdicts("console_key_never_used", "unknown", 3)}
	theirs := production()
	ours := oldKey()
	ours.Owner = "platform"
	mine := production()
	mine.Findings, theirs.Findings = []Finding{oldKey()}, []Finding{ours}
	knowing, unknowing := production(), production()
	knowing.Series, unknowing.Series = []Series{verdicts("key_unused", "unknown", 0)}, []Series{verdicts("key_unused", "unknown", 3)}
	later := production()
	knows := oldKey()
	knows.Ago = 20 * day
	later.Findings = []Finding{knows}
	partly := func(group string) Account {
		a := production()
		a.Frozen = map[string]time.Duration{group: hour}
		a.Findings = []Finding{oldKey()}
		return a
	}
	withKeys := func(frozen map[string]time.Duration, keys ...string) Account {
		a := production()
		a.Frozen, a.Findings = frozen, []Finding{{Rule: "multiple_active_keys", User: "bob", Owner: "payments", Ago: 30 * day}}
		for _, key := range keys {
			labels := fmt.Sprintf("user_name=%q, access_key_id=%q", "bob", key)
			a.Series = append(a.Series, Series{"aws_iam_access_key_active", labels, always(1)}, Series{"aws_iam_access_key_created_timestamp_seconds", labels, always(unix(-100 * day))})
		}
		return a
	}
	oldKeys, newKeys := withKeys(map[string]time.Duration{"keys": hour}, "AKIAONE", "AKIADELETED"), withKeys(nil, "AKIAONE", "AKIANEW")
	denied := production()
	denied.Denied, denied.Reason = []string{"keys"}, "denied"
	roleless := production()
	roleless.Read, roleless.Reason = never(), "role"
	several := production()
	several.Findings = []Finding{
		{Rule: "multiple_active_keys", User: "alice", Owner: "data", Ago: 30 * day},
		{Rule: "multiple_active_keys", User: "bob", Ago: 30 * day},
		{Rule: "multiple_active_keys", User: "carol", Owner: "<unknown>", Ago: 30 * day},
	}
	newRoot, oldRoot := production(), production()
	newRoot.Frozen, newRoot.Findings = map[string]time.Duration{"root": hour}, []Finding{rootKey(2 * hour)}
	oldRoot.Findings = []Finding{rootKey(300 * day)}
	nobodys, starting := production(), production()
	unnamed, untold := oldKey(), oldKey()
	unnamed.Owner, untold.Owner = "", "<unknown>"
	nobodys.Findings, starting.Findings = []Finding{unnamed}, []Finding{untold}
	return []Situation{
		{
			Name: "a stale replica beside a fresh one", Lasts: 7 * hour,
			Targets: []Target{{Accounts: []Account{frozen}}, {Instance: "b:10190", Accounts: []Account{fresh}}},
			Expect: []Expectation{
				fires(2*hour, oldKeyFires, "IAMRefreshFailing account_id=111111111111"),
				fires(3*hour+29*time.Minute, oldKeyFires, "IAMReplicaStale job=aws_iam instance=a:10190", "IAMVerdictsUnknown account_id=111111111111"),
				fires(7*hour, "IAMReplicaStale job=aws_iam instance=a:10190", "IAMVerdictsUnknown account_id=111111111111"),
			},
		},
		{
			Name: "a stale exporter in one cluster, and a fresh one in another that differs in no other label", Lasts: 4 * hour,
			Targets: []Target{{Cluster: "east", Accounts: []Account{frozen}}, {Cluster: "west", Accounts: []Account{fresh}}},
			Expect:  []Expectation{fires(4*hour, oldKeyFires, "IAMRefreshFailing account_id=111111111111", "IAMVerdictsUnknown account_id=111111111111")},
		},
		{
			Name: "a replica of a newer version, which serves more labels", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{mine}}, {Instance: "b:10190", Known: since(20 * time.Minute), Own: []Series{
				{"aws_iam_account_info", `account_id="111111111111", account_name="production", ou_path="r-ab12/ou-prod", account_owner="payments", state="active", region="eu"`, always(1)},
				{"aws_iam_finding_since_timestamp_seconds", `account_id="111111111111", rule="key_rotation", user_name="bob", user_owner="payments", access_key_id="AKIABOB", class="people"`, always(unix(-30 * day))},
				{"aws_iam_finding_since_timestamp_seconds", `account_id="111111111111", rule="key_of_the_future", user_name="bob", user_owner="payments", class="people"`, always(unix(-30 * day))},
				{"aws_iam_account_verdicts", `account_id="111111111111", rule="key_rotation", verdict="violation", class="people"`, always(1)},
			}}},
			Expect: []Expectation{
				{At: 2 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[100m:1m]) == 100)`, Firing: []string{"1 alertname=IAMKeyRotation"}},
				fires(2*hour, oldKeyFires),
			},
		},
		{
			Name: "a stale replica still has a key that a fresh one has not", Lasts: 4 * hour,
			Targets: []Target{{Accounts: []Account{oldKeys}}, {Instance: "b:10190", Accounts: []Account{newKeys}}},
			Expect: []Expectation{
				fires(4*hour, "IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name=bob user_owner=payments", "IAMReplicaStale job=aws_iam instance=a:10190"),
			},
		},
		{
			Name: "users with an owner, without one, and with tags that nobody knows", Lasts: hour,
			Targets: []Target{{Accounts: []Account{several}}},
			Expect: []Expectation{fires(hour,
				"IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name=alice user_owner=data",
				"IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name=bob",
				"IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name=carol user_owner=<unknown>",
			)},
		},
		{
			Name: "a stale replica still has a new key of root's that is gone, and a fresh one an old key", Lasts: 10 * hour,
			Targets: []Target{{Accounts: []Account{newRoot}}, {Instance: "b:10190", Accounts: []Account{oldRoot}}},
			Expect: []Expectation{
				fires(hour, rootKeyFires, rootKeyCreatedFires),
				fires(10*hour, rootKeyFires, "IAMReplicaStale job=aws_iam instance=a:10190"), // the other is kept firing for six hours
			},
		},
		{
			Name: "two replicas that are out of date in different ways", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{partly("keys")}}, {Instance: "b:10190", Accounts: []Account{partly("root")}}},
			Expect:  []Expectation{fires(5*hour, oldKeyFires, "IAMRefreshFailing account_id=111111111111")},
		},
		{
			Name: "a replica with tags out of date beside a fresh one that was never told of keys", Lasts: 5 * hour,
			Targets: []Target{{Accounts: []Account{partly("tags")}}, {Instance: "b:10190", Accounts: []Account{denied}}},
			Expect:  []Expectation{fires(5*hour, oldKeyFires, "IAMRefreshFailing account_id=111111111111")},
		},
		{
			Name: "one of two replicas cannot assume the role, and the other is denied something", Lasts: hour,
			Targets: []Target{{Accounts: []Account{roleless}}, {Instance: "b:10190", Accounts: []Account{denied}}},
			Expect:  []Expectation{fires(hour, "IAMRoleNotAssumed account_id=111111111111", "IAMRefreshFailing account_id=111111111111")},
		},
		{
			Name: "one of two replicas is dead", Lasts: 5 * hour,
			Targets: []Target{{Answers: until(hour), Accounts: []Account{mine}}, {Instance: "b:10190", Accounts: []Account{mine}}},
			Expect:  []Expectation{fires(5*hour, oldKeyFires, down)},
		},
		{
			Name: "two replicas with different owners", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{mine}}, {Instance: "b:10190", Accounts: []Account{theirs}}},
			Expect: []Expectation{fires(2*hour, oldKeyFires,
				"IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=bob user_owner=platform access_key_id=AKIABOB")},
		},
		{
			Name: "three replicas, of which one names the owner", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{nobodys}}, {Instance: "b:10190", Accounts: []Account{mine}}, {Instance: "c:10190", Accounts: []Account{starting}}},
			Expect:  []Expectation{fires(2*hour, oldKeyFires)},
		},
		{
			Name: "two replicas, of which one does not know the owner, and the other names none", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{starting}}, {Instance: "b:10190", Accounts: []Account{nobodys}}},
			Expect:  []Expectation{fires(2*hour, "IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=bob access_key_id=AKIABOB")},
		},
		{
			Name: "two replicas that differ about the beginning", Lasts: hour,
			Targets: []Target{{Accounts: []Account{mine}}, {Instance: "b:10190", Accounts: []Account{later}}},
			Expect:  []Expectation{fires(hour, oldKeyFires)},
		},
		{
			Name: "one of two fresh replicas can judge", Lasts: 4 * hour,
			Targets: []Target{{Accounts: []Account{knowing}}, {Instance: "b:10190", Accounts: []Account{unknowing}}},
			Expect:  []Expectation{nothingUntil(4 * hour)},
		},
		{
			Name: "one target in two jobs", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{mine}}, {Job: "aws_iam_users", Accounts: []Account{mine}}},
			Expect:  []Expectation{fires(2*hour, oldKeyFires)},
		},
	}
}

func hiding() []Situation {
	some := production()
	some.Findings = []Finding{oldKey(), {Rule: "key_rotation", User: "eve", Owner: "payments", Key: "AKIAEVE", Ago: 3 * day}}
	some.Series = []Series{
		verdicts("key_rotation", "compliant", 9), verdicts("key_rotation", "violation", 5), verdicts("key_rotation_due", "violation", 3),
		verdicts("multiple_active_keys", "violation", 0), verdicts("password_unused", "exempted", 4),
	}
	all := production()
	all.Findings = []Finding{rootKey(30 * day)}
	all.Series = []Series{verdicts("multiple_active_keys", "violation", 7), verdicts("key_rotation", "violation", 2), verdicts("root_access_key", "violation", 1)}
	hides, shows, showsOne, ignorant := production(), production(), production(), production()
	showsOne.Findings, showsOne.Series = []Finding{oldKey()}, []Series{verdicts("key_rotation", "violation", 2)}
	hides.Series = []Series{verdicts("key_rotation", "violation", 2), verdicts("multiple_active_keys", "violation", 1)}
	shows.Findings = []Finding{oldKey(), {Rule: "key_rotation", User: "eve", Owner: "payments", Key: "AKIAEVE", Ago: 3 * day}}
	shows.Series = []Series{verdicts("key_rotation", "violation", 2), verdicts("multiple_active_keys", "violation", 0), verdicts("multiple_active_keys", "unknown", 1)}
	ignorant.Series = []Series{verdicts("key_rotation", "violation", 0), verdicts("key_rotation", "unknown", 9)}
	undated, another := production(), production()
	undated.Findings, another.Findings, another.hasNewerKey = []Finding{rootKey(Undated)}, []Finding{rootKey(300 * day)}, true
	another.Series = []Series{{rootKeyCreated, "", within(unix(hour), Span{From: hour})}}
	newKey := production()
	newKey.Findings = []Finding{{Rule: "root_access_key", User: "<root_account>", Owner: "payments", Ago: 2 * hour}}
	ids := production()
	ids.Findings = []Finding{
		{Rule: "key_unused", User: "bob", Key: "7XYZ", Ago: 3 * day},
		{Rule: "key_unused", User: "bob", Key: "created-2026-07-01T00:00:00Z-a", Ago: 3 * day},
	}
	ids.Series = []Series{
		{"aws_iam_access_key_active", `user_name="bob", access_key_id="7XYZ"`, always(1)},
		{"aws_iam_access_key_created_timestamp_seconds", `user_name="bob", access_key_id="7XYZ"`, always(unix(-100 * day))},
		{"aws_iam_access_key_active", `user_name="bob", access_key_id="created-2026-07-01T00:00:00Z-a"`, always(1)},
		{"aws_iam_access_key_created_timestamp_seconds", `user_name="bob", access_key_id="created-2026-07-01T00:00:00Z-a"`, always(unix(-123 * day))},
		{"aws_iam_access_key_active", `user_name="bobby", access_key_id="7XYZ"`, always(1)},
		{"aws_iam_access_key_created_timestamp_seconds", `user_name="bobby", access_key_id="7XYZ"`, always(unix(-900 * day))},
	}
	ofTwo := Account{ID: two, Name: "sandbox", Findings: []Finding{{Rule: "key_rotation", User: "bob", Owner: "research", Key: "AKIATWO", Ago: 5 * day, During: until(hour)}}}
	ofOne := production()
	ofOne.Findings = []Finding{oldKey()}
	inTwo := "IAMKeyRotation account_id=222222222222 rule=key_rotation user_name=bob user_owner=research access_key_id=AKIATWO"
	ended, alike, untagged := production(), production(), production()
	keyEnds, rootEnds := oldKey(), rootKey(30*day)
	keyEnds.During, rootEnds.During = until(hour), until(hour)
	ended.Findings = []Finding{keyEnds, rootEnds}
	alike.Findings = []Finding{oldKey(), {Rule: "key_rotation", User: "bobby", Key: "AKIABOBBY", Ago: 5 * day}}
	tagged, unknownOwner := oldKey(), oldKey()
	tagged.During = []Span{{To: hour}, {From: hour + 5*time.Minute}}
	unknownOwner.Owner, unknownOwner.During = "<unknown>", []Span{{hour, hour + 5*time.Minute}}
	untagged.Findings = []Finding{tagged, unknownOwner}
	hostile := Account{ID: one, Name: odd, OU: odd, Owner: odd, Findings: []Finding{{Rule: "multiple_active_keys", User: odd, Owner: odd, Ago: 30 * day}, {Rule: "key_rotation_due", User: odd, Owner: odd, Key: odd, Ago: day}}}
	hostile.Series = []Series{
		{"aws_iam_access_key_active", fmt.Sprintf("user_name=%q, access_key_id=%q", odd, odd), always(1)},
		{"aws_iam_access_key_created_timestamp_seconds", fmt.Sprintf("user_name=%q, access_key_id=%q", odd, odd), always(unix(-100 * day))},
		{"aws_iam_access_key_rotation_deadline_timestamp_seconds", fmt.Sprintf("user_name=%q, access_key_id=%q", odd, odd), always(unix(10 * day))},
	}
	brief := production()
	short := oldKey()
	short.During = []Span{{hour, hour + 9*time.Minute}}
	brief.Findings = []Finding{short}
	return []Situation{
		{
			Name: "hidden users violate a rule", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{some}}, {Instance: "b:10190", Accounts: []Account{some}}},
			Expect: []Expectation{fires(2*hour, oldKeyFires, "IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=eve user_owner=payments access_key_id=AKIAEVE",
				"IAMHiddenViolations account_id=111111111111 rule=key_rotation")},
		},
		{
			Name: "exporters of two clusters differ in no other label", Lasts: 2 * hour,
			Targets: []Target{{Cluster: "east", Accounts: []Account{some}}, {Cluster: "west", Accounts: []Account{some}}},
			Expect: []Expectation{fires(2*hour, oldKeyFires, "IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=eve user_owner=payments access_key_id=AKIAEVE",
				"IAMHiddenViolations account_id=111111111111 rule=key_rotation")},
		},
		{
			Name: "users are hidden altogether", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{all}}},
			Expect: []Expectation{fires(2*hour, rootKeyFires, "IAMHiddenViolations account_id=111111111111 rule=multiple_active_keys",
				"IAMHiddenViolations account_id=111111111111 rule=key_rotation")},
		},
		{
			Name: "one replica hides all users, one hides a user, and another shows them", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{hides}}, {Instance: "b:10190", Accounts: []Account{shows}}, {Instance: "c:10190", Accounts: []Account{showsOne}}},
			Expect: []Expectation{fires(2*hour, oldKeyFires, "IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=eve user_owner=payments access_key_id=AKIAEVE",
				"IAMHiddenViolations account_id=111111111111 rule=multiple_active_keys")},
		},
		{
			Name: "one replica hides users, and another knows nothing of their keys", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{hides}}, {Instance: "b:10190", Accounts: []Account{ignorant}}},
			Expect:  []Expectation{fires(2*hour, "IAMHiddenViolations account_id=111111111111 rule=key_rotation", "IAMHiddenViolations account_id=111111111111 rule=multiple_active_keys")},
		},
		{
			Name: "a root key that nothing dates is a ticket, and nobody is woken", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 2 * day,
			Targets: []Target{{Accounts: []Account{undated}}, {Instance: "b:10190", Accounts: []Account{undated}}},
			Expect: []Expectation{
				fires(hour, rootKeyFires), fires(2*day, rootKeyFires),
				{At: 2 * day, Query: `count(count_over_time(ALERTS{alertname="IAMRootAccessKeyCreated"}[2d]))`},
			},
		},
		{
			Name: "root gets another key beside an old one", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 2 * day,
			Targets: []Target{{Accounts: []Account{another}}},
			Expect: []Expectation{
				fires(hour, rootKeyFires), fires(80*time.Minute, rootKeyFires, rootKeyCreatedFires), fires(30*hour, rootKeyFires, rootKeyCreatedFires), fires(32*hour, rootKeyFires),
			},
		},
		{
			Name: "a new root key pages, and is a ticket when it is a day old", Step: 10 * time.Minute, Evaluates: 10 * time.Minute, Lasts: 2 * day,
			Targets: []Target{{Accounts: []Account{newKey}}},
			Expect: []Expectation{
				fires(10*time.Minute, rootKeyFires, "IAMRootAccessKeyCreated account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments"),
				fires(27*hour, rootKeyFires, "IAMRootAccessKeyCreated account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments"),
				fires(29*hour, rootKeyFires),
			},
		},
		{
			Name: "key ids as suffix and by the time of creation", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{ids}}},
			Expect: []Expectation{fires(2*hour, "IAMKeyUnused account_id=111111111111 rule=key_unused user_name=bob access_key_id=7XYZ",
				"IAMKeyUnused account_id=111111111111 rule=key_unused user_name=bob access_key_id=created-2026-07-01T00:00:00Z-a")},
		},
		{
			Name: "two accounts with equal user names and different owners, one of them repaired", Lasts: 3 * hour,
			Targets: []Target{{Accounts: []Account{ofOne}}, {Instance: "b:10190", Accounts: []Account{ofTwo}}},
			Expect:  []Expectation{fires(hour, oldKeyFires, inTwo), fires(89*time.Minute, oldKeyFires, inTwo), fires(90*time.Minute, oldKeyFires)},
		},
		{
			Name: "a finding that ends, because it is exempted or repaired", Lasts: 8 * hour,
			Targets: []Target{{Accounts: []Account{ended}}},
			Expect: []Expectation{
				fires(89*time.Minute, oldKeyFires, rootKeyFires), fires(90*time.Minute, rootKeyFires), fires(7*hour-time.Minute, rootKeyFires), fires(7 * hour),
			},
		},
		{
			Name: "Prometheus scrapes nothing for twelve minutes", Lasts: 3 * hour, Unseen: []Span{{hour, hour + 12*time.Minute}},
			Targets: []Target{{Accounts: []Account{ofOne}}},
			Expect: []Expectation{
				{At: 3 * hour, Query: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[2h:1m]) == 120)`, Firing: []string{"1 alertname=IAMKeyRotation"}},
				fires(75*time.Minute, oldKeyFires),
			},
		},
		{
			Name: "two users whose names begin alike", Lasts: 2 * hour,
			Targets: []Target{{Accounts: []Account{alike}}},
			Expect:  []Expectation{fires(2*hour, oldKeyFires, "IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=bobby access_key_id=AKIABOBBY")},
		},
		{
			Name: "tags are unknown for five minutes", Lasts: 3 * hour,
			Targets: []Target{{Accounts: []Account{untagged}}},
			Expect: []Expectation{
				{At: 3 * hour, Query: `count by (user_owner) (count_over_time(ALERTS{alertstate="firing"}[2h:1m]) == 120)`, Firing: []string{"1 user_owner=payments"}},
				fires(65*time.Minute, oldKeyFires),
			},
		},
		{
			Name: "names that would break out of queries, templates and addresses", Lasts: hour,
			Targets: []Target{{Accounts: []Account{hostile}}},
			Expect: []Expectation{fires(hour, "IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name="+odd+" user_owner="+odd,
				"IAMKeyRotationDue account_id=111111111111 rule=key_rotation_due user_name="+odd+" user_owner="+odd+" access_key_id="+odd)},
		},
		{
			Name: "a finding that comes and goes within ten minutes", Lasts: 3 * hour,
			Targets: []Target{{Accounts: []Account{brief}}},
			Expect:  []Expectation{nothingUntil(3 * hour)},
		},
	}
}

func exemptions() []Situation {
	a := production()
	ends := func(rule, user string, at time.Duration) Series {
		return Series{"aws_iam_exemption_expiry_timestamp_seconds", fmt.Sprintf("rule=%q, user_name=%q", rule, user), always(unix(at))}
	}
	a.Series = []Series{ends("key_rotation", "bob", 8*day), ends("key_rotation", "eve", 30*day), ends("key_unused", "bob", 20*day)}
	b := production()
	b.Series = []Series{ends("key_rotation", "bob", 8*day), ends("key_unused", "bob", 2*day)} // not yet prolonged
	shares := func(instance, account string, unmatched float64) Target {
		return Target{Instance: instance, Accounts: []Account{{ID: account}}, Own: []Series{{"aws_iam_exporter_exemptions_unmatched", "", always(unmatched)}}}
	}
	return []Situation{
		{
			Name: "an exemption is about to end, and ends", Step: hour, Evaluates: hour, Lasts: 10 * day,
			Targets: []Target{{Accounts: []Account{a}}, {Instance: "b:10190", Accounts: []Account{b}}},
			Expect: []Expectation{
				fires(day + hour), fires(day+2*hour, "IAMExemptionEnding account_id=111111111111 rule=key_rotation user_name=bob"),
				fires(8*day-hour, "IAMExemptionEnding account_id=111111111111 rule=key_rotation user_name=bob"),
				fires(9*day, "IAMExemptionEnded account_id=111111111111 rule=key_rotation user_name=bob"),
			},
		},
		{
			Name: "an exemption is unmatched in one of three exporters that share a configuration", Lasts: 3 * hour,
			Targets: []Target{shares("a:10190", one, 2), shares("b:10190", two, 0), shares("c:10190", three, 0)},
			Expect:  []Expectation{fires(59 * time.Minute), fires(hour, "IAMExemptionUnmatched job=aws_iam instance=a:10190")},
		},
	}
}

func rest() []Situation {
	saved := func(instance, account string, until time.Duration) Target {
		return Target{Instance: instance, Accounts: []Account{{ID: account, Series: []Series{
			{"aws_iam_account_state_saved_timestamp_seconds", "", func(t time.Duration) float64 { return unix(min(t, until)) }},
			{"aws_iam_account_state_save_successful", "", then(1, until, 0)},
		}}}}
	}
	seldom := Target{Instance: "c:10190", Accounts: []Account{{ID: four, Every: 12 * hour, Series: []Series{
		{"aws_iam_account_state_saved_timestamp_seconds", "", always(unix(0))}, {"aws_iam_account_state_save_successful", "", always(1)},
	}}}}
	nowhere := Target{Instance: "d:10190", Accounts: []Account{{ID: five, Series: []Series{{"aws_iam_account_state_save_successful", "", always(0)}}}}}
	partly := saved("a:10190", one, hour)
	partly.Accounts = append(partly.Accounts, saved("", three, 9*hour).Accounts...)
	failures := func(name, file, group string, n func(t time.Duration) float64) Series {
		return Series{name, fmt.Sprintf(`job="prometheus", instance="localhost:9090", rule_group="/rules/%s;%s"`, file, group), n}
	}
	const failed = "prometheus_rule_evaluation_failures_total"
	from := func(at time.Duration, each time.Duration) func(t time.Duration) float64 {
		return func(t time.Duration) float64 { return math.Floor(max(0, (t-at).Minutes()) / each.Minutes()) }
	}
	other := Target{Accounts: []Account{{ID: two}}}
	return []Situation{
		{
			Name: "what is known is not kept on disk any more", Lasts: 6 * hour,
			Targets: []Target{partly, saved("b:10190", two, 9*hour), seldom, nowhere},
			Expect: []Expectation{
				fires(179 * time.Minute), fires(3*hour, "IAMStateNotKept job=aws_iam instance=d:10190"), fires(239*time.Minute, "IAMStateNotKept job=aws_iam instance=d:10190"),
				fires(4*hour, "IAMStateNotKept job=aws_iam instance=a:10190", "IAMStateNotKept job=aws_iam instance=d:10190"),
			},
		},
		{
			Name: "a configuration file cannot be used", Lasts: 2 * hour,
			Targets: []Target{
				{Accounts: []Account{production(), {ID: two, Served: until(5 * time.Minute)}}, Own: []Series{
					{"aws_iam_exporter_config_last_reload_successful", "", then(1, 9*time.Minute, 0)},
					{"aws_iam_exporter_config_last_reload_success_timestamp_seconds", "", always(unix(-hour))},
					removed(two, "configuration", 5*time.Minute),
				}},
				{Instance: "b:10190", Own: []Series{{"aws_iam_exporter_config_last_reload_successful", "", always(1)}}},
			},
			Expect: []Expectation{
				fires(18*time.Minute, "IAMAccountRemoved account_id=222222222222 reason=configuration"),
				fires(19*time.Minute, "IAMAccountRemoved account_id=222222222222 reason=configuration", "IAMConfigReloadFailed job=aws_iam instance=a:10190"),
			},
		},
		{
			Name: "rules fail, ours and others'", Lasts: 2 * hour, Targets: []Target{other},
			Others: []Series{
				failures(failed, "aws_iam.rules.yaml", "aws_iam_findings", from(4*time.Minute, time.Minute)), failures(failed, "node.rules.yaml", "node", from(0, time.Minute)),
			},
			Expect: []Expectation{fires(19 * time.Minute), fires(20*time.Minute, "IAMRuleEvaluationFailing instance=localhost:9090 rule_group=/rules/aws_iam.rules.yaml;aws_iam_findings")},
		},
		{
			Name: "one evaluation fails, and no other", Lasts: 2 * hour, Targets: []Target{other},
			Others: []Series{failures(failed, "aws_iam.rules.yaml", "aws_iam_findings", then(0, 6*time.Minute, 1))},
			Expect: []Expectation{nothingUntil(2 * hour)},
		},
		{
			Name: "a recording fails every five minutes in Mimir", Lasts: 2 * hour, Targets: []Target{other},
			Others: []Series{failures("cortex_"+failed, "aws_iam.recording.rules.yaml", "aws_iam_accounts", from(4*time.Minute, 5*time.Minute))},
			Expect: []Expectation{fires(hour, "IAMRuleEvaluationFailing instance=localhost:9090 rule_group=/rules/aws_iam.recording.rules.yaml;aws_iam_accounts")},
		},
	}
}

// Thousand is a situation of a thousand accounts: too large to stand among the others.
func Thousand() Situation {
	exporter := func(instance string, first int, answers []Span) Target {
		t := Target{Instance: instance, Answers: answers}
		for i := range 500 {
			t.Accounts = append(t.Accounts, Account{ID: fmt.Sprintf("%012d", first+i), Name: fmt.Sprint("account-", first+i), OU: "r-ab12", Owner: "platform", Findings: []Finding{oldKey()}})
		}
		return t
	}
	const firing = `count by (alertname, severity) (ALERTS{alertstate="firing"})`
	return Situation{
		Name: "a thousand accounts, and one of two exporters is dead", Step: 5 * time.Minute, Evaluates: 5 * time.Minute, Lasts: 2 * hour,
		Targets: []Target{exporter("a:10190", 1000, until(hour)), exporter("b:10190", 2000, nil)},
		Expect: []Expectation{
			{At: hour, Query: firing, Firing: []string{"1000 alertname=IAMKeyRotation severity=warning"}},
			{At: 80 * time.Minute, Query: firing, Firing: []string{
				"1000 alertname=IAMKeyRotation severity=warning", "500 alertname=IAMAccountLost severity=warning", "1 alertname=IAMExporterDown severity=warning",
			}},
			{At: 2 * hour, Query: firing, Firing: []string{
				"500 alertname=IAMKeyRotation severity=warning", "500 alertname=IAMAccountLost severity=warning", "1 alertname=IAMExporterDown severity=warning",
			}},
		},
	}
}
