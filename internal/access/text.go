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
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\n\n", r.Summary)
	r.Identity.write(&out)
	out.WriteByte('\n')
	if c := r.InitialRole; c != nil {
		c.write(&out, "initial role "+c.Role, true)
	}
	if c := r.Organization; c != nil {
		c.write(&out, strings.TrimSuffix("organization "+c.ID, " "), true)
	}
	for _, c := range r.Accounts {
		c.write(&out, c.title(), len(r.Accounts) == 1)
	}
	for i := range r.Grants {
		if err := r.Grants[i].write(&out); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func (i *Identity) write(out *bytes.Buffer) {
	for _, line := range []struct{ name, value string }{
		{"caller", i.Caller},
		{"account", i.AccountID},
		{"credentials", i.Credentials},
		{"region", i.Region},
		{"problem", i.Problem},
	} {
		if line.value != "" {
			fmt.Fprintf(out, "%-11s  %s\n", line.name, line.value)
		}
	}
	for _, place := range i.Looked {
		fmt.Fprintf(out, "%-11s  %s\n", "looked at", place)
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

// write writes a line about the whole, and one for each permission: for those that
// are granted only if all is to be told. What is unknown for one reason is one line.
func (c *Checked) write(out *bytes.Buffer, title string, all bool) {
	var lines []line
	granted := 0
	for _, p := range c.Permissions {
		switch last := len(lines) - 1; {
		case p.Status == Granted:
			if granted++; all {
				lines = append(lines, line{p.Status, p.Action, p.For, 0})
			}
		case p.Status == Unknown && last >= 0 && lines[last].status == Unknown && lines[last].text == p.Why:
			lines[last].more++
		default:
			lines = append(lines, line{p.Status, p.Action, p.why(), 0})
		}
	}
	fmt.Fprintf(out, "%s: %d of %d granted\n", title, granted, len(c.Permissions))
	width := 0
	for i := range lines {
		if more := lines[i].more; more > 0 {
			lines[i].action += fmt.Sprintf(" and %d more", more)
		}
		width = max(width, len(lines[i].action))
	}
	for _, l := range lines {
		fmt.Fprintf(out, "  %-7s  %-*s  %s\n", l.status, width, l.action, l.text)
	}
}

func (p *Permission) why() string {
	if p.Optional && p.Status == Missing {
		return p.Why + " (the exporter does without it: " + p.For + ")"
	}
	return p.Why
}

// mostShown is how many roles are shown by name.
const mostShown = 5

func (g *Grant) write(out *bytes.Buffer) error {
	policy, err := g.Policy.JSON()
	if err != nil {
		return err
	}
	to := strings.Join(g.To[:min(len(g.To), mostShown)], ", ")
	if more := len(g.To) - mostShown; more > 0 {
		to += fmt.Sprintf(" and %d more", more)
	}
	fmt.Fprintf(out, "\nto allow to %s:\n%s", to, policy)
	return nil
}
