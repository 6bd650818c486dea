package credreport_test

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

func TestSnapshot(t *testing.T) {
	generated := at("2026-11-01T00:00:00Z")
	content := minimal().
		add("zoe", "arn:aws:iam::123456789012:user/zoe").
		add("bob", "arn:aws:iam::123456789012:user/team/bob").set("password_enabled", "true").set("mfa_active", "false").
		String()
	s, err := credreport.Snapshot([]byte(content), generated)
	if err != nil {
		t.Fatal(err)
	}
	inventorytest.Equal(t, inventory.Account{ID: "123456789012", Partition: "aws"}, s.Account)
	inventorytest.Equal(t, inventory.Report{Wanted: true, Usable: true, Generated: generated}, s.Report)
	if len(s.Users) != 3 || s.Users[0].Name != "ann" || s.Users[1].Name != "bob" || s.Users[2].Name != "zoe" {
		t.Fatalf("users: got %+v, want ann, bob and zoe, without root", s.Users)
	}
	inventorytest.Equal(t, inventory.Observe(true, generated), s.Users[1].Console)
	inventorytest.Equal(t, inventory.Observe(false, generated), s.Root.KeyPresent)
	for _, group := range []inventory.Group{inventory.GroupUsers, inventory.GroupKeys, inventory.GroupConsole, inventory.GroupMFA} {
		if !s.Complete[group] || !s.Freshness[group].Observed.Equal(generated) {
			t.Errorf("%s: complete %t as of %s, want it complete as of the report", group, s.Complete[group], s.Freshness[group].Observed)
		}
	}
	if _, known := s.Freshness[inventory.GroupTags]; known {
		t.Error("tags: known, want them unknown: a report tells none")
	}
}

// TestSnapshotOfOddRows has rows that cannot be read: whoever is certain is known
// to be there, and if somebody is not, so is who is there.
func TestSnapshotOfOddRows(t *testing.T) {
	generated := at("2026-11-01T00:00:00Z")
	for name, test := range map[string]struct {
		have     *sheet
		users    []string
		complete bool
		problems []inventory.Problem
	}{
		"certain": {
			minimal().set("mfa_active", "maybe").add("zoe", "arn:aws:iam::123456789012:user/zoe"),
			[]string{"ann", "zoe"},
			true,
			[]inventory.Problem{{Reason: inventory.ReasonMalformed, User: "ann", Text: `credential report: the row of ann cannot be read: line 3, column mfa_active: got "maybe", want true, false or not_supported`}},
		},
		"uncertain": {
			minimal().set("arn", "N/A").add("zoe", "arn:aws:iam::123456789012:user/zoe"),
			[]string{"zoe"},
			false,
			[]inventory.Problem{{Reason: inventory.ReasonMalformed, User: "ann", Text: `credential report: the row of ann cannot be read: line 3, column arn: got "N/A", want an ARN that ends in "/ann"`}},
		},
		"one row twice": {
			minimal().add("ann", "arn:aws:iam::123456789012:user/ann").set("mfa_active", "true").add("zoe", "arn:aws:iam::123456789012:user/zoe"),
			[]string{"ann", "zoe"},
			true,
			[]inventory.Problem{
				{Reason: inventory.ReasonMalformed, User: "ann", Text: `credential report: the row of ann cannot be read: line 3, column user: got "ann", want one row for each user: line 4 has this one too`},
				{Reason: inventory.ReasonMalformed, User: "ann", Text: `credential report: the row of ann cannot be read: line 4, column user: got "ann", want one row for each user: line 3 has this one already`},
			},
		},
		"many, and no root": {
			(&sheet{names: minimal().names}).add("a", "N/A").add("b", "N/A").add("c", "N/A").add("d", "N/A").add("e", "N/A").add("zoe", "arn:aws:iam::123456789012:user/zoe"),
			[]string{"zoe"},
			false,
			[]inventory.Problem{
				{Reason: inventory.ReasonMalformed, User: "a", Text: `credential report: the row of a cannot be read: line 2, column arn: got "N/A", want an ARN that ends in "/a"`},
				{Reason: inventory.ReasonMalformed, User: "b", Text: `credential report: the row of b cannot be read: line 3, column arn: got "N/A", want an ARN that ends in "/b"`},
				{Reason: inventory.ReasonMalformed, User: "c", Text: `credential report: the row of c cannot be read: line 4, column arn: got "N/A", want an ARN that ends in "/c"`},
				{Reason: inventory.ReasonMalformed, Text: `credential report: 2 more rows cannot be read, the first of them in line 5`},
				{Reason: inventory.ReasonMalformed, Text: `credential report: there is no row of <root_account>`},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := credreport.Snapshot([]byte(test.have.String()), generated)
			if err != nil {
				t.Fatal(err)
			}
			var users []string
			for _, user := range s.Users {
				users = append(users, user.Name)
				if user.Name != "zoe" && (user.Keys.Known() || user.Console.Known() || user.MFA.Known() || user.PasswordUse.Known()) {
					t.Errorf("facts are known of %+v", user)
				}
			}
			inventorytest.Equal(t, test.users, users)
			inventorytest.Equal(t, test.problems, s.Health.Problems)
			if _, listed := s.Freshness[inventory.GroupUsers]; listed != test.complete || s.Health.State != inventory.StateDown {
				t.Errorf("users listed: %t, state %s; want %t, down", listed, s.Health.State, test.complete)
			}
		})
	}
}

func TestSnapshotErrors(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"another account": {
			minimal().add("bob", "arn:aws:iam::999999999999:user/bob").String(),
			`credential report, line 4: the ARN is "arn:aws:iam::999999999999:user/bob", want one in account 123456789012, as in the lines before`,
		},
		"an odd row of another account": {
			minimal().add("bob", "arn:aws:iam::999999999999:user/bob").set("mfa_active", "maybe").add("zoe", "arn:aws:iam::123456789012:user/zoe").String(),
			`credential report, line 4: the ARN is "arn:aws:iam::999999999999:user/bob", want one in account 123456789012, as in the lines before`,
		},
		"an ARN of something else": {
			minimal().add("bob", "arn:aws:s3:::user/bob").String(),
			`credential report, line 4: the ARN is "arn:aws:s3:::user/bob", want one of IAM in an account`,
		},
		"no report":  {"<html>", "parse credential report: got what looks like HTML or XML, want CSV: look for a proxy that answers in place of AWS"},
		"no content": {"", "parse credential report: the report is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := credreport.Snapshot([]byte(test.content), time.Now())
			if err == nil || err.Error() != test.want || s != nil {
				t.Errorf("got %v, error %v; want none, %s", s, err, test.want)
			}
		})
	}
}
