package dashboards

// users is for people with a ticket about one user or key.
func users() Dashboard {
	return dashboard(usersUID, "AWS IAM / Users and keys",
		"The findings, users and access keys, one by one, and where to go from there.",
		append(targets(), owners(), rules(), typedUser(), matchOfUser(), listedUsers(), consoleAddress(), runbookAddress()),

		tile(size{4, 4}, "Open findings", "Findings that match the filters above, early warnings left out. 'None known': something could not be judged, is out of date, or is about users that the configuration hides. 'No data': no such user, or no exporter answers.",
			foundOrNone(notDue)).words(noneAndNoneKnown()...).words(mapValue(notAsked, "–", plain)).
			thresholds(steps(compliant, from(1, violation))).unit(count),
		tile(size{4, 4}, "Longest", "How long the oldest of them has been a finding.",
			lines(`max(`+inDays(foundExprOf(notDue))+`)`, `or`, `-`+someoneKnown)).unit(days).decimals(0).words(mapValue(-1, "–", plain), mapUnderOne()).thresholds(steps(violation)),
		tile(size{4, 4}, "Due soon", "Keys that must be replaced soon.",
			foundOrNone(`rule="key_rotation_due"`)).words(noneAndNoneKnown()...).words(mapValue(notAsked, "–", plain)).
			thresholds(steps(compliant, from(1, warned))).unit(count),
		tile(size{4, 4}, "Exempted", "Exemptions of these users from these rules that have not ended.",
			lines(`count(`+exemptionEnds+` > time())`, `or`, `0 * `+someoneKnown)).
			words(mapValue(0, "none", plain)).thresholds(steps(exempted)).unit(count),
		unknownTile(4, "Unknown, all users", "Verdicts of the chosen accounts and rules that could not be given, of all users.", `rule=~"$rule"`),
		staleTile(4),

		findingsTable(),
		usersTable(),
		exemptionsTable(),
	)
}

func rules() Variable {
	return choice("rule", "Rule", ".*", `label_values(aws_iam_account_verdicts{`+ofTarget+`}, rule)`)
}

func typedUser() Variable {
	return Variable{
		Name: "user_name", Label: "User", Type: "textbox", Query: "", Current: &Choice{"", ""},
		Description: "A user's name, or a part of it. Empty: the users with the oldest findings",
	}
}

// matchOfUser holds regular expressions to put around what is typed in.
func matchOfUser() Variable {
	return oneOf("match", "Name", Choice{"contains", "(?i).*"}, Choice{"is exactly", exactly})
}

const exactly = "()"

// Selectors that depend on whether there is a filter. They ask for a label that
// no series has, and so for the empty text: a filter that lets everything through
// matches that, any other does not. They select all series or none.
const (
	ifTyped   = `filtered!~` + typedName
	ifUntyped = `filtered=~` + typedName
	ifOwned   = `filtered!~"$user_owner"`
)

// listedUsers holds the names in the table of users, so that its queries select
// their series and no others. There are few names even if there are many users:
// those with the oldest findings or, once a name is typed in or an owner chosen,
// those that match.
func listedUsers() Variable {
	// In one line: Grafana takes query_result over several lines for something else.
	query := `topk(50, max by (user_name) (time() - ` + findings(ofOwner, `rule=~"$rule"`) + `)` +
		` or group by (user_name) (aws_iam_user_info{` + ofOwner + `, ` + ifTyped + `})` +
		` or group by (user_name) (aws_iam_user_info{` + ofOwner + `, ` + ifOwned + `}))`
	v := choice("listed", "Listed users", "", "query_result("+query+")")
	v.Regex, v.Hide, v.SkipURLSync = `/user_name="([^"]+)"/`, hideVariable, true
	return v
}

func consoleAddress() Variable {
	return oneOf("console", "AWS console",
		Choice{"AWS", "https://console.aws.amazon.com"},
		Choice{"China", "https://console.amazonaws.cn"},
		Choice{"GovCloud", "https://console.amazonaws-us-gov.com"})
}

const runbooks = "https://github.com/aws-iam-exporter/aws_iam_exporter/blob/main/alerts/runbooks.md"

func runbookAddress() Variable {
	return Variable{Name: "runbooks", Label: "Runbooks", Type: "constant", Query: runbooks, Hide: hideVariable, SkipURLSync: true, Current: &Choice{runbooks, runbooks}}
}

// toUsers leads to this dashboard, with one of its variables set.
func toUsers(title, variable string, values ...string) Link {
	url := "/d/" + usersUID + "?" + sameSource
	if variable != "account_id" {
		url += "&${account_id:queryparam}"
	}
	for _, value := range values {
		url += "&var-" + variable + "=" + value
	}
	return Link{Title: title, URL: url}
}

const sameSource = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"

// consoleLink is the page of AWS's console on which keys are created and deleted.
func consoleLink() Link {
	return Link{
		Title: "AWS console (sign in to the account of this row first)", TargetBlank: true,
		URL: "${console}/iam/home#/users/details/${__data.fields.User:percentencode}?section=security_credentials",
	}
}

