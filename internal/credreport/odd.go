package credreport

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Rows that cannot be read, and whose they are.

// whose returns the line as one that cannot be read, with what it tells for
// certain: a name and an ARN that agree, with the creation in its place.
func (l *line) whose() Unreadable {
	u := Unreadable{Line: l.number}
	user, arn, created := l.find()
	if user = strings.Clone(user); isName(user) {
		u.User = user
	}
	if u.User == "" || !belongs(arn, user) || len(arn) > inventory.LongestARN {
		return u
	}
	u.ARN = strings.Clone(arn)
	u.Created, _ = parseDate(created)
	return u
}

// unreadable returns the row as one that cannot be read after all.
func (r *Row) unreadable() Unreadable {
	return Unreadable{Line: r.Line, User: r.User, ARN: r.ARN, Created: r.Created}
}

// find returns the cells of name, ARN and creation. In AWS's order of columns
// it does so even where commas that nobody quoted stand in the name, which the
// ARN ends, or in the ARN, which a date ends.
func (l *line) find() (user, arn, created string) {
	h := l.header
	if len(l.cells) <= h.user {
		return "", "", ""
	}
	if h.arn != h.user+1 || h.created != h.arn+1 {
		if len(l.cells) != len(h.names) {
			return "", "", ""
		}
		return l.cells[h.user], l.cells[h.arn], l.cells[h.created]
	}
	rest := l.cells[h.user:]
	first := slices.IndexFunc(rest, func(cell string) bool { return strings.HasPrefix(cell, "arn:") })
	if first < 1 {
		return rest[0], "", ""
	}
	user, arn = strings.Join(rest[:first], ","), rest[first]
	date := first + slices.IndexFunc(rest[first:], func(cell string) bool { _, ok := parseDate(cell); return ok })
	if date > first {
		if whole := strings.Join(rest[first:date], ","); belongs(whole, user) {
			return user, whole, rest[date]
		}
	}
	if user == "" {
		user = arn[strings.LastIndexAny(arn, "/:")+1:]
		return user, "", ""
	}
	return user, arn, ""
}

// isName tells whether a user can be called so, as far as it matters here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func isName(s string) bool {
	const limit = 64
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && !strings.ContainsAny(s, `"/`)
}

// telling is the first line about a user.
type telling struct {
	line int
	text string
}

// repeats reports whether an earlier line says the same, word for word. A line
// that says something else of the same user cannot be believed, nor can the
// earlier one.
func (p *parser) repeats(l *line, user string) bool {
	key := strings.ToLower(user)
	first, found := p.first[key]
	switch {
	case !found:
		p.first[key] = telling{l.number, l.text}
		return false
	case first.text == l.text:
		return true
	}
	if p.again[key] == 0 {
		p.again[key] = l.number
	}
	if l.err == nil {
		l.err = l.wrong(p.header.user, user, fmt.Sprintf("one row for each user: line %d has this one already", first.line))
	}
	return false
}

// disbelieve takes out the rows of users of whom another line tells something
// else.
func (p *parser) disbelieve() {
	if len(p.again) == 0 {
		return
	}
	r := &p.report
	doubted := func(row *Row) bool {
		again, found := p.again[strings.ToLower(row.User)]
		if !found {
			return false
		}
		l, who := line{number: row.Line, header: p.header}, row.unreadable()
		who.Err = l.wrong(p.header.user, row.User, fmt.Sprintf("one row for each user: line %d has this one too", again))
		r.Unreadable = append(r.Unreadable, who)
		return true
	}
	r.Users = slices.DeleteFunc(r.Users, func(row Row) bool { return doubted(&row) })
	if r.Root != nil && doubted(r.Root) {
		r.Root = nil
	}
	slices.SortFunc(r.Unreadable, func(a, b Unreadable) int { return a.Line - b.Line })
	p.doubtIdentity()
}

// doubtIdentity leaves open whose rows those are that disagree in that.
func (p *parser) doubtIdentity() {
	rows := map[string][]*Unreadable{}
	for i := range p.report.Unreadable {
		if u := &p.report.Unreadable[i]; u.ARN != "" {
			key := strings.ToLower(u.User)
			rows[key] = append(rows[key], u)
		}
	}
	for _, same := range rows {
		first := *same[0]
		if !slices.ContainsFunc(same, func(u *Unreadable) bool {
			return u.User != first.User || u.ARN != first.ARN || !u.Created.Equal(first.Created)
		}) {
			continue
		}
		for _, u := range same {
			u.Created = time.Time{}
		}
	}
}

// Gap is something that a report ought to tell and does not.
type Gap struct {
	Row *Unreadable // the row that cannot be read; nil if it is not about a single one
	Err error
}

// Gaps returns what the report ought to tell and does not. Many rows that cannot
// be read are told as one gap from the fourth on.
func (r *Report) Gaps() []Gap {
	const named = 3
	var gaps []Gap
	for i := range r.Unreadable[:min(named, len(r.Unreadable))] {
		u := &r.Unreadable[i]
		gaps = append(gaps, Gap{u, fmt.Errorf("the row of %s cannot be read: %w", cmp.Or(u.User, "a user"), u.Err)})
	}
	switch more := len(r.Unreadable) - named; {
	case more == 1:
		gaps = append(gaps, Gap{nil, fmt.Errorf("1 more row cannot be read, in line %d", r.Unreadable[named].Line)})
	case more > 1:
		gaps = append(gaps, Gap{nil, fmt.Errorf("%d more rows cannot be read, the first of them in line %d", more, r.Unreadable[named].Line)})
	}
	if r.Root == nil && !slices.ContainsFunc(r.Unreadable, func(u Unreadable) bool { return u.User == RootUser }) {
		gaps = append(gaps, Gap{nil, fmt.Errorf("there is no row of %s", RootUser)})
	}
	return gaps
}
