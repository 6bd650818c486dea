package credreport

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Parse reads a credential report. Columns are found by name, in any order;
// those it does not need may be absent, and those it does not know are passed
// over. Rows that cannot be read stand in the report as such; rows that repeat an
// earlier one word for word are dropped. An error means that the content cannot
// be understood, or was cut short; it names the line, the column and the
// beginning of the value. Half a report is never returned.
func Parse(content []byte) (*Report, error) {
	report, err := parse(bytes.TrimPrefix(content, []byte("\ufeff")))
	if err != nil {
		return nil, fmt.Errorf("parse credential report: %w", err)
	}
	return report, nil
}

func parse(content []byte) (*Report, error) {
	if err := checkText(content); err != nil {
		return nil, err
	}
	p, err := newParser(string(content))
	if err != nil {
		return nil, err
	}
	for p.lines.next() {
		if p.rows > inventory.MostUsers {
			return nil, fmt.Errorf("line %d: got more than %d rows, want no more", p.lines.number, inventory.MostUsers)
		}
		p.add()
	}
	return p.finish()
}

// checkText refuses what is no CSV text at all.
func checkText(content []byte) error {
	text := bytes.TrimSpace(content)
	switch {
	case len(text) == 0:
		return errors.New("the report is empty")
	case text[0] == '<':
		return errors.New("got what looks like HTML or XML, want CSV: look for a proxy that answers in place of AWS")
	case text[0] == '{' || text[0] == '[':
		return errors.New("got what looks like JSON, want CSV: look for a proxy that answers in place of AWS")
	}
	return nil
}

// lines goes through the lines of a text that are not empty.
type lines struct {
	rest   string
	text   string // the line that next has moved to
	number int    // of that line, from 1
}

// next moves to the next line and reports whether there is one.
func (l *lines) next() bool {
	for l.rest != "" {
		l.text, l.rest, _ = strings.Cut(l.rest, "\n")
		l.text = strings.TrimSuffix(l.text, "\r")
		if l.number++; l.text != "" {
			return true
		}
	}
	return false
}

// parser turns the rows of one report into a Report.
type parser struct {
	lines  lines
	header *header
	report Report

	first map[string]telling // of each user, by lower-case name
	again map[string]int     // the first line that tells something else, by lower-case name
	words map[string]string  // each region and service, held once
	slots []Slot             // backs the slots of all rows
	cells []string           // of the row read last
	cut   error              // set if the row read last can be the beginning of one
	rows  int
}

// newParser reads the header of a report.
func newParser(content string) (*parser, error) {
	all := lines{rest: content}
	all.next()
	l := newLine(all.number, all.text, &header{}, nil)
	if l.err != nil {
		return nil, l.err
	}
	h, err := newHeader(l.cells)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", all.number, err)
	}
	rows := min(strings.Count(content, "\n"), len(content)/shortestRow)
	return &parser{
		lines:  all,
		header: h,
		report: Report{Users: make([]Row, 0, rows)},
		first:  make(map[string]telling, rows),
		again:  make(map[string]int),
		words:  make(map[string]string),
		slots:  make([]Slot, 0, rows*len(h.slots)),
	}, nil
}

// shortestRow bounds from below the bytes of a row that can be read, so that
// content full of line breaks reserves no memory.
const shortestRow = 64

// add takes the line into the report, as one that cannot be read if need be.
func (p *parser) add() {
	l := newLine(p.lines.number, p.lines.text, p.header, p.cells[:0])
	l.checkLength()
	var row Row
	if l.err == nil {
		row = p.row(&l)
	}
	p.rows, p.cells, p.cut = p.rows+1, l.cells, l.checkEnd()
	who := row.unreadable()
	if l.err != nil {
		who = l.whose()
	}
	if who.ARN != "" && p.repeats(&l, who.User) {
		return
	}
	switch r := &p.report; {
	case l.err != nil:
		who.Err = l.err
		r.Unreadable = append(r.Unreadable, who)
	case row.User == RootUser:
		root := row // so that not every row escapes to the heap
		r.Root = &root
	default:
		r.Users = append(r.Users, row)
	}
}

// row reads one row; l.err tells whether it could.
func (p *parser) row(l *line) Row {
	h := p.header
	user, arn := l.identity(h.user, h.arn)
	return Row{
		Line:            l.number,
		User:            user,
		ARN:             arn,
		Created:         l.date(h.created),
		Password:        l.answer(h.password),
		PasswordUse:     l.use(h.passwordUsed),
		PasswordChanged: l.change(h.passwordChanged),
		MFA:             l.answer(h.mfa),
		Slots:           p.rowSlots(l),
		Additional:      l.additional(h.additional),
	}
}

// rowSlots reads those slots of a row that hold a key.
func (p *parser) rowSlots(l *line) []Slot {
	start := len(p.slots)
	for _, columns := range p.header.slots {
		if slot, ok := p.slot(l, columns); ok {
			p.slots = append(p.slots, slot)
		}
	}
	end := len(p.slots)
	if start == end {
		return nil
	}
	return p.slots[start:end:end]
}

// slot reads one slot and tells whether it holds a key. By AWS's guide an
// inactive key has no creation date, in practice it has; a deleted key leaves
// neither date. So any date is a key's. An active key without a creation date
// is kept as well: it exists, though it will match no other source's key.
func (p *parser) slot(l *line, c slotColumns) (Slot, bool) {
	slot := Slot{
		Active:  l.boolean(c.active),
		Created: l.dateOrNone(c.created),
		LastUse: l.use(c.used),
	}
	use, known := slot.LastUse.Get()
	if known && !use.Never() {
		// Non-regional services have no region, so only the date tells of a use.
		use.Region, use.Service = p.word(l, c.region), p.word(l, c.service)
		slot.LastUse = Known(use)
	}
	return slot, slot.Active || !slot.Created.IsZero() || !use.Never()
}

// word returns a region or service that does not keep its whole row in memory;
// empty if the report gives none.
func (p *parser) word(l *line, column int) string {
	s := l.cell(column)
	if isPlaceholder(s) {
		return ""
	}
	if len(s) > inventory.LongestWord {
		l.fail(column, "a word")
		return ""
	}
	held, ok := p.words[s]
	if !ok {
		held = strings.Clone(s)
		p.words[held] = held
	}
	return held
}

// finish returns the report, unless it ends before its end.
func (p *parser) finish() (*Report, error) {
	p.disbelieve()
	switch r := &p.report; {
	case p.rows == 0:
		return nil, fmt.Errorf("got a header without rows, want at least that of %s: the report may be cut short, fetch it again", RootUser)
	case p.cut != nil:
		return nil, p.cut
	case r.Root == nil && len(r.Users) == 0: // no odd row: it is no report
		return nil, r.Unreadable[0].Err
	}
	p.fit()
	report := p.report // a pointer into the parser would keep all of it in memory, text included
	return &report, nil
}

// fit has the rows take no more memory than their keys need: most users have one.
func (p *parser) fit() {
	slots := make([]Slot, 0, len(p.slots))
	for i := range p.report.Users {
		row := &p.report.Users[i]
		if len(row.Slots) == 0 {
			continue
		}
		start := len(slots)
		slots = append(slots, row.Slots...)
		row.Slots = slots[start:len(slots):len(slots)]
	}
}
