package credreport_test

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
)

// TestSetApart goes to the second.
func TestSetApart(t *testing.T) {
	latest := at("2026-11-01T00:00:00Z")
	for _, column := range []string{"user_creation_time", "password_last_used", "password_last_changed", "access_key_1_last_rotated", "access_key_2_last_used_date"} {
		for date, odd := range map[string]bool{"2026-11-01T00:00:00Z": false, "2026-11-01T00:00:01Z": true} {
			report := mustParse(t, minimal().add("bob", "arn:aws:iam::123456789012:user/bob").set("access_key_1_active", "true").
				set("access_key_2_last_rotated", "2026-01-02T03:04:05Z").set(column, date).String())
			report.SetApart(latest)
			if got := len(report.Unreadable) == 1 && len(report.Users) == 1 && report.Users[0].User == "ann"; got != odd {
				t.Errorf("%s at %s: %d users, set apart: %+v; want bob set apart: %t", column, date, len(report.Users), report.Unreadable, odd)
				continue
			}
			if !odd {
				continue
			}
			bob := report.Unreadable[0]
			if bob.User != "bob" || bob.Line != 4 || bob.Err == nil || bob.Created.IsZero() != (column == "user_creation_time") {
				t.Errorf("%s: got %+v, want bob, with his creation unless it is what cannot be", column, bob)
			}
		}
	}
}

// TestSetApartRoot leaves no row of root.
func TestSetApartRoot(t *testing.T) {
	report := mustParse(t, minimal().String())
	report.SetApart(report.Root.Created.Add(-time.Second))
	if report.Root != nil || len(report.Users) != 0 || len(report.Unreadable) != 2 || report.Unreadable[0].User != credreport.RootUser {
		t.Errorf("got %+v, want everybody set apart", report)
	}
}
