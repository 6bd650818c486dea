package policy

// Severity says how much a violation matters.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // the root user
	Medium   Severity = "medium"
	Low      Severity = "low" // an early warning
)

// Severity returns how much a violation of the rule matters.
func (r Rule) Severity() Severity {
	switch {
	case r.Subject() == SubjectAccount:
		return Critical
	case r == KeyRotationDue:
		return Low
	}
	return Medium
}

// Rank orders severities, the worst first.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 0
	case Medium:
		return 1
	}
	return 2
}
