package awsiam

import (
	"fmt"
	"sync"
	"time"
)

// tolerance is how far a date of AWS's may be from the expected one: answers
// take a while, and clocks differ a little.
const tolerance = time.Minute

// Clock tells the time by AWS, which is the one that facts are judged by. The
// dates of answers set it, but none is believed blindly: a date that is over a
// minute from what is expected counts only once others have agreed with it for
// a while. What is expected is the last trusted date plus the time that has
// passed here; before the first one it is this machine's time. So neither a
// clock that is set, here or there, nor a proxy with a wrong clock, nor one odd
// answer moves the facts in time.
//
// A Clock is for one account, and may be used by several goroutines at once.
type Clock struct {
	patience time.Duration // for how long dates must agree to be trusted
	start    time.Time     // with its monotonic reading

	mu      sync.Mutex
	trusted reading
	told    bool     // AWS has told a trusted date
	doubted *reading // the first of dates that agree with one another, but not with the trusted one; nil for none
	settled int      // counts the trusted dates that came first or after doubts
	news    []string
}

// reading is what AWS's clock said at a moment here.
type reading struct {
	date time.Time
	here moment
}

// moment is a time here: by this machine's clock, which people and programs
// set, and by how long the process has been running, in which a machine that is
// suspended may leave a gap.
type moment struct {
	wall    time.Time
	running time.Duration
}

// NewClock returns a clock that shows this machine's time until AWS has told
// another one. Dates that disagree must agree with one another for as long as
// patience to be trusted.
func NewClock(patience time.Duration) *Clock {
	c := &Clock{patience: patience, start: time.Now()}
	c.trusted = reading{date: c.start.Round(0), here: c.here()}
	return c
}

// Continue takes over what another clock knows of AWS's time, so that it does not begin
// again with this machine's.
func (c *Clock) Continue(other *Clock) {
	other.mu.Lock()
	defer other.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.trusted, c.told, c.doubted, c.settled = other.start, other.trusted, other.told, other.doubted, other.settled
}

func (c *Clock) here() moment {
	now := time.Now()
	return moment{wall: now.Round(0), running: now.Sub(c.start)}
}

// Now returns the time by AWS.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusted.after(c.here())
}

// Skew returns how far AWS's clock is ahead of this machine's. Less than a minute
// counts as nothing: dates are told to the second, and take a while to come.
func (c *Clock) Skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	here := c.here()
	if trusted := c.trusted.after(here); !near(trusted, here.wall) {
		return trusted.Sub(here.wall)
	}
	return 0
}

// Doubt returns how far dates of AWS's that are in doubt are ahead of the time that
// answers count as; 0 if there are none.
func (c *Clock) Doubt() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doubted == nil {
		return 0
	}
	here := c.here()
	return c.doubted.after(here).Sub(c.trusted.after(here))
}

// Latest returns the latest time that a fact can be of: what has happened has
// happened by now. Now may be later than by the trusted dates: by this machine's
// clock, if something between here and AWS has a slow one; or by a date that is
// in doubt.
func (c *Clock) Latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	here := c.here()
	latest := c.trusted.after(here)
	if here.wall.After(latest) {
		latest = here.wall
	}
	if c.doubted != nil && c.doubted.after(here).After(latest) {
		latest = c.doubted.after(here)
	}
	return latest.Add(tolerance)
}

// Settled returns a number that changes whenever AWS's time has become certain:
// with the first trusted date, and when doubts about a date have ended. It
// reports false while there are doubts, or no date yet.
func (c *Clock) Settled() (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settled, c.told && c.doubted == nil
}

// News returns what is to be said about AWS's clock that was not said before.
func (c *Clock) News() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	news := c.news
	c.news = nil
	return news
}

// observe returns when the answer of that date was given; zero is an answer
// without a date.
func (c *Clock) observe(date time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(date, c.here())
}

func (c *Clock) take(date time.Time, here moment) time.Time {
	expected := c.trusted.after(here)
	switch {
	case date.IsZero():
		return expected
	case near(date, expected), near(date, c.trusted.byWall(here)):
		c.trust(date, here)
		return date
	case c.doubted == nil || !near(date, c.doubted.after(here)):
		if c.doubted == nil {
			c.say("AWS's date is %s, expected about %s: its answers count as of the expected time until the dates have agreed for %s",
				date.UTC().Format(time.RFC3339), expected.UTC().Format(time.RFC3339), c.patience)
		}
		c.doubted = &reading{date, here}
		return expected
	case here.running-c.doubted.here.running < c.patience:
		return expected
	}
	c.say("AWS's dates have agreed for %s and count from now on: %s instead of %s",
		c.patience, date.UTC().Format(time.RFC3339), expected.UTC().Format(time.RFC3339))
	c.trust(date, here)
	return date
}

// trust ends all doubts.
func (c *Clock) trust(date time.Time, here moment) {
	if !c.told || c.doubted != nil {
		c.settled++
	}
	c.trusted, c.told, c.doubted = reading{date, here}, true, nil
}

func (c *Clock) say(format string, values ...any) {
	c.news = append(c.news, fmt.Sprintf(format, values...))
}

// after returns what AWS's clock says later on.
func (r reading) after(here moment) time.Time { return r.date.Add(here.running - r.here.running) }

// byWall is after for a machine that was suspended meanwhile.
func (r reading) byWall(here moment) time.Time { return r.date.Add(here.wall.Sub(r.here.wall)) }

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= tolerance }
