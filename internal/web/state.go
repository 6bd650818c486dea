package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// tone is how something looks: which colour it has, and which mark, for those who see
// no colours.
type tone string

const (
	toneBad     tone = "bad"     // somebody must act
	toneWarn    tone = "warn"    // something does not work, or must be done soon
	toneUnknown tone = "unknown" // nobody knows; never an all-clear
	toneGood    tone = "good"    // all is known, and well
	toneIdle    tone = "idle"    // there is nothing to tell
)

// state is how things stand, in a sentence and in numbers.
type state struct {
	Tone     tone
	Sentence string
	Gaps     string // a sentence about what is not known; empty unless there are findings too
	GapsTone tone
	Short    string // of the sentence, for the title of the window
	Users    string // how many there are; empty while nobody knows
	Tiles    []tile
	Made     moment
	Oldest   string   // a sentence about the oldest facts; empty while there are none
	Next     string   // a sentence about the next refresh; empty if there is none to come
	Progress progress // of the first reading
	Troubles []trouble
}

// tile is a number, and what it counts.
type tile struct {
	Number, Words string
	Tone          tone
	Link          string // empty for none
}

// progress says how many users have been read; of none if all have.
type progress struct{ Read, Of int }

// newState says how the accounts stand. The failures are those of the exporter as a
// whole.
func newState(o *Options, accounts []*policy.Evaluation, failures []failure, now time.Time) state {
	t := sum(accounts, now)
	s := state{Made: moment{Exact: now.UTC().Format(time.RFC3339), Day: now.UTC().Format(time.DateTime)}}
	s.Tone, s.Sentence, s.Gaps = t.verdict(failures)
	if s.GapsTone = toneUnknown; s.Gaps != "" && t.onlyFails() {
		s.GapsTone = toneWarn
	}
	s.Short = t.short(s.Tone)
	if r := &t.reading; r.listed > 0 {
		s.Users = count(t.users, "user")
		if r.listed < t.accounts {
			s.Users += fmt.Sprintf(" in %d of them", r.listed)
		}
		s.Tiles = t.tiles()
	}
	if !t.reading.oldest.observed.IsZero() {
		s.Oldest = fmt.Sprintf("The oldest fact is %s old (%s).", lasting(now.Sub(t.reading.oldest.observed)), t.reading.oldest.what)
	}
	s.Next = t.refreshes.words(t.accounts > 1, now)
	if t.reading.first.unread > 0 {
		s.Progress = progress{t.reading.first.of - t.reading.first.unread, t.reading.first.of}
	}
	s.Troubles = troubles(o, accounts, failures, now)
	return s
}

// verdict is the whole in one sentence, and what is not known in another where
// somebody must act anyway.
func (t *totals) verdict(failures []failure) (how tone, sentence, unsure string) {
	switch {
	case t.accounts == 0 && len(failures) > 0:
		return toneUnknown, "No account is watched yet: " + failures[0].short + ".", ""
	case t.accounts == 0:
		return toneUnknown, "No account is watched yet.", ""
	case t.accounts == t.reading.suspended && t.reading.listed == 0:
		return toneIdle, fmt.Sprintf("%s suspended and not read; nothing is known.", either(t.accounts, "The account is", fmt.Sprintf("All %d accounts are", t.accounts))), ""
	case t.reading.oldest.observed.IsZero() && t.reading.listed == 0:
		return toneUnknown, "Nothing is known yet: " + t.nothing() + ".", ""
	}
	how = t.judged()
	gaps := t.gaps()
	for _, f := range failures {
		gaps = append(gaps, f.short)
	}
	found, together := t.finding(len(gaps) > 0), listing(gaps)
	if t.reading.first.unread > 0 { // which is told with a comma
		together = strings.Join(gaps, "; ")
	}
	switch {
	case len(gaps) == 0:
		return how, found + ".", ""
	case how != toneGood:
		return how, found + ".", capital(together) + "."
	case t.onlyFails():
		how = toneWarn
	default:
		how = toneUnknown
	}
	join := ", but "
	if t.reading.first.unread > 0 {
		join = "; "
	}
	return how, found + join + together + ".", ""
}

// nothing says why nothing is known.
func (t *totals) nothing() string {
	r := &t.reading
	if r.pending == 0 && (t.accounts == 1 || r.why != "") && r.down == t.accounts-r.suspended {
		return reasonInWords(r.why)
	}
	var parts []string
	if r.down > 0 {
		parts = append(parts, count(r.down, "account")+" cannot be read")
	}
	if r.pending > 0 {
		parts = append(parts, fmt.Sprintf("%s being read for the first time", either(t.accounts, "the account is", fmt.Sprintf("%s %s", count(r.pending, "account"), isOrAre(r.pending)))))
	}
	return listing(parts)
}

// judged is the tone of the findings alone.
func (t *totals) judged() tone {
	switch {
	case t.found.findings() > 0:
		return toneBad
	case t.found.warnings > 0:
		return toneWarn
	}
	return toneGood
}

// onlyFails reports whether what is not known is so only because something does not
// work.
func (t *totals) onlyFails() bool {
	r := &t.reading
	return t.found.unknown == 0 && r.first.unread+r.pending+r.suspended+r.blind == 0
}

