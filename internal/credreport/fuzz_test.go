package credreport_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

func FuzzParse(f *testing.F) {
	seeds := []string{
		"", "\ufeff", "<html>", "{}", "user,arn\n", "\"", "\xff",
		read(f, "live.csv"), read(f, "documented.csv"),
		minimal().String(), reversed(minimal().String()),
		minimal().set("user", "an\xffn").String(),
		minimal().set("arn", `"arn`).String(),
		minimal().add("ANN", "arn:aws:iam::123456789012:user/ANN").String(),
		minimal().set("user_creation_time", "9999-12-31T23:59:59.9-23:59").String(),
		minimal().set("access_key_1_last_used_date", "0000-01-01T00:00:00+24:00").String(),
	}
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		report, err := credreport.Parse(content)
		if err != nil {
			if report != nil || !utf8.ValidString(err.Error()) {
				t.Fatalf("got report %v, error %q; want no report and a readable error", report, err)
			}
			return
		}
		checkReport(t, report)
	})
}

// checkReport fails unless the report keeps what the package promises.
func checkReport(t *testing.T, report *credreport.Report) {
	seen := make(map[string]bool)
	if report.Root != nil {
		checkRow(t, report.Root)
		if report.Root.User != credreport.RootUser {
			t.Errorf("root is called %q", report.Root.User)
		}
	}
	for i := range report.Users {
		row := &report.Users[i]
		checkRow(t, row)
		key := strings.ToLower(row.User)
		if seen[key] || row.User == "" || row.User == credreport.RootUser {
			t.Errorf("line %d: user %q is empty, root or there twice", row.Line, row.User)
		}
		seen[key] = true
	}
}

func checkRow(t *testing.T, row *credreport.Row) {
	for _, s := range []string{row.User, row.ARN} {
		if !utf8.ValidString(s) {
			t.Errorf("line %d: %q is not UTF-8", row.Line, s)
		}
	}
	if row.Line < 2 || row.Created.IsZero() || len(row.Slots) > 2 {
		t.Errorf("line %d: created %v, %d slots", row.Line, row.Created, len(row.Slots))
	}
	checkDate(t, row.Created)
	checkUse(t, row.PasswordUse)
	for _, slot := range row.Slots {
		checkDate(t, slot.Created)
		checkUse(t, slot.LastUse)
		use, _ := slot.LastUse.Get()
		if !slot.Active && slot.Created.IsZero() && use.Never() {
			t.Errorf("line %d: a slot without a key: %+v", row.Line, slot)
		}
	}
}

func checkUse(t *testing.T, m credreport.Maybe[inventory.Use]) {
	use, _ := m.Get()
	checkDate(t, use.At)
	if use.Never() && (use.Region != "" || use.Service != "") {
		t.Errorf("never used, but in %q by %q", use.Region, use.Service)
	}
	if !utf8.ValidString(use.Region) || !utf8.ValidString(use.Service) {
		t.Errorf("region %q or service %q is not UTF-8", use.Region, use.Service)
	}
}

// checkDate fails unless t is zero, or after 1970 in whole seconds and UTC.
func checkDate(t *testing.T, date time.Time) {
	if date.IsZero() {
		return
	}
	if date.Nanosecond() != 0 || date.Location() != time.UTC || date.Unix() <= 0 {
		t.Errorf("date %v is not in whole seconds of UTC after 1970", date)
	}
}
