package credreport_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sheet builds a small report, column by column, for tests to bend.
type sheet struct {
	names []string
	rows  []map[string]string
}

// minimal is the least report that parses: the required columns, the root user
// and one user without credentials.
func minimal() *sheet {
	s := &sheet{names: []string{
		"user", "arn", "user_creation_time", "password_enabled", "mfa_active",
		"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date",
		"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
	}}
	return s.add("<root_account>", "arn:aws:iam::123456789012:root").add("ann", "arn:aws:iam::123456789012:user/ann")
}

// add appends the row of a user without credentials.
func (s *sheet) add(user, arn string) *sheet {
	row := map[string]string{
		"user": user, "arn": arn, "user_creation_time": "2026-01-02T03:04:05Z",
		"password_enabled": "false", "mfa_active": "false",
		"access_key_1_active": "false", "access_key_1_last_rotated": "N/A", "access_key_1_last_used_date": "N/A",
		"access_key_2_active": "false", "access_key_2_last_rotated": "N/A", "access_key_2_last_used_date": "N/A",
	}
	for _, name := range s.names {
		if _, set := row[name]; !set {
			row[name] = "N/A"
		}
	}
	s.rows = append(s.rows, row)
	return s
}

// set changes a cell of the last row, adding the column if need be; an added
// column reads N/A in the other rows.
func (s *sheet) set(column, value string) *sheet {
	if !strings.Contains(","+strings.Join(s.names, ",")+",", ","+column+",") {
		s.names = append(s.names, column)
		for _, row := range s.rows {
			row[column] = "N/A"
		}
	}
	s.rows[len(s.rows)-1][column] = value
	return s
}

