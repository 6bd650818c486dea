package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/util/yaml"
	yamls "sigs.k8s.io/yaml"
)

const repository = "../.."

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rendered is what a configuration makes of the mixin, by the name of the file.
func rendered(t *testing.T, config string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.jsonnet")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "new", "folder")
	if err := run([]string{"-repository", repository, "-config", file, "-out", out}, io.Discard); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(out, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files
}

// documents reads YAML of one or more documents, or JSON.
func documents(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	for decoder := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		document, err := decoder.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yamls.UnmarshalStrict(document, &v); err != nil {
			t.Fatal(err)
		}
		if v != nil {
			all = append(all, v)
		}
	}
}

// shipped maps what the mixin renders to the file that it comes from.
func shipped() map[string]string {
	return map[string]string{
		"aws_iam.rules.yaml":           "alerts/aws_iam.rules.yaml",
		"aws_iam.recording.rules.yaml": "alerts/aws_iam.recording.rules.yaml",
		"aws-iam-compliance.json":      "dashboards/compliance.json",
		"aws-iam-users.json":           "dashboards/users.json",
		"aws-iam-exporter.json":        "dashboards/exporter.json",
		"aws-iam-prometheusrule.yaml":  "alerts/prometheusrule.yaml",
		"aws-iam-podmonitor.yaml":      "deploy/kubernetes/operator/podmonitor.yaml",
		"aws-iam-dashboards.yaml":      "dashboards/configmaps.yaml",
	}
}

