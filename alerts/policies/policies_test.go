// Package policies tests the example policies in this folder: each decides as
// ../runbooks.md says, and is shown there in full.
package policies

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	account   = "arn:aws:iam::123456789012:"
	alice     = account + "user/alice"
	rotation  = account + "role/key-rotation"
	provision = account + "role/user-provisioning"
	admin     = account + "role/admin"
)

// everything is the policy that AWS attaches beside your own service control
// policies, and the one that an administrator has.
func everything() document {
	return document{Statement: []statement{{
		Sid: "Everything", Effect: "Allow", Action: oneOrMore{"*"}, Resource: oneOrMore{"*"},
	}}}
}

type context map[string][]string

// role is the context of a role's session, which has no aws:username.
func role(arn string, more ...context) context {
	return with(context{"aws:PrincipalArn": {arn}}, more...)
}

// user is the context of an IAM user's calls; its path is no part of the name.
func user(arn string, more ...context) context {
	return with(context{"aws:PrincipalArn": {arn}, "aws:username": {arn[strings.LastIndex(arn, "/")+1:]}}, more...)
}

func with(c context, more ...context) context {
	for _, m := range more {
		maps.Copy(c, m)
	}
	return c
}

func tagged(key, value string) context      { return context{"aws:ResourceTag/" + key: {value}} }
func byTeam(team string) context            { return context{"aws:PrincipalTag/team": {team}} }
func tags(keys ...string) context           { return context{"aws:TagKeys": keys} }
func multiFactor(present string) context    { return context{"aws:MultiFactorAuthPresent": {present}} }
func asks(action string, c context) request { return request{"iam:" + action, alice, c} }

func (r request) of(resource string) request {
	r.resource = account + resource
	return r
}

