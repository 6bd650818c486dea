package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// JSON returns the result for programs.
func (r *Result) JSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return nil, fmt.Errorf("encode what was tried: %w", err)
	}
	return out.Bytes(), nil
}

// Text returns the result for people.
func (r *Result) Text() ([]byte, error) {
	w := writer{said: map[string]bool{}}
	w.printf("%s\n\n", r.Summary)
	w.identity(&r.Identity)
	w.printf("\n")
	if c := r.InitialRole; c != nil {
		w.checked(c, "initial role "+c.Role, true)
	}
	if c := r.Organization; c != nil {
		w.checked(c, strings.TrimSuffix("organization "+c.ID, " "), true)
	}
	for _, c := range r.Accounts {
		w.checked(c, c.title(), len(r.Accounts) == 1)
	}
	for i := range r.Grants {
		if err := w.grant(&r.Grants[i]); err != nil {
			return nil, err
		}
	}
	return w.out.Bytes(), nil
}

// writer writes for people.
type writer struct {
	out  bytes.Buffer
	said map[string]bool // long texts, which are not said again
}

func (w *writer) printf(format string, values ...any) { fmt.Fprintf(&w.out, format, values...) }

func (w *writer) identity(i *Identity) {
	for _, line := range []struct{ name, value string }{
		{"caller", i.Caller},
		{"account", i.AccountID},
		{"credentials", i.Credentials},
		{"region", i.Region + ", in partition " + i.Partition},
		{"problem", i.Problem},
	} {
		if line.value != "" {
			w.printf("%-11s  %s\n", line.name, line.value)
		}
	}
	for _, place := range i.Looked {
		w.printf("%-11s  %s\n", "looked at", place)
	}
}

func (c *Checked) title() string {
	title := "account " + c.ID
	if c.ID == "" {
		title = "the account of these credentials"
	}
	if c.Name != "" {
		title += " (" + c.Name + ")"
	}
	if c.Role != "" {
		title += ", by " + c.Role
	}
	return title
}

// line is what is written about permissions that are the same but for their actions.
type line struct {
	status       Status
	action, text string
	more         int // actions
}

// checked writes a line about the whole, and one for each permission: for those that
// are granted or untried only if all is to be told. What is unknown for one reason is one line.
func (w *writer) checked(c *Checked, title string, all bool) {
	var lines []line
	granted, untried := 0, 0
	for _, p := range c.Permissions {
		switch last := len(lines) - 1; {
		case p.Status == Granted:
			if granted++; all {
				lines = append(lines, line{p.Status, p.Action, p.For, 0})
			}
		case p.Status == Untried && !all:
			untried++
		case p.Status == Unknown && last >= 0 && lines[last].status == Unknown && lines[last].text == p.Why:
			lines[last].more++
		default:
			lines = append(lines, line{p.Status, p.Action, p.why(), 0})
		}
	}
	w.printf("%s: %d of %d granted", title, granted, len(c.Permissions))
	if untried > 0 {
		w.printf(", %d untried: no user has a key", untried)
	}
	w.printf("\n")
	width := 0
	for i := range lines {
		if more := lines[i].more; more > 0 {
			lines[i].action += fmt.Sprintf(" and %d more", more)
		}
		width = max(width, len(lines[i].action))
	}
	for _, l := range lines {
		w.printf("  %-7s  %-*s  %s\n", l.status, width, l.action, w.once(l.text))
	}
}

// once returns the text or, if it is long and was said before, that it was.
func (w *writer) once(text string) string {
	const long = 80
	if w.said[text] {
		return "the same as above"
	}
	w.said[text] = len(text) > long
	return text
}

func (p *Permission) why() string {
	if p.Optional && p.Status == Missing {
		return p.Why + " (the exporter does without it: " + p.For + ")"
	}
	return p.Why
}

// mostShown is how many roles are shown by name.
const mostShown = 5

func (w *writer) grant(g *Grant) error {
	policy, err := g.Policy.JSON()
	if err != nil {
		return err
	}
	to := strings.Join(g.To[:min(len(g.To), mostShown)], ", ")
	if more := len(g.To) - mostShown; more > 0 {
		to += fmt.Sprintf(" and %d more", more)
	}
	w.printf("\nadd to the policies of %s:\n%s", to, policy)
	return nil
}