// TestMixinIsWhatShips checks that without a configuration nothing is lost or changed
// on the way, and that no file with rules or dashboards is left out.
func TestMixinIsWhatShips(t *testing.T) {
	files := rendered(t, "{}")
	if len(files) != len(shipped()) {
		t.Errorf("got %d files, want %d", len(files), len(shipped()))
	}
	var sources []string
	for name, source := range shipped() {
		sources = append(sources, source)
		if diff := cmp.Diff(documents(t, read(t, source)), documents(t, files[name]), textsOfJSON()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	for _, pattern := range []string{"alerts/*.rules.yaml", "dashboards/*.json"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("find %s: %v, %d files", pattern, err, len(found))
		}
		for _, file := range found {
			if source, err := filepath.Rel(repository, file); err != nil || !slices.Contains(sources, filepath.ToSlash(source)) {
				t.Errorf("the mixin leaves out %s", file)
			}
		}
	}
}

// textsOfJSON compares the dashboards that ConfigMaps hold by what they mean.
func textsOfJSON() cmp.Option {
	return cmp.FilterValues(
		func(a, b string) bool { return strings.HasPrefix(a, "{\n") && strings.HasPrefix(b, "{\n") },
		cmp.Transformer("JSON", func(text string) (v any) {
			if json.Unmarshal([]byte(text), &v) != nil {
				return []byte(text)
			}
			return v
		}),
	)
}

// TestConfiguration checks that each field changes what it says it does,
// everywhere, and nothing else.
func TestConfiguration(t *testing.T) {
	before := rendered(t, "{}")
	for _, test := range []struct {
		name, config string
		gone, come   string // patterns
		where        []string
	}{
		{
			"selector", `{selector: 'job="prod/keys"'}`, `aws\[-_\]iam`, `job=\\?"prod/keys\\?"`,
			[]string{"aws_iam.rules.yaml", "aws-iam-prometheusrule.yaml", "aws-iam-compliance.json", "aws-iam-users.json", "aws-iam-exporter.json", "aws-iam-dashboards.yaml"},
		},
		{
			"runbooks", `{runbookURL: 'https://wiki.example/runbooks'}`, `github\.com/aws-iam-exporter/\S+/runbooks\.md`, `https://wiki\.example/runbooks\W`,
			[]string{"aws_iam.rules.yaml", "aws-iam-prometheusrule.yaml", "aws-iam-users.json", "aws-iam-dashboards.yaml"},
		},
		{
			"Grafana", `{grafanaURL: 'https://grafana.example'}`, `localhost:3000`, `https://grafana\.example/d/aws-iam-`,
			[]string{"aws_iam.rules.yaml", "aws-iam-prometheusrule.yaml"},
		},
		{
			"severities", `{severities: {critical: 'page'}}`, `severity: critical`, `severity: page`,
			[]string{"aws_iam.rules.yaml", "aws-iam-prometheusrule.yaml"},
		},
		{
			"severity of an alert", `{severities: {info: 'note'}, alertSeverities: {IAMKeyRotationDue: 'soon'}}`, `severity: info`, `severity: soon`,
			[]string{"aws_iam.rules.yaml", "aws-iam-prometheusrule.yaml"},
		},
		{
			"labels of alerts", `{alertLabels: {team: 'identity'}}`, ``, `labels:\n +severity: \w+\n +team: identity`,
			[]string{"aws_iam.rules.yaml", "aws-iam-prometheusrule.yaml"},
		},
		{
			"labels of manifests", `{manifestLabels: {release: 'monitoring'}}`, `release: kube-prometheus-stack`, `  release: monitoring`,
			[]string{"aws-iam-prometheusrule.yaml", "aws-iam-podmonitor.yaml", "aws-iam-dashboards.yaml"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			gone, come := regexp.MustCompile(test.gone), regexp.MustCompile(test.come)
			for name, text := range rendered(t, test.config) {
				if want := slices.Contains(test.where, name); (text != before[name]) != want {
					t.Errorf("%s: changed: %t, want %t", name, !want, want)
				} else if want && !come.MatchString(text) {
					t.Errorf("%s: nothing is %s", name, come)
				}
				if test.gone != "" && gone.MatchString(text) {
					t.Errorf("%s: still has %q", name, gone.FindString(text))
				}
				if come.MatchString(before[name]) {
					t.Errorf("%s: had %s already", name, come)
				}
				if strings.Contains(name, ".rules.") {
					checkRules(t, name, text)
				}
			}
		})
	}
}

// TestUnknownField checks that a misspelt field is an error that names it.
func TestUnknownField(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"a field", `{runbookUrl: 'https://wiki.example'}`, "there is no field runbookUrl, but alertLabels"},
		{"no Jsonnet", `{`, "read the configuration of the mixin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.jsonnet")
			if err := os.WriteFile(file, []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := render(repository, file); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestExamples runs the Jsonnet of docs/alerting.md: what is nothing but an object is a
// configuration, everything else a program that imports the mixin.
func TestExamples(t *testing.T) {
	examples := regexp.MustCompile("```jsonnet\n((?s:.*?))```").FindAllStringSubmatch(read(t, "docs/alerting.md"), -1)
	if len(examples) != 2 {
		t.Fatalf("docs/alerting.md has %d examples, want 2", len(examples))
	}
	before := rendered(t, "{}")
	for _, example := range examples {
		if strings.HasPrefix(example[1], "{") {
			if diff := cmp.Diff(before, rendered(t, example[1])); diff == "" {
				t.Error("the configuration changes nothing")
			}
			continue
		}
		vm := jsonnet.MakeVM()
		vm.Importer(&jsonnet.FileImporter{JPaths: []string{repository}})
		files, err := vm.EvaluateAnonymousSnippetMulti("docs/alerting.md", example[1])
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 5 || !strings.Contains(files["prometheus-alerts.json"], "https://grafana.example/d/") {
			t.Errorf("got %d files, want five, with links to the Grafana of the example", len(files))
		}
	}
}

// TestGroupsFitMimir counts rules: Mimir and Grafana Cloud refuse a group with more
// than twenty, unless their limits are raised.
func TestGroupsFitMimir(t *testing.T) {
	const most = 20
	for name, text := range rendered(t, "{}") {
		if !strings.Contains(name, ".rules.") {
			continue
		}
		for _, group := range checkRules(t, name, text) {
			if len(group.Rules) > most {
				t.Errorf("%s: got %d rules in the group %s, want at most %d", name, len(group.Rules), group.Name, most)
			}
		}
	}
}

// checkRules reads rules as Prometheus does when it loads them.
func checkRules(t *testing.T, name, text string) []rulefmt.RuleGroup {
	t.Helper()
	rules, errs := rulefmt.Parse([]byte(text), false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Errorf("%s: %v", name, err)
	}
	if rules == nil {
		return nil
	}
	return rules.Groups
}
