//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCheckAccess runs check-access against several accounts, whose roles are allowed
// what the printed policy allows, and against the same with less.
func TestCheckAccess(t *testing.T) {
	for name, test := range map[string]struct {
		lacking []string // permissions
		moto    []string
		args    []string
		code    int
	}{
		"granted":          {nil, nil, nil, 0},
		"lacking":          {[]string{"iam:GetLoginProfile", "iam:GenerateCredentialReport"}, nil, nil, 1},
		"reports":          {[]string{"iam:GetLoginProfile"}, nil, []string{"--iam.source=report"}, 1}, // one account of the file is read live
		"external id":      {nil, nil, nil, 1},
		"no users":         {nil, []string{"--no-users"}, nil, 0},
		"no users lacking": {[]string{"iam:GetLoginProfile"}, []string{"--no-users"}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := asExporter(startMoto(t, append(test.moto, "--accounts", "--policies="+policiesWithout(t, test.lacking))...))
			file := accountsFile
			if name == "external id" {
				file = writeConfig(t, strings.ReplaceAll(readFile(t, accountsFile), "its_own+id@2", "not-its-own+id@2"))
			}
			cmd := exec.CommandContext(t.Context(), exporterBinary, append([]string{"check-access", configFlag + file}, test.args...)...)
			cmd.Env = append(aws, "HOME="+t.TempDir())
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.Output()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != test.code || stderr.Len() > 0 {
				t.Errorf("got %v, stderr %q, want exit code %d and none", err, &stderr, test.code)
			}
			golden := filepath.Join("testdata", "access", strings.ReplaceAll(name, " ", "-")+".txt")
			if diff := cmp.Diff(readFile(t, golden), string(stdout)); diff != "" {
				t.Errorf("%s: -want +got:\n%s", golden, diff)
			}
		})
	}
}

// policiesWithout returns a file of the policies that the exporter prints for the
// accounts, without some of what the roles in them are allowed.
func policiesWithout(t *testing.T, lacking []string) string {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, audience := range []string{"caller", "hub", "member"} {
		text := string(run(t, nil, exporterBinary, "iam-policy", "--for="+audience, configFlag+accountsFile))
		for _, action := range lacking {
			text = strings.ReplaceAll(text, `"`+action+`"`, `"iam:NothingAtAll"`)
		}
		all[audience] = json.RawMessage(text)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policies.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
