package collector

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// scope is what a metric has series for; it decides the first labels.
type scope int

const (
	perExporter scope = iota
	perAccount
	perUser
	perKey
	perFinding // with labels of its own for whom it is about
	scopes
)

func (s scope) labels() []string {
	if s == perFinding {
		return perAccount.labels()
	}
	return []string{"account_id", "user_name", "access_key_id"}[:s]
}

// Renewal is when the series of a metric are written anew.
type Renewal int

// The renewals.
const (
	WithFacts  Renewal = iota // when something else is known, or is judged otherwise
	EachMinute                // and each minute, because they depend on the time of day
	EachScrape                // by client_golang, because they count what the exporter does
)

// String returns the word that the documentation has for it.
func (r Renewal) String() string { return [...]string{"facts", "minute", "scrape"}[r] }

// metric is one row of the table.
type metric struct {
	name   string
	scope  scope
	renew  Renewal
	labels []string                      // beyond those of the scope
	tags   func(*policy.Policy) []string // that have labels, too; nil if none ever do
	kind   prometheus.ValueType
	help   string
	facts  []inventory.Group // the groups of cached facts behind the value
	// series emits the series of one subject: none where the value is unknown.
	series func(*subject, emit)

	row int // in the table
}

// emit serves a value, with the labels beyond those of the scope.
type emit func(value float64, labels ...string)

func (m *metric) fullLabels() []string { return append(m.scope.labels(), m.labels...) }

// labelsUnder returns the labels, with one for each of the tags that the policy asks
// for.
func (m *metric) labelsUnder(p *policy.Policy) []string {
	labels := m.fullLabels()
	if m.tags != nil {
		for _, tag := range m.tags(p) {
			labels = append(labels, policy.TagLabel(tag))
		}
	}
	return labels
}

func (m *metric) typeName() string {
	if m.kind == counter {
		return "counter"
	}
	return "gauge"
}

func (m *metric) fullHelp() string {
	if len(m.facts) == 0 {
		return m.help
	}
	match, groups := "=", []string{}
	for _, group := range m.facts {
		groups = append(groups, string(group))
	}
	if len(groups) > 1 {
		match = "=~"
	}
	return fmt.Sprintf("%s Cached: %s{facts%s%q} tells how old.", m.help, factsObserved, match, strings.Join(groups, "|"))
}

const (
	factsObserved = "aws_iam_account_facts_observed_timestamp_seconds"
	keyAge        = "aws_iam_access_key_age_seconds"
)

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

func facts(groups ...inventory.Group) []inventory.Group { return groups }

// table returns every metric that this package collects.
func table() []metric {
	var all []metric
	for _, part := range [][]metric{
		userMetrics(), keyMetrics(), findingMetrics(), exemptionMetrics(), rootMetrics(),
		accountMetrics(), countMetrics(), healthMetrics(), policyMetrics(), exporterMetrics(),
	} {
		all = append(all, part...)
	}
	for i := range all {
		all[i].row = i
	}
	return all
}

