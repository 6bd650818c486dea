package dashboards

import (
	"fmt"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// compliance is for the people responsible for the accounts: how compliant they
// are, how that changes, and who must act.
func compliance() Dashboard {
	d := dashboard(complianceUID, "AWS IAM / Compliance",
		"How the accounts' access keys comply with the policy, how that changes, and who must act.",
		append([]Variable{dataSource("trends", "Long-term data source", "Where the recordings are kept for years, if that is another store")},
			append(targets(), owners())...),

		headline("Several keys", "Users who have had two or more active access keys for longer than a rotation may take.",
			policy.MultipleActiveKeys),
		headline("Console key", "Users with console access and an active access key.",
			policy.ConsoleUserWithActiveKeys),
		headline("Root user", "Accounts whose root user has an active access key, and those whose root user has a password and no MFA device.",
			policy.RulesAbout(policy.SubjectAccount)...),
		headline("Other rules", "Findings of the remaining rules, listed below. One key can violate several.",
			policy.KeyCreatedAtUserSetup, policy.ConsoleKeyNeverUsed, policy.KeyRotation, policy.KeyUnused, policy.ConsoleUserWithoutMFA,
			policy.PasswordUnused),
		tile(size{3, 4}, "Due soon", "Keys that must be replaced soon. They do not count as findings yet.", violationOrUnknown(`rule="key_rotation_due"`)).
			words(noneAndNoneKnown()...).thresholds(steps(compliant, from(1, warned))).unit(count).
			leadsTo(toUsers("Show them", "rule", string(policy.KeyRotationDue))),
		tile(size{3, 4}, "Exempted", "Verdicts that would be a violation, but for an exemption that has not ended.",
			`sum(`+verdicts(`verdict="exempted"`)+`)`).words(mapValue(0, "none", plain)).thresholds(steps(exempted)).unit(count),
		unknownTile(3, "Unknown", "What could not be judged because facts are missing. It is neither compliant nor in violation.", ""),
		staleTile(3),

		section("Now, and the way it goes"),
		stateByRule(),
		verdictTrend(size{9, 11}, "Not compliant",
			"What is in violation, exempted or unknown under all rules except the early warning, over the time range chosen above. "+
				"A gap means that nothing was recorded, because facts were out of date or nothing was scraped. It never means that all was well. "+
				"Where fewer accounts are recorded (dotted), the sums fall although nothing was repaired."),

		section("Who must act"),
		shareByAccount(),
		worstAccounts(),
		worstOwners(),

		section("Trend"),
		verdictTrend(size{12, 9}, "Not compliant, long term",
			"The same over five years, unless you zoom. A step can come from a changed limit, a new rule or a new class, too, not only from changed keys.").overYears(),
		shareTrend(),
		ruleTrend(),
		coverage(),

		section("Age of active keys"),
		agesNow(),
		ageTrend(),

		section("How fresh this is"),
		freshness(),
	)
	d.Time.From = "now-90d"
	return d
}

// headline counts what is in violation of some rules.
func headline(title, description string, of ...policy.Rule) *Panel {
	var names []string
	for _, rule := range of {
		names = append(names, string(rule))
	}
	return tile(size{3, 4}, title, description+" 'None known': something could not be judged, or is out of date.", violationOrUnknown(`rule=~"`+strings.Join(names, "|")+`"`)).
		words(noneAndNoneKnown()...).
		thresholds(steps(compliant, from(1, violation))).unit(count).
		leadsTo(toUsers("Show them", "rule", names...))
}

func unknownTile(width int, title, description, matcher string) *Panel {
	return tile(size{width, 4}, title, description+" 'None known': there are none, but some facts are out of date.",
		lines(`sum(`+verdicts(matcher, `verdict="unknown"`)+`) > 0`, `or`, `-`+anyDoubt(matcher))).
		words(noneAndNoneKnown()...).thresholds(steps(unknown)).unit(count)
}

func staleTile(width int) *Panel {
	return tile(size{width, 4}, "Out of date",
		"Accounts whose facts are older than they should be, that were served in the last 35 days but no longer are, or that were never read; not those that are suspended or were taken out. They show what was known last, or nothing.",
		lines(`count(`+staleAccounts+`)`, `or`, `0 * count(aws_iam_account_facts_stale_timestamp_seconds{`+ofAccount+`})`)).
		words(mapValue(0, "none", compliant)).thresholds(steps(compliant, from(1, warned))).unit(count).
		leadsTo(Link{Title: "Which, and why", URL: "/d/" + exporterUID + "?${__all_variables}"})
}

// stateByRule is the whole state in a table.
func stateByRule() *Panel {
	const week = `max by (account_id, rule, verdict) (aws_iam_account_verdicts{` + ofAccount + `, ` + notDue + `, verdict%s} offset 7d)`
	now := func(matcher string) string { return `sum by (account_id, rule) (` + verdicts(notDue, matcher) + `)` }
	ago := func(matcher string) string { return `sum by (account_id, rule) (` + fmt.Sprintf(week, matcher) + `)` }
	arisen := `count by (account_id, rule) (` + findings(ofAccount, notDue) + ` > time() - 7 * ` + secondsPerDay + `)`
	return table(size{15, 11}, "State by rule",
		"Every user, active key or root user that a rule judges is compliant, in violation, exempted or unknown. "+
			"New: in violation for less than a week. Gone: in violation a week ago, but not in violation, exempted or unknown now: repaired, deleted, or a limit was changed; this needs a week of scrapes. The early warning is left out.",
		label("rule", "Rule", 185, inWords(mapRules()), withLinks(toUsers("Show the findings", "rule", "${__value.raw:percentencode}"))),
		value(`sum by (rule) (`+verdicts(notDue, `verdict="compliant"`)+`) / (sum by (rule) (`+verdicts(notDue)+`) > 0)`, "Compliant", 0, gauge(allCompliant())...).
			with(inDecimals(1), inWords(mapMissing("nothing to judge", plain))),
		tally(`sum by (rule) (`+verdicts(notDue, `verdict="violation"`)+`)`, "Violation", violation),
		tally(`sum by (rule) (`+verdicts(notDue, `verdict="exempted"`)+`)`, "Exempted", exempted),
		tally(`sum by (rule) (`+verdicts(notDue, `verdict="unknown"`)+`)`, "Unknown", unknown),
		tally(lines(`sum by (rule) (`+arisen+`)`, `or`, `sum by (rule) (`+verdicts(notDue)+`) * 0`), "New", violation),
		tally(lines(`sum by (rule) (clamp_min(`,
			`  `+ago(`="violation"`)+` - (`+now(`verdict="violation"`),
			`  - (`+arisen+` or `+now(``)+` * 0))`,
			`  - clamp_min(`+now(`verdict=~"exempted|unknown"`)+` - `+ago(`=~"exempted|unknown"`)+`, 0)`,
			`, 0))`), "Gone", compliant),
	).whenEmpty("No data: no exporter reports on these accounts").sorted("Violation")
}

// tally is a column of counts, in a colour unless there is nothing to count.
func tally(expr, title, color string) column {
	return value(expr, title, 74, coloured(steps(plain, from(1, color)))...).with(inUnit(count), inWords(mapValue(0, "–", plain), mapMissing("not known", plain)))
}

// allCompliant is green only where everything is compliant. The counts beside it
// have the colours of the other verdicts.
func allCompliant() *Thresholds { return steps(plain, from(1, compliant)) }

func shareByAccount() *Panel {
	return bars(size{7, 10}, "Share compliant, lowest accounts",
		"Compliant verdicts of all verdicts, of the ten accounts with the lowest share. Exempted and unknown do not count as compliant.").
		ask(`sort(`+named(`bottomk(10, sum by (account_id) (`+verdicts(notDue, `verdict="compliant"`)+`) / sum by (account_id) (`+verdicts(notDue)+`))`)+`)`, "{{account_name}} {{account_id}}").
		unit(share).decimals(1).between(0, 1).thresholds(allCompliant())
}

// verdictTrend has the colours of the verdicts.
func verdictTrend(s size, title, description string) *Panel {
	p := curve(s, title, description).ofTrends().stacked().unit(count).decimals(0).
		whenEmpty(noRecordings)
	for _, v := range []struct{ verdict, color string }{{"violation", violation}, {"exempted", exempted}, {"unknown", unknown}} {
		p.plot(trend("aws_iam_account_verdicts", "", notDue, `verdict="`+v.verdict+`"`), v.verdict).
			series(v.verdict, inColor(v.color))
	}
	// Colour-blind people may not tell blue from purple.
	p.series("unknown", Property{"custom.fillOpacity", 25}, Property{"custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{4, 4}}})
	return p.plot(accountsIn("aws_iam_account_users"), "accounts recorded").
		series("accounts recorded", inColor(plain), Property{"custom.axisPlacement", "right"}, Property{"custom.axisLabel", "accounts"},
			Property{"custom.stacking", map[string]any{"mode": "none", "group": "B"}}, Property{"custom.fillOpacity", 0},
			Property{"custom.lineStyle", map[string]any{"fill": "dot", "dash": []int{2, 6}}})
}

func ruleTrend() *Panel {
	return curve(size{12, 9}, "Violations by rule", "What was in violation of each rule except the early warning, over the time range chosen above.").ofTrends().
		plot(trend("aws_iam_account_verdicts", " by (rule) ", notDue, `verdict="violation"`), "{{rule}}").
		withTable().unit(count).decimals(0).whenEmpty(noRecordings).ruleNames()
}

// shareTrend is not misled by accounts that come and go: it divides sums.
func shareTrend() *Panel {
	p := curve(size{12, 9}, "Share compliant, long term",
		"Compliant verdicts of all verdicts over five years, unless you zoom: under all rules except the early warning, and under the two that matter most. Exempted and unknown do not count as compliant.").
		ofTrends().overYears().unit(share).decimals(1).whenEmpty(noRecordings)
	delete(p.FieldConfig.Defaults.Custom, "axisSoftMin") // shares differ mostly near the top
	for i, of := range []struct{ words, rules string }{
		{"all rules", notDue},
		{"one key a user", `rule="multiple_active_keys"`},
		{"no keys beside console access", `rule="console_user_with_active_keys"`},
	} {
		p.plot(`(`+trend("aws_iam_account_verdicts", "", of.rules, `verdict="compliant"`)+`) / (`+trend("aws_iam_account_verdicts", "", of.rules)+`)`, of.words).series(of.words, inColor(palette()[i]))
	}
	return p
}

const noRecordings = "No recordings: see docs/trending.md"

func coverage() *Panel {
	return curve(size{12, 9}, "Accounts recorded",
		"For how many accounts figures were recorded, and how many there were. Where facts are out of date, none are.").ofTrends().
		plot(accountsIn("aws_iam_account_users"), "with fresh facts").
		plot(accountsIn("aws_iam_account_up"), "known").
		series("with fresh facts", inColor(compliant)).
		series("known", inColor(warned), Property{"custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{6, 6}}}).
		custom(map[string]any{"lineInterpolation": "stepAfter"}).
		unit(count).decimals(0).whenEmpty(noRecordings)
}

func agesNow() *Panel {
	p := bars(size{8, 9}, "Now", "Active keys of users by age. The bands never change and do not depend on the policy.")
	for _, band := range bandsInColors() {
		p.ask(`sum(max by (account_id) (aws_iam_account_access_keys{`+ofAccount+`, status="active", age_band="`+band.name+`"}))`, band.name).
			series(band.name, inColor(band.color))
	}
	return p.unit(count)
}

func ageTrend() *Panel {
	p := curve(size{16, 9}, "Long term", "Active keys of users by their age at the time, over five years unless you zoom. Limits and rules change, but these bands do not, so years can be compared.").
		ofTrends().overYears().stacked().withTable()
	for _, band := range bandsInColors() {
		p.plot(trend("aws_iam_account_access_keys", "", `status="active"`, `age_band="`+band.name+`"`), band.name).
			series(band.name, inColor(band.color))
	}
	return p.unit(count).decimals(0).whenEmpty(noRecordings)
}

type coloredBand struct{ name, color string }

func bandsInColors() []coloredBand {
	var all []coloredBand
	for i, name := range collector.AgeBands() {
		all = append(all, coloredBand{name, bandColors()[i]})
	}
	return all
}

func worstAccounts() *Panel {
	const perAccount = `sum by (account_id) (%s)`
	open := fmt.Sprintf(perAccount, verdicts(notDue, `verdict="violation"`))
	worst := "\nand on (account_id) topk(20, " + open + ")"
	return table(size{9, 10}, "Accounts with the most findings",
		"The twenty accounts with the most findings, early warnings left out.",
		label("account_id", "Account", 122, withLinks(toUsers("Show the findings", "account_id", "${__value.raw:percentencode}"))),
		label("account_name", "Name", 0, Property{"custom.minWidth", 80}),
		value(named(`topk(20, `+open+`)`), "Findings", 92, coloured(steps(plain, from(1, violation)))...).with(inWords(mapValue(0, "–", plain))),
		value(inDays(`min by (account_id) (`+findings(ofAccount, notDue)+`)`)+worst, "Longest", 76, inUnit(days), inDecimals(0)),
		tally(fmt.Sprintf(perAccount, verdicts(notDue, `verdict="unknown"`))+worst, "Unknown", unknown),
	).whenEmpty("No data: no exporter reports on these accounts").sorted("Findings")
}

func worstOwners() *Panel {
	open := findings(ofAccount+`, user_owner=~"$user_owner"`, notDue)
	worst := "\nand on (user_owner) topk(20, count by (user_owner) (" + open + "))"
	return table(size{8, 10}, "Owners with the most findings",
		"The twenty owners with the most findings, early warnings left out. The owner comes from the tags that the configuration names: 'unknown' if the tags are not known, 'not named' if no tag names an owner, which no filter can select.",
		label("user_owner", "Owner", 0, inWords(mapOwners()...), withLinks(toUsers("Show the findings", "user_owner", "${__value.raw:percentencode}"))),
		value(`topk(20, count by (user_owner) (`+open+`))`, "Findings", 95, coloured(steps(plain, from(1, violation)))...),
		value(`count by (user_owner) (count by (account_id, user_name, user_owner) (`+open+`))`+worst, "Users", 80, inUnit(count)),
		value(inDays(`min by (user_owner) (`+open+`)`)+worst, "Longest", 80, inUnit(days), inDecimals(0)),
	).whenEmpty("No findings of these owners. The top row shows whether all is well").sorted("Findings")
}

func freshness() *Panel {
	const observed = `(max by (account_id, facts) (aws_iam_account_facts_observed_timestamp_seconds{` + ofAccount + `} unless on (account_id) ` + suspended + `))`
	return table(size{24, 9}, "Age of the facts",
		"How long ago AWS stated the oldest facts behind everything above, by group, and in how many accounts they are out of date. Suspended accounts, which are not read any more, are left out.",
		label("facts", "Facts", 0),
		value(`time() - min by (facts) `+observed, "Oldest", 160, inUnit(seconds), inDecimals(0)),
		value(`time() - max by (facts) `+observed, "Youngest", 160, inUnit(seconds), inDecimals(0)),
		value(lines(`count by (facts) (max by (account_id, facts) (aws_iam_account_facts_stale_timestamp_seconds{`+ofAccount+`}) < time())`,
			`or`, `0 * group by (facts) (aws_iam_account_facts_stale_timestamp_seconds{`+ofAccount+`})`),
			"Out of date", 160, coloured(steps(plain, from(1, warned)))...).with(inWords(mapValue(0, "none", compliant))),
		value(`count by (facts) `+observed, "Accounts", 160, inUnit(count)),
	).whenEmpty("No data: no exporter reports on these accounts")
}
