package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// age says in days how long a violation lasts, or when it begins.
func (r *Report) age(result *Result) string {
	if result.Since.IsZero() {
		return ""
	}
	const day = 24 * time.Hour
	if left := result.Since.Sub(r.CheckedAt); left > 0 {
		return fmt.Sprintf("in %dd", (left+day-1)/day)
	}
	return fmt.Sprintf("%dd", r.CheckedAt.Sub(result.Since)/day)
}

// began says when the violation began.
func (r *Result) began() string {
	if r.Since.IsZero() {
		return "a time that nothing tells"
	}
	return timestamp(r.Since)
}

// state is the verdict in a word, with what else decides.
func (r *Result) state() string {
	switch {
	case r.Expected && !r.Baseline:
		return "expected"
	case r.Verdict == policy.Violation && r.Baseline:
		return "baseline"
	}
	return string(r.Verdict)
}

func controlsInWords(controls []Control) string {
	var words []string
	for _, c := range controls {
		words = append(words, c.String())
	}
	return strings.Join(words, "; ")
}

// summary is the result in a line.
func (r *Report) summary() string {
	s := &r.Summary
	verdict := map[int]string{ExitCompliant: "compliant", ExitViolation: "violations", ExitUnknown: "could not tell"}[s.ExitCode]
	text := fmt.Sprintf("%s: %s (%d failing), %s, %d exempted, %d unknown, %d compliant; %s, %s",
		verdict, count(s.Violations, "violation"), s.Failing, count(len(r.Rules), "rule"), s.Exempted, s.Unknown, s.Compliant,
		count(s.Accounts, "account"), r.users())
	if s.Incomplete > 0 {
		text += fmt.Sprintf("; %s not read whole", count(s.Incomplete, "account"))
	}
	return text
}

// users says how many there are, as far as that is known.
func (r *Report) users() string {
	for i := range r.Accounts {
		if r.Accounts[i].listed() {
			return count(r.Summary.Users, "user")
		}
	}
	return usersUnknown
}

const usersUnknown = "users unknown"

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// facts says, a line each, what an auditor asks about: which program, which limits,
// which accounts, as of when, from which file.
func (r *Report) facts() []string {
	lines := []string{fmt.Sprintf("aws_iam_exporter %s, checked at %s", r.Version, r.CheckedAt.Format(time.RFC3339))}
	if !r.JudgedUntil.IsZero() {
		lines = append(lines, "judged as if nothing happens until "+r.JudgedUntil.Format(time.RFC3339))
	}
	if b := r.Baseline; b != nil {
		text := fmt.Sprintf("baseline of %s, until the end of %s", count(b.Findings, "finding"), b.LastDay)
		if b.Lapsed {
			text += ", which is over: they fail again"
		}
		lines = append(lines, text)
	}
	for i := range r.Limits {
		lines = append(lines, "limits of class "+inventory.Printable(r.Limits[i].Class)+": "+r.Limits[i].limits.String())
	}
	for i := range r.Accounts {
		lines = append(lines, r.Accounts[i].facts()...)
	}
	return lines
}

func (a *Account) facts() []string {
	line := "account " + a.title() + ": " + a.users()
	if oldest := a.oldest(); !oldest.IsZero() {
		line += ", facts of " + oldest.Format(time.RFC3339)
		if !a.ObservedUntil.IsZero() {
			line += " to " + a.ObservedUntil.Format(time.RFC3339)
		}
	}
	if a.Input != nil {
		line += ", from " + inventory.Printable(a.Input.File) + ", SHA-256 " + a.Input.SHA256
	}
	lines := []string{line}
	if a.Skipped != "" {
		lines = append(lines, "account "+a.title()+" skipped: "+a.Skipped)
	}
	for _, gap := range a.Gaps {
		lines = append(lines, "account "+a.title()+" not read whole: "+inventory.Printable(gap))
	}
	return lines
}

func (a *Account) title() string {
	id := a.ID
	if id == "" {
		id = "of unknown id"
	}
	if a.Name == "" {
		return id
	}
	return id + " (" + inventory.Printable(a.Name) + ")"
}

// users says how many there are, if that is known.
func (a *Account) users() string {
	if a.listed() {
		return count(a.Users, "user")
	}
	return usersUnknown
}

// listed reports whether it is known who the users are.
func (a *Account) listed() bool { return !a.Observed[inventory.GroupUsers].IsZero() }

// oldest returns when the oldest facts were observed; zero if nothing is known.
func (a *Account) oldest() time.Time {
	var oldest time.Time
	for _, group := range inventory.Groups() {
		if at := a.Observed[group]; !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

// indented returns the value as JSON for people and programs.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return visible(b.Bytes()), nil
}

// visible escapes in JSON what a reader cannot see, which only strings can hold.
func visible(content []byte) []byte {
	unseen := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }
	if !bytes.ContainsFunc(content, unseen) {
		return content
	}
	var b bytes.Buffer
	for _, r := range string(content) {
		switch {
		case !unseen(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// rulesFound returns the rules that results are about, in their order.
func (r *Report) rulesFound() []Rule {
	return slices.DeleteFunc(slices.Clone(r.Rules), func(rule Rule) bool {
		return !slices.ContainsFunc(r.Results, func(result Result) bool { return result.Rule == rule.Name })
	})
}