func userMetrics() []metric {
	return []metric{
		{
			name: "aws_iam_user_info", scope: perUser, kind: gauge,
			labels: []string{"arn", "path", "class", "user_owner"},
			tags:   func(p *policy.Policy) []string { return p.UserTags },
			help: "Every IAM user, value 1, with its policy class, its owner, and tag_<name> for each tag that user_tags lists. " +
				"An empty label is a missing tag; " + policy.UnknownValue + " means that the user's tags are not known. " +
				"The class is unknown as long as facts that decide it are.",
			facts:  facts(inventory.GroupUsers, inventory.GroupTags),
			series: emitUserInfo,
		},
		{
			name: "aws_iam_user_created_timestamp_seconds", scope: perUser, kind: gauge,
			help:   "When the user was created.",
			facts:  facts(inventory.GroupUsers),
			series: func(s *subject, emit emit) { emitTime(emit, s.user.Created) },
		},
		{
			name: "aws_iam_user_access_keys", scope: perUser, kind: gauge,
			labels: []string{"status"},
			help:   "Access keys of the user by status: active, inactive or expired. Absent while they are unknown.",
			facts:  facts(inventory.GroupKeys),
			series: func(s *subject, emit emit) {
				if keys, known := s.user.Keys.Get(); known {
					emitStatuses(emit, keys)
				}
			},
		},
		{
			name: "aws_iam_user_console_access", scope: perUser, kind: gauge,
			help:   "Whether the user can sign in to the console, that is, has a password.",
			facts:  facts(inventory.GroupConsole),
			series: func(s *subject, emit emit) { emitBool(emit, s.user.Console) },
		},
		{
			name: "aws_iam_user_console_access_with_active_keys", scope: perUser, kind: gauge,
			help:   "Whether the user has console access as well as an active access key.",
			facts:  facts(inventory.GroupConsole, inventory.GroupKeys),
			series: func(s *subject, emit emit) { emitBool(emit, policy.ConsoleWithActiveKeys(s.user)) },
		},
		{
			name: "aws_iam_user_mfa_enabled", scope: perUser, kind: gauge,
			help:  "Whether the user has an MFA device. Only for users with console access.",
			facts: facts(inventory.GroupMFA),
			series: func(s *subject, emit emit) {
				if console, _ := s.user.Console.Get(); console {
					emitBool(emit, s.user.MFA)
				}
			},
		},
		{
			name: "aws_iam_user_password_last_used_timestamp_seconds", scope: perUser, kind: gauge,
			help:  "When the user last signed in with the password. Only for users with console access who ever did.",
			facts: facts(inventory.GroupUsers, inventory.GroupConsole),
			series: func(s *subject, emit emit) {
				if console, _ := s.user.Console.Get(); console {
					emitUse(emit, s.user.PasswordUse)
				}
			},
		},
		{
			name: "aws_iam_user_password_unused_deadline_timestamp_seconds", scope: perUser, kind: gauge,
			help: "When the user's password will have been unused for longer than the policy allows, unless it is used or set anew before then. " +
				"Only for users with console access whose use and setting of the password are known.",
			facts: facts(inventory.GroupUsers, inventory.GroupConsole),
			series: func(s *subject, emit emit) {
				limits := s.classification.Limits()
				if limits == nil {
					return
				}
				if deadline, known := limits.PasswordUnusedDeadline(s.user); known {
					emitTime(emit, deadline)
				}
			},
		},
		{
			name: "aws_iam_user_rotation_overlap_deadline_timestamp_seconds", scope: perUser, kind: gauge,
			help:  "Until when the user may have several active access keys: the creation of the second-oldest of them, plus the rotation overlap. Only for users with two or more.",
			facts: facts(inventory.GroupKeys),
			series: func(s *subject, emit emit) {
				limits := s.classification.Limits()
				if limits == nil {
					return
				}
				if deadline, several := limits.OverlapDeadline(s.user); several {
					emitTime(emit, deadline)
				}
			},
		},
	}
}

