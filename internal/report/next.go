package report

import (
	"regexp"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// next returns what to do first about a result: a command where there is one. A key
// is deactivated first, which can be undone, and deleted later.
func (r *Result) next() string {
	user := shellQuoted(r.UserName)
	switch {
	case r.Verdict == policy.Unknown:
		return "find out why its facts are missing"
	case r.Rule.Subject() == policy.SubjectAccount:
		return "sign in as root, and open Security credentials"
	case r.Rule == policy.ConsoleUserWithoutMFA:
		return "aws iam enable-mfa-device, by the user; or aws iam delete-login-profile --user-name " + user
	case r.Rule.Subject() == policy.SubjectUser && !aboutKeys(r.Rule):
		return "aws iam get-login-profile --user-name " + user
	case r.Rule.Subject() == policy.SubjectUser || r.AccessKeyID == "" || inventory.IsCreatedKeyID(r.AccessKeyID) || !wholeKeyID.MatchString(r.AccessKeyID):
		return "aws iam list-access-keys --user-name " + user
	}
	return "aws iam update-access-key --status Inactive --user-name " + user + " --access-key-id " + r.AccessKeyID
}

// wholeKeyID matches what AWS takes for an id.
var wholeKeyID = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)

func aboutKeys(rule policy.Rule) bool {
	return rule == policy.MultipleActiveKeys || rule == policy.ConsoleUserWithActiveKeys
}

// howToUndo says once what the commands do not.
const howToUndo = "Deactivate a key first: update-access-key --status Active undoes that. Delete it once nobody has missed it (delete-access-key), which nothing undoes."

var plain = regexp.MustCompile(`^[A-Za-z0-9_.@/:-]+$`)

// shellQuoted returns the text as one word of a shell, without what a terminal obeys.
func shellQuoted(text string) string {
	text = inventory.Printable(text)
	if plain.MatchString(text) && !strings.HasPrefix(text, "-") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
