package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v4"
)

// speed is how much faster alerts are in the tests: an hour lasts half a minute.
// If it were much faster, programs would not restart in time.
const speed = 120

// edits change the scalars of a YAML file, by the name of the field.
type edits map[string]func(string) (string, error)

// hurried are the edits that make a file of rules or of Alertmanager go faster.
// What a group has to tell further waits even less, which hides less.
func hurried() edits {
	return edits{
		"for":             dividedBy(speed),
		"keep_firing_for": dividedBy(speed),
		"interval":        dividedBy(speed),
		"group_wait":      dividedBy(speed),
		"group_interval":  dividedBy(10 * speed),
		"repeat_interval": dividedBy(speed),
		"resolve_timeout": dividedBy(speed),
		// How long IAMExporterAbsent looks back. Longer ranges are about what lasts, and stay.
		"expr": func(expr string) (string, error) { return strings.ReplaceAll(expr, "[10m]", "[5s]"), nil },
	}
}

// dividedBy returns an edit that divides a duration. A second is the least,
// unless it is 0, since nothing is scraped or evaluated more often.
func dividedBy(n time.Duration) func(string) (string, error) {
	return func(duration string) (string, error) {
		d, err := model.ParseDuration(duration)
		if err != nil || d == 0 {
			return duration, err
		}
		return model.Duration(max(time.Duration(d)/n, time.Second)).String(), nil
	}
}

// edit applies the edits to a YAML file and changes nothing else.
func edit(file string, e edits) (string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(file), &root); err != nil {
		return "", fmt.Errorf("parse the file to be edited: %w", err)
	}
	if err := e.apply(&root); err != nil {
		return "", err
	}
	out, err := yaml.Marshal(&root)
	return string(out), err
}

func (e edits) apply(n *yaml.Node) error {
	for i, child := range n.Content {
		if err := e.apply(child); err != nil {
			return err
		}
		if n.Kind != yaml.MappingNode || i%2 == 0 || child.Kind != yaml.ScalarNode {
			continue
		}
		change, wanted := e[n.Content[i-1].Value]
		if !wanted {
			continue
		}
		var err error
		if child.Value, err = change(child.Value); err != nil {
			return fmt.Errorf("line %d: %s: %w", child.Line, n.Content[i-1].Value, err)
		}
	}
	return nil
}

func TestHurry(t *testing.T) {
	const file = `# A comment.
global: {resolve_timeout: 0s}
groups:
  - name: interval # is no field here
    interval: 5m
    rules:
      - alert: A
        expr: time() - max by (account_id) (avg_over_time(since{rule="for"}[10m])) > 3600
        for: 2h
        keep_firing_for: 1d
        annotations: &a {for: 1h, summary: "{{ $value | humanizeDuration }}"}
      - alert: B
        for: 11m
        annotations: *a
route: {group_wait: 30s, group_interval: 1h, repeat_interval: 1w}
`
	const want = `# A comment.
global: {resolve_timeout: 0s}
groups:
  - name: interval # is no field here
    interval: 2s500ms
    rules:
      - alert: A
        expr: time() - max by (account_id) (avg_over_time(since{rule="for"}[5s])) > 3600
        for: 1m
        keep_firing_for: 12m
        annotations: &a {for: 30s, summary: "{{ $value | humanizeDuration }}"}
      - alert: B
        for: 5s500ms
        annotations: *a
route: {group_wait: 1s, group_interval: 3s, repeat_interval: 1h24m}
`
	got, err := edit(file, hurried())
	if err != nil {
		t.Fatal(err)
	}
	var parsedGot, parsedWant any
	for text, into := range map[string]*any{got: &parsedGot, want: &parsedWant} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(parsedWant, parsedGot); diff != "" {
		t.Errorf("the file differs (-want +got):\n%s", diff)
	}
}

func TestHurryRefuses(t *testing.T) {
	for name, file := range map[string]string{
		"what is no YAML":     "groups: [",
		"what is no duration": "for: long",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := edit(file, hurried()); err == nil {
				t.Errorf("want an error, got %s", got)
			}
		})
	}
}
