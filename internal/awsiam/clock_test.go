package awsiam

import (
	"testing"
	"testing/synctest"
	"time"
)

// steps feeds dates into a clock at moments here, and asserts what comes out.
type steps struct {
	*testing.T
	clock *Clock
	here  moment
}

// newSteps begins at noon, by this machine's clock.
func newSteps(t *testing.T) *steps {
	s := &steps{T: t, clock: NewClock(patience)}
	s.here = moment{wall: epoch}
	s.clock.trusted = reading{date: epoch, here: s.here}
	return s
}

// pass lets time pass here.
func (s *steps) pass(d time.Duration) {
	s.here.wall, s.here.running = s.here.wall.Add(d), s.here.running+d
}

// take asserts that an answer of that date counts as of that time, both told as
// what has passed since noon.
func (s *steps) take(date, want time.Duration) {
	s.Helper()
	if got := s.clock.take(epoch.Add(date), s.here); !got.Equal(epoch.Add(want)) {
		s.Errorf("date %s: got an answer of %s after noon, want %s", date, got.Sub(epoch), want)
	}
}

func (s *steps) mustBeSettled(count int, certain bool) {
	s.Helper()
	if got, is := s.clock.Settled(); got != count || is != certain {
		s.Errorf("settled: got %d, certain %t; want %d, %t", got, is, count, certain)
	}
}

func (s *steps) mustSay(n int) {
	s.Helper()
	if news := s.clock.News(); len(news) != n {
		s.Errorf("news: got %q, want %d", news, n)
	}
}

// TestDatesNearTheExpectedOneCount goes to the second.
func TestDatesNearTheExpectedOneCount(t *testing.T) {
	for offset, counts := range map[time.Duration]bool{
		0: true, time.Minute: true, -time.Minute: true, time.Minute + time.Second: false, -time.Minute - time.Second: false,
	} {
		s := newSteps(t)
		s.mustBeSettled(0, false)
		want := time.Duration(0)
		if counts {
			want = offset
		}
		s.take(offset, want)
		if counts {
			s.mustBeSettled(1, true)
			s.mustSay(0)
		} else {
			s.mustBeSettled(0, false)
			s.mustSay(1)
		}
	}
}

// TestADayAheadForFourSeconds is one odd server among AWS's.
func TestADayAheadForFourSeconds(t *testing.T) {
	s := newSteps(t)
	s.take(0, 0)
	for i := range 4 {
		s.pass(time.Second)
		passed := time.Duration(i+1) * time.Second
		s.take(24*time.Hour+passed, passed)
	}
	s.mustBeSettled(1, false)
	s.mustSay(1)
	s.pass(time.Second)
	s.take(5*time.Second, 5*time.Second)
	s.mustBeSettled(2, true)
	s.mustSay(0)
}

// TestDatesThatAgreeBecomeTrusted waits as long as it takes, to the second.
func TestDatesThatAgreeBecomeTrusted(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 5 * time.Hour, "behind": -5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := newSteps(t)
			s.take(ahead, 0)
			s.pass(patience - time.Second)
			s.take(ahead+patience-time.Second, patience-time.Second)
			s.mustBeSettled(0, false)
			s.pass(time.Second)
			s.take(ahead+patience, ahead+patience)
			s.mustBeSettled(1, true)
			s.mustSay(2)
			s.pass(time.Hour)
			s.take(ahead+patience+time.Hour, ahead+patience+time.Hour)
			s.take(patience+time.Hour, ahead+patience+time.Hour) // what was right before is odd now
		})
	}
}

// TestDatesThatDisagreeWithOneAnother are never trusted.
func TestDatesThatDisagreeWithOneAnother(t *testing.T) {
	s := newSteps(t)
	s.take(0, 0)
	for i := range 100 {
		s.pass(patience)
		passed := time.Duration(i+1) * patience
		s.take(passed+time.Duration(i+1)*time.Hour, passed)
	}
	s.mustSay(1)
}

// TestStepsOfOurClock sets it while AWS's goes on.
func TestStepsOfOurClock(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 6 * time.Hour, "back": -6 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := newSteps(t)
			s.take(0, 0)
			s.here.wall = s.here.wall.Add(step)
			s.pass(time.Hour)
			s.take(time.Hour, time.Hour)
			s.mustBeSettled(1, true)
			s.mustSay(0)
		})
	}
}

// TestResumedMachine was suspended for a day, in which the process did not run.
func TestResumedMachine(t *testing.T) {
	s := newSteps(t)
	s.take(0, 0)
	s.here.wall = s.here.wall.Add(24 * time.Hour)
	s.take(24*time.Hour+time.Second, 24*time.Hour+time.Second)
	s.mustBeSettled(1, true)
	s.mustSay(0)
}

// TestAnswersWithoutADate count as of the expected time.
func TestAnswersWithoutADate(t *testing.T) {
	s := newSteps(t)
	s.take(30*time.Second, 30*time.Second)
	s.pass(time.Minute)
	if got, want := s.clock.take(time.Time{}, s.here), epoch.Add(90*time.Second); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLatest lets facts be as late as a date in doubt.
func TestLatest(t *testing.T) {
	synctest.Test(t, testLatest)
}

func testLatest(t *testing.T) {
	c := NewClock(patience)
	now := time.Now()
	if got := c.Latest(); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("at first: got %s, want a minute from now", got)
	}
	c.observe(now.Add(time.Hour))
	if got := c.Latest(); !got.Equal(now.Add(61 * time.Minute)) {
		t.Errorf("with a date an hour ahead in doubt: got %s, want a minute after it", got)
	}
	c.observe(now.Add(-time.Hour))
	time.Sleep(patience)
	c.observe(now.Add(-time.Hour + patience))
	if got := c.Now(); !got.Equal(now.Add(-time.Hour + patience)) {
		t.Errorf("after an hour behind for long: got %s, want it trusted", got)
	}
	now = now.Add(patience)
	if got := c.Latest(); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("with an hour behind trusted: got %s, want a minute from now by this machine's clock", got)
	}
	if skew := c.Skew(); skew != -time.Hour {
		t.Errorf("ahead by %s, want an hour behind", skew)
	}
	c.observe(now.Add(30 * time.Second)) // right again by this machine's clock, but that is no reason to trust it
	if got := c.Now(); !got.Equal(now.Add(-time.Hour)) {
		t.Errorf("after one right date: got %s, want an hour ago", got)
	}
	c.observe(now.Add(-time.Hour + 30*time.Second))
	if got, skew := c.Now(), c.Skew(); !got.Equal(now.Add(-time.Hour+30*time.Second)) || skew != -time.Hour+30*time.Second {
		t.Errorf("a little later: got %s, ahead by %s; want 30s later", got, skew)
	}
}
