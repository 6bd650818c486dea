package credreport

import (
	"cmp"
	"encoding/csv"
	"errors"
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
	text   string
	header *header
	cells  []string
	torn   bool // stops amid a quoted value or a character
	err    error
}

// mostCells is how many cells a line can have; AWS's have about twenty.
const mostCells = 1000

// newLine splits a line into cells, for which it uses the given memory. Cells of
// AWS's hold no line breaks, so a stray quote costs its own line and no other. If
// the line cannot be split as it should, its cells are what stands between commas.
func newLine(number int, text string, h *header, cells []string) line {
	l := line{number: number, text: text, header: h}
	switch {
	case !utf8.ValidString(text):
		l.torn, l.err = true, l.invalidText()
	case strings.Count(text, ",") >= mostCells: // whose cells would take more memory than the report
		l.cells = append(cells, strings.SplitN(text, ",", mostCells)...)
		l.err = fmt.Errorf("line %d: got %d fields or more, want fewer", number, mostCells)
		return l
	case strings.Contains(text, `"`):
		r := csv.NewReader(strings.NewReader(text))
		quoted, err := r.Read()
		if err == nil {
			l.cells = append(cells, quoted...)
			return l
		}
		l.torn, l.err = errors.Is(err, csv.ErrQuote), l.syntaxError(err, len(quoted))
	}
	l.cells = cells
	for more := true; more; {
		var cell string
		cell, text, more = strings.Cut(text, ",")
		l.cells = append(l.cells, cell)
	}
	return l
}

// invalidText says where the line stops being UTF-8.
func (l *line) invalidText() error {
	at := 0
	for {
		r, size := utf8.DecodeRuneInString(l.text[at:])
		if r == utf8.RuneError && size <= 1 {
			return fmt.Errorf("line %d, byte %d: got %q, want valid UTF-8", l.number, at+1, l.text[at:at+1])
		}
		at += size
	}
}

// syntaxError words an error of the CSV reader; field counts from 0.
func (l *line) syntaxError(err error, field int) error {
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		err = syntax.Err
	}
	if field < len(l.header.names) {
		return fmt.Errorf("line %d, column %s: %w", l.number, inventory.Shorten(l.header.names[field], longestQuoted), err)
	}
	return fmt.Errorf("line %d, field %d: %w", l.number, field+1, err)
}

// fail notes that the cell holds something else than wanted.
func (l *line) fail(column int, want string) {
	if l.err == nil {
		l.err = l.wrong(column, l.cells[column], want)
	}
}

func (l *line) wrong(column int, got, want string) error {
	return fmt.Errorf("line %d, column %s: got %s, want %s", l.number, inventory.Shorten(l.header.names[column], longestQuoted), quote(got), want)
}

// checkLength compares the number of cells with the header's.
func (l *line) checkLength() {
	got, want := len(l.cells), len(l.header.names)
	switch {
	case l.err != nil:
	case got < want:
		l.err = fmt.Errorf("line %d: got %d fields, want %d as in the header: the report may be cut short, fetch it again", l.number, got, want)
	case got > want:
		l.err = fmt.Errorf("line %d: got %d fields, want %d as in the header", l.number, got, want)
	}
}

// checkEnd returns an error if the line can be the beginning of a row: if it has
// too few cells, or half a value in the last one. That says something about the
// last line of a report only.
func (l *line) checkEnd() error {
	h, last, end := l.header, len(l.header.names)-1, l.cells[len(l.cells)-1]
	switch {
	case l.torn, len(l.cells) <= last:
		return l.err
	case hasFixedForm(h.names[last]) && !isWhole(end):
		return cmp.Or(l.err, l.wrong(last, end, "a whole value: the report may be cut short, fetch it again"))
	case (h.user == last || h.arn == last) && !belongs(l.cells[h.arn], l.cells[h.user]):
		return l.err
	}
	return nil
}

// hasFixedForm tells whether AWS writes only booleans, dates and placeholders
// into the column.
func hasFixedForm(name string) bool {
	switch name {
	case "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation":
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

// cell returns a cell as it stands; empty if the report lacks the column.
func (l *line) cell(column int) string {
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
	case len(user) > inventory.LongestName:
		l.fail(userColumn, "a name of at most 64 characters")
		return "", ""
	case len(arn) > inventory.LongestARN:
		l.fail(arnColumn, "an ARN of at most 2048 characters")
		return "", ""
	case user == RootUser && belongs(arn, user):
		return RootUser, strings.Clone(arn)
	case user == RootUser:
		l.fail(arnColumn, `an ARN that ends in ":root"`)
		return "", ""
	case !belongs(arn, user):
		l.fail(arnColumn, "an ARN that ends in "+quote("/"+user))
		return "", ""
	}
	arn = strings.Clone(arn)
	return arn[len(arn)-len(user):], arn
}

// belongs tells whether the ARN is that of the user of this name.
func belongs(arn, user string) bool {
	if user == RootUser {
		return endsIn(arn, ':', "root")
	}
	return user != "" && endsIn(arn, '/', user)
}

// endsIn tells whether arn is one whose last part, after the mark, is name.
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
	s := l.cell(column)
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

// change reads the date of a last change. AWS gives none where there is nothing
// that could change, and none for root.
func (l *line) change(column int) Maybe[time.Time] {
	s := l.cell(column)
	switch {
	case column == absent, s == notApplicable, s == noInformation, s == notSupported:
		return Maybe[time.Time]{}
	}
	t, ok := parseDate(s)
	if !ok {
		l.fail(column, "a date like 2006-01-02T15:04:05Z, N/A, no_information or not_supported")
	}
	return Known(t)
}

// additional reads whether there is more than the row shows. Nothing in the
// column means no; anything that is no known word for no means yes.
func (l *line) additional(column int) Maybe[bool] {
	s := l.cell(column)
	switch {
	case column == absent, s == noInformation, s == notSupported:
		return Maybe[bool]{}
	case s == "", s == "0", s == notApplicable, strings.EqualFold(s, "false"):
		return Known(false)
	}
	return Known(true)
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

// longestQuoted is how many characters of a value stand in an error.
const longestQuoted = 40

// quote quotes a value for an error, shortened.
func quote(s string) string {
	if utf8.RuneCountInString(s) <= longestQuoted {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%.*q…", longestQuoted, s)
}
