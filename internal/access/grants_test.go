package access

import (
	"fmt"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

func TestPrincipal(t *testing.T) {
	for caller, want := range map[string]string{
		"arn:aws:iam::111111111111:user/audit/exporter":                    "arn:aws:iam::111111111111:user/audit/exporter",
		"arn:aws-cn:sts::111111111111:assumed-role/exporter/i-0123456789a": "role exporter of account 111111111111",
		"arn:aws:iam::111111111111:root":                                   "arn:aws:iam::111111111111:root",
		"":                                                                 "",
	} {
		if got := principal(caller); got != want {
			t.Errorf("%s: got %q, want %q", caller, got, want)
		}
	}
}

// TestManyRoles lists roles one by one as long as they are few, and tells those that
// lack the same in one grant.
func TestManyRoles(t *testing.T) {
	for n, want := range map[int]string{2: "arn:aws:iam::000000000000:role/audit/reader", mostRoles + 1: "arn:aws:iam::*:role/audit/reader"} {
		r := &Result{Identity: Identity{Caller: "arn:aws:iam::999999999999:user/exporter"}}
		for i := range n {
			id := fmt.Sprintf("%012d", i)
			role := "arn:aws:iam::" + id + ":role/audit/reader"
			r.Accounts = append(r.Accounts,
				&Checked{ID: id, Role: role, Permissions: []Permission{{Action: "sts:AssumeRole", Status: Missing, allow: true}}},
				&Checked{ID: id, Role: role, partition: "aws", needs: awsapi.Needs{Source: awsapi.SourceLive}, Permissions: []Permission{{Action: "iam:ListUsers", Status: Missing, allow: true}}},
			)
		}
		r.Conclude(&Way{Partition: "aws"})
		if len(r.Grants) != 2 || len(r.Grants[0].To) != 1 || len(r.Grants[1].To) != n {
			t.Fatalf("%d roles: got %v, want two grants, the second to all", n, r.Grants)
		}
		if resources := r.Grants[0].Policy.Statement[0].Resource.([]string); resources[0] != want {
			t.Errorf("%d roles: got %v, want %s first", n, resources, want)
		}
	}
}
