package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// hiddenUser stands for a user whose own series are not served.
const hiddenUser = "(hidden user)"

type exemption struct {
	User, Account string
	Rules         []policy.Rule
	Reason        string
	LastDay       string
	Origin, State string
	Bad           bool // it should be removed or corrected
}

// newExemptions lists the exemptions of the configuration file, then those of
// the users' tags.
func newExemptions(v *view.View, users bool, now time.Time) []exemption {
	var list []exemption
	accounts := v.Accounts()
	for i := range v.Policy.Exemptions {
		e := &v.Policy.Exemptions[i]
		row := newExemption(e, "configuration file")
		row.User = userOf(e, accounts, users)
		row.Account = cmp.Or(e.Account, "every account")
		row.State, row.Bad = exemptionState(v, i, now)
		list = append(list, row)
	}
	for i, ev := range accounts {
		for k := range ev.Exemptions {
			e := &ev.Exemptions[k]
			if !e.FromTag {
				continue
			}
			row := newExemption(e, "user tag")
			row.User = userOf(e, accounts[i:i+1], users)
			row.Account = cmp.Or(ev.Snapshot.Account.ID, "not known yet")
			row.State, row.Bad = lapseState(e, now)
			list = append(list, row)
		}
	}
	return list
}

func newExemption(e *policy.Exemption, origin string) exemption {
	return exemption{Rules: e.Rules, Reason: e.Reason, LastDay: policy.LastDay(e.Until), Origin: origin}
}

// exemptionState returns the state of the exemption with that index in the
// configuration file.
func exemptionState(v *view.View, index int, now time.Time) (state string, bad bool) {
	if state, bad = lapseState(&v.Policy.Exemptions[index], now); bad {
		return state, bad
	}
	switch matched, known := v.Matched(index); {
	case matched:
		return state, false
	case known && len(v.Accounts()) > 0:
		return "names nobody", true
	}
	return "not known yet whether it names anybody", false
}

func lapseState(e *policy.Exemption, now time.Time) (state string, bad bool) {
	if e.InForce(now) {
		return "in force", false
	}
	return "lapsed", true
}

// userOf names the exempted user, unless one of the accounts hides that user or
// no account is known yet. If users have no series, it names nobody but root.
func userOf(e *policy.Exemption, accounts []*policy.Evaluation, users bool) string {
	hidden := !users || len(accounts) == 0 || slices.ContainsFunc(accounts, func(ev *policy.Evaluation) bool { return hides(ev, e) })
	if hidden && e.UserName != policy.RootUserName {
		return hiddenUser
	}
	return e.UserName
}

// hides reports whether the account hides the user of that name, even if the
// exemption is for another account. Until the users are listed, an account that
// the exemption concerns hides everybody that the policy might hide: privacy wins.
func hides(ev *policy.Evaluation, e *policy.Exemption) bool {
	if classification := ev.Classification(e.UserName); classification != nil {
		return classification.Hidden
	}
	id := ev.Snapshot.Account.ID
	concerned := id == "" || e.Concerns(id)
	_, listed := ev.Snapshot.Freshness[inventory.GroupUsers]
	return concerned && !listed && hidesSome(ev.Policy)
}

// hidesSome reports whether the policy may hide anybody.
func hidesSome(p *policy.Policy) bool { return len(p.Users.Include)+len(p.Users.Exclude) > 0 }

// problemSentence says what is wrong. It does not name a hidden user, nor an
// unknown one if the policy may hide anybody.
func problemSentence(ev *policy.Evaluation, p inventory.Problem, users bool) string {
	hidden := !users
	if classification := ev.Classification(p.User); classification != nil {
		hidden = hidden || classification.Hidden
	} else {
		hidden = hidden || hidesSome(ev.Policy)
	}
	if p.User == "" || !hidden {
		return p.Text
	}
	return fmt.Sprintf("%s failed for a user (%s). The log names the user and the cause.", cmp.Or(p.Action, "Reading from AWS"), p.Reason)
}

// tagProblems says which exemption tags cannot be read. The evaluation's own
// sentences name users and quote their tags; if anybody is hidden, a count has to
// do.
func tagProblems(ev *policy.Evaluation, users bool) []string {
	n := len(ev.Problems)
	hidden := slices.ContainsFunc(ev.Users, func(s policy.Classification) bool { return s.Hidden })
	switch {
	case n == 0 || users && !hidden:
		return ev.Problems
	case n == 1:
		return []string{"1 exemption tag cannot be read."}
	}
	return []string{fmt.Sprintf("%d exemption tags cannot be read.", n)}
}
