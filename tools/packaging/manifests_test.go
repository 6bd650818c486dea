package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are the files that kubectl is told to apply.
func manifests(t *testing.T) []string {
	t.Helper()
	files := []string{"alerts/prometheusrule.yaml", "dashboards/configmaps.yaml"}
	for _, pattern := range []string{"deploy/kubernetes/*.yaml", "deploy/kubernetes/*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("find %s: %v, %d files", pattern, err, len(found))
		}
		for _, file := range found {
			name, err := filepath.Rel(repository, file)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(name) != "kustomization.yaml" {
				files = append(files, filepath.ToSlash(name))
			}
		}
	}
	return files
}

// typeOf returns an empty object of a kind.
func typeOf(kind string) any {
	switch kind {
	case "monitoring.coreos.com/v1 PodMonitor":
		return new(monitoring.PodMonitor)
	case "monitoring.coreos.com/v1 PrometheusRule":
		return new(monitoring.PrometheusRule)
	case "apps/v1 StatefulSet":
		return new(apps.StatefulSet)
	case "v1 ConfigMap":
		return new(core.ConfigMap)
	case "v1 Service":
		return new(core.Service)
	case "v1 ServiceAccount":
		return new(core.ServiceAccount)
	}
	return nil
}

// objects reads a file as its objects' own types, which must have every field.
func objects(t *testing.T, name, text string) []any {
	t.Helper()
	var all []any
	for _, document := range documents(t, text) {
		raw, err := yaml.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		var kind meta.TypeMeta
		if err := yaml.Unmarshal(raw, &kind); err != nil {
			t.Fatal(err)
		}
		object := typeOf(kind.APIVersion + " " + kind.Kind)
		if object == nil {
			t.Errorf("%s: no type for %s %s", name, kind.APIVersion, kind.Kind)
			continue
		}
		if err := yaml.UnmarshalStrict(raw, object); err != nil {
			t.Errorf("%s: %s: %v", name, kind.Kind, err)
			continue
		}
		all = append(all, object)
	}
	return all
}

// TestManifests holds what kubectl is told to apply to the operator's and
// Kubernetes' types, and so what the mixin makes of it.
func TestManifests(t *testing.T) {
	for _, file := range manifests(t) {
		if len(objects(t, file, read(t, file))) == 0 {
			t.Errorf("%s has no objects", file)
		}
	}
	for name, text := range rendered(t, `{manifestLabels: {release: 'x'}, alertLabels: {team: 'y'}}`) {
		if strings.Contains(text, "apiVersion: ") {
			objects(t, name, text)
		}
	}
}

// TestWrongManifests checks that the types find mistakes.
func TestWrongManifests(t *testing.T) {
	file := "deploy/kubernetes/operator/podmonitor.yaml"
	for _, test := range []struct{ name, old, new string }{
		{"a field", "scrapeTimeout:", "scrape_timeout:"},
		{"a field of a list", "targetLabel:", "target_label:"},
		{"a type", "interval: 1m", "interval: [1m]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(read(t, file), test.old, test.new, 1)
			if err := yaml.UnmarshalStrict([]byte(text), new(monitoring.PodMonitor)); err == nil {
				t.Error("got no error")
			}
		})
	}
}

// TestRulesOfTheOperator reads the rules of the object as Prometheus gets them from
// the operator.
func TestRulesOfTheOperator(t *testing.T) {
	for _, object := range objects(t, "", read(t, "alerts/prometheusrule.yaml")) {
		text, err := yaml.Marshal(object.(*monitoring.PrometheusRule).Spec)
		if err != nil {
			t.Fatal(err)
		}
		checkRules(t, "prometheusrule.yaml", string(text))
	}
}

// TestPodMonitor checks that it finds the pods of the StatefulSet and their port, and
// that the job's name is one that the rules look for.
func TestPodMonitor(t *testing.T) {
	var monitor *monitoring.PodMonitor
	for _, object := range objects(t, "", read(t, "deploy/kubernetes/operator/podmonitor.yaml")) {
		monitor = object.(*monitoring.PodMonitor)
	}
	selector, err := meta.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	pods := 0
	for _, object := range objects(t, "", read(t, "deploy/kubernetes/organization.yaml")) {
		set, ok := object.(*apps.StatefulSet)
		if !ok {
			continue
		}
		pods++
		if !selector.Matches(labels.Set(set.Spec.Template.Labels)) {
			t.Errorf("%s does not select pods with %v", selector, set.Spec.Template.Labels)
		}
		if port := set.Spec.Template.Spec.Containers[0].Ports[0].Name; *monitor.Spec.PodMetricsEndpoints[0].Port != port {
			t.Errorf("got port %s, want %s", *monitor.Spec.PodMetricsEndpoints[0].Port, port)
		}
	}
	if pods != 1 {
		t.Errorf("got %d StatefulSets, want one", pods)
	}
	job := ""
	for _, relabel := range monitor.Spec.PodMetricsEndpoints[0].RelabelConfigs {
		if relabel.TargetLabel == "job" {
			job = *relabel.Replacement
		}
	}
	wanted := regexp.MustCompile(`job=~"([^"]+)"`).FindAllStringSubmatch(read(t, "alerts/aws_iam.rules.yaml"), -1)
	if len(wanted) == 0 {
		t.Error("no rule asks for a job by its name")
	}
	for _, pattern := range wanted {
		if !regexp.MustCompile("^(?:" + pattern[1] + ")$").MatchString(job) {
			t.Errorf("got the job %q, which is no %s", job, pattern[1])
		}
	}
}

// TestKustomization builds what kubectl apply -k applies: every object that an operator
// needs, as it stands in its file, all with the label by which kube-prometheus-stack selects.
func TestKustomization(t *testing.T) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join(repository, "deploy/kubernetes/operator"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	for _, file := range []string{"alerts/prometheusrule.yaml", "dashboards/configmaps.yaml", "deploy/kubernetes/operator/podmonitor.yaml"} {
		for _, object := range objects(t, file, read(t, file)) {
			o := object.(meta.Object)
			if release := o.GetLabels()["release"]; release != releaseOfChart && !strings.HasPrefix(file, "dashboards/") {
				t.Errorf("%s: got the release %q, want %q", file, release, releaseOfChart)
			}
			o.GetLabels()["release"] = releaseOfChart
			want[o.GetName()+" "+fmt.Sprintf("%T", o)] = object
		}
	}
	got := map[string]any{}
	for _, object := range objects(t, "kustomization", string(text)) {
		got[object.(meta.Object).GetName()+" "+fmt.Sprintf("%T", object)] = object
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// releaseOfChart is the label that kube-prometheus-stack selects by if it is installed
// under its own name.
const releaseOfChart = "kube-prometheus-stack"
