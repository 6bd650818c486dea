//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const policies = "../../alerts/policies/*.json"

// TestAWSCommands holds every command of the AWS CLI that people are told to type
// to AWS's own description of its services.
func TestAWSCommands(t *testing.T) {
	good := append(glob(t, "../../docs/*.md"), "../../README.md", "../../alerts/runbooks.md")
	run(t, nil, python, append([]string{"commands.py"}, good...)...)

	for _, test := range []struct{ name, text, want string }{
		{"an operation", block("aws iam list-keys"), "no such operation"},
		{"an operation in running text", "Try `aws iam list-keys --user-name x`.\n", "no such operation"},
		{"a service", block("aws idm list-access-keys"), "no such operation"},
		{"an option", block("aws iam list-access-keys --user bob"), "there is no option --user"},
		{"an option on the next line", block("aws iam list-access-keys \\\n  --user bob"), "there is no option --user"},
		{"a missing option", block("aws iam update-access-key --status Inactive"), "--access-key-id is missing"},
		{"a missing value", block("aws iam list-access-keys --user-name"), "--user-name with 0 values"},
		{"a value", block("aws iam update-access-key --access-key-id x --status Disabled"), "--status takes no Disabled"},
		{"a value for a switch", block("aws iam create-login-profile --password-reset-required yes"), "with 1 values"},
		{"a secret", block(`aws iam create-login-profile --user-name bob --password "$PASSWORD"`), "--password shows a secret"},
		{"an option of the CLI's own", block("aws login --local"), "there is no option --local"},
		{"pages of an answer that has none", block("aws iam get-user --max-items 1"), "there is no option --max-items"},
		{"a query", block("aws iam list-users --query 'Users[?'"), "--query"},
		{"the second command of a line", block("x=$(aws iam list-users) && aws iam list-keys"), "aws iam list-keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bad.md")
			writeFile(t, file, test.text)
			if stdout, _ := runFailing(t, python, "commands.py", file); !strings.Contains(stdout, test.want) {
				t.Errorf("got %q, want %q in it", stdout, test.want)
			}
		})
	}
}

func block(line string) string { return "```sh\n" + line + "\n```\n" }

// TestPolicies holds the example policies to AWS's reference of actions,
// resources and condition keys. How they decide is tested beside them.
func TestPolicies(t *testing.T) {
	run(t, nil, python, append([]string{"policies.py"}, append(glob(t, policies), printedPolicies(t)...)...)...)

	for _, test := range []struct{ name, statement, want string }{
		{"an action", `"Action": "iam:CreateKey", "Resource": "*"`, "no action iam:CreateKey"},
		{"a service", `"Action": "idm:CreateAccessKey", "Resource": "*"`, "no action idm:CreateAccessKey"},
		{
			"the number of keys", `"Action": "iam:CreateAccessKey", "Resource": "*", "Condition": {"NumericGreaterThan": {"iam:AccessKeys": "0"}}`,
			"no condition key iam:AccessKeys",
		},
		{
			"a key of other actions", `"Action": "iam:CreateAccessKey", "Resource": "*", "Condition": {"StringEquals": {"aws:TagKeys": "team"}}`,
			"no condition key aws:TagKeys",
		},
		{
			"a key that not all actions have", `"NotAction": "iam:ListUsers", "Resource": "*", "Condition": {"StringEquals": {"aws:TagKeys": "team"}}`,
			"aws:TagKeys is no key of every action",
		},
		{"a resource", `"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::*:role/x"`, "no resource arn:aws:iam::*:role/x"},
		{"a variable", `"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::*:user/${aws:user}"`, "no variable aws:user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bad.json")
			writeFile(t, file, `{"Statement": [{"Sid": "Bad", "Effect": "Deny", `+test.statement+`}]}`)
			if stdout, _ := runFailing(t, python, "policies.py", file); !strings.Contains(stdout, test.want) {
				t.Errorf("got %q, want %q in it", stdout, test.want)
			}
		})
	}
}

// printedPolicies returns files of the policies that the exporter prints.
func printedPolicies(t *testing.T) []string {
	t.Helper()
	var files []string
	for i, args := range [][]string{
		{"--iam.source=auto"},
		{"--for=member", "--iam.source=report", "--account-id=123456789012"},
		{"--for=hub"},
		{"--for=hub", configFlag + organizationFile},
		{"--for=caller", configFlag + organizationFile},
		{"--for=member", configFlag + organizationFile},
		{"--for=member", "--trust", "--hub-role=arn:aws:iam::123456789012:role/hub", "--organization-id=o-a1b2c3d4e5"},
	} {
		file := filepath.Join(t.TempDir(), fmt.Sprintf("printed-%d.json", i))
		writeFile(t, file, string(run(t, nil, exporterBinary, append([]string{"iam-policy"}, args...)...)))
		files = append(files, file)
	}
	return files
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("find %s: %v, %d files", pattern, err, len(files))
	}
	return files
}