func keyMetrics() []metric {
	return []metric{
		{
			name: "aws_iam_access_key_active", scope: perKey, kind: gauge,
			help:   "Whether the access key is active; inactive and expired keys give no access.",
			facts:  facts(inventory.GroupKeys),
			series: func(s *subject, emit emit) { emit(number(s.key.Status == inventory.Active)) },
		},
		{
			name: "aws_iam_access_key_created_timestamp_seconds", scope: perKey, kind: gauge,
			help:   "When the access key was created.",
			facts:  facts(inventory.GroupKeys),
			series: func(s *subject, emit emit) { emitTime(emit, s.key.Created) },
		},
		{
			name: keyAge, scope: perKey, renew: EachMinute, kind: gauge,
			help: "Age of the access key now, by AWS's clock, for people to look at; it grows every minute, whether or not AWS answers. " +
				"Rules use the time of the facts instead; alert on the timestamps and findings.",
			facts:  facts(inventory.GroupKeys),
			series: emitAge,
		},
		{
			name: "aws_iam_access_key_used", scope: perKey, kind: gauge,
			help:  "Whether any use of the access key is recorded. Absent while that is unknown.",
			facts: facts(inventory.GroupKeyUse),
			series: func(s *subject, emit emit) {
				if use, known := s.key.LastUse.Get(); known {
					emit(number(!use.Never()))
				}
			},
		},
		{
			name: "aws_iam_access_key_last_used_timestamp_seconds", scope: perKey, kind: gauge,
			help:   "When the access key was last used, to AWS's precision of 15 minutes. Only for keys that were used.",
			facts:  facts(inventory.GroupKeyUse),
			series: func(s *subject, emit emit) { emitUse(emit, s.key.LastUse) },
		},
		{
			name: "aws_iam_access_key_last_used_info", scope: perKey, kind: gauge,
			labels: []string{"service", "region"},
			help:   "The AWS service and region of the access key's last use, empty where AWS gives none; value 1.",
			facts:  facts(inventory.GroupKeyUse),
			series: func(s *subject, emit emit) {
				if use, _ := s.key.LastUse.Get(); !use.Never() {
					emit(1, use.Service, use.Region)
				}
			},
		},
		{
			name: "aws_iam_access_key_info", scope: perKey, kind: gauge,
			labels: []string{"description"},
			help: "The description of the access key, empty if it has none; value 1. " +
				"AWS keeps it in a user tag whose key is the access key's id. Only with key_descriptions, and only where tags and the key's id are known.",
			facts:  facts(inventory.GroupKeys, inventory.GroupTags),
			series: emitKeyInfo,
		},
		{
			name: "aws_iam_access_key_created_at_user_setup", scope: perKey, kind: gauge,
			help: "Whether the access key was created within the setup window after its user, " +
				"whether or not the user has console access. Absent while the user's class is unknown.",
			facts: facts(inventory.GroupUsers, inventory.GroupKeys),
			series: func(s *subject, emit emit) {
				if limits := s.classification.Limits(); limits != nil {
					emit(number(limits.CreatedAtSetup(s.user, s.key)))
				}
			},
		},
		{
			name: "aws_iam_access_key_rotation_deadline_timestamp_seconds", scope: perKey, kind: gauge,
			help:  "When the access key becomes older than the policy allows. Only for active keys.",
			facts: facts(inventory.GroupKeys),
			series: func(s *subject, emit emit) {
				if limits := s.classification.Limits(); limits != nil && s.key.Status == inventory.Active {
					emitTime(emit, limits.RotationDeadline(s.key))
				}
			},
		},
		{
			name: "aws_iam_access_key_unused_deadline_timestamp_seconds", scope: perKey, kind: gauge,
			help: "When the access key will have been unused for longer than the policy allows, unless it is used before then. " +
				"Only for active keys whose use is known.",
			facts: facts(inventory.GroupKeys, inventory.GroupKeyUse),
			series: func(s *subject, emit emit) {
				limits := s.classification.Limits()
				if limits == nil || s.key.Status != inventory.Active {
					return
				}
				if deadline, known := limits.UnusedDeadline(s.key); known {
					emitTime(emit, deadline)
				}
			},
		},
	}
}

func findingMetrics() []metric {
	return []metric{{
		name: "aws_iam_finding_since_timestamp_seconds", scope: perFinding, kind: gauge,
		labels: []string{"rule", "user_owner", "user_name", "access_key_id"},
		help: "A rule that a user or an access key violates, and since when; NaN if nothing tells. " +
			"Judged as of the time of the facts; no series means compliant, exempted or unknown, see aws_iam_account_verdicts.",
		facts: facts(inventory.GroupUsers, inventory.GroupKeys, inventory.GroupKeyUse,
			inventory.GroupConsole, inventory.GroupMFA, inventory.GroupRoot, inventory.GroupTags),
		series: emitFinding,
	}}
}

