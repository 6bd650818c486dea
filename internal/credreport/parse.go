package credreport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Parse reads a credential report. Columns are found by name, in any order;
// those it does not need may be absent, and those it does not know are passed
// over. Every error means that the content cannot be understood; it names the
// line, the column and the beginning of the value. Half a report is never
// returned.
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
	p, err := newParser(content)
	if err != nil {
		return nil, err
	}
	for {
		more, err := p.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return p.finish()
		}
	}
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
	case !utf8.Valid(content):
		return invalidText(content)
	}
	return nil
}

// invalidText says where content stops being UTF-8.
func invalidText(content []byte) error {
	at := 0
	for {
		r, size := utf8.DecodeRune(content[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	before := content[:at]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := at - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, byte %d: got %q, want valid UTF-8", line, column, content[at:at+1])
}

// parser turns the rows of one report into a Report.
type parser struct {
	csv    *csv.Reader
	header *header
	report Report

	lines map[string]int    // the line of each user, by lower-case name
	words map[string]string // each region and service, held once
	slots []Slot            // backs the slots of all rows
	cut   error             // set if the row read last ends in half a value
}

// newParser reads the header of a report.
func newParser(content []byte) (*parser, error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.ReuseRecord = true
	r.FieldsPerRecord = -1 // next counts, to say more than the reader would

	names, err := r.Read()
	if err != nil {
		return nil, syntaxError(err, nil, len(names))
	}
	number, _ := r.FieldPos(0)
	h, err := newHeader(names)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", number, err)
	}
	rows := min(bytes.Count(content, []byte("\n")), len(content)/shortestRow)
	return &parser{
		csv:    r,
		header: h,
		report: Report{Users: make([]Row, 0, rows)},
		lines:  make(map[string]int, rows),
		words:  make(map[string]string),
		slots:  make([]Slot, 0, rows*len(h.slots)),
	}, nil
}

// shortestRow bounds from below the bytes of a row that can be read, so that
// content full of line breaks reserves no memory.
const shortestRow = 64

// next reads one row, if there is one more.
func (p *parser) next() (bool, error) {
	cells, err := p.csv.Read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, syntaxError(err, p.header.names, len(cells))
	}
	number, _ := p.csv.FieldPos(0)
	l := line{number: number, names: p.header.names, cells: cells}
	if err := l.checkLength(); err != nil {
		return false, err
	}
	if err := p.add(&l); err != nil {
		return false, err
	}
	p.cut = l.checkEnd() // counts only if no row follows
	return true, nil
}

// add takes a row into the report.
func (p *parser) add(l *line) error {
	row := p.row(l)
	if l.err != nil {
		return l.err
	}
	key := strings.ToLower(row.User)
	if earlier, ok := p.lines[key]; ok {
		l.fail(p.header.user, fmt.Sprintf("one row for each user: line %d has this one already", earlier))
		return l.err
	}
	p.lines[key] = row.Line
	if row.User == RootUser {
		root := row // so that not every row escapes to the heap
		p.report.Root = &root
		return nil
	}
	p.report.Users = append(p.report.Users, row)
	return nil
}

// row reads one row; l.err tells whether it could.
func (p *parser) row(l *line) Row {
	h := p.header
	user, arn := l.identity(h.user, h.arn)
	return Row{
		Line:        l.number,
		User:        user,
		ARN:         arn,
		Created:     l.date(h.created),
		Password:    l.answer(h.password),
		PasswordUse: l.use(h.passwordUsed),
		MFA:         l.answer(h.mfa),
		Slots:       p.rowSlots(l),
		Additional:  !isPlaceholder(l.text(h.additional)),
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
		use.Region, use.Service = p.word(l.text(c.region)), p.word(l.text(c.service))
		slot.LastUse = Known(use)
	}
	return slot, slot.Active || !slot.Created.IsZero() || !use.Never()
}

// word returns a region or service that does not keep its whole row in memory;
// empty if the report gives none.
func (p *parser) word(s string) string {
	if isPlaceholder(s) {
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
	if len(p.lines) == 0 {
		return nil, fmt.Errorf("got a header without rows, want at least that of %s: the report may be cut short, fetch it again", RootUser)
	}
	if p.cut != nil {
		return nil, p.cut
	}
	return &p.report, nil
}

// syntaxError words an error of the CSV reader; field counts from 0.
func syntaxError(err error, names []string, field int) error {
	var syntax *csv.ParseError
	if !errors.As(err, &syntax) {
		return err
	}
	if field < len(names) {
		return fmt.Errorf("line %d, column %s: %w", syntax.StartLine, names[field], syntax.Err)
	}
	return fmt.Errorf("line %d, field %d: %w", syntax.StartLine, field+1, syntax.Err)
}
