package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
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
	Tone          tone // empty for none
	Link          string
}

// progress says how many users have been read; of none if all have.
type progress struct{ Read, Of int }

// trouble is what keeps accounts from being read as they should be. Where there is
// but one account, it says which.
type trouble struct {
	Text     string
	Accounts []link
	More     int // accounts that are not listed
}

// link leads to the page of an account; the id is empty while it is not known.
type link struct{ ID, Words string }

// totals sums up accounts.
type totals struct {
	accounts, suspended, pending, down, listed int
	blind                                      int // down, and never read
	affected                                   int // accounts with findings, early warnings aside
	root, users, warnings                      int // findings, by what they are about
	unknown, exempted                          int // verdicts
	outdated                                   []inventory.Group
	population                                 int
	unread, reading                            int           // users never read, and all users of those accounts
	left                                       time.Duration // until the last of them is read
	next                                       time.Time     // the next refresh
	oldest                                     time.Time     // when the oldest fact was observed
	busy                                       bool          // a refresh is under way
	why                                        inventory.Reason
}

func (t *totals) findings() int { return t.root + t.users }

// sum sums up the accounts.
func sum(accounts []*policy.Evaluation, now time.Time) totals {
	var t totals
	for _, ev := range accounts {
		t.add(ev, now)
	}
	return t
}

func (t *totals) add(ev *policy.Evaluation, now time.Time) {
	s := ev.Snapshot
	t.accounts++
	switch s.Health.State {
	case inventory.StateSuspended:
		t.suspended++
	case inventory.StatePending:
		t.pending++
	case inventory.StateDown:
		t.down++
		if len(s.Health.Problems) > 0 {
			t.why = cmp.Or(t.why, s.Health.Problems[0].Reason)
		}
	}
	if next := s.Health.Next; next.After(now) && (t.next.IsZero() || next.Before(t.next)) {
		t.next = next
	}
	t.busy = t.busy || s.Health.Refreshes > s.Health.Finished
	stale, oldest := ages(ev, now)
	t.outdated = append(t.outdated, stale...)
	if t.oldest.IsZero() || !oldest.IsZero() && oldest.Before(t.oldest) {
		t.oldest = oldest
	}
	if _, listed := s.Freshness[inventory.GroupUsers]; !listed {
		if s.Health.State == inventory.StateDown {
			t.blind++
		}
		return
	}
	t.listed++
	t.population += len(s.Users)
	if s.Sweep.Unread > 0 {
		t.unread += s.Sweep.Unread
		t.reading += len(s.Users)
		t.left = max(t.left, s.Left())
	}
	before := t.findings()
	for i := range ev.Findings {
		switch rule := ev.Findings[i].Rule; {
		case rule == policy.KeyRotationDue:
			t.warnings++
		case ev.Findings[i].UserName == policy.RootUserName:
			t.root++
		default:
			t.users++
		}
	}
	if t.findings() > before {
		t.affected++
	}
	t.unknown += ev.Total(policy.Unknown)
	t.exempted += ev.Total(policy.Exempted)
}

// newState says how the accounts stand.
func newState(o *Options, accounts []*policy.Evaluation, notListed string, now time.Time) state {
	t := sum(accounts, now)
	s := state{Made: moment{Exact: now.UTC().Format(time.RFC3339), Day: now.UTC().Format(time.DateTime)}}
	s.Tone, s.Sentence, s.Gaps = t.verdict(notListed)
	if s.GapsTone = toneUnknown; s.Gaps != "" && t.fails(notListed) {
		s.GapsTone = toneWarn
	}
	if t.listed > 0 {
		s.Users = count(t.population, "user")
	}
	s.Tiles = t.tiles()
	if !t.oldest.IsZero() {
		s.Oldest = fmt.Sprintf("The oldest fact is %s old.", lasting(now.Sub(t.oldest)))
	}
	switch {
	case t.busy && t.listed == 0:
		s.Next = "A refresh is under way."
	case !t.next.IsZero():
		s.Next = fmt.Sprintf("Next refresh at %s, in %s.", clock(t.next), lasting(t.next.Sub(now)+time.Second/2))
		if t.accounts > 1 {
			s.Next = "The n" + s.Next[1:len(s.Next)-1] + "; each account has its own."
		}
	case t.busy:
		s.Next = "A refresh is under way."
	}
	if t.unread > 0 {
		s.Progress = progress{t.reading - t.unread, t.reading}
	}
	s.troubles(o, accounts, now)
	return s
}

