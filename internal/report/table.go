package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// Codes of a terminal.
const (
	red, yellow, grey, reset = "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
)

// table is for people at a terminal.
func (r *Report) table(look Look) []byte {
	t := &table{look: look}
	if len(r.Results) > 0 {
		t.rows(r)
	}
	for _, rule := range r.rulesFound() {
		t.line("", fmt.Sprintf("%s: %s", rule.Name, rule.Description))
		if controls := controlsInWords(rule.Controls); controls != "" {
			t.line(grey, "  answers "+controls)
		}
	}
	if slices.ContainsFunc(r.Results, func(result Result) bool { return strings.Contains(result.next(), "access-key") }) {
		t.line("", howToUndo)
	}
	if len(r.Results) > 0 {
		t.line("", "")
	}
	for _, fact := range r.facts() {
		t.line(grey, fact)
	}
	t.line(r.colour(), r.summary())
	return []byte(t.text.String())
}

func (r *Report) colour() string {
	switch r.Summary.ExitCode {
	case ExitViolation:
		return red
	case ExitUnknown:
		return yellow
	}
	return ""
}

// table is a table being written.
type table struct {
	look   Look
	text   strings.Builder
	widths []int
	moved  []bool // columns that stand in a line of their own, for want of room
}

func (t *table) line(colour, text string) {
	if t.look.Colour && colour != "" {
		text = colour + text + reset
	}
	t.text.WriteString(text + "\n")
}

// The columns of a row.
const (
	columnSeverity = 1
	columnAccount  = 3
	columnUser     = 4
	columnKey      = 5
	columnOwner    = 7
	columnClass    = 8
)

// rows writes a row for each result, and below it what to do next.
func (t *table) rows(r *Report) {
	rows := [][]string{{"VERDICT", "SEVERITY", "SINCE", "ACCOUNT", "USER", "ACCESS KEY", "RULE", "OWNER", "CLASS"}}
	for i := range r.Results {
		rows = append(rows, r.cells(&r.Results[i]))
	}
	t.fit(rows)
	t.line("", t.row(rows[0]))
	for i := range r.Results {
		result, cells := &r.Results[i], rows[i+1]
		t.line(result.colour(), t.row(cells))
		if t.moved[columnOwner] {
			t.line(grey, fmt.Sprintf("    %s, account %s, owner %s, class %s", cells[columnSeverity], cells[columnAccount], cells[columnOwner], cells[columnClass]))
		}
		if e := result.Exemption; e != nil {
			t.line(grey, fmt.Sprintf("    until the end of %s: %s", e.LastDay, inventory.Printable(e.Reason)))
		} else {
			t.line(grey, "    "+result.next())
		}
	}
	t.line("", "")
}

func (r *Report) cells(result *Result) []string {
	cells := []string{
		result.state(), string(result.Severity), r.age(result), result.AccountID, result.UserName,
		result.AccessKeyID, string(result.Rule), result.Owner, result.Class,
	}
	for i := range cells {
		if cells[i] = inventory.Printable(cells[i]); cells[i] == "" {
			cells[i] = "-"
		}
	}
	return cells
}

func (r *Result) colour() string {
	switch {
	case r.Fails:
		return red
	case r.Verdict == policy.Unknown || r.Verdict == policy.Violation && !r.Baseline:
		return yellow
	}
	return ""
}

const (
	narrowest = 8 // of a column that is made narrower
	space     = 2 // between two columns
)

// fit chooses the widths of the columns. Where the terminal has no room for all of
// them, some go to a line of their own, and long names are cut; rules never are.
func (t *table) fit(rows [][]string) {
	t.widths, t.moved = make([]int, len(rows[0])), make([]bool, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, i := range []int{columnOwner, columnClass, columnSeverity, columnAccount} {
		t.moved[i] = t.tooWide() || i == columnClass && t.moved[columnOwner]
	}
	for _, i := range []int{columnUser, columnKey} {
		for t.tooWide() && t.widths[i] > narrowest {
			t.widths[i]--
		}
	}
}

// tooWide reports whether a row has no room on the terminal.
func (t *table) tooWide() bool {
	total := -space
	for i, width := range t.widths {
		if !t.moved[i] {
			total += width + space
		}
	}
	return t.look.Width > 0 && total > t.look.Width
}

func (t *table) row(cells []string) string {
	var b strings.Builder
	for i, cell := range cells {
		if t.moved[i] {
			continue
		}
		runes := []rune(cell)
		if len(runes) > t.widths[i] {
			runes = append(runes[:t.widths[i]-1], '…')
		}
		b.WriteString(string(runes) + strings.Repeat(" ", t.widths[i]-len(runes)+space))
	}
	return strings.TrimRight(b.String(), " ")
}