func userLink() Link {
	return Link{Title: "This user alone", URL: "/d/" + usersUID + "?" + sameSource +
		"&var-account_id=${__data.fields.Account:percentencode}&var-user_name=${__data.fields.User:percentencode}&var-match=%28%29"} // exactly
}

func foundExprOf(matcher string) string { return findings(ofOwner, `rule=~"$rule"`, matcher) }

// someoneKnown is 1 if anybody about whom something is known matches the filters,
// and nothing otherwise: having no findings is good news only if there is somebody
// to find. An empty name is a part of every account's name, and equal to none.
const someoneKnown = `(group(aws_iam_user_info{` + ofListed + `, user_owner=~"$user_owner", ` + ifTyped + `}) or group(aws_iam_account_users{` + ofAccount + `, account_id=~` + typedName + `, ` + ifUntyped + `}))`

// foundOrNone counts findings of some rules. Without any, it is zero if that is
// certain, noneKnown if not, and notAsked if the filters exclude these rules.
func foundOrNone(rules string) string {
	return lines(`count(`+foundExprOf(rules)+`)`,
		`or`, `-((`+anyDoubt(`rule=~"$rule"`, rules)+` + `+hidden(`rule=~"$rule"`, rules)+` > bool 0) * `+someoneKnown+`)`,
		`or`, `-2 * `+someoneKnown)
}

const notAsked = -2

// findingsTable lists findings. If there are none, it says so in a row of its own,
// provided that anybody matches the filters.
func findingsTable() *Panel {
	const anchor = `"([a-z]+)_([a-z]+)_?([a-z]*)_?([a-z]*)_?([a-z]*)"`
	open := findings(ofOwner, `rule=~"$rule"`)
	// Root's findings that nothing dates are NaN, which topk puts last.
	found := `topk(100, ` + inDays(open) + `) or topk(100, ` + open + ` != ` + open + `)`
	all := named(found)
	nothing := func(word, condition string) string {
		return `label_replace(` + someoneKnown + ` * (0 / 0) and on () (` + anyDoubt(`rule=~"$rule"`) + ` + ` + hidden(`rule=~"$rule"`) + ` ` + condition + `), "rule", "` + word + `", "", "")`
	}
	return table(size{24, 13}, "Findings",
		"What is in violation now, the longest first, a hundred at most, and as many of root's that nothing dates. A user's links lead to the AWS console (sign in to the row's account first), and to everything else about the user. `<root_account>` is the root user.",
		label("rule", "Rule", 240, append(coloured(steps(plain)), inWords(mapRules(), mapText("none", "No findings", compliant), mapText("none known", "None known, some not judged", unknown)))...),
		value(lines(`label_replace(`, all, `, "runbook", "iam$1$2$3$4$5", "rule", `+anchor+`)`,
			`or on ()`, nothing("none", "== 0"), `or on ()`, nothing("none known", "> 0")),
			"Open for", 95, coloured(steps(plain))...).with(inUnit(days), inDecimals(0), inWords(mapMissing("–", plain), mapUnderOne())),
		label("user_name", "User", 0, withLinks(consoleLink(), userLink())),
		label("access_key_id", "Access key", 205),
		label("user_owner", "Owner", 120, inWords(mapOwners()...)),
		label("account_name", "Account name", 130),
		label("account_id", "Account", 130),
		label("runbook", "Runbook", 85, inWords(mapPattern("^.+$", "open")), withLinks(Link{Title: "Runbook", URL: "${runbooks}#${__value.raw}", TargetBlank: true})),
	).whenEmpty("No data: no user matches, or no exporter answers").sorted("Open for")
}

// States of a row of the table of users.
const (
	keyInactive = iota
	keyActive
	keyNone
	keyUnknown
)

