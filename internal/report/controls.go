package report

import "github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"

// FailByDefault returns the rules whose violations count for the exit code unless
// others are named: all but early warnings.
func FailByDefault(rules []policy.Rule) []policy.Rule {
	var fail []policy.Rule
	for _, rule := range rules {
		if rule.Severity() != policy.Low {
			fail = append(fail, rule)
		}
	}
	return fail
}

// Control is a control of a standard that a rule answers.
type Control struct {
	Standard string `json:"standard"`
	ID       string `json:"id"`
}

// String names the standard and the control.
func (c Control) String() string { return c.Standard + ": " + c.ID }

// Standards returns the standards in the order of the table in docs/compliance.md.
func Standards() []string {
	return []string{
		"CIS 1.2", "CIS 1.3", "CIS 1.4 to 3.0", "CIS 4.0.1", "CIS 5.0", "CIS 6.0", "CIS 7.0", "Security Hub",
		"PCI DSS 4", "NIST 800-53", "OWASP NHI",
	}
}

// controls holds the ids in the order of Standards; empty where a standard has none.
// A test holds it to the tables in docs/compliance.md.
func controls() map[policy.Rule][11]string {
	return map[policy.Rule][11]string{
		"multiple_active_keys":          {"", "1.13", "1.13", "1.13", "1.12", "2.12", "", "", "", "AC-2", "NHI7:2025"},
		"console_user_with_active_keys": {"", "", "", "", "", "", "", "", "8.6.1", "AC-2", "NHI10:2025"},
		"key_created_at_user_setup":     {"1.21", "1.11", "1.11", "1.11", "1.10", "2.10", "", "", "8.6.1", "AC-2", "NHI10:2025"},
		"console_key_never_used":        {"1.21", "1.11", "1.11", "1.11", "1.10", "2.10", "", "", "8.2.6", "AC-2(3)", "NHI10:2025"},
		"key_rotation":                  {"1.4", "1.14", "1.14", "1.14", "1.13", "2.13", "2.12", "IAM.3", "8.6.3", "AC-2(1)", "NHI7:2025"},
		"key_rotation_due":              {},
		"key_unused":                    {"1.3", "1.12", "1.12", "1.12", "1.11", "2.11", "2.11", "IAM.22", "8.2.6", "AC-2(3)", "NHI1:2025"},
		"root_access_key":               {"1.12", "1.4", "1.4", "1.4", "1.3", "2.3", "2.4", "IAM.4", "8.2.2", "AC-6(2)", "NHI5:2025"},
		"console_user_without_mfa":      {"1.2", "1.10", "1.10", "1.10", "1.9", "2.9", "2.10", "IAM.5", "8.4.2", "IA-2(1)", ""},
		"password_unused":               {"1.3", "1.12", "1.12", "1.12", "1.11", "2.11", "2.11", "IAM.22", "8.2.6", "AC-2(3)", ""},
		"root_user_without_mfa":         {"1.13", "1.5", "1.5", "1.5", "1.4", "2.4", "2.5", "IAM.9", "8.4.2", "IA-2(1)", ""},
	}
}

// Controls returns the controls that the rule answers; none for a rule that no
// standard asks for.
func Controls(rule policy.Rule) []Control {
	all := []Control{}
	ids := controls()[rule]
	for i, standard := range Standards() {
		if ids[i] != "" {
			all = append(all, Control{standard, ids[i]})
		}
	}
	return all
}
