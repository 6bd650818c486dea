package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"github.com/google/go-cmp/cmp"
)

// TestHelp holds what is printed on help to golden files.
func TestHelp(t *testing.T) {
	setEnvironment(t, map[string]string{"COLUMNS": "100"})
	for name, args := range map[string][]string{
		"aws_iam_exporter.1":  {"--help-man"},
		"of-iam-policy.txt":   {"iam-policy", "--help"},
		"of-check-access.txt": {"help", "check-access"},
		"of-check-config.txt": {"check-config", "-h"},
		"of-the-program.txt":  {"--help"},
		"of-check.txt":        {"check", "--help", "--rules=key_unused"},
		"of-the-server.txt":   {"serve", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runArgs(t, args...)
			if code != 0 || stderr != "" {
				t.Fatalf("got exit code %d and stderr %q, want 0 and none", code, stderr)
			}
			file := filepath.Join("testdata", "help", name)
			if *update {
				check(t, os.MkdirAll(filepath.Dir(file), 0o755))
				check(t, os.WriteFile(file, []byte(stdout), 0o644))
				return
			}
			if diff := cmp.Diff(string(must[[]byte](t)(os.ReadFile(file))), stdout); diff != "" {
				t.Errorf("%s: -want +got:\n%s", file, diff)
			}
		})
	}
}

// TestUsedFlags finds flags that commands are said to use, and that there are not.
func TestUsedFlags(t *testing.T) {
	all := newApplication(&settings{}).Model().Flags
	for _, c := range commands() {
		for _, use := range c.uses {
			if !slices.ContainsFunc(all, func(f *kingpin.FlagModel) bool {
				return f.Name == use || strings.HasSuffix(use, ".") && strings.HasPrefix(f.Name, use)
			}) {
				t.Errorf("%s: there is no flag %s", c.name, use)
			}
		}
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"a b":                     "a b",
		".TH x":                   `\&.TH x`,
		"a\n.b\n'c .d":            "a\n" + `\&.b` + "\n" + `\&'c .d`,
		`C:\dir`:                  `C:\edir`,
		"/-/ready":                `/\:\-/\:ready`,
		"--iam.source":            `\-\-iam.source`,
		"`~x` isn't \"y\"^2 or …": `\(ga\(tix\(ga isn\(aqt \(dqy\(dq\(ha2 or \[u2026]`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
