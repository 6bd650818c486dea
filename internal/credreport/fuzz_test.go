package credreport_test

import (
	"fmt"
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
		minimal().set("user", "a,nn").set("arn", "arn:aws:iam::123456789012:user/x,y/a,nn").add("zoe", "arn:aws:iam::123456789012:user/zoe").String(),
		minimal().set("mfa_active", "N/A\"").add("ann", "arn:aws:iam::123456789012:user/ann").add("zoe", "arn:aws:iam::123456789012:user/zoe").String(),
		minimal().add("<root_account>", "arn:aws:iam::123456789012:root").add("zoe", "arn:aws:iam::123456789012:user/zoe").String(),
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
		checkLines(t, string(content), report)
	})
}

// FuzzOddLine puts any line between the rows of two users: it costs none of
// them, unless it tells of one of them too.
func FuzzOddLine(f *testing.F) {
	for _, seed := range []string{
		"", "x", `"`, `bob,"`, "a,nn,arn:aws:iam::123456789012:user/a,nn,2026-01-02T03:04:05Z,false,false,false,N/A,N/A,false,N/A,N/A",
		minimal().rowOf("ann"), strings.Replace(minimal().rowOf("ann"), "false", "true", 1), strings.ToUpper(minimal().rowOf("ann")),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, odd string) {
		if strings.Contains(odd, "\n") {
			return
		}
		zoe := "arn:aws:iam::123456789012:user/zoe"
		content := minimal().String() + "\n" + odd + "\n" + minimal().add("zoe", zoe).rowOf("zoe")
		report, err := credreport.Parse([]byte(content))
		if err != nil {
			t.Fatalf("parse %q: %v", content, err)
		}
		checkReport(t, report)
		checkLines(t, content, report)
		found := map[string]bool{}
		if report.Root != nil {
			found[report.Root.User] = true
		}
		for _, row := range report.Users {
			found[row.User] = true
		}
		for _, u := range report.Unreadable {
			found[u.User] = found[u.User] || strings.Contains(u.Err.Error(), "want one row for each user")
		}
		for _, name := range []string{credreport.RootUser, "ann", "zoe"} {
			if !found[name] {
				t.Errorf("%s is lost to %q: %+v", name, odd, report)
			}
		}
	})
}

// rowOf returns the user's row as it stands in the report.
func (s *sheet) rowOf(user string) string {
	for line := range strings.SplitSeq(s.String(), "\n") {
		if strings.HasPrefix(line, user+",") {
			return line
		}
	}
	return ""
}

// checkLines fails unless each row is taken in once, word for word, or said to
// be unreadable.
func checkLines(t *testing.T, content string, report *credreport.Report) {
	taken := map[int]bool{}
	take := func(line int) {
		if taken[line] || line < 2 {
			t.Errorf("line %d is taken twice, or is the header", line)
		}
		taken[line] = true
	}
	if report.Root != nil {
		take(report.Root.Line)
	}
	for i := range report.Users {
		take(report.Users[i].Line)
	}
	for i := range report.Unreadable {
		take(report.Unreadable[i].Line)
	}
	words, header := map[string]bool{}, true
	for pass := range 2 {
		number := 0
		for line := range strings.SplitSeq(strings.TrimPrefix(content, "\ufeff"), "\n") {
			number++
			line = strings.TrimSuffix(line, "\r")
			switch {
			case line == "":
			case pass == 0 && header:
				header = false
				words[line] = true // passes for taken in the second pass
			case taken[number]:
				words[line] = true
			case pass == 1 && !words[line]:
				t.Errorf("line %d, %q, is passed over", number, line)
			}
		}
	}
}

// checkUnreadable fails unless the row keeps what the package promises.
func checkUnreadable(t *testing.T, u *credreport.Unreadable) {
	if !strings.HasPrefix(u.Err.Error(), fmt.Sprintf("line %d", u.Line)) || !utf8.ValidString(u.Err.Error()) || !utf8.ValidString(u.User) {
		t.Errorf("unreadable row %+v: %v; want its line named, in valid UTF-8", u, u.Err)
	}
	ends := "/" + u.User
	if u.User == credreport.RootUser {
		ends = ":root"
	}
	if u.ARN != "" && (u.User == "" || !strings.HasSuffix(u.ARN, ends)) || u.ARN == "" && !u.Created.IsZero() {
		t.Errorf("unreadable row %+v: want a name and a creation only with the ARN", u)
	}
	checkDate(t, u.Created)
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
	for i := range report.Unreadable {
		u := &report.Unreadable[i]
		checkUnreadable(t, u)
		if u.ARN != "" && (seen[strings.ToLower(u.User)] || u.User == credreport.RootUser && report.Root != nil) {
			t.Errorf("line %d: %q is readable too", u.Line, u.User)
		}
	}
	if gaps := report.Gaps(); len(gaps) > 5 || len(report.Unreadable) > 0 && len(gaps) == 0 {
		t.Errorf("%d gaps for %d unreadable rows", len(gaps), len(report.Unreadable))
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