// usersTable has a row for each key, and one for each user without any.
func usersTable() *Panel {
	const (
		perKey  = `max by (account_id, user_name, access_key_id) `
		perUser = ` by (account_id, user_name) `
		row     = perKey + `(aws_iam_access_key_active{` + ofListed + `})
or on (account_id, user_name) 2 * group` + perUser + `(aws_iam_user_access_keys{` + ofListed + `})
or on (account_id, user_name) 3 * group` + perUser + `(aws_iam_user_info{` + ofListed + `})`
		info = `topk by (account_id, user_name) (1, group by (account_id, user_name, class, user_owner) (aws_iam_user_info{` + ofListed + `}))`
	)
	key := func(metric string) string { return perKey + `(` + metric + `{` + ofListed + `})` }
	user := func(metric string) string { return `max` + perUser + `(` + metric + `{` + ofListed + `})` }
	// ofEachRow repeats what is known about a user in each of the user's rows.
	ofEachRow := func(expr string) string {
		return lines(`0 * (`+row+`)`, `+ on (account_id, user_name) group_left ()`, `(`+expr+`)`)
	}
	active := ` and ` + perKey + `(aws_iam_access_key_active{` + ofListed + `} == 1)`
	left := coloured(steps(violation, from(0, warned), from(14, plain)))
	return table(size{24, 14}, "Users and keys",
		"The users that match the filters, with a row for each access key: those with the oldest findings or, once a name is typed in or an owner chosen, those that match; fifty names at most. "+
			"'Unknown': not known from AWS yet. 'Rotate in', 'Use in', 'Exempt' and 'Sign-in due' are the days that are left.",
		label("user_name", "User", 0, withLinks(consoleLink(), userLink()), Property{"custom.minWidth", 120}),
		label("user_owner", "Owner", 84, inWords(mapOwners()...)),
		label("class", "Class", 76, inWords(mapText("unknown", "unknown", unknown))),
		value(ofEachRow(lines(`(`+user("aws_iam_user_console_access")+` == 0)`,
			`or 2 - `+user("aws_iam_user_mfa_enabled"),
			`or 3 * `+user("aws_iam_user_console_access"))), "Console", 72, coloured(steps(plain))...).
			with(inWords(mapValue(0, "no", plain), mapValue(1, "MFA", plain), mapValue(2, "no MFA", violation), mapValue(3, "MFA?", unknown), mapMissing("unknown", unknown))),
		label("access_key_id", "Access key", 205),
		value(lines(`(`+row+`)`, `* on (account_id, user_name) group_left (class, user_owner)`, info), "State", 64, coloured(steps(plain))...).
			with(inWords(mapValue(keyInactive, "inactive", plain), mapValue(keyActive, "active", plain), mapValue(keyNone, "no keys", plain), mapValue(keyUnknown, "unknown", unknown))),
		value(inDays(key("aws_iam_access_key_created_timestamp_seconds")), "Age", 66, inUnit(days), inDecimals(0), inWords(mapUnderOne())),
		value(until(`(`+key("aws_iam_access_key_rotation_deadline_timestamp_seconds")+active+`)`), "Rotate in", 80, left...).with(inUnit(days), inDecimals(0), inWords(mapMissing("–", plain))),
		value(lines(inDays(key("aws_iam_access_key_last_used_timestamp_seconds")),
			`or -(`+key("aws_iam_access_key_used")+` == 0) - 1`,
			`or -2 * group by (account_id, user_name, access_key_id) (aws_iam_access_key_active{`+ofListed+`})`), "Last used", 88, coloured(steps(plain))...).
			with(inUnit(days), inDecimals(0), inWords(mapValue(-1, "never used", warned), mapValue(-2, "unknown", unknown), mapUnderOne())),
		label("service", "Service", 113),
		labelsOf(`group by (account_id, user_name, access_key_id, service) (aws_iam_access_key_last_used_info{`+ofListed+`})`),
		value(until(`(`+key("aws_iam_access_key_unused_deadline_timestamp_seconds")+active+`)`), "Use in", 66, left...).with(inUnit(days), inDecimals(0), inWords(mapMissing("–", plain))),
		value(ofEachRow(until(`(min`+perUser+`(aws_iam_exemption_expiry_timestamp_seconds{`+ofListed+`} > time()) or max`+perUser+`(aws_iam_exemption_expiry_timestamp_seconds{`+ofListed+`}))`)),
			"Exempt", 70, coloured(steps(violation, from(0, exempted)))...).with(inUnit(days), inDecimals(0), inWords(mapMissing("–", plain))),
		value(ofEachRow(until(user("aws_iam_user_password_unused_deadline_timestamp_seconds"))), "Sign-in due", 80, left...).with(inUnit(days), inDecimals(0), inWords(mapMissing("–", plain))),
		label("account_id", "Account", 122),
	).sorted("Age", "User").whenEmpty("Nobody to show. Type a name, or a part of it, above")
}

const exemptions = `aws_iam_exemption_expiry_timestamp_seconds{` + ofUser + `, rule=~"$rule", filtered`

// exemptionEnds takes the owner from the users, because exemptions have none.
const exemptionEnds = `max by (account_id, user_name, rule) (` + exemptions + `=~"$user_owner"} or ` +
	exemptions + `!~"$user_owner"} and on (account_id, user_name) aws_iam_user_info{` + ofOwner + `, ` + ifOwned + `})`

func exemptionsTable() *Panel {
	return table(size{24, 8}, "Exemptions",
		"Who is excused from which rule, and for how much longer; those that end first, a hundred at most. Negative: ended, and the rule applies again. The exporter's landing page shows the reasons.",
		value(`bottomk(100, `+until(exemptionEnds)+`)`, "Ends in", 110, coloured(steps(violation, from(0, warned), from(14, exempted)))...).with(inUnit(days), inDecimals(0)),
		label("rule", "Rule", 260, inWords(mapRules())),
		label("user_name", "User", 0, withLinks(userLink())),
		label("account_id", "Account", 130),
	).whenEmpty("No exemptions for these users and rules")
}
