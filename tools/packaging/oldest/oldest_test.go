// Package oldest has no code: its test reads the rules as the oldest Prometheus does.
package oldest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/prometheus/model/rulefmt"
)

const alerts = "../../../alerts/"

// TestRules reads every rule file, and a rule that Prometheus 2.42 does not know, to
// see that it is the old one that reads.
func TestRules(t *testing.T) {
	files, err := filepath.Glob(alerts + "*.rules.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find rules: %v, %d files", err, len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, errs := rulefmt.Parse(text); len(errs) > 0 {
			t.Errorf("%s: %v", file, errs)
		}
	}
	const younger = "groups: [{name: x, query_offset: 1m, rules: [{record: y, expr: 1}]}]"
	if _, errs := rulefmt.Parse([]byte(younger)); len(errs) == 0 {
		t.Error("a field of Prometheus 2.53 is no error: this is not the oldest Prometheus")
	}
}