func exemptionMetrics() []metric {
	return []metric{{
		name: "aws_iam_exemption_expiry_timestamp_seconds", scope: perAccount, kind: gauge,
		labels: []string{"rule", "user_name"},
		help: "When the user's exemption from the rule ends, or ended; the latest end where there are several. " +
			"The landing page shows the reason. Only for exemptions of users that the account has.",
		facts:  facts(inventory.GroupUsers, inventory.GroupTags),
		series: emitExemptions,
	}}
}

func rootMetrics() []metric {
	root := facts(inventory.GroupRoot)
	return []metric{
		{
			name: "aws_iam_root_access_keys", scope: perAccount, kind: gauge,
			labels: []string{"status"},
			help:   "Access keys of the root user by status. Absent while their status is unknown.",
			facts:  root,
			series: func(s *subject, emit emit) {
				if keys, known := s.Snapshot.Root.AccessKeys().Get(); known {
					emitStatuses(emit, keys)
				}
			},
		},
		{
			name: "aws_iam_root_access_key_present", scope: perAccount, kind: gauge,
			help:   "Whether the root user has any access key, active or not.",
			facts:  root,
			series: func(s *subject, emit emit) { emitBool(emit, s.Snapshot.Root.KeyPresent) },
		},
		{
			name: "aws_iam_root_access_key_created_timestamp_seconds", scope: perAccount, kind: gauge,
			help:   "When the newest active access key of the root user was created. Only if AWS dates one.",
			facts:  root,
			series: emitRootKeyCreated,
		},
		{
			name: "aws_iam_root_access_key_last_used_timestamp_seconds", scope: perAccount, kind: gauge,
			help:   "When an access key of the root user was last used. Only if one was used.",
			facts:  root,
			series: emitRootKeyUse,
		},
		{
			name: "aws_iam_root_console_access", scope: perAccount, kind: gauge,
			help:   "Whether the root user has a password.",
			facts:  root,
			series: func(s *subject, emit emit) { emitBool(emit, s.Snapshot.Root.Console) },
		},
		{
			name: "aws_iam_root_mfa_enabled", scope: perAccount, kind: gauge,
			help: "Whether the root user has an MFA device. Without one it is absent unless AWS tells that root has a password, " +
				"because a root user without a password needs no device.",
			facts:  root,
			series: func(s *subject, emit emit) { emitBool(emit, s.Snapshot.Root.MFA) },
		},
		{
			name: "aws_iam_root_password_last_used_timestamp_seconds", scope: perAccount, kind: gauge,
			help:   "When the root user last signed in with the password. Only if that is recorded.",
			facts:  root,
			series: func(s *subject, emit emit) { emitUse(emit, s.Snapshot.Root.PasswordUse) },
		},
	}
}

func accountMetrics() []metric {
	return []metric{
		{
			name: "aws_iam_account_info", scope: perAccount, kind: gauge,
			labels: []string{"account_name", "partition", "ou_path", "state", "account_owner"},
			tags:   func(p *policy.Policy) []string { return p.AccountTags },
			help: "The AWS account, value 1, with its name, partition, path of organizational units, state in the organization (active, suspended, …) and owner, by owner_tags, as far as they are known, " +
				"and tag_<name> for each tag that account_tags lists. An empty label is a missing tag; " +
				policy.UnknownValue + " means that the account's tags are not known.",
			series: emitAccountInfo,
		},
		{
			name: "aws_iam_account_up", scope: perAccount, kind: gauge,
			help: "Whether AWS answers everything about the account: 1 once a refresh got every fact it asked for and every user of the first listing was read once, before a restart or since; 0 from the first failure on, until a refresh gets everything. Absent before either.",
			series: func(s *subject, emit emit) {
				if state := s.Snapshot.Health.State; state == inventory.StateUp || state == inventory.StateDown {
					emit(number(state == inventory.StateUp))
				}
			},
		},
		{
			name: factsObserved, scope: perAccount, kind: gauge,
			labels: []string{"facts"},
			help:   "When AWS stated the oldest of the group's facts that are served. Facts are cached; this shows their age.",
			series: func(s *subject, emit emit) {
				for _, group := range inventory.Groups() {
					emitTime(emit, s.Snapshot.Freshness[group].Observed, string(group))
				}
			},
		},
		{
			name: "aws_iam_account_facts_stale_timestamp_seconds", scope: perAccount, kind: gauge,
			labels: []string{"facts"},
			help:   "When the facts of the group count as stale, unless they are read again before then.",
			series: func(s *subject, emit emit) {
				for _, group := range inventory.Groups() {
					emitTime(emit, s.Snapshot.Freshness[group].Stale, string(group))
				}
			},
		},
		{
			name: "aws_iam_account_credential_report_usable", scope: perAccount, kind: gauge,
			help: "Whether a recent credential report is in use. At 0 AWS is asked for its facts one by one, or they no longer change. " +
				"Absent with a source that uses no report.",
			series: func(s *subject, emit emit) {
				if s.Snapshot.Report.Wanted {
					emit(number(s.Snapshot.Report.Usable))
				}
			},
		},
	}
}

