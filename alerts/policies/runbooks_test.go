package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// entries returns the parts of each alert's entry in the runbooks, in their order.
func entries(runbooks string) map[string][]string {
	all := map[string][]string{}
	for _, section := range strings.Split(runbooks, "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(name, "IAM") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^\*\*(Meaning|Verify|Fix|Back out|Prevent|Exempt|Look at|Causes|Cure)\b`).FindAllStringSubmatch(body, -1) {
			all[name] = append(all[name], m[1])
		}
	}
	return all
}

// TestEntriesAreWhole finds entries that lack a part. Entries about findings have
// other parts than those about the exporter.
func TestEntriesAreWhole(t *testing.T) {
	finding := []string{"Meaning", "Verify", "Fix", "Back out", "Prevent", "Exempt"}
	trouble := []string{"Meaning", "Look at", "Causes", "Cure"}
	findings := 0
	for name, parts := range entries(read(t, "../runbooks.md")) {
		want := trouble
		if slices.Contains(parts, "Verify") {
			want, findings = finding, findings+1
		}
		if diff := cmp.Diff(want, parts); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if rules := len(policy.Rules()); findings != rules {
		t.Errorf("got entries for %d findings, want one for each of the %d rules", findings, rules)
	}
}

// TestExemptionsInRunbooks reads the examples as the exporter would.
func TestExemptionsInRunbooks(t *testing.T) {
	examples := regexp.MustCompile("```yaml\n((?s:.*?))```").FindAllStringSubmatch(read(t, "../runbooks.md"), -1)
	if len(examples) == 0 {
		t.Fatal("runbooks.md has no examples of exemptions")
	}
	for i, example := range examples {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			c, err := config.Parse("runbooks.md", []byte(example[1]), config.Defaults{Limits: policy.DefaultLimits()})
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Policy.Exemptions) != 1 {
				t.Errorf("got %d exemptions, want one", len(c.Policy.Exemptions))
			}
		})
	}
}
