package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckStandardInput checks what another program writes.
func TestCheckStandardInput(t *testing.T) {
	setEnvironment(t, nil)
	for name, test := range map[string]struct {
		content        string
		stdout, stderr string
		code           int
	}{
		"good":     {"owner_tags: [team]\n", "tags: read by GetAccountAuthorizationDetails\n", "", 0},
		"a slip":   {"owner_tags: [team]\nusers: 1\n", "", "aws_iam_exporter: error: standard input:2: users: got \"1\", want a mapping with any of include, exclude\n", 1},
		"nothing":  {"", "", "aws_iam_exporter: error: read configuration: standard input has no bytes, want a configuration", 1},
		"too much": {strings.Repeat("#\n", 1<<20), "", "aws_iam_exporter: error: standard input: got more than 1048576 bytes, want no more\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "input")
			check(t, os.WriteFile(file, []byte(test.content), 0o600))
			input := must[*os.File](t)(os.Open(file))
			before := os.Stdin
			os.Stdin = input
			t.Cleanup(func() { os.Stdin = before; _ = input.Close() })
			stdout, stderr, code := runArgs(t, "check-config", "-")
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.HasPrefix(stderr, test.stderr) || (stderr == "") != (code == 0) {
				t.Errorf("got exit code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
	_, stderr, code := runArgs(t, "check-config", "")
	if want := "aws_iam_exporter: error: argument FILE: got no name, want a file, or - for standard input\n"; code != 1 || stderr != want {
		t.Errorf("no name: got exit code %d and stderr %q, want 1 and %q", code, stderr, want)
	}
}
