package situations

// words are what people read, by situation and alert.
func words() map[string]map[string]string {
	return map[string]map[string]string{
		"an account that is never read": {
			"IAMAccountNeverRead account_id=111111111111": "Since its exporter started, nothing has been known about the users of account 111111111111 (production, in r-ab12/ou-prod, owner: payments), which a:10190 reads, so none of its access keys is judged. Reasons: denied. The exporter's log and landing page say what is wrong.",
		},
		"no credentials": {
			"IAMAccountNeverRead job=aws_iam instance=a:10190": "a:10190 (job aws_iam) does not even know the id of its account, and has read nothing since it started. Reasons: credentials. The exporter's log and landing page say what is wrong.",
		},
		"a role that cannot be assumed, from the beginning and later": {
			"IAMRoleNotAssumed account_id=111111111111": "For a quarter of an hour or longer, a:10190 could not assume the role for reading account 111111111111 (production, in r-ab12/ou-prod, owner: payments), and does not read it: what was known stays as it was. The exporter's log and landing page say which role, and what AWS answered.",
		},
		"a stale replica still has a key that a fresh one has not": {
			"IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name=bob user_owner=payments": "User bob of account 111111111111 (production, in r-ab12/ou-prod), owner: payments. Active access key AKIANEW, 100d 4h 0m 0s old. Active access key AKIAONE, 100d 4h 0m 0s old. Since 2026-10-02 00:00:00 +0000 UTC, for 30d 4h 0m 0s.",
		},
		"AWS is silent for a day": {
			"IAMRefreshFailing account_id=111111111111":             "For half an hour, refreshes of account 111111111111 (production, in r-ab12/ou-prod, owner: payments), by a:10190, have not got every fact they asked AWS for. Reasons: network. The facts that could not be read are not updated; the exporter's log and landing page say what is wrong.",
			"IAMFactsStale account_id=111111111111 findings=frozen": "Facts about account 111111111111 (production, in r-ab12/ou-prod, owner: payments) have been out of date since 2026-11-01 02:59:00 +0000 UTC: keys, root, tags, users. Findings that depend on them are frozen: no new ones appear, and one that disappears has not been repaired.",
		},
		"facts about keys and root are not updated any more": {
			"IAMFactsStale account_id=111111111111 findings=frozen": "Facts about account 111111111111 (production, in r-ab12/ou-prod, owner: payments) have been out of date since 2026-11-01 03:00:00 +0000 UTC: keys, root. Findings that depend on them are frozen: no new ones appear, and one that disappears has not been repaired.",
		},
		"facts about root and tags alone are not updated any more": {
			"IAMFactsStale account_id=111111111111": "Facts about account 111111111111 (production, in r-ab12/ou-prod, owner: payments) have been out of date since 2026-11-01 03:00:00 +0000 UTC: root, tags. Findings that depend on them are frozen: no new ones appear, and one that disappears has not been repaired.",
		},
		"an account is lost, its exporter with it, and for good": {
			"IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190": "Nobody serves account 111111111111 (production, in r-ab12/ou-prod, owner: payments) any more; a:10190 (job aws_iam) did until 2026-11-01 02:00:00 +0000 UTC. It was not taken out on purpose, so its access keys go unwatched: no new findings appear, and those that disappear have not been repaired.",
		},
		"four accounts are taken out for four reasons, and one is lost": {
			"IAMAccountRemoved account_id=111111111111 reason=excluded":          "1h 0m 0s ago, account 111111111111 (production, in r-ab12/ou-prod, owner: payments) was taken out: the configuration's include and exclude leave it out. Its access keys are not watched.",
			"IAMAccountRemoved account_id=222222222222 reason=configuration":     "1h 0m 0s ago, account 222222222222 (without a name) was taken out: the configuration no longer has it. Its access keys are not watched.",
			"IAMAccountRemoved account_id=333333333333 reason=closed":            "1h 0m 0s ago, account 333333333333 (without a name) was taken out: it is closed. Its access keys are not watched.",
			"IAMAccountRemoved account_id=444444444444 reason=left_organization": "1h 0m 0s ago, account 444444444444 (without a name) was taken out: it has left its organization. Its access keys are not watched.",
		},
		"what cannot be judged, and has no report": {
			"IAMVerdictsUnknown account_id=111111111111": "For three hours, rules could not be judged in account 111111111111 (production, in r-ab12/ou-prod, owner: payments), because facts are unknown. These may be in violation: 3 under key_rotation.",
			"IAMReportUnusable account_id=111111111111":  "For four hours there has been no usable credential report of account 111111111111 (production, in r-ab12/ou-prod, owner: payments). With --iam.source=auto, AWS is asked for each fact instead, which takes many more calls; with report, facts are no longer updated. The exporter's log and landing page say what is wrong.",
		},
		"an organization cannot be listed, never was, or is not asked for": {
			"IAMOrganizationNotListed job=aws_iam instance=b:10190": "b:10190 watches no account, and has had no list of an organization's accounts since it started. The exporter's log and landing page say what is wrong.",
			"IAMOrganizationNotListed job=aws_iam instance=a:10190": "For 6h 31m 0s, a:10190 has had no complete list of its organization's accounts. It watches those that it knew: new accounts are not watched, and those that are gone count as failing. The exporter's log and landing page say what is wrong. Its accounts: 111111111111 (production).",
		},
		"organizations lose many accounts, few, one, and by configuration": {
			"IAMOrganizationShrunk job=aws_iam instance=a:10190": "13.04% of the accounts of a:10190 (job aws_iam) were taken out within a day, because they left the organization, were closed, or are excluded: 000000000970, 000000000971, 000000000972. If nobody meant that, look at the configuration's include and exclude, and at the credentials' organization. These accounts are not watched.",
		},
		"the only exporter is dead for three hours": {
			"IAMExporterDown job=aws_iam instance=a:10190":                        "a:10190 (job aws_iam) has not answered a scrape for ten minutes. What only this exporter watches is not watched: no new findings appear, and those it served are gone after half an hour. Its accounts: 111111111111 (production).",
			"IAMAccountLost account_id=111111111111 job=aws_iam instance=a:10190": "Nobody serves account 111111111111 (production, in r-ab12/ou-prod, owner: payments) any more; a:10190 (job aws_iam) did until 2026-11-01 00:59:00 +0000 UTC. It was not taken out on purpose, so its access keys go unwatched: no new findings appear, and those that disappear have not been repaired.",
			"IAMExporterAbsent": "No exporter answers most of its scrapes, and the last facts about any account have been out of date since 2026-11-01 02:59:00 +0000 UTC. No account's access keys are watched.",
		},
		"no exporter has ever been scraped": {
			"IAMExporterAbsent": "No exporter answers most of its scrapes, and nothing is known about any account. No account's access keys are watched.",
		},
		"one of two replicas is dead": {
			"IAMExporterDown job=aws_iam instance=a:10190": "a:10190 (job aws_iam) has not answered a scrape for ten minutes. What only this exporter watches is not watched: no new findings appear, and those it served are gone after half an hour. Its accounts: 111111111111 (production).",
		},
		"one of two replicas cannot assume the role, and the other is denied something": {
			"IAMRoleNotAssumed account_id=111111111111": "For a quarter of an hour or longer, a:10190 could not assume the role for reading account 111111111111 (production, in r-ab12/ou-prod, owner: payments), and does not read it: what was known stays as it was. The exporter's log and landing page say which role, and what AWS answered.",
			"IAMRefreshFailing account_id=111111111111": "For half an hour, refreshes of account 111111111111 (production, in r-ab12/ou-prod, owner: payments), by b:10190, have not got every fact they asked AWS for. Reasons: denied. The facts that could not be read are not updated; the exporter's log and landing page say what is wrong.",
		},
		"a crash loop, up for one minute in three": {
			"IAMExporterFlapping job=aws_iam instance=a:10190": "a:10190 (job aws_iam) has started again, or gone away or come back, 7 times within an hour. An alert that waits for ten minutes may not get that far: what is new, unknown or out of date may go untold. Its accounts: 111111111111 (production).",
		},
		"many refusals, few, and some at the beginning": {
			"IAMThrottled job=aws_iam instance=a:10190": "In the last twelve hours AWS has refused 20% of the requests of a:10190 (job aws_iam). Facts are updated later than they should be; AWS may also refuse others who call IAM in the account.",
		},
		"a stale replica beside a fresh one": {
			"IAMReplicaStale job=aws_iam instance=a:10190": "The facts that a:10190 (job aws_iam) has about 1 of its accounts are out of date, while another exporter has fresh ones, which count instead: 111111111111. Its log and landing page say what is wrong.",
		},
		"hidden users violate a rule": {
			"IAMHiddenViolations account_id=111111111111 rule=key_rotation": "3 violations of the rule key_rotation in account 111111111111 (production, in r-ab12/ou-prod, owner: payments) are of users who have no series of their own, so that no other alert tells of them: the configuration excludes these users, or --no-metrics.users is set. The exporter's landing page and check show who they are, unless they hide them, too.",
		},
		"a new root key pages, and is a ticket when it is a day old": {
			"IAMRootAccessKeyCreated account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments": "User <root_account> of account 111111111111 (production, in r-ab12/ou-prod), owner: payments. Since 2026-10-31 22:00:00 +0000 UTC, for 2h 10m 0s.",
		},
		"names that would break out of queries, templates and addresses": {
			"IAMMultipleActiveKeys account_id=111111111111 rule=multiple_active_keys user_name=" + odd + " user_owner=" + odd:                   "User " + odd + " of account 111111111111 (" + odd + ", in " + odd + "), owner: " + odd + ". Active access key " + odd + ", 100d 1h 0m 0s old. Since 2026-10-02 00:00:00 +0000 UTC, for 30d 1h 0m 0s.",
			"IAMKeyRotationDue account_id=111111111111 rule=key_rotation_due user_name=" + odd + " user_owner=" + odd + " access_key_id=" + odd: "User " + odd + " of account 111111111111 (" + odd + ", in " + odd + "), owner: " + odd + ". Active access key " + odd + ", 100d 1h 0m 0s old, to be replaced by 2026-11-11 00:00:00 +0000 UTC. Due since 2026-10-31 00:00:00 +0000 UTC, for 1d 1h 0m 0s.",
		},
		"key ids as suffix and by the time of creation": {
			"IAMKeyUnused account_id=111111111111 rule=key_unused user_name=bob access_key_id=7XYZ":                           "User bob of account 111111111111 (production, in r-ab12/ou-prod), owner: not named. Active access key 7XYZ, 100d 2h 0m 0s old. Since 2026-10-29 00:00:00 +0000 UTC, for 3d 2h 0m 0s.",
			"IAMKeyUnused account_id=111111111111 rule=key_unused user_name=bob access_key_id=created-2026-07-01T00:00:00Z-a": "User bob of account 111111111111 (production, in r-ab12/ou-prod), owner: not named. Active access key created-2026-07-01T00:00:00Z-a, 123d 2h 0m 0s old. Since 2026-10-29 00:00:00 +0000 UTC, for 3d 2h 0m 0s.",
		},
		"two accounts with equal user names and different owners, one of them repaired": {
			"IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=bob user_owner=payments access_key_id=AKIABOB": "User bob of account 111111111111 (production, in r-ab12/ou-prod), owner: payments. Since 2026-10-02 00:00:00 +0000 UTC, for 30d 1h 0m 0s.",
			"IAMKeyRotation account_id=222222222222 rule=key_rotation user_name=bob user_owner=research access_key_id=AKIATWO": "User bob of account 222222222222 (sandbox), owner: research. Since 2026-10-27 00:00:00 +0000 UTC, for 5d 0h 59m 0s.",
		},
		"two replicas that differ about the beginning": {
			"IAMKeyRotation account_id=111111111111 rule=key_rotation user_name=bob user_owner=payments access_key_id=AKIABOB": "User bob of account 111111111111 (production, in r-ab12/ou-prod), owner: payments. Since 2026-10-12 00:00:00 +0000 UTC, for 20d 1h 0m 0s.",
		},
		"an exemption is about to end, and ends": {
			"IAMExemptionEnding account_id=111111111111 rule=key_rotation user_name=bob": "The exemption of user bob of account 111111111111 (production, in r-ab12/ou-prod, owner: payments) from the rule key_rotation ends in 6d 22h 0m 0s, and then the rule counts again. Renew the exemption, or have the user comply.",
			"IAMExemptionEnded account_id=111111111111 rule=key_rotation user_name=bob":  "The exemption of user bob of account 111111111111 (production, in r-ab12/ou-prod, owner: payments) from the rule key_rotation ended 1d 0h 0m 0s ago, and the rule counts again. Renew the exemption, or remove it.",
		},
		"an exemption is unmatched in one of three exporters that share a configuration": {
			"IAMExemptionUnmatched job=aws_iam instance=a:10190": "In the configuration of a:10190, 2 of the exemptions match no user: the name is wrong, or the user is gone. Its accounts: 111111111111.",
		},
		"what is known is not kept on disk any more": {
			"IAMStateNotKept job=aws_iam instance=a:10190": "For three hours or longer, a:10190 (job aws_iam) could not write the facts about some account to --state.dir; it last did at 2026-11-01 01:00:00 +0000 UTC. If it starts again, it has to read what it no longer knows, and until then findings are missing. Its log says what is wrong. Its accounts: 111111111111, 333333333333.",
			"IAMStateNotKept job=aws_iam instance=d:10190": "For three hours or longer, d:10190 (job aws_iam) could not write the facts about some account to --state.dir. If it starts again, it has to read what it no longer knows, and until then findings are missing. Its log says what is wrong. Its accounts: 555555555555.",
		},
		"a root key that nothing dates is a ticket, and nobody is woken": {
			"IAMRootAccessKey account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments": "User <root_account> of account 111111111111 (production, in r-ab12/ou-prod), owner: payments. Nothing tells since when.",
		},
		"root gets another key beside an old one": {
			"IAMRootAccessKeyCreated account_id=111111111111 rule=root_access_key user_name=<root_account> user_owner=payments": "User <root_account> of account 111111111111 (production, in r-ab12/ou-prod), owner: payments. Since 2026-11-01 01:00:00 +0000 UTC, for 20m 0s.",
		},
		"a configuration file cannot be used": {
			"IAMConfigReloadFailed job=aws_iam instance=a:10190": "a:10190 still uses the configuration that it had before, read at 2026-10-31 23:00:00 +0000 UTC. Its log says what is wrong with the file. Its accounts: 111111111111 (production).",
		},
		"rules fail, ours and others'": {
			"IAMRuleEvaluationFailing instance=localhost:9090 rule_group=/rules/aws_iam.rules.yaml;aws_iam_findings": "Rules of /rules/aws_iam.rules.yaml;aws_iam_findings have kept failing in Prometheus localhost:9090 for 15 minutes or more. Their alerts do not fire, and may resolve though nothing was repaired; Prometheus shows the error under Rule health.",
		},
	}
}
