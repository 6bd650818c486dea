package credreport

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// What AWS writes in the place of a value.
const (
	notApplicable = "N/A"
	noInformation = "no_information" // never used, or not while AWS kept record
	notSupported  = "not_supported"  // AWS does not tell for this kind of user
)

// line reads the cells of one row and keeps the first error, after which the
// values it returns mean nothing.
type line struct {
	number int
	names  []string
	cells  []string
	err    error
}

// fail notes that the cell holds something else than wanted.
func (l *line) fail(column int, want string) {
	if l.err == nil {
		l.err = fmt.Errorf("line %d, column %s: got %s, want %s", l.number, l.names[column], quote(l.cells[column]), want)
	}
}

// checkLength compares the number of cells with the header's.
func (l *line) checkLength() error {
	got, want := len(l.cells), len(l.names)
	if got < want {
		return fmt.Errorf("line %d: got %d fields, want %d as in the header: the report may be cut short, fetch it again", l.number, got, want)
	}
	if got > want {
		return fmt.Errorf("line %d: got %d fields, want %d as in the header", l.number, got, want)
	}
	return nil
}

// checkEnd refuses half a value in the last column, which is how a cut report
// ends if the cut left enough commas. Other columns are read or need no check.
func (l *line) checkEnd() error {
	column := len(l.cells) - 1
	if hasFixedForm(l.names[column]) && !isWhole(l.cells[column]) {
		l.fail(column, "a whole value: the report may be cut short, fetch it again")
	}
	return l.err
}

// hasFixedForm tells whether AWS writes only booleans, dates and placeholders
// into the column.
func hasFixedForm(name string) bool {
	switch name {
	case "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation":
		return true
	}
	for _, suffix := range []string{"_active", "_last_rotated", "_last_used_date"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// isWhole tells whether s is a boolean, a date or a placeholder.
func isWhole(s string) bool {
	_, isBool := parseBool(s)
	_, isDate := parseDate(s)
	return isBool || isDate || s != "" && isPlaceholder(s)
}

// text returns a cell as it stands; empty if the report lacks the column.
func (l *line) text(column int) string {
	if column == absent {
		return ""
	}
	return l.cells[column]
}

// identity reads the user's name and ARN. They share one copy, so that neither
// keeps its whole row in memory.
func (l *line) identity(userColumn, arnColumn int) (user, arn string) {
	user, arn = l.cells[userColumn], l.cells[arnColumn]
	switch {
	case user == "":
		l.fail(userColumn, "the name of a user")
		return "", ""
	case user == RootUser && endsIn(arn, ':', "root"):
		return RootUser, strings.Clone(arn)
	case user == RootUser:
		l.fail(arnColumn, `an ARN that ends in ":root"`)
		return "", ""
	case !endsIn(arn, '/', user):
		l.fail(arnColumn, "an ARN that ends in "+quote("/"+user))
		return "", ""
	}
	arn = strings.Clone(arn)
	return arn[len(arn)-len(user):], arn
}

// endsIn tells whether s is an ARN whose last part, after the mark, is name.
func endsIn(arn string, mark byte, name string) bool {
	before, ok := strings.CutSuffix(arn, name)
	return ok && strings.HasPrefix(before, "arn:") && before[len(before)-1] == mark
}

// boolean reads a cell that is always true or false.
func (l *line) boolean(column int) bool {
	value, ok := parseBool(l.cells[column])
	if !ok {
		l.fail(column, "true or false")
	}
	return value
}

// answer reads a boolean that AWS may decline to give.
func (l *line) answer(column int) Maybe[bool] {
	s := l.cells[column]
	if value, ok := parseBool(s); ok {
		return Known(value)
	}
	if s == "" || !isPlaceholder(s) {
		l.fail(column, "true, false or not_supported")
	}
	return Maybe[bool]{}
}

// date reads a cell that is always a date.
func (l *line) date(column int) time.Time {
	t, ok := parseDate(l.cells[column])
	if !ok {
		l.fail(column, "a date like 2006-01-02T15:04:05Z")
	}
	return t
}

// dateOrNone reads a date, or zero for N/A.
func (l *line) dateOrNone(column int) time.Time {
	s := l.cells[column]
	t, ok := parseDate(s)
	if !ok && s != notApplicable {
		l.fail(column, "a date like 2006-01-02T15:04:05Z, or N/A")
	}
	return t
}

// use reads the date of a last use. N/A and no_information both mean that no
// use is on record.
func (l *line) use(column int) Maybe[inventory.Use] {
	s := l.text(column)
	switch {
	case column == absent, s == notSupported:
		return Maybe[inventory.Use]{}
	case s == notApplicable, s == noInformation:
		return Known(inventory.Use{})
	}
	t, ok := parseDate(s)
	if !ok {
		l.fail(column, "a date like 2006-01-02T15:04:05Z, N/A, no_information or not_supported")
	}
	return Known(inventory.Use{At: t})
}

// parseBool reads a boolean: lower case on the wire, upper case in AWS's guide.
func parseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// parseDate reads an RFC 3339 date with any offset, in UTC and whole seconds.
// Dates up to 1970 are none: IAM is younger, and zero must stay "no date".
func parseDate(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, false // spares placeholders the making of an error
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() <= 0 {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Second), true
}

// isPlaceholder tells whether a cell stands empty or for no value.
func isPlaceholder(s string) bool {
	switch s {
	case "", notApplicable, noInformation, notSupported:
		return true
	}
	return false
}

// quote quotes a value for an error, shortened.
func quote(s string) string {
	const limit = 40
	if utf8.RuneCountInString(s) <= limit {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%.*q…", limit, s)
}
