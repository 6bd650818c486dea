package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckAccounts shows accounts as they are read with the flags given, and blames
// the flags where they do not fit.
func TestCheckAccounts(t *testing.T) {
	setEnvironment(t, nil)
	file := newConfigFile(t, `
account_defaults: {role: audit, external_id: s3cr3t}
accounts:
  - {id: "111122223333", name: production}
  - {id: "222233334444", source: live, keys_interval: 2h}
  - {id: "333344445555", role: null}
`)
	stdout, stderr, code := runArgs(t, "check-config", file.name, "--iam.source=report", "--iam.refresh-interval=2h")
	want := "accounts: 3\n" +
		"  by role audit with an external id: 2\n" +
		"  by the exporter's own credentials: 1\n" +
		"  read with source report, every 2h, keys every 2h: 2\n" +
		"  read with source live, every 2h, keys every 2h: 1\n" +
		"cost: wants 156 calls an hour (sweep 150, listings 1, reports 1.5, roles 2, aliases 2): a full round takes 2h; " +
		"113,000 CloudTrail events a month, 2.25 USD for each paid copy of a trail; assumed: 100 users with a key each\n"
	if code != 0 || stderr != "" || !strings.HasSuffix(stdout, want) {
		t.Errorf("got exit code %d, stderr %q and stdout %q, want %q at its end", code, stderr, stdout, want)
	}
	stdout, stderr, code = runArgs(t, "check-config", file.name, "--iam.refresh-interval=3h")
	wantErr := "aws_iam_exporter: error: " + file.name + ":5: accounts[1].keys_interval: got 2h, want refresh_interval (3h) or more, which comes from the flags\n"
	if code != 1 || stdout != "" || stderr != wantErr {
		t.Errorf("got exit code %d, stdout %q and stderr %q, want %q", code, stdout, stderr, wantErr)
	}
}

// TestCheckCost counts with the flags, and with what the file says of tags.
func TestCheckCost(t *testing.T) {
	setEnvironment(t, nil)
	file := newConfigFile(t, "owner_tags: [team]\ntags_from: ListUserTags\n")
	stdout, _, _ := runArgs(t, "check-config", file.name, "--iam.source=report", "--iam.keys-interval=30m", "--iam.rate=0.01")
	want := "cost: wants 202 calls an hour (reports 0.75, tags 200, aliases 1), more than --iam.rate 0.01: a full round takes 2h55m; " +
		"25,900 CloudTrail events a month, 0.52 USD for each paid copy of a trail; assumed: 100 users with a key each\n"
	if !strings.HasSuffix(stdout, want) {
		t.Errorf("got %q, want %q at its end", stdout, want)
	}
}

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
		"nothing":  {"", "", "aws_iam_exporter: error: read configuration: standard input is empty, want a configuration", 1},
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
