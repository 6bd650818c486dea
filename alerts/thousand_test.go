//go:build e2e

package alerts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/alerts/situations"
)

// TestAlertsOfAThousandAccounts has promtool evaluate a situation that is too large to be
// kept in a file: two exporters with 500 accounts each, of which one dies.
func TestAlertsOfAThousandAccounts(t *testing.T) {
	s := situations.Thousand()
	path, err := filepath.Abs("aws_iam.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "thousand.yaml")
	text := fmt.Sprintf("rule_files: [%s]\nevaluation_interval: 5m\ngroup_eval_order: [aws_iam_memory, aws_iam_findings, aws_iam_exporter, aws_iam_watching]\ntests:\n", path) + promtoolTest(t, &s)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, err := exec.Command(tools+"promtool", "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %.3000s", err, out)
	}
	t.Logf("promtool took %s", time.Since(began).Round(time.Millisecond))
}