// verdict is the whole in one sentence, and what is not known in another if it does
// not go without saying that somebody must act.
func (t *totals) verdict(notListed string) (how tone, sentence, unsure string) {
	read := t.accounts - t.suspended
	switch {
	case t.accounts == 0 && notListed != "":
		return toneUnknown, "No account is watched yet: the organization could not be listed.", ""
	case t.accounts == 0:
		return toneIdle, "No account is watched.", ""
	case t.listed == 0 && read == 0:
		return toneIdle, fmt.Sprintf("%s suspended and not read; nothing is known.", either(t.accounts, "The account is", fmt.Sprintf("All %d accounts are", t.accounts))), ""
	case t.listed == 0 && t.down > 0:
		return toneUnknown, "Nothing is known yet: " + reasonInWords(t.why) + ".", ""
	case t.listed == 0:
		return toneUnknown, fmt.Sprintf("Nothing is known yet: %s being read for the first time.", either(read, "the account is", fmt.Sprintf("%d accounts are", read))), ""
	}
	how = t.judged()
	gaps := t.gaps()
	if notListed != "" {
		gaps = append(gaps, "the organization could not be listed")
	}
	switch {
	case len(gaps) == 0:
		return how, t.finding(how) + ".", ""
	case how == toneBad || how == toneWarn:
		return how, t.finding(how) + ".", capital(listing(gaps)) + "."
	case t.fails(notListed):
		how = toneWarn
	default:
		how = toneUnknown
	}
	join := ", but "
	if t.unread > 0 {
		join = "; "
	}
	return how, t.finding(how) + join + listing(gaps) + ".", ""
}

// fails reports whether what is not known is not known because something fails,
// rather than for want of time or facts.
func (t *totals) fails(notListed string) bool {
	return (t.down > 0 || len(t.outdated) > 0 || notListed != "") && t.unread == 0 && t.unknown == 0 && t.pending == 0 && t.suspended == 0
}

// judged is the tone of the findings alone.
func (t *totals) judged() tone {
	switch {
	case t.findings() > 0:
		return toneBad
	case t.warnings > 0:
		return toneWarn
	}
	return toneGood
}

// finding says what was found.
func (t *totals) finding(how tone) string {
	soFar := ""
	if t.unread > 0 || t.pending > 0 {
		soFar = " so far"
	}
	where := ""
	if t.accounts > 1 {
		where = fmt.Sprintf(" in %d of %d accounts", t.affected, t.accounts)
	}
	due := fmt.Sprintf("%s %s soon due for rotation", count(t.warnings, "key"), isOrAre(t.warnings))
	switch {
	case t.findings() > 0 && t.warnings > 0:
		return fmt.Sprintf("%s action%s%s, %s", needs(t.findings()), where, soFar, due)
	case t.findings() > 0:
		return fmt.Sprintf("%s action%s%s", needs(t.findings()), where, soFar)
	case t.warnings > 0:
		return fmt.Sprintf("Nothing needs action%s, %s", soFar, due)
	case how != toneGood:
		return "No findings" + soFar
	}
	return "Nothing needs action: " + t.compliance()
}

func needs(findings int) string {
	return fmt.Sprintf("%s need%s", count(findings, "finding"), either(findings, "s", ""))
}

func (t *totals) compliance() string {
	who := either(t.population, "1 user complies", fmt.Sprintf("%d users comply", t.population))
	if t.population == 0 {
		who = either(t.accounts, "the account has no IAM users", "the accounts have no IAM users")
	}
	if t.accounts > 1 && t.population > 0 {
		who = fmt.Sprintf("%s of %d accounts %s", count(t.population, "user"), t.accounts, either(t.population, "complies", "comply"))
	}
	if t.exempted > 0 {
		who += fmt.Sprintf(", %s %s exempted", count(t.exempted, "violation"), isOrAre(t.exempted))
	}
	return who
}

// gaps says what is not known, or not as of today.
func (t *totals) gaps() []string {
	var gaps []string
	if t.blind > 0 {
		gaps = append(gaps, fmt.Sprintf("%s cannot be read", count(t.blind, "account")))
	}
	if partly := t.down - t.blind; partly > 0 {
		gaps = append(gaps, either(t.accounts, "not everything can be read", fmt.Sprintf("%s can be read in part only", count(partly, "account"))))
	}
	if n := len(t.outdated); n > 0 {
		gaps = append(gaps, fmt.Sprintf("%s %s out of date", count(n, "fact"), isOrAre(n)))
	}
	switch {
	case t.unread > 0:
		gaps = append(gaps, progressInWords(t.reading-t.unread, t.reading, t.left))
	case t.pending > 0 && t.accounts > 1:
		gaps = append(gaps, fmt.Sprintf("%s %s not been read yet", count(t.pending, "account"), either(t.pending, "has", "have")))
	case t.pending > 0:
		gaps = append(gaps, "the first refresh is under way")
	}
	if t.suspended > 0 {
		gaps = append(gaps, fmt.Sprintf("%s suspended and not read any more", either(t.accounts, "the account is", count(t.suspended, "account")+" "+isOrAre(t.suspended))))
	}
	if t.unknown > 0 && t.unread == 0 {
		gaps = append(gaps, fmt.Sprintf("%s %s unknown", count(t.unknown, "verdict"), isOrAre(t.unknown)))
	}
	return gaps
}

