package credreport_test

import (
	"strings"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestRowsTooLong has the row of one user hold more than any of AWS's.
func TestRowsTooLong(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, row := range map[string]*sheet{
		"name":             minimal().add(long, "arn:aws:iam::123456789012:user/"+long),
		"ARN":              minimal().add("bob", "arn:aws:iam::123456789012:user/"+long+"/bob"),
		"region":           minimal().add("bob", "arn:aws:iam::123456789012:user/bob").set("access_key_1_last_used_date", "2026-01-02T03:04:05Z").set("access_key_1_last_used_region", long),
		"date":             minimal().add("bob", "arn:aws:iam::123456789012:user/bob").set("user_creation_time", long),
		"a million cells":  minimal().add("bob", "arn:aws:iam::123456789012:user/bob").set("mfa_active", strings.Repeat(",", 1<<20)),
		"cells and quotes": minimal().add("bob", "arn:aws:iam::123456789012:user/bob").set("mfa_active", strings.Repeat(`"",`, 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			report := mustParse(t, row.add("carol", "arn:aws:iam::123456789012:user/carol").String())
			if len(report.Users) != 2 || report.Users[0].User != "ann" || report.Users[1].User != "carol" || len(report.Unreadable) != 1 {
				t.Fatalf("got %d users, %d rows that cannot be read; want ann, carol and one such row", len(report.Users), len(report.Unreadable))
			}
			odd := report.Unreadable[0]
			if len(odd.User) > inventory.LongestName || len(odd.ARN) > inventory.LongestARN || len(odd.Err.Error()) > 300 {
				t.Errorf("kept %d bytes of the name, %d of the ARN, %d of what is wrong", len(odd.User), len(odd.ARN), len(odd.Err.Error()))
			}
		})
	}
}

// TestReportsTooLarge refuses what has more than any account.
func TestReportsTooLarge(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"rows":    {minimal().String() + strings.Repeat("\na", inventory.MostUsers), "line 200003: got more than 200000 rows, want no more"},
		"columns": {strings.Repeat("user,", 1<<20) + "arn\nx\n", "line 1: got 1000 fields or more, want fewer"},
		"quotes":  {`user,arn,"` + strings.Repeat("x", 1<<20) + "\n", `line 1`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := credreport.Parse([]byte(test.content))
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 500 {
				t.Errorf("got %.500v, want %s", err, test.want)
			}
		})
	}
}
