//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// sarifModule holds the schema of SARIF 2.1.0, as OASIS publishes it. The linter
// needs the module, so that its version stands in tools/lint.
const sarifModule = "github.com/securego/gosec/v2"

// TestSARIF holds what check prints, and the golden file of every odd case, to the
// standard's own schema.
func TestSARIF(t *testing.T) {
	schema := sarifSchema(t)
	golden, err := os.ReadFile(filepath.Join("..", "..", "internal", "report", "testdata", "check.sarif"))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.Abs(exporterBinary)
	if err != nil {
		t.Fatal(err)
	}
	location := filepath.Join(t.TempDir(), "policy.yml")
	writeFile(t, location, "# nothing\n")
	cmd := exec.CommandContext(t.Context(), binary, "check", "--demo", "--exit-zero", "--format=sarif", "--sarif-location=policy.yml")
	cmd.Dir = filepath.Dir(location)
	printed, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"golden": golden, "demo": printed} {
		var got any
		if err := json.Unmarshal(content, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := schema.Validate(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := schema.Validate(map[string]any{"version": "2.1.0", "runs": []any{map[string]any{}}}); err == nil {
		t.Error("the schema takes a run without a tool")
	}
}

func sarifSchema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "-C", "../../tools/lint", "mod", "download", "-json", sarifModule)
	out, err := download.Output()
	if err != nil {
		t.Fatalf("download %s: %v", sarifModule, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(module.Dir, "report", "sarif", "testdata", "sarif-schema-2.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	// What it uses of draft 4 means the same in draft 7.
	schema.Schema = strings.Replace(schema.Schema, "draft-04", "draft-07", 1)
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// TestFindings has models that others have written read what check prints, and the
// golden files of every odd case.
func TestFindings(t *testing.T) {
	testdata, dir := filepath.Join("..", "..", "internal", "report", "testdata"), t.TempDir()
	files := []string{filepath.Join(testdata, "check.ocsf"), filepath.Join(testdata, "check.junit")}
	for _, format := range []string{"ocsf", "junit"} {
		file := filepath.Join(dir, "check."+format)
		run(t, nil, exporterBinary, "check", "--demo", "--demo.accounts=3", "--exit-zero", "--format="+format, "--output="+file)
		files = append(files, file)
	}
	run(t, nil, python, append([]string{"findings.py"}, files...)...)
}

// TestTextfile has promtool read and lint what a textfile collector would serve.
func TestTextfile(t *testing.T) {
	printed := run(t, nil, exporterBinary, "check", "--demo", "--exit-zero", "--format=openmetrics")
	cmd := exec.CommandContext(t.Context(), promtoolBinary, "check", "metrics")
	cmd.Stdin = bytes.NewReader(printed)
	if out, err := cmd.CombinedOutput(); err != nil || len(printed) == 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
