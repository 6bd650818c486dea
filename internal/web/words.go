package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// longestName is how many characters of a name a page shows.
const longestName = 64

// shorten returns a name as a page shows it: short, on one line, and without what a
// reader cannot see.
func shorten(name string) string {
	return inventory.Printable(inventory.Shorten(name, longestName))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// either returns one if n is 1, and others if not.
func either(n int, one, others string) string {
	if n == 1 {
		return one
	}
	return others
}

// capital begins the text as a sentence begins.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// listing joins parts of a sentence.
func listing(parts []string) string {
	switch n := len(parts); n {
	case 0, 1:
		return strings.Join(parts, "")
	default:
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
}

const year = 365 * 24 * time.Hour

// moment is a time for people.
type moment struct{ Exact, Day, Ago string }

// bounded says how long ago the moment is if it is but a bound.
func (m moment) bounded(by policy.Bound) moment {
	switch by {
	case policy.NotBefore:
		m.Ago = "at most " + m.Ago
	case policy.Exactly, policy.Undated:
	}
	return m
}

func newMoment(at, now time.Time) moment {
	if at.IsZero() {
		return moment{}
	}
	at = at.UTC()
	m := moment{Exact: at.Format(time.RFC3339), Day: at.Format("2006-01-02"), Ago: lasting(now.Sub(at))}
	if now.Sub(at).Abs() < 24*time.Hour {
		m.Day = at.Format("2006-01-02 15:04")
	}
	return m
}

// lasting returns a duration as exactly as one wants to know it. By AWS's clock, what
// is observed can be yet to come.
func lasting(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return count(int(d/time.Second), "second")
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	case d < 2*year:
		return count(int(d/(24*time.Hour)), "day")
	}
	return fmt.Sprintf("%.1f years", float64(d/(24*time.Hour))/365)
}

// clock is a time of today, or of another day.
func clock(at, now time.Time) string {
	if at, now = at.UTC(), now.UTC(); at.YearDay() != now.YearDay() || at.Year() != now.Year() {
		return at.Format("2006-01-02 15:04 MST")
	}
	return at.UTC().Format("15:04:05 MST")
}

// until says how long it is from one shown time to the other.
func until(at, now time.Time) string {
	d := at.Truncate(time.Second).Sub(now.Truncate(time.Second))
	if d <= 0 {
		return "now"
	}
	return "in " + lasting(d)
}