// finding says what was found. The all-clear is given only if nothing is unknown.
func (t *totals) finding(unsure bool) string {
	f := &t.found
	due := fmt.Sprintf("%s %s due for rotation soon", count(f.warnings, "key"), isOrAre(f.warnings))
	so := ""
	if t.reading.first.unread+t.reading.pending > 0 {
		so = " so far"
	}
	switch {
	case f.findings() > 0:
		text := fmt.Sprintf("%s need%s action", count(f.findings(), "finding"), either(f.findings(), "s", ""))
		if t.accounts > 1 {
			text += fmt.Sprintf(" in %d of %d accounts", t.affected, t.accounts)
		}
		if text += so; f.warnings > 0 {
			text += ", and " + due
		}
		return text
	case f.warnings > 0 && unsure:
		return "No findings" + so + ", and " + due
	case f.warnings > 0:
		return "Nothing needs action yet: " + due
	case unsure:
		return "No findings" + so
	}
	return "Nothing needs action: " + t.compliance()
}

func (t *totals) compliance() string {
	if t.users == 0 {
		return either(t.accounts, "the account has no IAM users", "the accounts have no IAM users")
	}
	who := count(t.users, "user")
	if t.accounts > 1 {
		who += fmt.Sprintf(" of %d accounts", t.accounts)
	}
	if n := t.found.exempted; n > 0 {
		return fmt.Sprintf("no findings among %s, %s %s exempted", who, count(n, "violation"), isOrAre(n))
	}
	return who + either(t.users, " complies", " comply")
}

// gaps says what is not known, or not as of today.
func (t *totals) gaps() []string {
	var gaps []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			gaps = append(gaps, fmt.Sprintf(format, args...))
		}
	}
	r := &t.reading
	if t.accounts == 1 {
		add(r.blind, "the users are not known")
		add(r.down-r.blind, "not everything can be read")
		add(r.suspended, "the account is suspended and not read any more")
		if r.first.unread == 0 {
			add(r.pending, "the first refresh is under way")
		}
	} else {
		add(r.blind, "%s cannot be read", count(r.blind, "account"))
		add(r.down-r.blind, "%s can be read in part only", count(r.down-r.blind, "account"))
		add(r.suspended, "%s %s suspended and not read any more", count(r.suspended, "account"), isOrAre(r.suspended))
		add(r.waiting, "%s %s not been read yet", count(r.waiting, "account"), either(r.waiting, "has", "have"))
	}
	add(r.outdated, "%s %s out of date", count(r.outdated, "fact"), isOrAre(r.outdated))
	add(r.first.unread, "%s", r.first.words())
	what := "verdict"
	if t.found.unknown > t.found.overlooked { // the tile counts them all
		what = "other verdict"
	}
	add(t.found.overlooked, "%s %s unknown", count(t.found.overlooked, what), isOrAre(t.found.overlooked))
	return gaps
}

// short is the sentence in a word or two.
func (t *totals) short(how tone) string {
	switch how {
	case toneBad:
		return "✖ " + count(t.found.findings(), "finding")
	case toneWarn:
		return "▲ warning"
	case toneUnknown:
		return "? not known"
	case toneGood:
		return "✔ all well"
	}
	return "idle"
}

func (t *totals) tiles() []tile {
	f, r := &t.found, &t.reading
	unsure := f.unknown > 0 || r.first.unread+r.blind+r.waiting > 0
	found := func(n int, one, several, link string, how tone) tile {
		words := either(n, one, several)
		if unsure {
			words += " so far"
		}
		if n == 0 {
			how, link = toneIdle, ""
		}
		return tile{fmt.Sprint(n), words, how, link}
	}
	other := func(n int, one, several, link string, how tone) tile {
		if n == 0 {
			how, link = toneIdle, ""
		}
		return tile{fmt.Sprint(n), either(n, one, several), how, link}
	}
	tiles := []tile{
		found(f.root, "finding about root", "findings about root", (&query{User: policy.RootUserName}).with()+"#findings", toneBad),
		found(f.users, "finding about users", "findings about users", "#findings", toneBad),
		found(f.warnings, "key due soon", "keys due soon", (&query{Rule: policy.KeyRotationDue}).with()+"#findings", toneWarn),
		other(f.unknown, "unknown verdict", "unknown verdicts", "#rules", toneUnknown),
		other(r.outdated, "fact out of date", "facts out of date", "#facts", toneWarn),
	}
	if n := r.blind + r.waiting; n > 0 && t.accounts > 1 {
		tiles = append(tiles, other(n, "account not read", "accounts not read", "#accounts", toneUnknown))
	}
	return tiles
}

// words says how soon there will be news.
func (r *refreshes) words(several bool, now time.Time) string {
	var parts []string
	at, in := clock(r.next, now), until(r.next, now)
	switch {
	case several && !r.next.IsZero():
		parts = append(parts, fmt.Sprintf("The next account is refreshed at %s, %s.", at, in))
	case several:
	case r.busy > 0 && !r.next.IsZero():
		parts = append(parts, fmt.Sprintf("A refresh is under way; the next begins at %s, %s.", at, in))
	case r.busy > 0:
		parts = append(parts, "A refresh is under way.")
	case !r.next.IsZero():
		parts = append(parts, fmt.Sprintf("Next refresh at %s, %s.", at, in))
	}
	switch {
	case several && r.busy > 0:
		parts = append(parts, fmt.Sprintf("%s %s being refreshed.", count(r.busy, "account"), isOrAre(r.busy)))
	case !several && r.overdue > 0:
		parts = append(parts, fmt.Sprintf("The next refresh is overdue by %s.", lasting(r.late)))
	}
	if several && r.overdue > 0 {
		parts = append(parts, fmt.Sprintf("%s overdue, by up to %s.", either(r.overdue, "1 refresh is", fmt.Sprintf("%d refreshes are", r.overdue)), lasting(r.late)))
	}
	return strings.Join(parts, " ")
}
