package fleet

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// repeatAfter is how often it is said that what went wrong still does.
const repeatAfter = time.Hour

// refreshLog tells of an account what begins to be wrong, what is over, and when
// all is well. With many accounts, nobody reads what stands there every few minutes.
type refreshLog struct {
	logger      *slog.Logger
	account     string // the id under which it is watched
	common      *common
	complete    bool                          // the last refresh got everything, and everybody was read
	problems    map[inventory.Problem]ongoing // by what tells them from others
	told        time.Time                     // when something was last said about one of them
	tagMistakes []string                      // what was last said about users' tags
	saving      saveFailure
}

// ongoing is a problem that is not over.
type ongoing struct {
	inventory.Problem
	since   time.Time
	unasked bool // AWS cannot be asked whether it is over
}

func (l *refreshLog) write(now time.Time, e *policy.Evaluation) {
	s := e.Snapshot
	logger := l.logger.With("account_id", s.Account.ID)
	for _, mistake := range e.Problems { // users' slips stay for long, and are no failure of ours
		if !slices.Contains(l.tagMistakes, mistake) {
			logger.Warn("Cannot use a tag", "problem", mistake)
		}
	}
	l.tagMistakes = e.Problems

	complete := s.Health.State == inventory.StateUp
	recovered := complete && !l.complete
	l.writeProblems(logger, now, s, recovered)
	details := []any{"users", len(s.Users), "unread", s.Sweep.Unread, "findings", len(e.Findings), "took", s.Health.Duration}
	switch {
	case s.Health.State == inventory.StatePending:
		logger.Info("Reading users", append(details, "left", s.Left().Round(time.Second))...)
	case recovered:
		logger.Info("Refresh complete", details...)
	default:
		logger.Debug("Refreshed", details...)
	}
	l.complete = complete
}

// writeProblems tells of the problems that are over, unless another line says so of
// all, and of those that are new, or once in a while of the oldest.
func (l *refreshLog) writeProblems(logger *slog.Logger, now time.Time, s *inventory.Snapshot, recovered bool) {
	before := l.problems
	l.problems = make(map[inventory.Problem]ongoing, len(s.Health.Problems))
	var begun []inventory.Problem
	for _, p := range s.Health.Problems {
		id := identityOf(p)
		known, old := before[id]
		if !old {
			known.since = now
			begun = append(begun, p)
		}
		l.problems[id] = ongoing{Problem: p, since: known.since}
	}
	if !recovered {
		l.keepUnasked(before)
		l.writeEnds(logger, now, before)
	}
	for _, p := range begun {
		l.told = now
		switch {
		case s.Health.State == inventory.StateUp:
			logger.Warn("A call failed, but others gave its facts", "reason", p.Reason, "problem", p.Text)
		case len(s.Freshness) == 0:
			logger.Warn("Refresh incomplete, no facts yet", "reason", p.Reason, "problem", p.Text)
		default:
			logger.Warn("Refresh incomplete, keeping the last facts", "reason", p.Reason, "problem", p.Text)
		}
	}
	l.repeat(logger, now, s.Account.ID)
}

// repeat tells once in a while of a problem that is still met, for all accounts that have
// it: of the oldest that no other account has told of meanwhile.
func (l *refreshLog) repeat(logger *slog.Logger, now time.Time, accountID string) {
	met := slices.DeleteFunc(slices.Collect(maps.Values(l.problems)), func(p ongoing) bool { return p.unasked })
	all := make(map[cause]bool, len(met))
	for _, p := range met {
		all[causeOf(p.Problem, accountID)] = true
	}
	if l.common.reading.set(l.account, all); len(met) == 0 || now.Sub(l.told) < repeatAfter {
		return
	}
	slices.SortFunc(met, compareOngoing)
	for _, p := range met {
		accounts, due := l.common.reading.repeat(causeOf(p.Problem, accountID), now)
		if !due {
			continue
		}
		l.told = now
		details := []any{"reason", p.Reason, "for", now.Sub(p.since).Round(time.Second), "others", len(l.problems) - 1}
		logger.Warn("Refresh still incomplete", append(withAccounts(details, accounts), "problem", p.Text)...)
		return
	}
}

// keepUnasked keeps the problems of before while AWS cannot be asked at all: nobody
// knows whether they are over.
func (l *refreshLog) keepUnasked(before map[inventory.Problem]ongoing) {
	unasked := false
	for id := range l.problems {
		unasked = unasked || id.Reason == inventory.ReasonNetwork || id.Reason == inventory.ReasonCredentials || id.Reason == inventory.ReasonRole
	}
	for id, p := range before {
		if _, still := l.problems[id]; unasked && !still {
			p.unasked = true
			l.problems[id] = p
		}
	}
}

// writeEnds tells which of the problems are over. One is not that is there in other
// words: of a call that fails for many users, one is named.
func (l *refreshLog) writeEnds(logger *slog.Logger, now time.Time, before map[inventory.Problem]ongoing) {
	type kind struct {
		action string
		reason inventory.Reason
	}
	fails := map[kind]bool{}
	for id := range l.problems {
		fails[kind{id.Action, id.Reason}] = id.Action != ""
	}
	var over []ongoing
	for id, p := range before {
		if _, still := l.problems[id]; !still && !fails[kind{p.Action, p.Reason}] {
			over = append(over, p)
		}
	}
	slices.SortFunc(over, compareOngoing)
	for _, p := range over {
		logger.Info("A problem is over", "reason", p.Reason, "lasted", now.Sub(p.since).Round(time.Second), "problem", p.Text)
	}
}

func compareOngoing(a, b ongoing) int {
	return cmp.Or(a.since.Compare(b.since), strings.Compare(a.Text, b.Text))
}

// identityOf returns what tells the problem from others.
func identityOf(p inventory.Problem) inventory.Problem {
	p.Text = inventory.WithoutPassing(p.Text)
	return p
}

// saveFailure is why facts could not be saved; the zero value if they could.
type saveFailure struct {
	text string    // without what passes
	told time.Time // when that was last said
}

// writeSaving tells whether saving an account's facts has failed, unless that was said.
func (l *refreshLog) writeSaving(now time.Time, accountID string, err error) {
	if err == nil {
		if l.saving.text != "" {
			l.logger.Info("Saving facts works again")
		}
		l.common.saving.set(l.account, nil)
		l.saving = saveFailure{}
		return
	}
	why := causeOf(inventory.Problem{Text: err.Error()}, accountID)
	l.common.saving.set(l.account, map[cause]bool{why: true})
	text, details := inventory.WithoutPassing(err.Error()), []any{"err", err}
	if text == l.saving.text {
		if now.Sub(l.saving.told) < repeatAfter {
			return
		}
		accounts, due := l.common.saving.repeat(why, now)
		if !due {
			return
		}
		details = append(withAccounts(nil, accounts), details...)
	}
	l.saving = saveFailure{text, now}
	l.logger.Error("Saving facts failed; a restart would begin without them", details...)
}

// withAccounts adds to details how many accounts they hold for, if that is not one alone.
func withAccounts(details []any, accounts int) []any {
	if accounts == 1 {
		return details
	}
	return append(details, "accounts", accounts)
}
