// Package kubernetes has no code: its tests hold the manifests to the program.
package kubernetes

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/app"
)

// object is what the manifest may say, as far as this matters here.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		ServiceName string `yaml:"serviceName"`
		Replicas    int
		Selector    yaml.Node
		Ports       []struct{ Port int }
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				ServiceAccountName string `yaml:"serviceAccountName"`
				Containers         []struct {
					Args  []string
					Ports []struct {
						ContainerPort int `yaml:"containerPort"`
					}
				}
			}
		}
	}
}

func objects(t *testing.T) map[string]object {
	t.Helper()
	text, err := os.ReadFile("organization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]object{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[o.Kind] = o
	}
}

// TestNames checks that the objects find each other.
func TestNames(t *testing.T) {
	all := objects(t)
	set := all["StatefulSet"]
	if got, want := set.Spec.ServiceName, all["Service"].Metadata.Name; got != want || got == "" {
		t.Errorf("got serviceName %q, want that of the Service, %q", got, want)
	}
	if got, want := set.Spec.Template.Spec.ServiceAccountName, all["ServiceAccount"].Metadata.Name; got != want || got == "" {
		t.Errorf("got serviceAccountName %q, want that of the ServiceAccount, %q", got, want)
	}
}

// TestArguments checks that the flags exist, that each pod has a shard, and that no
// shard is without a pod.
func TestArguments(t *testing.T) {
	set := objects(t)["StatefulSet"]
	containers := set.Spec.Template.Spec.Containers
	if len(containers) != 1 {
		t.Fatalf("got %d containers, want one", len(containers))
	}
	flags, err := app.Flags()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	port := ""
	for _, f := range flags {
		names = append(names, f.Name)
		if f.Name == "web.listen-address" {
			port = strings.TrimPrefix(f.Default[0], ":")
		}
	}
	given := map[string]string{}
	for _, arg := range containers[0].Args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if given[name] = value; !slices.Contains(names, name) {
			t.Errorf("there is no flag --%s", name)
		}
	}
	if got := given["total-shards"]; got != strconv.Itoa(set.Spec.Replicas) || given["shard"] != "auto" {
		t.Errorf("got --shard=%s --total-shards=%s for %d replicas, want auto and as many", given["shard"], got, set.Spec.Replicas)
	}
	if got := containers[0].Ports[0].ContainerPort; strconv.Itoa(got) != port {
		t.Errorf("got port %d, want the default, %s", got, port)
	}
}

// TestCommands holds the names in the documents' kubectl commands to the manifest.
func TestCommands(t *testing.T) {
	all := objects(t)
	set := all["StatefulSet"]
	name := set.Metadata.Name
	known := []string{
		name, "statefulset/" + name, all["ServiceAccount"].Metadata.Name, // the ConfigMap has the name, too
		name + "-0", "app.kubernetes.io/name=" + set.Spec.Template.Metadata.Labels["app.kubernetes.io/name"],
	}
	namespace := regexp.MustCompile(`-n (\S+)`)
	names := regexp.MustCompile(`[\w./=-]*aws-iam-exporter[\w.-]*`)
	commands := 0
	for _, file := range []string{"alerts/runbooks.md", "docs/alerting.md", "docs/organization.md"} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			_, command, found := strings.Cut(line, "kubectl ")
			if !found || strings.Contains(line, "`") {
				continue
			}
			commands++
			if n := namespace.FindStringSubmatch(command); n != nil && n[1] != "aws-iam" {
				t.Errorf("%s: got the namespace %s, want aws-iam everywhere", file, n[1])
			}
			for _, got := range names.FindAllString(command, -1) {
				if !slices.Contains(known, got) {
					t.Errorf("%s: the manifest has nothing of the name %s: kubectl %s", file, got, command)
				}
			}
		}
	}
	if commands == 0 {
		t.Error("got no commands")
	}
}
