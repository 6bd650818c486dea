package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// openMetrics is for a textfile collector. All of it are gauges, and so it is the
// older text format of Prometheus as well. No name is one that the exporter serves.
func (r *Report) openMetrics() []byte {
	m := &metrics{}
	m.family("aws_iam_check_last_run_timestamp_seconds", "When the check ran.")
	m.add(float64(r.CheckedAt.Unix()))
	m.family("aws_iam_check_exit_code", "Exit code of the check: 0 compliant, 1 violations, 2 could not tell.")
	m.add(float64(r.Summary.ExitCode))
	m.family("aws_iam_check_build_info", "Version of the program that checked.")
	m.add(1, "version", r.Version)
	m.family("aws_iam_check_limit_info", "Limits in force for each class.")
	for _, l := range r.Limits {
		for _, limit := range l.limits.All() {
			m.add(1, "class", l.Class, "limit", limit.Name, "value", policy.InDays(limit.Value))
		}
	}
	m.family("aws_iam_check_account_complete", "Whether everything about the account could be read.")
	for i := range r.Accounts {
		a := &r.Accounts[i]
		m.add(oneIf(len(a.Gaps) == 0 && a.Skipped == ""), "account_id", a.ID, "account_name", a.Name)
	}
	m.family("aws_iam_check_facts_observed_timestamp_seconds", "When the oldest facts of each group were observed.")
	for i := range r.Accounts {
		for _, group := range inventory.Groups() {
			if at := r.Accounts[i].Observed[group]; !at.IsZero() {
				m.add(float64(at.Unix()), "account_id", r.Accounts[i].ID, "facts", string(group))
			}
		}
	}
	m.family("aws_iam_check_input_info", "Files that were read.")
	for i := range r.Accounts {
		if input := r.Accounts[i].Input; input != nil {
			m.add(1, "account_id", r.Accounts[i].ID, "file", input.File, "sha256", input.SHA256)
		}
	}
	m.results(r)
	m.text.WriteString("# EOF\n")
	return []byte(m.text.String())
}

func (m *metrics) results(r *Report) {
	m.family("aws_iam_check_verdicts", "Number of subjects with each verdict.")
	for i := range r.Accounts {
		for _, c := range r.Accounts[i].Counts {
			for _, one := range []struct {
				verdict policy.Verdict
				n       int
			}{
				{policy.Compliant, c.Compliant}, {policy.Violation, c.Violation}, {policy.Exempted, c.Exempted}, {policy.Unknown, c.Unknown},
			} {
				m.add(float64(one.n), "account_id", r.Accounts[i].ID, "rule", string(c.Rule), "verdict", string(one.verdict))
			}
		}
	}
	m.family("aws_iam_check_finding_since_timestamp_seconds", "When each violation began that is not exempted; NaN if nothing tells. None about users without series of their own.")
	for i := range r.Results {
		if f := &r.Results[i]; f.Verdict == policy.Violation && !f.hidden {
			m.add(began(f.Since), "access_key_id", f.AccessKeyID, "account_id", f.AccountID, "rule", string(f.Rule), "user_name", f.UserName, "user_owner", f.Owner)
		}
	}
	m.family("aws_iam_check_rule_info", "Controls that each rule answers.")
	for _, rule := range r.Rules {
		for _, c := range rule.Controls {
			m.add(1, "control", c.ID, "rule", string(rule.Name), "standard", c.Standard)
		}
	}
}

// began is a beginning as a timestamp.
func began(since time.Time) float64 {
	if since.IsZero() {
		return math.NaN()
	}
	return float64(since.Unix())
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// metrics is a text of metrics being written.
type metrics struct {
	text strings.Builder
	name string
}

func (m *metrics) family(name, help string) {
	m.name = name
	fmt.Fprintf(&m.text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

// add adds a sample with labels, given as name and value in turn. Empty ones are
// left out.
func (m *metrics) add(value float64, labels ...string) {
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		if labels[i+1] != "" {
			pairs = append(pairs, labels[i]+`="`+labelQuoted(labels[i+1])+`"`)
		}
	}
	m.text.WriteString(m.name)
	if len(pairs) > 0 {
		m.text.WriteString("{" + strings.Join(pairs, ",") + "}")
	}
	fmt.Fprintf(&m.text, " %.0f\n", value)
}

func labelQuoted(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(value, "\uFFFD"))
}