func countMetrics() []metric {
	return []metric{
		{
			name: "aws_iam_account_users", scope: perAccount, kind: gauge,
			help:  "IAM users of the account, without the root user.",
			facts: facts(inventory.GroupUsers),
			series: func(s *subject, emit emit) {
				if s.usersListed() {
					emit(float64(len(s.Snapshot.Users)))
				}
			},
		},
		{
			name: "aws_iam_account_unread_users", scope: perAccount, kind: gauge,
			help: "Users who have not been read one by one yet, so that some of their facts are unknown: at first all users, later the new ones. " +
				"Always 0 with a source that does not read single users.",
			facts: facts(inventory.GroupUsers),
			series: func(s *subject, emit emit) {
				if s.usersListed() {
					emit(float64(s.Snapshot.Sweep.Unread))
				}
			},
		},
		{
			name: "aws_iam_account_hidden_users", scope: perAccount, kind: gauge,
			help: "Users without series of their own: excluded by the configuration, or not known yet to be included, " +
				"or all users with --no-metrics.users. All other counts include them.",
			facts:  facts(inventory.GroupUsers),
			series: emitHiddenUsers,
		},
		{
			name: "aws_iam_account_console_users", scope: perAccount, kind: gauge,
			help:   "Users with console access. Absent until it has been known for every user; from then on, users not known yet do not count.",
			facts:  facts(inventory.GroupConsole),
			series: emitConsoleUsers,
		},
		{
			name: "aws_iam_account_users_by_active_keys", scope: perAccount, kind: gauge,
			labels: []string{"active_keys"},
			help:   "Users by the number of their active access keys: 0, 1, 2+, or unknown.",
			facts:  facts(inventory.GroupKeys),
			series: emitUsersByActiveKeys,
		},
		{
			name: "aws_iam_account_users_maybe_more_keys", scope: perAccount, kind: gauge,
			help: "Users of whom the credential report shows two access keys and does not say whether there are more. " +
				"The keys shown are judged as ever. Only --iam.source=report leaves that open: the other sources list all keys, and have 0 here.",
			facts:  facts(inventory.GroupKeys),
			series: emitMaybeMoreKeys,
		},
		{
			name: "aws_iam_account_never_used_access_keys", scope: perAccount, kind: gauge,
			help:   "Active access keys of users without any recorded use. Absent until use has been known for every key; from then on, keys not known yet do not count.",
			facts:  facts(inventory.GroupKeyUse),
			series: emitNeverUsedKeys,
		},
		{
			name: "aws_iam_account_access_keys", scope: perAccount, renew: EachMinute, kind: gauge,
			labels: []string{"status", "age_band"},
			help: "Access keys of users by status and age, a band's upper end included. " +
				"Ages are as of now, by AWS's clock, whether or not AWS answers; rules use the time of the facts. " +
				"Absent until the keys of every user have been known; from then on, users not known yet do not count.",
			facts:  facts(inventory.GroupKeys),
			series: emitKeysByAge,
		},
		{
			name: "aws_iam_account_verdicts", scope: perAccount, kind: gauge,
			labels: []string{"rule", "verdict"},
			help: "Users, active access keys or accounts, whichever the rule judges, by verdict: compliant, violation, exempted, unknown. " +
				"Under a rule about keys, a user whose keys are unknown counts once. Rules about users are absent before all users are listed. " +
				"Judged as of the time of the facts behind the rule: see " + factsObserved + ".",
			series: emitVerdicts,
		},
	}
}