func (s *sheet) String() string {
	lines := []string{strings.Join(s.names, ",")}
	for _, row := range s.rows {
		cells := make([]string, len(s.names))
		for i, name := range s.names {
			cells[i] = row[name]
		}
		lines = append(lines, strings.Join(cells, ","))
	}
	return strings.Join(lines, "\n")
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func used(when, region, service string) credreport.Maybe[inventory.Use] {
	return credreport.Known(inventory.Use{At: at(when), Region: region, Service: service})
}

var (
	never   = credreport.Known(inventory.Use{})
	unknown = credreport.Maybe[inventory.Use]{}
)

// compareMaybe lets cmp look into the kinds of Maybe.
func compareMaybe() cmp.Option {
	return cmp.AllowUnexported(credreport.Maybe[bool]{}, credreport.Maybe[inventory.Use]{}, credreport.Maybe[time.Time]{})
}

func mustParse(t *testing.T, content string) *credreport.Report {
	t.Helper()
	report, err := credreport.Parse([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestParseUser bends one user of a minimal report at a time.
func TestParseUser(t *testing.T) {
	base := credreport.Row{
		Line:     3,
		User:     "ann",
		ARN:      "arn:aws:iam::123456789012:user/ann",
		Created:  at("2026-01-02T03:04:05Z"),
		Password: credreport.Known(false),
		MFA:      credreport.Known(false),
	}
	created := "2026-02-03T04:05:06Z"
	date := at(created)
	tests := []struct {
		name string
		have *sheet
		want func(*credreport.Row)
	}{
		{"no credentials", minimal(), func(*credreport.Row) {}},
		{"upper-case booleans", minimal().set("password_enabled", "TRUE").set("mfa_active", "FALSE"), func(r *credreport.Row) {
			r.Password = credreport.Known(true)
		}},
		{"title-case boolean", minimal().set("mfa_active", "True"), func(r *credreport.Row) { r.MFA = credreport.Known(true) }},
		{"password not supported", minimal().set("password_enabled", "not_supported"), func(r *credreport.Row) {
			r.Password = credreport.Maybe[bool]{}
		}},
		{"MFA not applicable", minimal().set("mfa_active", "N/A"), func(r *credreport.Row) { r.MFA = credreport.Maybe[bool]{} }},

		{"password used", minimal().set("password_last_used", created), func(r *credreport.Row) {
			r.PasswordUse = used(created, "", "")
		}},
		{"password never used on record", minimal().set("password_last_used", "no_information"), func(r *credreport.Row) {
			r.PasswordUse = never
		}},
		{"no password to use", minimal().set("password_last_used", "N/A"), func(r *credreport.Row) { r.PasswordUse = never }},
		{"password use not supported", minimal().set("password_last_used", "not_supported"), func(r *credreport.Row) {
			r.PasswordUse = unknown
		}},

		{"password changed", minimal().set("password_last_changed", created), func(r *credreport.Row) { r.PasswordChanged = credreport.Known(date) }},
		{"no password to change", minimal().set("password_last_changed", "N/A"), func(*credreport.Row) {}},
		{"password change not supported", minimal().set("password_last_changed", "not_supported"), func(*credreport.Row) {}},
		{"password change not told", minimal().set("password_last_changed", "no_information"), func(*credreport.Row) {}},

		{"offset zero", minimal().set("user_creation_time", "2026-02-03T04:05:06+00:00"), func(r *credreport.Row) { r.Created = date }},
		{"offset east", minimal().set("user_creation_time", "2026-02-03T09:35:06+05:30"), func(r *credreport.Row) { r.Created = date }},
		{"offset west", minimal().set("user_creation_time", "2026-02-02T20:05:06-08:00"), func(r *credreport.Row) { r.Created = date }},
		{"fraction truncated", minimal().set("user_creation_time", "2026-02-03T04:05:06.999999999Z"), func(r *credreport.Row) { r.Created = date }},
		{"fraction and offset", minimal().set("user_creation_time", "2026-02-03T05:05:06.5+01:00"), func(r *credreport.Row) { r.Created = date }},

		{"active key never used", minimal().set("access_key_1_active", "true").set("access_key_1_last_rotated", created), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Active: true, Created: date, LastUse: never}}
		}},
		{"inactive key", minimal().set("access_key_1_last_rotated", created), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Created: date, LastUse: never}}
		}},
		{"key in the second slot only", minimal().set("access_key_2_active", "true").set("access_key_2_last_rotated", created), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Active: true, Created: date, LastUse: never}}
		}},
		{"two keys", minimal().set("access_key_1_active", "true").set("access_key_1_last_rotated", created).set("access_key_2_last_rotated", "2025-02-03T04:05:06Z"), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Active: true, Created: date, LastUse: never}, {Created: at("2025-02-03T04:05:06Z"), LastUse: never}}
		}},
		{"active key without creation", minimal().set("access_key_1_active", "true"), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Active: true, LastUse: never}}
		}},
		{"inactive key told by its use only", minimal().set("access_key_1_last_used_date", created), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{LastUse: used(created, "", "")}}
		}},
		{"key use without region columns", minimal().set("access_key_1_last_rotated", created).set("access_key_1_last_used_date", created), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Created: date, LastUse: used(created, "", "")}}
		}},
		{"key use without a region", minimal().set("access_key_1_last_rotated", created).set("access_key_1_last_used_date", created).set("access_key_1_last_used_region", "N/A").set("access_key_1_last_used_service", "s3"), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Created: date, LastUse: used(created, "", "s3")}}
		}},
		{"region without a date is no use", minimal().set("access_key_1_last_rotated", created).set("access_key_1_last_used_region", "us-east-1").set("access_key_1_last_used_service", "iam"), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Created: date, LastUse: never}}
		}},
		{"key use not supported", minimal().set("access_key_1_active", "true").set("access_key_1_last_used_date", "not_supported"), func(r *credreport.Row) {
			r.Slots = []credreport.Slot{{Active: true, LastUse: unknown}}
		}},
		{"no key and use not supported", minimal().set("access_key_1_last_used_date", "not_supported"), func(*credreport.Row) {}},

		{"additional credentials", minimal().set("additional_credentials_info", "3 access keys"), func(r *credreport.Row) { r.Additional = credreport.Known(true) }},
		{"one additional credential", minimal().set("additional_credentials_info", "1"), func(r *credreport.Row) { r.Additional = credreport.Known(true) }},
		{"no additional credentials", minimal().set("additional_credentials_info", "N/A"), func(r *credreport.Row) { r.Additional = credreport.Known(false) }},
		{"additional credentials empty", minimal().set("additional_credentials_info", ""), func(r *credreport.Row) { r.Additional = credreport.Known(false) }},
		{"additional credentials 0", minimal().set("additional_credentials_info", "0"), func(r *credreport.Row) { r.Additional = credreport.Known(false) }},
		{"additional credentials false", minimal().set("additional_credentials_info", "FALSE"), func(r *credreport.Row) { r.Additional = credreport.Known(false) }},
		{"additional credentials not told", minimal().set("additional_credentials_info", "no_information"), func(*credreport.Row) {}},
		{"quoted fields", minimal().set("user", `"ann"`).set("additional_credentials_info", `"3 ""keys"", see ListAccessKeys"`), func(r *credreport.Row) { r.Additional = credreport.Known(true) }},
		{"unknown column", minimal().set("favourite_colour", "green"), func(*credreport.Row) {}},
		{"path in the ARN", minimal().set("arn", "arn:aws-cn:iam::123456789012:user/a/b/ann"), func(r *credreport.Row) {
			r.ARN = "arn:aws-cn:iam::123456789012:user/a/b/ann"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := base
			tt.want(&want)
			got := mustParse(t, tt.have.String())
			if diff := cmp.Diff([]credreport.Row{want}, got.Users, compareMaybe()); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRoot(t *testing.T) {
	old := minimal()
	old.rows = old.rows[:1]
	old.set("password_enabled", "not_supported").set("password_last_used", "no_information").
		set("access_key_1_active", "TRUE").set("access_key_1_last_rotated", "2026-02-03T04:05:06Z")
	rootless := minimal()
	rootless.rows = rootless.rows[1:]
	tests := []struct {
		name string
		have *sheet
		want *credreport.Row
	}{
		{"without keys", minimal(), &credreport.Row{
			Line: 2, User: credreport.RootUser, ARN: "arn:aws:iam::123456789012:root", Created: at("2026-01-02T03:04:05Z"),
			Password: credreport.Known(false), MFA: credreport.Known(false),
		}},
		{"with a key, in an older report, and no users", old, &credreport.Row{
			Line: 2, User: credreport.RootUser, ARN: "arn:aws:iam::123456789012:root", Created: at("2026-01-02T03:04:05Z"),
			PasswordUse: never, MFA: credreport.Known(false),
			Slots: []credreport.Slot{{Active: true, Created: at("2026-02-03T04:05:06Z"), LastUse: never}},
		}},
		{"absent", rootless, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustParse(t, tt.have.String())
			if diff := cmp.Diff(tt.want, got.Root, compareMaybe()); diff != "" {
				t.Errorf("root (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseForm checks that what a report looks like does not change what it says.
func TestParseForm(t *testing.T) {
	plain := minimal().set("access_key_1_active", "true").set("access_key_1_last_rotated", "2026-02-03T04:05:06Z").String()
	want := mustParse(t, plain)
	forms := map[string]string{
		"final newline": plain + "\n",
		"CRLF":          strings.ReplaceAll(plain, "\n", "\r\n"),
		"final CRLF":    strings.ReplaceAll(plain, "\n", "\r\n") + "\r\n",
		"BOM":           "\ufeff" + plain,
		"other order":   reversed(plain),
		"all quoted":    `"` + strings.NewReplacer(",", `","`, "\n", "\"\n\"").Replace(plain) + `"`,
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, mustParse(t, form), compareMaybe()); diff != "" {
				t.Errorf("report (-plain +%s):\n%s", name, diff)
			}
		})
	}
}

// reversed turns the order of the columns around.
func reversed(report string) string {
	var lines []string
	for line := range strings.SplitSeq(report, "\n") {
		cells := strings.Split(line, ",")
		for i, j := 0, len(cells)-1; i < j; i, j = i+1, j-1 {
			cells[i], cells[j] = cells[j], cells[i]
		}
		lines = append(lines, strings.Join(cells, ","))
	}
	return strings.Join(lines, "\n")
}

func TestParseErrors(t *testing.T) {
	header := strings.Join(minimal().names, ",")
	tests := []struct {
		name, have, want string
	}{
		{"nothing", "", "the report is empty"},
		{"white space", "\ufeff \r\n\n", "the report is empty"},
		{"HTML", "\n<!DOCTYPE html><html>", "got what looks like HTML or XML, want CSV: look for a proxy that answers in place of AWS"},
		{"JSON object", ` {"message": "no"}`, "got what looks like JSON, want CSV: look for a proxy that answers in place of AWS"},
		{"JSON list", `[]`, "got what looks like JSON, want CSV: look for a proxy that answers in place of AWS"},
		{"invalid UTF-8", minimal().set("user", "an\xffn").String(), `line 3, byte 3: got "\xff", want valid UTF-8`},
		{"UTF-8 cut short", minimal().set("additional_credentials_info", "\xc3").String(), `line 3, byte 101: got "\xc3", want valid UTF-8`},

		{"other CSV", "Name,Age\nann,3", "line 1: got a header without user, arn, user_creation_time, password_enabled, mfa_active, " +
			"access_key_1_active, access_key_1_last_rotated, access_key_1_last_used_date, " +
			"access_key_2_active, access_key_2_last_rotated, access_key_2_last_used_date, want that of a credential report"},
		{"column absent", "\n\n" + strings.Replace(minimal().String(), "mfa_active", "mfa", 1), "line 3: got a header without mfa_active, want that of a credential report"},
		{"column twice", strings.Replace(minimal().String(), "mfa_active", "mfa_active,arn", 1), `line 1: got column "arn" as field 2 and field 6, want it once`},
		{"unknown column twice", "x,x," + header, `line 1: got column "x" as field 1 and field 2, want it once`},
		{"bare quote in the header", `user,a"rn`, `line 1, field 2: bare " in non-quoted-field`},
		{"header only", header, "got a header without rows, want at least that of <root_account>: the report may be cut short, fetch it again"},
		{"header and newline only", header + "\n", "got a header without rows, want at least that of <root_account>: the report may be cut short, fetch it again"},

		{"too few fields", minimal().String() + "\nbob,arn", "line 4: got 2 fields, want 11 as in the header: the report may be cut short, fetch it again"},
		{"quote never closed", minimal().set("arn", `"arn:aws`).String(), `line 3, column arn: extraneous or missing " in quoted-field`},
		{"nothing but odd rows", strings.Join([]string{header, "a,b,c", "d,e,f,g,h,i,j,k,l,m,N/A"}, "\n"), "line 2: got 3 fields, want 11 as in the header: the report may be cut short, fetch it again"},

		{"cut in an unread column", minimal().set("cert_2_last_rotated", "N/").String(), `line 3, column cert_2_last_rotated: got "N/", want a whole value: the report may be cut short, fetch it again`},
		{"cut before an unread column", minimal().set("password_next_rotation", "").String(), `line 3, column password_next_rotation: got "", want a whole value: the report may be cut short, fetch it again`},
		{"cut in a date", minimal().set("access_key_2_last_used_date", "2026-01-02T03:04:05").String(), `line 3, column access_key_2_last_used_date: got "2026-01-02T03:04:05", want a date like 2006-01-02T15:04:05Z, N/A, no_information or not_supported`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := credreport.Parse([]byte(tt.have))
			if report != nil || err == nil {
				t.Fatalf("got report %v and error %v, want an error only", report, err)
			}
			if diff := cmp.Diff("parse credential report: "+tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseUnreadable bends one row of a report between others, which are read
// as ever.
func TestParseUnreadable(t *testing.T) {
	type who struct {
		user, arn string
		created   string
	}
	unfit := func(user string) who { return who{user: user} }
	named := func(user string) who { return who{user: user, arn: "arn:aws:iam::123456789012:user/" + user} }
	whole := func(user string) who {
		return who{user: user, arn: "arn:aws:iam::123456789012:user/" + user, created: "2026-01-02T03:04:05Z"}
	}
	tests := []struct {
		name string
		have *sheet // its last row cannot be read
		who  who
		want string
	}{
		{"too many fields", minimal().set("access_key_2_last_used_date", "N/A,N/A"), whole("ann"), "line 3: got 12 fields, want 11 as in the header"},
		{"bare quote", minimal().set("password_enabled", `fal"se`), whole("ann"), `line 3, column password_enabled: bare " in non-quoted-field`},

		{"no user name", minimal().set("user", ""), unfit("ann"), `line 3, column user: got "", want the name of a user`},
		{"no ARN", minimal().set("arn", "N/A"), unfit("ann"), `line 3, column arn: got "N/A", want an ARN that ends in "/ann"`},
		{"ARN of someone else", minimal().set("arn", "arn:aws:iam::123456789012:user/bob"), unfit("ann"), `line 3, column arn: got "arn:aws:iam::123456789012:user/bob", want an ARN that ends in "/ann"`},
		{"ARN of root for a user", minimal().set("arn", "arn:aws:iam::123456789012:root"), unfit("ann"), `line 3, column arn: got "arn:aws:iam::123456789012:root", want an ARN that ends in "/ann"`},
		{"ARN of a user for root", minimal().set("user", "<root_account>"), unfit("<root_account>"), `line 3, column arn: got "arn:aws:iam::123456789012:user/ann", want an ARN that ends in ":root"`},
		{"long value", minimal().set("arn", strings.Repeat("é", 41)), unfit("ann"), `line 3, column arn: got "` + strings.Repeat("é", 40) + `"…, want an ARN that ends in "/ann"`},

		{"boolean", minimal().set("password_enabled", "yes"), whole("ann"), `line 3, column password_enabled: got "yes", want true, false or not_supported`},
		{"boolean empty", minimal().set("mfa_active", ""), whole("ann"), `line 3, column mfa_active: got "", want true, false or not_supported`},
		{"boolean of a key", minimal().set("access_key_2_active", "not_supported"), whole("ann"), `line 3, column access_key_2_active: got "not_supported", want true or false`},

		{"no creation", minimal().set("user_creation_time", "N/A"), named("ann"), `line 3, column user_creation_time: got "N/A", want a date like 2006-01-02T15:04:05Z`},
		{"date without offset", minimal().set("user_creation_time", "2026-01-02T03:04:05"), named("ann"), `line 3, column user_creation_time: got "2026-01-02T03:04:05", want a date like 2006-01-02T15:04:05Z`},
		{"date that never was", minimal().set("user_creation_time", "2026-02-30T03:04:05Z"), named("ann"), `line 3, column user_creation_time: got "2026-02-30T03:04:05Z", want a date like 2006-01-02T15:04:05Z`},
		{"the first second of 1970", minimal().set("user_creation_time", "1970-01-01T00:00:00Z"), named("ann"), `line 3, column user_creation_time: got "1970-01-01T00:00:00Z", want a date like 2006-01-02T15:04:05Z`},
		{"zero date", minimal().set("access_key_1_last_used_date", "0001-01-01T00:00:00Z"), whole("ann"), `line 3, column access_key_1_last_used_date: got "0001-01-01T00:00:00Z", want a date like 2006-01-02T15:04:05Z, N/A, no_information or not_supported`},
		{"date of a key", minimal().set("access_key_1_last_rotated", "no_information"), whole("ann"), `line 3, column access_key_1_last_rotated: got "no_information", want a date like 2006-01-02T15:04:05Z, or N/A`},
		{"date of a use", minimal().set("password_last_used", "yesterday"), whole("ann"), `line 3, column password_last_used: got "yesterday", want a date like 2006-01-02T15:04:05Z, N/A, no_information or not_supported`},
		{"two wrong cells", minimal().set("mfa_active", "m").set("password_enabled", "p"), whole("ann"), `line 3, column password_enabled: got "p", want true, false or not_supported`},

		{"too few fields", minimal().set("access_key_2_last_used_date", "N/A\nbob,arn"), unfit("bob"), "line 4: got 2 fields, want 11 as in the header: the report may be cut short, fetch it again"},
		{"a word", minimal().set("access_key_2_last_used_date", "N/A\nbob"), unfit("bob"), "line 4: got 1 fields, want 11 as in the header: the report may be cut short, fetch it again"},
		{"quote never closed", minimal().set("user", `"ann`), unfit(""), `line 3, column user: extraneous or missing " in quoted-field`},
		{"quoted line break", minimal().set("access_key_2_last_used_date", "N/A\n\"bob"), unfit(""), `line 4, column user: extraneous or missing " in quoted-field`},
		{"invalid UTF-8", minimal().set("user", "an\xffn"), unfit(""), `line 3, byte 3: got "\xff", want valid UTF-8`},
		{"half a row before another", minimal().set("access_key_2_last_used_date", "N/A\nbob,arn:aws:iam::123456789012:user/bob,2026-01-02T03:04:05Z,true"), whole("bob"), "line 4: got 4 fields, want 11 as in the header: the report may be cut short, fetch it again"},

		{"comma in the name", minimal().set("user", "a,nn").set("arn", "arn:aws:iam::123456789012:user/a,nn"), whole("a,nn"), "line 3: got 13 fields, want 11 as in the header"},
		{"commas in the name", minimal().set("user", ",a,,nn,").set("arn", "arn:aws:iam::123456789012:user/,a,,nn,"), whole(",a,,nn,"), "line 3: got 19 fields, want 11 as in the header"},
		{"comma in the path", minimal().set("arn", "arn:aws:iam::123456789012:user/x,y/ann"), who{"ann", "arn:aws:iam::123456789012:user/x,y/ann", "2026-01-02T03:04:05Z"}, "line 3: got 12 fields, want 11 as in the header"},
		{"comma after the name in the path", minimal().set("arn", "arn:aws:iam::123456789012:user/ann,/ann"), who{"ann", "arn:aws:iam::123456789012:user/ann,/ann", "2026-01-02T03:04:05Z"}, "line 3: got 12 fields, want 11 as in the header"},
		{"comma in name and path", minimal().set("user", "a,nn").set("arn", "arn:aws:iam::123456789012:user/x,y/a,nn"), who{"a,nn", "arn:aws:iam::123456789012:user/x,y/a,nn", "2026-01-02T03:04:05Z"}, "line 3: got 14 fields, want 11 as in the header"},
		{"comma in the name, ARN of someone else", minimal().set("user", "a,nn").set("arn", "arn:aws:iam::123456789012:user/bob"), unfit("a,nn"), "line 3: got 12 fields, want 11 as in the header"},
		{"comma in the name, no ARN", minimal().set("user", "a,nn").set("arn", "N/A"), unfit("a"), "line 3: got 12 fields, want 11 as in the header"},
		{"quote in the path", minimal().set("arn", `arn:aws:iam::123456789012:user/x"y/ann`), who{"ann", `arn:aws:iam::123456789012:user/x"y/ann`, "2026-01-02T03:04:05Z"}, `line 3, column arn: bare " in non-quoted-field`},
		{"endless name", minimal().set("user", strings.Repeat("a", 65)), unfit(""), `line 3, column arn: got "arn:aws:iam::123456789012:user/ann", want an ARN that ends in "/` + strings.Repeat("a", 39) + `"…`},
		{"odd root", minimal().set("user", "<root_account>").set("arn", "arn:aws:iam::123456789012:root").set("mfa_active", "no"), who{"<root_account>", "arn:aws:iam::123456789012:root", "2026-01-02T03:04:05Z"}, `line 3, column mfa_active: got "no", want true, false or not_supported`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content := tt.have.add("zoe", "arn:aws:iam::123456789012:user/zoe").String()
			report := mustParse(t, content)
			if len(report.Unreadable) == 0 {
				t.Fatal("all rows are readable")
			}
			u := report.Unreadable[len(report.Unreadable)-1]
			if diff := cmp.Diff(tt.want, u.Err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			got := who{user: u.User, arn: u.ARN}
			if !u.Created.IsZero() {
				got.created = u.Created.Format(time.RFC3339)
			}
			if got != tt.who {
				t.Errorf("whose: got %+v, want %+v", got, tt.who)
			}
			if last := report.Users[len(report.Users)-1]; last.User != "zoe" || last.Line != strings.Count(content, "\n")+1 {
				t.Errorf("the row after is %+v, want that of zoe", last)
			}
			if rows := len(report.Users) + len(report.Unreadable); rows != strings.Count(content, "\n")-1 && tt.name != "odd root" {
				t.Errorf("%d rows of users, want one for each line of %q", rows, content)
			}
		})
	}
}

// TestParseTwice has a report tell twice of one user.
func TestParseTwice(t *testing.T) {
	ann, root := "arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:root"
	tests := []struct {
		name    string
		have    *sheet
		certain bool // whose rows they are
		users   int  // readable
		want    []string
	}{
		{"word for word", minimal().add("ann", ann).add("ann", ann), false, 1, nil},
		{"another fact", minimal().add("ann", ann).set("mfa_active", "true"), true, 0, []string{
			`line 3, column user: got "ann", want one row for each user: line 4 has this one too`,
			`line 4, column user: got "ann", want one row for each user: line 3 has this one already`,
		}},
		{"another fact, thrice", minimal().add("ann", ann).set("mfa_active", "true").add("ann", ann).set("mfa_active", "true").add("ann", ann), true, 0, []string{
			`line 3, column user: got "ann", want one row for each user: line 4 has this one too`,
			`line 4, column user: got "ann", want one row for each user: line 3 has this one already`,
			`line 5, column user: got "ann", want one row for each user: line 3 has this one already`,
		}},
		{"another creation", minimal().add("ann", ann).set("user_creation_time", "2026-01-02T03:04:06Z"), false, 0, []string{
			`line 3, column user: got "ann", want one row for each user: line 4 has this one too`,
			`line 4, column user: got "ann", want one row for each user: line 3 has this one already`,
		}},
		{"another path", minimal().add("ann", "arn:aws:iam::123456789012:user/team/ann"), false, 0, []string{
			`line 3, column user: got "ann", want one row for each user: line 4 has this one too`,
			`line 4, column user: got "ann", want one row for each user: line 3 has this one already`,
		}},
		{"in other case", minimal().add("ANN", "arn:aws:iam::123456789012:user/ANN"), false, 0, []string{
			`line 3, column user: got "ann", want one row for each user: line 4 has this one too`,
			`line 4, column user: got "ANN", want one row for each user: line 3 has this one already`,
		}},
		{"once readable", minimal().add("ann", ann).set("mfa_active", "maybe"), true, 0, []string{
			`line 3, column user: got "ann", want one row for each user: line 4 has this one too`,
			`line 4, column mfa_active: got "maybe", want true, false or not_supported`,
		}},
		{"once readable, later", minimal().set("mfa_active", "maybe").add("ann", ann), true, 0, []string{
			`line 3, column mfa_active: got "maybe", want true, false or not_supported`,
			`line 4, column user: got "ann", want one row for each user: line 3 has this one already`,
		}},
		{"unreadable word for word", minimal().set("mfa_active", "maybe").add("ann", ann).set("mfa_active", "maybe"), true, 0, []string{
			`line 3, column mfa_active: got "maybe", want true, false or not_supported`,
		}},
		{"a row that may be another's", minimal().add("ann", "arn:aws:iam::123456789012:user/bob"), false, 1, []string{
			`line 4, column arn: got "arn:aws:iam::123456789012:user/bob", want an ARN that ends in "/ann"`,
		}},
		{"root, word for word", minimal().add("<root_account>", root), false, 1, nil},
		{"root", minimal().add("<root_account>", root).set("mfa_active", "true"), true, 1, []string{
			`line 2, column user: got "<root_account>", want one row for each user: line 4 has this one too`,
			`line 4, column user: got "<root_account>", want one row for each user: line 2 has this one already`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report := mustParse(t, tt.have.add("zoe", "arn:aws:iam::123456789012:user/zoe").String())
			var got []string
			for _, u := range report.Unreadable {
				got = append(got, u.Err.Error())
				if u.Created.IsZero() == tt.certain {
					t.Errorf("line %d: created %s, want it certain: %t", u.Line, u.Created, tt.certain)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("unreadable (-want +got):\n%s", diff)
			}
			if len(report.Users) != tt.users+1 {
				t.Errorf("%d users, want %d", len(report.Users), tt.users+1)
			}
			if twice := tt.name == "root"; (report.Root == nil) != twice {
				t.Errorf("root: got %+v", report.Root)
			}
		})
	}
}

// TestParseTruncated cuts a report as AWS sends it at every byte: only cuts
// between two rows can pass.
func TestParseTruncated(t *testing.T) {
	content := read(t, "live.csv")
	header := strings.IndexByte(content, '\n')
	for end := range len(content) {
		between := content[end] == '\n' || end > 0 && content[end-1] == '\n'
		want := between && end > header+1
		if _, err := credreport.Parse([]byte(content[:end])); (err == nil) != want {
			t.Errorf("cut after byte %d, %q: got error %v, want success %t", end, content[max(0, end-30):end], err, want)
		}
	}
}

func TestMaybe(t *testing.T) {
	generated := at("2026-03-04T05:06:07Z")
	tests := []struct {
		name         string
		have         credreport.Maybe[bool]
		value, known bool
	}{
		{"unknown", credreport.Maybe[bool]{}, false, false},
		{"known false", credreport.Known(false), false, true},
		{"known true", credreport.Known(true), true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if value, known := tt.have.Get(); value != tt.value || known != tt.known {
				t.Errorf("Get: got %t, %t, want %t, %t", value, known, tt.value, tt.known)
			}
			fact := tt.have.ObservedAt(generated)
			if value, known := fact.Get(); value != tt.value || known != tt.known {
				t.Errorf("ObservedAt: got fact %t, %t, want %t, %t", value, known, tt.value, tt.known)
			}
			if tt.known && !fact.Observed().Equal(generated) {
				t.Errorf("ObservedAt: got observation time %v, want %v", fact.Observed(), generated)
			}
		})
	}
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"live", "documented"} {
		t.Run(name, func(t *testing.T) {
			got := describe(mustParse(t, read(t, name+".csv")))
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", name+".golden"), []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(read(t, name+".golden"), got); diff != "" {
				t.Errorf("report (-want +got); -update rewrites:\n%s", diff)
			}
		})
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// describe writes a report down for people.
func describe(r *credreport.Report) string {
	var b strings.Builder
	for _, row := range append([]credreport.Row{*r.Root}, r.Users...) {
		fmt.Fprintf(&b, "line %d: %s\n  arn %s\n  created %s\n", row.Line, row.User, row.ARN, describeDate(row.Created))
		fmt.Fprintf(&b, "  password %s, used %s\n", describeMaybe(row.Password), describeUse(row.PasswordUse))
		fmt.Fprintf(&b, "  mfa %s, additional %s\n", describeMaybe(row.MFA), describeMaybe(row.Additional))
		for _, slot := range row.Slots {
			fmt.Fprintf(&b, "  key active %t, created %s, used %s\n", slot.Active, describeDate(slot.Created), describeUse(slot.LastUse))
		}
	}
	return b.String()
}

func describeDate(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Format(time.RFC3339)
}

func describeMaybe(m credreport.Maybe[bool]) string {
	if value, known := m.Get(); known {
		return fmt.Sprint(value)
	}
	return "unknown"
}

func describeUse(m credreport.Maybe[inventory.Use]) string {
	use, known := m.Get()
	switch {
	case !known:
		return "unknown"
	case use.Never():
		return "never"
	}
	return fmt.Sprintf("%s in %q by %q", describeDate(use.At), use.Region, use.Service)
}
