//go:build mutate

package alerts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/alerts/situations"
)

// mutation is a mistake in one of the rules.
type mutation struct {
	in       string // the alert, or what is recorded
	old, new string
	// survives says why no test can tell, or need tell; empty if one must.
	survives string
}

// TestMutations makes each mistake in turn, and checks that a test of promtool fails.
//
//	make mutate-alerts
func TestMutations(t *testing.T) {
	promtool, err := filepath.Abs("../.tools/bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range mutations() {
		t.Run(fmt.Sprintf("%d %s", i+1, m.in), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mutate(t, dir, m)
			killer := ""
			for _, file := range testFiles(t, dir, m.in) {
				if exec.Command(promtool, "test", "rules", file).Run() != nil {
					killer = filepath.Base(file)
					break
				}
			}
			switch what := fmt.Sprintf("%q for %q", m.new, m.old); {
			case killer != "":
				t.Logf("%s: killed by %s", what, killer)
				if m.survives != "" {
					t.Errorf("%s: is told, though %s", what, m.survives)
				}
			case m.survives != "":
				t.Skipf("%s survives: %s", what, m.survives)
			default:
				t.Errorf("%s: no test can tell", what)
			}
		})
	}
}

// mutate copies the rules, with the mistake in them.
func mutate(t *testing.T, dir string, m mutation) {
	t.Helper()
	found := false
	for _, file := range ruleFiles() {
		text := readText(t, file)
		for _, head := range []string{"- alert: ", "- record: "} {
			_, after, has := strings.Cut(text, head+m.in+"\n")
			if !has {
				continue
			}
			rule, _, _ := strings.Cut(after, "\n      - ")
			if !strings.Contains(rule, m.old) {
				t.Fatalf("%s has no %q in it", m.in, m.old)
			}
			text = strings.Replace(text, rule, strings.ReplaceAll(rule, m.old, m.new), 1)
			found = true
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !found {
		t.Fatalf("there is no rule %s", m.in)
	}
}

// testFiles writes one file for each situation, and copies the tests that are written by
// hand. Those that speak of the rule come first: they are likely to kill.
func testFiles(t *testing.T, dir, rule string) []string {
	t.Helper()
	tests := filepath.Join(dir, "tests")
	if err := os.Mkdir(tests, 0o700); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, s := range situations.All() {
		for every, name := range situationFiles {
			if max(s.Evaluates, time.Minute) == every {
				head, _, _ := strings.Cut(readText(t, name), "\ntests:\n")
				texts[strings.ReplaceAll(s.Name, " ", "_")+".yaml"] = head + "\ntests:\n" + promtoolTest(t, &s)
			}
		}
	}
	for _, name := range []string{"findings.yaml", "recording_values.yaml", "recording_targets.yaml", "recording_fleet.yaml"} {
		texts[name] = readText(t, filepath.Join("tests", name))
	}
	var all []string
	for name, text := range texts {
		path := filepath.Join(tests, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, path)
	}
	slices.SortFunc(all, func(a, b string) int {
		speaks := func(path string) int { return strings.Count(texts[filepath.Base(path)], rule) }
		if d := min(speaks(b), 1) - min(speaks(a), 1); d != 0 {
			return d
		}
		return len(texts[filepath.Base(a)]) - len(texts[filepath.Base(b)])
	})
	return all
}

func mutations() []mutation {
	const superseded = " unless on (account_id, job, instance) aws_iam:replica_superseded"
	const suspended = `unless on (account_id) aws_iam_account_info{state=~"suspended|pending_activation|pending_closure"}`
	return []mutation{
		{in: "aws_iam:exporter_seen_timestamp_seconds", old: "35 * 86400", new: "35 * 3600"},
		{in: "aws_iam:exporter_seen_timestamp_seconds", old: "[1d]", new: "[1h]"},
		{in: "aws_iam:exporter_seen_timestamp_seconds", old: "up == 0", new: "up == 2"},
		{in: "aws_iam:exporter_seen_timestamp_seconds", old: "and on (job, instance) up == 0", new: ""},
		{in: "aws_iam:account_seen_timestamp_seconds", old: "35 * 86400", new: "35 * 3600"},
		{in: "aws_iam:account_seen_timestamp_seconds", old: "topk", new: "bottomk"},
		{
			in: "aws_iam:account_seen_timestamp_seconds", old: "or on (account_id)", new: "or",
			survives: "who served an account before is then carried for one evaluation more, and topk leaves it out of the next",
		},
		{in: "aws_iam:account_retired_timestamp_seconds", old: " + 3600", new: ""},
		{in: "aws_iam:account_retired_timestamp_seconds", old: " * 0 and", new: " and"},
		{in: "aws_iam:account_retired_timestamp_seconds", old: `state=~"suspended`, new: `state=~"active`},
		{in: "aws_iam:account_retired_timestamp_seconds", old: "last_over_time(aws_iam:account_retired_timestamp_seconds[1d]) > time() - 35 * 86400", new: "vector(1) == 2"},
		{in: "aws_iam:facts_good_until_timestamp_seconds", old: "max(", new: "min("},
		{in: "aws_iam:facts_good_until_timestamp_seconds", old: "last_over_time(aws_iam:facts_good_until_timestamp_seconds[1d])", new: "vector(1) == 2"},
		{in: "aws_iam:replica_superseded", old: "< time()", new: "> time()"},
		{in: "aws_iam:replica_superseded", old: "and on (account_id)", new: "unless on (account_id)"},
		{in: "aws_iam:replica_superseded", old: "min by", new: "max by"},
		{in: "aws_iam:replica_superseded", old: "== on (account_id)", new: "<= on (account_id)"},
		{in: "aws_iam:exporter_up", old: "up and on (job, instance) aws_iam:exporter_seen_timestamp_seconds", new: "vector(1) == 2"},
		{in: "aws_iam:exporter_up", old: `"aws[-_]iam.*"`, new: `".*aws[-_]iam.*"`},
		{in: "aws_iam:exporter_up", old: `"aws[-_]iam.*"`, new: `"aws_iam.*"`},
		{in: "aws_iam:finding_since_timestamp_seconds", old: superseded, new: ""},
		{in: "aws_iam:finding_since_timestamp_seconds", old: "max by", new: "min by"},
		{in: "aws_iam:finding_since_timestamp_seconds", old: "user_owner) (", new: "user_owner, job) ("},
		{in: "aws_iam:finding_since_timestamp_seconds", old: "or on (account_id, rule, user_name, access_key_id)", new: "or"},
		{in: "aws_iam:finding_since_timestamp_seconds", old: "or on (account_id, rule, user_name, access_key_id)", new: "or on (account_id, rule, access_key_id)"},
		{in: "aws_iam:finding_since_timestamp_seconds", old: `{user_owner=""}`, new: `{user_owner="none"}`},
		{in: "aws_iam:finding_since_timestamp_seconds", old: `{user_owner="<unknown>"}`, new: `{user_owner="unknown"}`},
		{in: "IAMKeyRotation", old: `{rule="key_rotation"}`, new: `{rule=~"key_rotation.*"}`},
		{in: "IAMKeyRotation", old: "for: 10m", new: "for: 5m"},
		{in: "IAMKeyRotation", old: "keep_firing_for: 30m", new: "keep_firing_for: 15m"},
		{in: "IAMRootAccessKey", old: "keep_firing_for: 6h", new: "keep_firing_for: 1h"},
		{in: "IAMRootAccessKeyCreated", old: "< 86400", new: "> 86400"},
		{in: "IAMRootAccessKeyCreated", old: "aws_iam_root_access_key_created_timestamp_seconds", new: `aws_iam_finding_since_timestamp_seconds{rule="root_access_key"}`},
		{in: "IAMRootAccessKeyCreated", old: superseded, new: ""},
		{in: "IAMRootAccessKeyCreated", old: "< 86400", new: "< 3600"},
		{in: "IAMExporterDown", old: "== 0", new: "== 1"},
		{in: "IAMExporterDown", old: "for: 10m", new: "for: 1h"},
		{in: "IAMExporterAbsent", old: "(aws_iam_exporter_build_info or aws_iam_account_refreshes_total)", new: "aws_iam:exporter_up"},
		{in: "IAMExporterAbsent", old: "> 0.5", new: ">= 0"},
		{in: "IAMExporterAbsent", old: " or aws_iam_account_refreshes_total", new: ""},
		{in: "IAMExporterAbsent", old: "> time()", new: "< time()"},
		{in: "IAMExporterFlapping", old: "> 3", new: "> 30"},
		{in: "IAMExporterFlapping", old: "> 5", new: "> 50"},
		{in: "IAMExporterFlapping", old: "> 3", new: "> 1"},
		{in: "IAMRefreshFailing", old: "min by", new: "max by"},
		{in: "IAMRefreshFailing", old: superseded, new: ""},
		{in: "IAMRefreshFailing", old: `reason="role"`, new: `reason="roles"`},
		{in: "IAMRefreshFailing", old: `unless on (account_id, job, instance) aws_iam_account_problems`, new: `unless on (account_id) aws_iam_account_problems`},
		{in: "IAMRoleNotAssumed", old: "reason='role'", new: "reason!='role'"},
		{in: "IAMExporterDown", old: " @ %f", new: ""},
		{in: "IAMRefreshFailing", old: `and on (account_id) aws_iam_account_facts_observed_timestamp_seconds{facts="users"}`, new: ""},
		{in: "IAMRoleNotAssumed", old: `account_id!="", reason="role"`, new: `account_id!=""`},
		{in: "IAMFactsStale", old: "< time()", new: "> time()"},
		{in: "IAMFactsStale", old: "max by (account_id, facts)", new: "min by (account_id, facts)"},
		{in: "IAMFactsStale", old: `facts!~"root|tags"`, new: `facts!~"root"`},
		{in: "IAMFactsStale", old: "or on (account_id)", new: "or"},
		{in: "IAMAccountNeverRead", old: suspended, new: ""},
		{in: "IAMAccountNeverRead", old: "max by (job, instance)", new: "max by (job)"},
		{in: "IAMAccountLost", old: ">= on", new: "<= on"},
		{in: "IAMAccountLost", old: "unless on (account_id) aws_iam_account_info", new: ""},
		{in: "IAMAccountRemoved", old: "86400", new: "864000"},
		{in: "IAMAccountRemoved", old: "unless on (account_id) aws_iam_account_info", new: ""},
		{in: "IAMReplicaStale", old: "count by", new: "sum by"},
		{in: "IAMOrganizationNotListed", old: "6 * 3600", new: "6 * 60"},
		{in: "IAMOrganizationShrunk", old: "> 0.1", new: "> 0.01"},
		{in: "IAMOrganizationShrunk", old: "> 1\n", new: "> 0\n"},
		{in: "IAMOrganizationShrunk", old: `reason!="configuration"`, new: `reason=~".+"`},
		{in: "IAMThrottled", old: "sum by", new: "max by"},
		{in: "IAMThrottled", old: "> 0.05", new: "> 0.01"},
		{in: "IAMThrottled", old: "[12h]", new: "[1h]"},
		{in: "IAMThrottled", old: "for: 2h", new: "for: 1h"},
		{in: "IAMVerdictsUnknown", old: "min by", new: "max by"},
		{in: "IAMVerdictsUnknown", old: suspended, new: ""},
		{in: "IAMHiddenViolations", old: `rule!="key_rotation_due", `, new: ""},
		{in: "IAMHiddenViolations", old: "* 0", new: "* 1"},
		{in: "IAMHiddenViolations", old: "max by (account_id, rule) (\n            aws_iam_account_verdicts", new: "min by (account_id, rule) (\n            aws_iam_account_verdicts"},
		{in: "IAMHiddenViolations", old: "max by (account_id, rule) (\n              count", new: "min by (account_id, rule) (\n              count"},
		{in: "IAMReportUnusable", old: "for: 4h", new: "for: 1h"},
		{in: "IAMOrganizationNotListed", old: "and on (job, instance) aws_iam_exporter_discovery_successful == 0", new: ""},
		{in: "IAMStateNotKept", old: "for: 3h", new: "for: 1h"},
		{in: "IAMStateNotKept", old: "min by", new: "max by"},
		{in: "IAMExemptionEnding", old: "7 * 86400", new: "7 * 3600"},
		{in: "IAMExemptionEnding", old: "> 0 ", new: ""},
		{in: "IAMExemptionEnded", old: "max by", new: "min by"},
		{in: "IAMExemptionUnmatched", old: "> 0", new: ">= 0"},
		{in: "IAMRuleEvaluationFailing", old: ".*aws_iam.*", new: ".*"},
		{in: "IAMRuleEvaluationFailing", old: "(cortex_)?", new: ""},
		{in: "account:aws_iam_account_users", old: "max by", new: "sum by"},
		{in: "account:aws_iam_account_users", old: "> time()", new: "< time()"},
		{in: "account:aws_iam_account_access_keys", old: `facts=~"users|keys"`, new: `facts="users"`},
		{
			in: "account:aws_iam_account_verdicts", old: `rule!~"root_access_key|root_user_without_mfa"`, new: `rule!~"root_access_key"`,
			survives: "promtool sees no second rule about root; TestRootRulesAreRecordedByTheirFacts tells",
		},
		{in: "account:aws_iam_account_up", old: "max by", new: "min by"},
		{in: "fleet:aws_iam_account_users:sum", old: "sum(", new: "max("},
		{in: "fleet:aws_iam_account_verdicts:sum", old: "rule, verdict", new: "verdict"},
		{in: "fleet:aws_iam_account_verdicts:count", old: "(account_id, rule)", new: "(account_id, rule, verdict)"},
		{in: "fleet:aws_iam_account_access_keys:count", old: "(group by (account_id)", new: "(group by (account_id, age_band)"},
	}
}
