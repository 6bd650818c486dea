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

func TestSnapshotErrors(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"another account": {
			minimal().add("bob", "arn:aws:iam::999999999999:user/bob").String(),
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