func healthMetrics() []metric {
	return []metric{
		{
			name: "aws_iam_account_refreshes_total", scope: perAccount, kind: counter,
			help:   "Refreshes of the account's facts that have begun.",
			series: func(s *subject, emit emit) { emit(float64(s.Snapshot.Health.Refreshes)) },
		},
		{
			name: "aws_iam_account_refresh_errors_total", scope: perAccount, kind: counter,
			labels: []string{"reason"},
			help:   "Failures to read a fact from AWS, by reason.",
			series: func(s *subject, emit emit) {
				for _, reason := range inventory.Reasons() {
					emit(float64(s.Snapshot.Health.Errors[reason]), string(reason))
				}
			},
		},
		{
			name: "aws_iam_account_problems", scope: perAccount, kind: gauge,
			labels: []string{"reason"},
			help: "What keeps facts of the account from being read now, by reason, as the landing page lists it: until the next attempt succeeds, however far off that is. " +
				"No series means that nothing does.",
			series: emitProblems,
		},
		{
			name: "aws_iam_account_refresh_duration_seconds", scope: perAccount, kind: gauge,
			help: "How long the last finished refresh took. Absent until the first has finished.",
			series: func(s *subject, emit emit) {
				if h := s.Snapshot.Health; h.Finished > 0 {
					emit(h.Duration.Seconds())
				}
			},
		},
		{
			name: "aws_iam_account_state_saved_timestamp_seconds", scope: perAccount, kind: gauge,
			help:   "When the account's facts were last written to --state.dir, which is whenever they have changed, and hourly. Absent before that, and without the flag.",
			series: func(s *subject, emit emit) { emitTime(emit, s.Snapshot.Health.Saved) },
		},
		{
			name: "aws_iam_account_state_save_successful", scope: perAccount, kind: gauge,
			help: "Whether the account's facts could be written to --state.dir when this was last tried. Absent before that, and without the flag.",
			series: func(s *subject, emit emit) {
				if h := s.Snapshot.Health; h.Unsaved || !h.Saved.IsZero() {
					emit(number(!h.Unsaved))
				}
			},
		},
	}
}

func policyMetrics() []metric {
	limit := func(name, help string, of func(policy.Limits) time.Duration) metric {
		return metric{
			name: name, scope: perExporter, kind: gauge, labels: []string{"class"}, help: help,
			series: func(s *subject, emit emit) {
				p := s.view.Policy
				emit(of(p.Default.Limits).Seconds(), p.Default.Name)
				for i := range p.Classes {
					emit(of(p.Classes[i].Limits).Seconds(), p.Classes[i].Name)
				}
			},
		}
	}
	return []metric{
		limit("aws_iam_policy_max_key_age_seconds", "How old an active access key may become, by policy class.",
			func(l policy.Limits) time.Duration { return l.MaxKeyAge }),
		limit("aws_iam_policy_rotation_warning_seconds", "How long before the maximum age of a key its rotation counts as due, by policy class.",
			func(l policy.Limits) time.Duration { return l.RotationWarning }),
		limit("aws_iam_policy_max_key_idle_seconds", "How long an active access key may go unused, by policy class.",
			func(l policy.Limits) time.Duration { return l.MaxKeyIdle }),
		limit("aws_iam_policy_max_password_idle_seconds", "How long a password may go unused, by policy class.",
			func(l policy.Limits) time.Duration { return l.MaxPasswordIdle }),
		limit("aws_iam_policy_rotation_overlap_seconds", "How long a user may have two or more active access keys, by policy class.",
			func(l policy.Limits) time.Duration { return l.RotationOverlap }),
		limit("aws_iam_policy_setup_window_seconds", "How soon after its user an access key must be created to count as created at user setup, by policy class.",
			func(l policy.Limits) time.Duration { return l.SetupWindow }),
	}
}

