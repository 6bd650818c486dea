package dashboards

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "rewrite the dashboards and their manifest")

const (
	shipped      = "../../dashboards/"
	manifestFile = shipped + "configmaps.yaml"
)

// TestFiles holds the files to the code.
func TestFiles(t *testing.T) {
	want := map[string]string{manifestFile: manifest(t)}
	for name, d := range All() {
		want[shipped+name] = encode(t, d)
	}
	for name, content := range want {
		if *update {
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(content, readText(t, name)); diff != "" {
			t.Errorf("%s is out of date; run make docs: -want +got:\n%s", name, diff)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const manifestHead = `# Written by make docs from the dashboards beside it. The label is what the
# sidecar of Grafana's Helm chart looks for; yours may look for another one.
`

type configMap struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   map[string]any    `yaml:"metadata"`
	Data       map[string]string `yaml:"data"`
}

// manifest holds each dashboard in an object of its own, as Kubernetes limits
// the size of one.
func manifest(t *testing.T) string {
	t.Helper()
	text := manifestHead
	all := All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		object, err := yaml.Marshal(configMap{
			APIVersion: "v1", Kind: "ConfigMap",
			Metadata: map[string]any{
				"name":   "grafana-dashboard-" + all[name].UID,
				"labels": map[string]string{"grafana_dashboard": "1", "app.kubernetes.io/name": "aws-iam-exporter"},
			},
			Data: map[string]string{all[name].UID + ".json": encode(t, all[name])},
		})
		if err != nil {
			t.Fatal(err)
		}
		text += "---\n" + string(object)
	}
	return text
}

// TestManifestMeansTheSame reads it as a cluster would.
func TestManifestMeansTheSame(t *testing.T) {
	want, got := map[string]string{}, map[string]string{}
	for name, d := range All() {
		want[d.UID+".json"] = readText(t, shipped+name)
	}
	decoder := yaml.NewDecoder(strings.NewReader(readText(t, manifestFile)))
	for {
		var object configMap
		if err := decoder.Decode(&object); err != nil {
			break
		}
		maps.Copy(got, object.Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -dashboards +objects:\n%s", manifestFile, diff)
	}
}
