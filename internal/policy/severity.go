package policy

// Severity says how much a violation matters. Alerts about high and medium ones are
// warnings, and about low ones information; nobody is woken by how bad something is, but
// by what cannot wait, such as a root key made within the last day.
type Severity string

// The severities.
const (
	High   Severity = "high" // the root user
	Medium Severity = "medium"
	Low    Severity = "low" // an early warning
)

// Severity returns how much a violation of the rule matters.
func (r Rule) Severity() Severity {
	switch {
	case r.Subject() == SubjectAccount:
		return High
	case r == KeyRotationDue:
		return Low
	}
	return Medium
}

// Rank orders severities, the worst first.
func (s Severity) Rank() int {
	switch s {
	case High:
		return 0
	case Medium:
		return 1
	}
	return 2
}