func TestDecisions(t *testing.T) {
	type test struct {
		name    string
		request request
		want    decision
	}
	for _, policy := range []struct {
		file   string
		beside []document // what else is in force
		tests  []test
	}{
		{"scp-keys-by-pipeline.json", []document{everything()}, []test{
			{"the rotation role makes a key", asks("CreateAccessKey", role(rotation)), allowed},
			{"an administrator makes a key", asks("CreateAccessKey", role(admin)), denied},
			{"a user makes a key of their own", asks("CreateAccessKey", user(alice)), denied},
			{"root makes a key", asks("CreateAccessKey", role(account+"root")), denied},
			{"the provisioning role makes a key", asks("CreateAccessKey", role(provision)), denied},
			{"a role whose name begins alike", asks("CreateAccessKey", role(rotation+"-2")), denied},
			{"a role of that name with a path", asks("CreateAccessKey", role(account+"role/ci/key-rotation")), denied},
			{"a user of that name", asks("CreateAccessKey", user(account+"user/key-rotation")), denied},
			{"that role in another account of the organization", asks("CreateAccessKey", role("arn:aws:iam::210987654321:role/key-rotation")), allowed},
			{"the provisioning role makes a user", asks("CreateUser", role(provision)), allowed},
			{"the provisioning role makes a password", asks("CreateLoginProfile", role(provision)), allowed},
			{"the rotation role makes a password", asks("CreateLoginProfile", role(rotation)), denied},
			{"an administrator makes a user", asks("CreateUser", role(admin)), denied},
			{"an administrator deactivates a key", asks("UpdateAccessKey", role(admin)), allowed},
			{"an administrator deletes a key", asks("DeleteAccessKey", role(admin)), allowed},
			{"an administrator deletes a password", asks("DeleteLoginProfile", role(admin)), allowed},
		}},
		{"scp-password-or-keys.json", []document{everything()}, []test{
			{"a key for a machine", asks("CreateAccessKey", role(admin, tagged("credentials", "keys"))), allowed},
			{"a key for a person", asks("CreateAccessKey", role(admin, tagged("credentials", "password"))), denied},
			{"a key for nobody in particular", asks("CreateAccessKey", role(admin)), denied},
			{"a tag whose value is spelt otherwise", asks("CreateAccessKey", role(admin, tagged("credentials", "Keys"))), denied},
			{"a tag whose key is spelt otherwise", asks("CreateAccessKey", role(admin, tagged("Credentials", "keys"))), allowed},
			{"a key for root", asks("CreateAccessKey", role(account+"root")).of("root"), denied},
			{"a password for a person", asks("CreateLoginProfile", role(admin, tagged("credentials", "password"))), allowed},
			{"a password for a machine", asks("CreateLoginProfile", role(admin, tagged("credentials", "keys"))), denied},
			{"the tag, by provisioning", asks("TagUser", role(provision, tags("credentials"))), allowed},
			{"the tag, by somebody else", asks("TagUser", role(admin, tags("credentials"))), denied},
			{"the tag among others", asks("TagUser", role(admin, tags("team", "credentials"))), denied},
			{"the tag in capitals", asks("TagUser", role(admin, tags("CREDENTIALS"))), denied},
			{"another tag", asks("TagUser", role(admin, tags("team"))), allowed},
			{"the tag taken away", asks("UntagUser", role(admin, tags("credentials"))), denied},
			{"a user born with the tag", asks("CreateUser", role(admin, tags("credentials"))), denied},
			{"a user born with the tag, by provisioning", asks("CreateUser", role(provision, tags("credentials"))), allowed},
			{"a user born without tags", asks("CreateUser", role(admin)), allowed},
			{"a key deactivated", asks("UpdateAccessKey", role(admin)), allowed},
		}},
		{"scp-no-root-keys.json", []document{everything()}, []test{
			{"root makes a key", asks("CreateAccessKey", role(account+"root")).of("root"), denied},
			{"root makes a key for a user", asks("CreateAccessKey", role(account+"root")), denied},
			{"root deletes a key", asks("DeleteAccessKey", role(account+"root")).of("root"), allowed},
			{"an administrator makes a key", asks("CreateAccessKey", role(admin)), allowed},
			{"a user by the name of root", asks("CreateAccessKey", user(account+"user/root")), allowed},
		}},
		{"iam-own-keys.json", nil, []test{
			{"one's own key", asks("CreateAccessKey", user(alice)), allowed},
			{"one's own key, with a path", asks("CreateAccessKey", user(account+"user/people/eu/alice")).of("user/people/eu/alice"), allowed},
			{"somebody else's key", asks("CreateAccessKey", user(alice)).of("user/bob"), unspoken},
			{"bobby's key, by bob", asks("CreateAccessKey", user(account+"user/bob")).of("user/bobby"), unspoken},
			{"bigbob's key, by bob", asks("CreateAccessKey", user(account+"user/bob")).of("user/bigbob"), unspoken},
			{"the key of bigbob with a path, by bob", asks("CreateAccessKey", user(account+"user/bob")).of("user/people/bigbob"), unspoken},
			{"a user under a path called bob", asks("CreateAccessKey", user(account+"user/bob")).of("user/bob/alice"), unspoken},
			{"one's own key, deactivated", asks("UpdateAccessKey", user(alice)), allowed},
			{"one's own password", asks("CreateLoginProfile", user(alice)), unspoken},
			{"a role has no user name", asks("CreateAccessKey", role(admin)), unspoken},
		}},
		{"iam-team-rotates.json", nil, []test{
			{"the team's key", asks("CreateAccessKey", role(admin, byTeam("web"), tagged("team", "web"))), allowed},
			{"another team's key", asks("CreateAccessKey", role(admin, byTeam("web"), tagged("team", "data"))), unspoken},
			{"a user without a team", asks("CreateAccessKey", role(admin, byTeam("web"))), unspoken},
			{"a caller without a team", asks("CreateAccessKey", role(admin, tagged("team", "web"))), unspoken},
			{"neither has a team", asks("CreateAccessKey", role(admin)), unspoken},
			{"the tag that decides", asks("TagUser", role(admin, byTeam("web"), tagged("team", "web"))), unspoken},
		}},
		{"iam-people-without-keys.json", []document{everything()}, []test{
			{"a key of one's own", asks("CreateAccessKey", user(alice)), denied},
			{"a key for somebody else", asks("CreateAccessKey", user(alice)).of("user/bob"), denied},
		}},
		{"iam-people-without-keys.json", nil, []test{
			{"one's own key, deactivated", asks("UpdateAccessKey", user(alice)), allowed},
			{"one's own key, deleted", asks("DeleteAccessKey", user(alice)), allowed},
			{"somebody else's key, deleted", asks("DeleteAccessKey", user(alice)).of("user/bob"), unspoken},
		}},
		{"iam-mfa-first.json", []document{everything()}, []test{
			{"signed in without MFA, whatever it is", request{"s3:GetObject", "arn:aws:s3:::bucket/object", user(alice, multiFactor("false"))}, denied},
			{"signed in with MFA", request{"s3:GetObject", "arn:aws:s3:::bucket/object", user(alice, multiFactor("true"))}, allowed},
			{"an access key knows no MFA", request{"s3:GetObject", "arn:aws:s3:::bucket/object", user(alice)}, denied},
			{"a key of one's own without MFA", asks("CreateAccessKey", user(alice, multiFactor("false"))), denied},
		}},
		{"iam-mfa-first.json", nil, []test{
			{"a device, before there is one", asks("EnableMFADevice", user(alice, multiFactor("false"))), allowed},
			{"a virtual device", asks("CreateVirtualMFADevice", user(alice, multiFactor("false"))).of("mfa/alice-phone"), allowed},
			{"the first password changed", asks("ChangePassword", user(alice, multiFactor("false"))), allowed},
			{"a device for somebody else", asks("EnableMFADevice", user(alice, multiFactor("false"))).of("user/bob"), unspoken},
			{"the device removed without MFA", asks("DeactivateMFADevice", user(alice, multiFactor("false"))), denied},
			{"the device removed with MFA", asks("DeactivateMFADevice", user(alice, multiFactor("true"))), allowed},
		}},
	} {
		policies := append(slices.Clone(policy.beside), load(t, policy.file))
		for _, test := range policy.tests {
			t.Run(policy.file+"/"+test.name, func(t *testing.T) {
				got, err := decide(policies, test.request)
				if err != nil {
					t.Fatal(err)
				}
				if got != test.want {
					t.Errorf("%s on %s is %s, want %s", test.request.action, test.request.resource, got, test.want)
				}
			})
		}
	}
}

