//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// TestManPage has groff format the manual page, and warn of everything that it can
// warn of.
func TestManPage(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("there is no groff here; the page itself is held to a golden file by the unit tests")
	}
	cmd := exec.CommandContext(t.Context(), groff, "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=100n")
	cmd.Stdin = strings.NewReader(string(run(t, nil, exporterBinary, "--help-man")))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	page, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("groff ends with %v and says:\n%s", err, &stderr)
	}
	for _, want := range []string{
		"\nNAME\n       aws_iam_exporter - Prometheus exporter for the access keys of AWS IAM users\n",
		"\n       aws_iam_exporter check-config [flags] FILE\n",
		"\n       --[no-]demo\n", "\nENVIRONMENT\n", "\nFILES\n       ~/.aws/config, ~/.aws/credentials\n", "\nEXIT STATUS\n",
		"\n              aws_iam_exporter iam-policy --iam.source=report\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
