package policy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// TestRunbooks checks that there is a runbook where each rule says, and that alerts
// lead to the same.
func TestRunbooks(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile("../../alerts/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	runbooks, alerts := strings.ToLower(read("runbooks.md")), read("aws_iam.rules.yaml")
	for _, rule := range policy.Rules() {
		_, anchor, found := strings.Cut(rule.Runbook(), "#")
		if !found || !strings.Contains(runbooks, "\n## "+anchor+"\n") {
			t.Errorf("%s: runbooks.md has no heading for %s", rule, rule.Runbook())
		}
		if !strings.Contains(alerts, "runbook_url: "+rule.Runbook()+"\n") {
			t.Errorf("%s: no alert leads to %s", rule, rule.Runbook())
		}
		if rule.Title() == "" || len(rule.Title()) > 32 {
			t.Errorf("%s: got title %q, want a few words", rule, rule.Title())
		}
	}
}
