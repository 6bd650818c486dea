package alerts

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the manifest for the Prometheus Operator")

const manifestFile = "prometheusrule.yaml"

const manifestHead = `# Written by make docs from aws_iam.rules.yaml and aws_iam.recording.rules.yaml,
# which explain themselves. docs/alerting.md says how to load it with another label
# or other links.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: aws-iam-exporter
  labels:
    app.kubernetes.io/name: aws-iam-exporter
    release: kube-prometheus-stack # that chart loads only what has its release's name here
spec:
  groups:
`

// manifest puts the groups of all rule files, comments and all, into one object.
func manifest(t *testing.T) string {
	t.Helper()
	text := manifestHead
	for _, file := range ruleFiles() {
		_, groups, found := strings.Cut(readText(t, file), "\ngroups:\n")
		if !found {
			t.Fatalf("%s has no line %q", file, "groups:")
		}
		for line := range strings.Lines(groups) {
			if line != "\n" {
				line = "  " + line
			}
			text += line
		}
		text += "\n"
	}
	return strings.TrimSuffix(text, "\n")
}

func ruleFiles() []string { return []string{alertFile, "aws_iam.recording.rules.yaml"} }

// TestManifest holds the manifest to the rule files.
func TestManifest(t *testing.T) {
	want := manifest(t)
	if *update {
		if err := os.WriteFile(manifestFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, readText(t, manifestFile)); diff != "" {
		t.Errorf("%s is out of date; run make docs: -want +got:\n%s", manifestFile, diff)
	}
}

// TestManifestMeansTheSame reads it as a cluster would.
func TestManifestMeansTheSame(t *testing.T) {
	var want []any
	for _, file := range ruleFiles() {
		var rules struct{ Groups []any }
		parseYAML(t, file, &rules)
		want = append(want, rules.Groups...)
	}
	var got struct {
		Kind string
		Spec struct{ Groups []any }
	}
	parseYAML(t, manifestFile, &got)
	if diff := cmp.Diff(want, got.Spec.Groups); diff != "" || got.Kind != "PrometheusRule" {
		t.Errorf("kind %q, groups: -want +got:\n%s", got.Kind, diff)
	}
}
