package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestVariablesThatSetNoFlag tells of slips, with what was perhaps meant, and of
// nothing that Kubernetes makes of a Service.
func TestVariablesThatSetNoFlag(t *testing.T) {
	for variable, want := range map[string]string{
		"AWS_IAM_EXPORTER_IAM_SOURCE=report":               "",
		"AWS_IAM_EXPORTER_LOG_LEVEL=info":                  "",
		"AWS_IAM_EXPORTER_PARTITION=aws-cn":                "", // of a command
		"AWS_IAM_EXPORTER_IAM_SORCE=report":                "variable=AWS_IAM_EXPORTER_IAM_SORCE perhaps_meant=AWS_IAM_EXPORTER_IAM_SOURCE",
		"AWS_IAM_EXPORTER_CONFIGFILE=a.yml":                "variable=AWS_IAM_EXPORTER_CONFIGFILE perhaps_meant=AWS_IAM_EXPORTER_CONFIG_FILE",
		"AWS_IAM_EXPORTER_STATE_DIRS=":                     "variable=AWS_IAM_EXPORTER_STATE_DIRS perhaps_meant=AWS_IAM_EXPORTER_STATE_DIR",
		"AWS_IAM_EXPORTER_SOMETHING_ELSE=1":                "variable=AWS_IAM_EXPORTER_SOMETHING_ELSE",
		"AWS_IAM_EXPORTER_SERVICE_HOST=10.0.0.1":           "",
		"AWS_IAM_EXPORTER_SERVICE_PORT=10190":              "",
		"AWS_IAM_EXPORTER_SERVICE_PORT_METRICS=10190":      "",
		"AWS_IAM_EXPORTER_PORT=tcp://10.0.0.1:10190":       "",
		"AWS_IAM_EXPORTER_PORT_10190_TCP=tcp://10.0.0.1":   "",
		"AWS_IAM_EXPORTER_PORT_10190_TCP_ADDR=10.0.0.1":    "",
		"AWS_IAM_EXPORTER_PORT_10190_TCP_PORT=10190":       "",
		"AWS_IAM_EXPORTER_PORT_10190_TCP_PROTO=tcp":        "",
		"AWS_IAM_EXPORTER_METRICS_SERVICE_HOST=10.0.0.1":   "", // of a Service named aws-iam-exporter-metrics
		"AWS_IAM_EXPORTER_METRICS_PORT=tcp://10.0.0.1:80":  "",
		"AWS_IAM_EXPORTER_METRICS_PORT_80_TCP_ADDR=1.2.3.": "",
		"AWS_REGION=eu-west-1":                             "",
		"AWS_IAM_EXPORTER_" + strings.Repeat("A", 5000):    "variable=AWS_IAM_EXPORTER_" + strings.Repeat("A", 83) + "…",
	} {
		t.Run(variable[:min(len(variable), 60)], func(t *testing.T) {
			var log bytes.Buffer
			warnOfVariables([]string{variable}, slog.New(slog.NewTextHandler(&log, nil)))
			if want != "" {
				want = `level=WARN msg="Ignoring an environment variable that sets no flag" ` + want + "\n"
			}
			if _, got, _ := strings.Cut(log.String(), " "); got != want {
				t.Errorf("log: got %q, want %q", got, want)
			}
		})
	}
}

// TestMisspeltVariableIsNoRefusal also shows that the value stays out of the log.
func TestMisspeltVariableIsNoRefusal(t *testing.T) {
	setEnvironment(t, map[string]string{"AWS_IAM_EXPORTER_IAM_SORCE": "s3cr3t"})
	stdout, stderr, code := runArgs(t, "iam-policy")
	if code != 0 || !strings.Contains(stdout, "iam:ListUsers") {
		t.Errorf("got exit code %d and stdout %q, want a policy", code, stdout)
	}
	if !strings.Contains(stderr, "perhaps_meant=AWS_IAM_EXPORTER_IAM_SOURCE") || strings.Contains(stderr, "s3cr3t") {
		t.Errorf("stderr: got %q, want the warning without the value", stderr)
	}
}