func (t *totals) tiles() []tile {
	if t.listed == 0 {
		return nil
	}
	coloured := func(n int, words, link string, how tone) tile {
		if n == 0 {
			how, link = toneIdle, ""
		}
		return tile{Number: fmt.Sprint(n), Words: words, Tone: how, Link: link}
	}
	return []tile{
		coloured(t.root, either(t.root, "finding about root", "findings about root"), "?user="+rootUser+"#findings", toneBad),
		coloured(t.users, either(t.users, "finding about users", "findings about users"), "#findings", toneBad),
		coloured(t.warnings, either(t.warnings, "key due soon", "keys due soon"), "?rule="+string(policy.KeyRotationDue)+"#findings", toneWarn),
		coloured(t.unknown, either(t.unknown, "unknown verdict", "unknown verdicts"), "#rules", toneUnknown),
		coloured(len(t.outdated), either(len(t.outdated), "fact out of date", "facts out of date"), "#facts", toneWarn),
	}
}

// mostLinks is how many accounts a trouble lists.
const mostLinks = 3

// troubles lists what is wrong: every problem of a single account; of several, which
// of them have the same trouble.
func (s *state) troubles(o *Options, accounts []*policy.Evaluation, now time.Time) {
	if len(accounts) == 1 {
		for _, text := range problemsOf(accounts[0], o.Users, now) {
			s.Troubles = append(s.Troubles, trouble{Text: text})
		}
		return
	}
	for _, ev := range accounts {
		text := "Some facts are out of date"
		switch state := stateOf(ev, now); {
		case state == string(inventory.StateDown):
			text = capital(wrong(ev, nil))
		case state != stateStale:
			continue
		}
		i := slices.IndexFunc(s.Troubles, func(t trouble) bool { return t.Text == text })
		if i < 0 {
			i = len(s.Troubles)
			s.Troubles = append(s.Troubles, trouble{Text: text})
		}
		t, account := &s.Troubles[i], &ev.Snapshot.Account
		if len(t.Accounts) == mostLinks {
			t.More++
			continue
		}
		t.Accounts = append(t.Accounts, link{account.ID, cmp.Or(shorten(account.ShownName()), account.ID, "an account not known yet")})
	}
	slices.SortStableFunc(s.Troubles, func(a, b trouble) int {
		return cmp.Compare(len(b.Accounts)+b.More, len(a.Accounts)+a.More)
	})
}

// problemsOf says, a sentence each, what is wrong with the reading of an account.
func problemsOf(ev *policy.Evaluation, users bool, now time.Time) []string {
	var problems []string
	for _, p := range ev.Snapshot.Health.Problems {
		problems = append(problems, problemSentence(ev, p, users))
	}
	problems = append(problems, tagProblems(ev, users)...)
	stale, _ := ages(ev, now)
	for _, group := range stale {
		fresh := ev.Snapshot.Freshness[group]
		problems = append(problems, fmt.Sprintf("The facts about %s are out of date: the oldest were observed at %s; newer ones were due by %s.",
			group, fresh.Observed.UTC().Format(time.RFC3339), fresh.Stale.UTC().Format(time.RFC3339)))
	}
	return problems
}

// reasonInWords says why nothing can be read.
func reasonInWords(reason inventory.Reason) string {
	switch reason {
	case inventory.ReasonCredentials:
		return "there are no AWS credentials, or AWS does not accept them"
	case inventory.ReasonRole:
		return "the role cannot be assumed"
	case inventory.ReasonDenied:
		return "a permission is missing"
	case inventory.ReasonThrottled:
		return "AWS asks for fewer calls"
	case inventory.ReasonTimeout:
		return "AWS does not answer in time"
	case inventory.ReasonNetwork:
		return "AWS cannot be reached"
	case inventory.ReasonServer:
		return "AWS answers with errors of its own"
	case inventory.ReasonMalformed:
		return "an answer cannot be understood"
	case inventory.ReasonReport:
		return "AWS has no credential report ready"
	}
	return "reading from AWS fails"
}

// progressInWords says how many users have been read, and how long the rest takes.
func progressInWords(read, of int, left time.Duration) string {
	text := fmt.Sprintf("%d of %d users read", read, of)
	switch {
	case left == 0:
		return text
	case left < time.Minute:
		return text + ", less than a minute to go"
	case left < 90*time.Second:
		return text + ", about a minute to go"
	case left < 2*time.Hour:
		return fmt.Sprintf("%s, about %d minutes to go", text, left.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%s, about %d hours to go", text, left.Round(time.Hour)/time.Hour)
}

// ages returns which facts are stale, and when the oldest were observed; zero if
// none are known.
func ages(ev *policy.Evaluation, now time.Time) (stale []inventory.Group, oldest time.Time) {
	for _, group := range inventory.Groups() {
		fresh, known := ev.Snapshot.Freshness[group]
		if !known {
			continue
		}
		if oldest.IsZero() || fresh.Observed.Before(oldest) {
			oldest = fresh.Observed
		}
		if fresh.IsStale(now) {
			stale = append(stale, group)
		}
	}
	return stale, oldest
}
