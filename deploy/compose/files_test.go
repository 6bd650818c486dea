package compose

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const (
	repository     = "../.."
	composeFile    = "compose.yaml"
	prometheusFile = "prometheus/prometheus.yml"
	sourcesFile    = "grafana/provisioning/datasources/datasources.yaml"
	providersFile  = "grafana/provisioning/dashboards/dashboards.yaml"
)

// service is what compose.yaml may say about one. It has no restart policy, so that
// failures show.
type service struct {
	Image       string
	Build       *build
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	DependsOn   []string `yaml:"depends_on"`
	Healthcheck *healthcheck
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
}

type build struct {
	Context string
	Args    map[string]string
}

type healthcheck struct {
	Test        []string
	Interval    string
	StartPeriod string `yaml:"start_period"`
}

type stack struct {
	Name     string
	Services map[string]service
	Volumes  map[string]any
}

type prometheusConfig struct {
	Global struct {
		ScrapeInterval string `yaml:"scrape_interval"`
	}
	RuleFiles []string `yaml:"rule_files"`
	Alerting  struct {
		Alertmanagers []targets
	}
	ScrapeConfigs []struct {
		JobName string `yaml:"job_name"`
		targets `yaml:",inline"`
	} `yaml:"scrape_configs"`
}

type targets struct {
	StaticConfigs []struct {
		Targets []string
	} `yaml:"static_configs"`
}

func (t targets) addresses() []string {
	var all []string
	for _, s := range t.StaticConfigs {
		all = append(all, s.Targets...)
	}
	return all
}

type dataSources struct {
	APIVersion  int `yaml:"apiVersion"`
	Datasources []dataSource
}

type dataSource struct {
	Name, UID, Type, Access, URL string
	IsDefault                    bool           `yaml:"isDefault"`
	JSONData                     map[string]any `yaml:"jsonData"`
}

type providers struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []provider
}

type provider struct {
	Name, Type, Folder string
	AllowUIUpdates     bool `yaml:"allowUiUpdates"`
	Options            providerOptions
}

type providerOptions struct {
	Path                      string
	FoldersFromFilesStructure bool `yaml:"foldersFromFilesStructure"`
}

// load reads a file and fails on fields that T lacks.
func load[T any](t *testing.T, file string) T {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := yaml.Load(content, &value, yaml.WithKnownFields()); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return value
}

// mount is one line under volumes: a file or folder from here, or a named volume.
type mount struct {
	source, target, mode string
}

func (s service) mounts() []mount {
	var all []mount
	for _, v := range s.Volumes {
		parts := append(strings.Split(v, ":"), "", "")
		all = append(all, mount{parts[0], parts[1], parts[2]})
	}
	return all
}

func (m mount) bound() bool { return strings.HasPrefix(m.source, ".") }

// here returns the file of the repository that the service finds at a path.
func (s service) here(name string) (string, bool) {
	for _, m := range s.mounts() {
		below, ok := strings.CutPrefix(name, m.target)
		if ok && m.bound() && (below == "" || below[0] == '/') {
			return m.source + below, true
		}
	}
	return "", false
}

// flag returns the value of a flag of the service's command.
func (s service) flag(name string) string {
	for _, arg := range s.Command {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
			return value
		}
	}
	return ""
}
