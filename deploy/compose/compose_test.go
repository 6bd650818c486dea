// Package compose has no code: its tests hold the files of the demo stack to each
// other and to the rest of the repository, as no container engine is needed for.
package compose

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMounts checks that what is mounted exists: Docker would create an empty folder.
func TestMounts(t *testing.T) {
	s := load[stack](t, composeFile)
	for name, service := range s.Services {
		for _, m := range service.mounts() {
			t.Run(name+m.target, func(t *testing.T) {
				if !m.bound() {
					if _, ok := s.Volumes[m.source]; !ok {
						t.Errorf("volume %q is not declared", m.source)
					}
					return
				}
				if m.mode != "ro" {
					t.Errorf("%s is mounted %q, want it ro", m.source, m.mode)
				}
				if strings.HasPrefix(filepath.Clean(m.source), repository+"/..") {
					t.Errorf("%s lies outside the repository", m.source)
				}
				if _, err := os.Stat(m.source); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestBuild(t *testing.T) {
	for name, s := range load[stack](t, composeFile).Services {
		if (s.Build == nil) == (s.Image == "") {
			t.Errorf("%s has image %q and build %v, want one of them", name, s.Image, s.Build)
		}
		if s.Build == nil {
			continue
		}
		file, err := os.ReadFile(filepath.Join(s.Build.Context, "Dockerfile"))
		if err != nil {
			t.Fatal(err)
		}
		for arg := range s.Build.Args {
			if !strings.Contains(string(file), "\nARG "+arg+"=") {
				t.Errorf("%s: the Dockerfile has no argument %s", name, arg)
			}
		}
	}
}

// TestPorts keeps the stack, where nobody signs in, on this computer.
func TestPorts(t *testing.T) {
	for name, s := range load[stack](t, composeFile).Services {
		t.Run(name, func(t *testing.T) {
			if len(s.Ports) == 0 {
				t.Error("no port is published")
			}
			for _, p := range s.Ports {
				parts := strings.Split(p, ":")
				if len(parts) != 3 || parts[0] != "127.0.0.1" || parts[1] != parts[2] {
					t.Errorf("got port %q, want 127.0.0.1:N:N", p)
				}
			}
			if u := s.flag("--web.external-url"); u != "" && !s.listens(port(t, u)) {
				t.Errorf("links lead to %s, and only %v are published", u, s.Ports)
			}
		})
	}
}

func (s service) listens(port string) bool {
	return slices.ContainsFunc(s.Ports, func(p string) bool { return strings.HasSuffix(p, ":"+port) })
}

func port(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// TestVersions keeps the images at the versions that the tests run, and Grafana's
// at the one whose components draw the dashboards' pictures.
func TestVersions(t *testing.T) {
	tests := []struct{ service, image, version string }{
		{"prometheus", "prom/prometheus", release(required(t, "tools/prometheus/go.mod", `prometheus/prometheus (v\S+)`))},
		{"alertmanager", "prom/alertmanager", release(required(t, "tools/alertmanager/go.mod", `prometheus/alertmanager (v\S+)`))},
		{"grafana", "grafana/grafana", required(t, "tools/dashboards/preview/package.json", `"@grafana/ui": "([^"]+)"`)},
	}
	services := load[stack](t, composeFile).Services
	for _, tt := range tests {
		t.Run(tt.service, func(t *testing.T) {
			if got, want := services[tt.service].Image, tt.image+":"+tt.version; got != want {
				t.Errorf("got image %s, want %s", got, want)
			}
		})
	}
}

// required returns the version that a file of the repository requires.
func required(t *testing.T, file, pattern string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(content)
	if found == nil {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	return string(found[1])
}

// release undoes Prometheus's numbering of its Go module, which is v0.313.5 for
// the release v3.13.5; other versions stay as they are.
func release(module string) string {
	parts := strings.Split(module, ".")
	if minor, err := strconv.Atoi(parts[1]); err == nil && parts[0] == "v0" && minor >= 300 {
		parts[0], parts[1] = fmt.Sprintf("v%d", minor/100), strconv.Itoa(minor%100)
	}
	return strings.Join(parts, ".")
}

func TestRelease(t *testing.T) {
	tests := []struct{ name, module, want string }{
		{"Prometheus", "v0.313.5", "v3.13.5"},
		{"Prometheus with a minor version of one digit", "v0.305.0", "v3.5.0"},
		{"Alertmanager", "v0.31.1", "v0.31.1"},
		{"a first version", "v1.2.3", "v1.2.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := release(tt.module); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestAddresses checks that every address in the configuration is one of a service
// of the stack.
func TestAddresses(t *testing.T) {
	services, config := load[stack](t, composeFile).Services, load[prometheusConfig](t, prometheusFile)
	called := map[string]string{}
	for _, s := range config.ScrapeConfigs {
		for _, address := range s.addresses() {
			called["scrape job "+s.JobName] = strings.Replace(address, "localhost:", "prometheus:", 1)
		}
	}
	for _, a := range config.Alerting.Alertmanagers {
		for _, address := range a.addresses() {
			called["alerting"] = address
		}
	}
	for _, d := range load[dataSources](t, sourcesFile).Datasources {
		called["data source "+d.Name] = strings.TrimPrefix(d.URL, "http://")
	}
	for caller, address := range called {
		t.Run(caller, func(t *testing.T) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := services[host]; !ok || !s.listens(port) {
				t.Errorf("no service is at %s", address)
			}
		})
	}
	if diff := cmp.Diff([]string{
		"alerting", "data source Alertmanager", "data source Prometheus", "scrape job aws_iam", "scrape job prometheus",
	}, sortedKeys(called)); diff != "" {
		t.Errorf("who calls: -want +got:\n%s", diff)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// TestAddressesReplaceable lets people who run the configuration elsewhere put
// other addresses into its text.
func TestAddressesReplaceable(t *testing.T) {
	content, err := os.ReadFile(prometheusFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"exporter:10190", "alertmanager:9093", "localhost:9090", "../../../alerts/"} {
		if n := strings.Count(string(content), address); n != 1 {
			t.Errorf("%s stands %d times in %s, want once", address, n, prometheusFile)
		}
	}
}

// TestRules finds the shipped rules where the configuration looks for them: here,
// as promtool does, and in the container.
func TestRules(t *testing.T) {
	shipped, err := filepath.Glob(repository + "/alerts/*.rules.yaml")
	if err != nil || len(shipped) == 0 {
		t.Fatalf("got %v (%v), want the shipped rules", shipped, err)
	}
	prometheus, config := load[stack](t, composeFile).Services["prometheus"], load[prometheusConfig](t, prometheusFile)
	inside := prometheus.flag("--config.file")
	if file, ok := prometheus.here(inside); !ok || filepath.Clean(file) != prometheusFile {
		t.Errorf("%s is %s, want %s", inside, file, prometheusFile)
	}
	var here, there []string
	for _, pattern := range config.RuleFiles {
		here = append(here, glob(t, filepath.Join(filepath.Dir(prometheusFile), pattern))...)
		if mounted, ok := prometheus.here(path.Join(path.Dir(inside), pattern)); ok {
			there = append(there, glob(t, mounted)...)
		}
	}
	if diff := cmp.Diff(shipped, here); diff != "" {
		t.Errorf("here: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(shipped, there); diff != "" {
		t.Errorf("in the container: -want +got:\n%s", diff)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAlertmanager runs the shipped example with the flag that it asks for.
func TestAlertmanager(t *testing.T) {
	s := load[stack](t, composeFile).Services["alertmanager"]
	file, ok := s.here(s.flag("--config.file"))
	if want := "../../alerts/alertmanager.example.yaml"; !ok || file != want {
		t.Errorf("it reads %q, want %s", file, want)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "--data.retention=" + s.flag("--data.retention"); !strings.Contains(string(content), want+".") {
		t.Errorf("it runs with %s, and %s asks for another", want, file)
	}
}

func TestDataSources(t *testing.T) {
	file, byUID := load[dataSources](t, sourcesFile), map[string]dataSource{}
	if file.APIVersion != 1 {
		t.Errorf("got apiVersion %d, and Grafana knows 1", file.APIVersion)
	}
	for _, d := range file.Datasources {
		byUID[d.UID] = d
	}
	if diff := cmp.Diff([]string{"alertmanager", "prometheus"}, sortedKeys(byUID)); diff != "" {
		t.Fatalf("uids: -want +got:\n%s", diff)
	}
	prometheus, alertmanager := byUID["prometheus"], byUID["alertmanager"]
	if !prometheus.IsDefault || alertmanager.IsDefault {
		t.Error("Prometheus alone must be the default: the dashboards begin with it")
	}
	if got, want := prometheus.JSONData["timeInterval"], load[prometheusConfig](t, prometheusFile).Global.ScrapeInterval; got != want {
		t.Errorf("Grafana takes the scrape interval for %v, and it is %s", got, want)
	}
	if got := prometheus.JSONData["alertmanagerUid"]; got != alertmanager.UID {
		t.Errorf("the alerts of Prometheus are linked to %v, want %s", got, alertmanager.UID)
	}
}

// TestDashboards counts the JSON files in Grafana's folder: the three, and no others.
func TestDashboards(t *testing.T) {
	const folder = "/srv/dashboards"
	if diff := cmp.Diff(providers{APIVersion: 1, Providers: []provider{{
		Name: "aws_iam_exporter", Type: "file", Folder: "AWS IAM", Options: providerOptions{Path: folder},
	}}}, load[providers](t, providersFile)); diff != "" {
		t.Errorf("provider: -want +got:\n%s", diff)
	}
	grafana := load[stack](t, composeFile).Services["grafana"]
	want := map[string]string{
		"compliance.json": "aws-iam-compliance",
		"users.json":      "aws-iam-users",
		"exporter.json":   "aws-iam-exporter",
	}
	got := map[string]string{}
	for _, m := range grafana.mounts() {
		if file, ok := strings.CutPrefix(m.target, folder+"/"); ok {
			got[file] = uid(t, m.source)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if home, want := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"], folder+"/compliance.json"; home != want {
		t.Errorf("Grafana opens with %s, want %s", home, want)
	}
}

func uid(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return ""
	}
	var dashboard struct{ UID string }
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	return dashboard.UID
}

// TestAlertLinks follows the links of the alerts to the Grafana of the stack.
func TestAlertLinks(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(repository, "alerts/aws_iam.rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`dashboard_url: (?:&\w+ )?(http\S+?)/d/`).FindAllSubmatch(content, -1)
	if len(links) == 0 {
		t.Fatal("no alert has a link")
	}
	grafana := load[stack](t, composeFile).Services["grafana"]
	for _, link := range links {
		address := string(link[1])
		if !strings.HasPrefix(address, "http://localhost:") || !grafana.listens(port(t, address)) {
			t.Errorf("an alert links to %s, and Grafana is at %v", address, grafana.Ports)
		}
	}
}