// TestUnknownLanguage makes sure that what cannot be evaluated is not ignored.
func TestUnknownLanguage(t *testing.T) {
	for name, s := range map[string]statement{
		"operator":       {Effect: "Deny", Condition: map[string]map[string]oneOrMore{"NumericLessThan": {"iam:AccessKeys": {"1"}}}},
		"effect":         {Effect: "deny"},
		"several values": {Effect: "Deny", Condition: map[string]map[string]oneOrMore{"StringEquals": {"aws:TagKeys": {"team"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s.Action, s.Resource = oneOrMore{"*"}, oneOrMore{"*"}
			r := asks("TagUser", role(admin, tags("team", "kind")))
			if got, err := decide([]document{{Statement: []statement{s}}}, r); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

// TestForm holds every policy to one form, and to sizes that AWS takes: 5120
// characters for a service control policy, 2048 for a user's inline policy.
func TestForm(t *testing.T) {
	for _, file := range files(t) {
		content := read(t, file)
		if d := load(t, file); d.Version != "2012-10-17" {
			t.Errorf("%s: version %q, want the one that knows variables", file, d.Version)
		}
		var value any
		if err := json.Unmarshal([]byte(content), &value); err != nil {
			t.Fatal(err)
		}
		compact, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		limit := 2048
		if strings.HasPrefix(file, "scp-") {
			limit = 5120
		}
		if len(compact) > limit {
			t.Errorf("%s has %d characters, want %d or fewer", file, len(compact), limit)
		}
	}
}

// TestRunbooksShowPolicies finds every policy in the runbooks, under its name,
// and no JSON there that is not one of them.
func TestRunbooksShowPolicies(t *testing.T) {
	runbooks := read(t, "../runbooks.md")
	shown := map[string]string{}
	for _, m := range regexp.MustCompile("\\]\\(policies/([^)]+)\\)[^`]*```json\n((?s:.*?))```").FindAllStringSubmatch(runbooks, -1) {
		shown[m[1]] = m[2]
	}
	want := map[string]string{}
	for _, file := range files(t) {
		want[file] = read(t, file)
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("the policies in runbooks.md differ from the files: -files +runbooks:\n%s", diff)
	}
	if blocks := strings.Count(runbooks, "```json\n"); blocks != len(want) {
		t.Errorf("runbooks.md has %d blocks of JSON, want %d, one for each policy", blocks, len(want))
	}
}

func files(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("*.json")
	if err != nil || len(all) == 0 {
		t.Fatalf("find policies: %v, %d files", err, len(all))
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
