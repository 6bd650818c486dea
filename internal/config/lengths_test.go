package config

import (
	"strings"
	"testing"
)

// TestProblemsAreShort has files that say everything at length.
func TestProblemsAreShort(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, content := range map[string]string{
		"field":                long + ": 1",
		"key":                  `"` + long + ` ": 1`,
		"nested fields":        "policy: {" + long + ": {" + long + ": 1}}",
		"text":                 "exemption_tag: " + long,
		"number":               "exemption_tag: 1" + strings.Repeat("0", 100_000),
		"duration":             "policy: {defaults: {max_key_age: " + long + "}}",
		"class":                "policy: {classes: [{name: " + long + ", match: {user_name: a}}]}",
		"expression":           "users: {include: [{user_name_regexp: '(" + long + "'}]}",
		"tag twice":            "owner_tags: [" + long[:128] + ", " + strings.ToUpper(long[:128]) + "]",
		"alias":                "exemption_tag: *" + long,
		"YAML tag":             "exemption_tag: !" + long + " x",
		"twice":                long + ": 1\n" + long + ": 1\n",
		"no YAML":              "exemption_tag: [" + long,
		"user of exemption":    "exemptions: [{user: " + long + ", rules: [key_rotation], reason: r, until: 2026-12-31}]",
		"rule of exemption":    "exemptions: [{user: alice, rules: [" + long + "], reason: r, until: 2026-12-31}]",
		"account of exemption": "exemptions: [{user: alice, account: " + long + ", rules: [key_rotation], reason: r, until: 2026-12-31}]",
		"id of account":        "accounts: [{id: " + long + ", role: a}]",
		"name of account":      "accounts: [{id: '111122223333', role: a, name: " + long + "}]",
		"role of account":      "accounts: [{id: '111122223333', role: " + long + "}]",
		"ARN of account":       "accounts: [{id: '111122223333', role: 'arn:aws:iam::222233334444:role/" + long + "'}]",
		"partition of account": "accounts: [{id: '111122223333', role: 'arn:aws-" + long + ":iam::111122223333:role/a'}, {id: '222233334444', role: 'arn:aws:iam::222233334444:role/a'}]",
		"external id":          "accounts: [{id: '111122223333', role: a, external_id: " + long + "}]",
		"tag of account":       "accounts: [{id: '111122223333', role: a, tags: {" + long + ": " + long + "}}]",
		"name of session":      "account_defaults: {session_name: " + long + "}",
		"name that is matched": "policy: {classes: [{name: a, match: {account_name: " + long + "}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yml", []byte(content), flags())
			if err == nil {
				t.Fatal("error: got none")
			}
			for line := range strings.Lines(err.Error()) {
				if len(line) > 2000 {
					t.Errorf("got %d bytes: %s…", len(line), line[:2000])
				}
			}
		})
	}
}