func exporterMetrics() []metric {
	calls := func(name, help string, of func(inventory.Calls) uint64) metric {
		return metric{
			name: name, scope: perExporter, renew: EachScrape, kind: counter, labels: []string{"service", "operation"}, help: help,
			series: func(s *subject, emit emit) {
				for _, c := range s.api() {
					emit(float64(of(c)), c.Service, c.Operation)
				}
			},
		}
	}
	return []metric{
		{
			name: "aws_iam_exporter_accounts", scope: perExporter, kind: gauge,
			labels: []string{"state"},
			help:   "Accounts by state: pending (not everything was read yet), up, down (the last refresh did not get every fact), or suspended (not read, because its organization has suspended it).",
			series: emitAccounts,
		},
		{
			name: "aws_iam_exporter_discovery_success_timestamp_seconds", scope: perExporter, kind: gauge,
			help:   "When the organization's accounts were last listed completely. Absent without an organization, and before the first time.",
			series: func(s *subject, emit emit) { emitTime(emit, s.view.Watchlist.Listed) },
		},
		{
			name: "aws_iam_exporter_discovery_successful", scope: perExporter, kind: gauge,
			help:   "Whether the organization's accounts were listed completely when this was last tried. Absent without an organization, and before the first try.",
			series: emitDiscovery,
		},
		{
			name: "aws_iam_account_removed_timestamp_seconds", scope: perExporter, renew: EachMinute, kind: gauge,
			labels: []string{"account_id", "reason"},
			help: "When an account ceased to be watched, and why: configuration, excluded, closed or left_organization. " +
				"For 35 days, or until it is watched again; an account that is missing without it is lost, not removed.",
			series: func(s *subject, emit emit) {
				for _, r := range s.view.Removals(s.now) {
					emitTime(emit, r.At, r.AccountID, string(r.Reason))
				}
			},
		},
		{
			name: "aws_iam_exporter_exemptions_unmatched", scope: perExporter, kind: gauge,
			help: "Exemptions in the configuration file for users that no account has, without those for accounts that are not watched here; " +
				"with --total-shards, without those for any account. Absent until that is known for each of them.",
			series: emitUnmatched,
		},
		{
			name: "aws_iam_exporter_config_last_reload_successful", scope: perExporter, kind: gauge,
			help: "Whether the last read of the configuration file succeeded; if not, the configuration before it stays in force. Absent without a file.",
			series: func(s *subject, emit emit) {
				if reload := s.view.Reload; reload.Wanted {
					emit(number(reload.Successful))
				}
			},
		},
		{
			name: "aws_iam_exporter_config_last_reload_success_timestamp_seconds", scope: perExporter, kind: gauge,
			help: "When the configuration in force was read. Absent without a file.",
			series: func(s *subject, emit emit) {
				if reload := s.view.Reload; reload.Wanted {
					emitTime(emit, reload.At)
				}
			},
		},
		calls("aws_iam_exporter_api_requests_total", "Requests sent to AWS, retries included.",
			func(c inventory.Calls) uint64 { return c.Requests }),
		calls("aws_iam_exporter_api_errors_total", "Requests to AWS that failed.",
			func(c inventory.Calls) uint64 { return c.Errors }),
		calls("aws_iam_exporter_api_throttles_total", "Requests that AWS refused because there were too many.",
			func(c inventory.Calls) uint64 { return c.Throttles }),
	}
}

// buildInfo describes the metric that client_golang's version collector serves.
func buildInfo() metric {
	return metric{
		name: "aws_iam_exporter_build_info", scope: perExporter, renew: EachScrape, kind: gauge,
		labels: []string{"branch", "goarch", "goos", "goversion", "revision", "tags", "version"},
		help:   "The version of the exporter and how it was built; value 1.",
	}
}
