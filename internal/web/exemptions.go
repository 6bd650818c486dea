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

// withheld stands for the reason of a hidden user's exemption, which may name the user.
const withheld = "(withheld)"

type exemption struct {
	User, Account string
	Rules         []policy.Rule
	Reason        string
	LastDay       string
	Origin, State string
	Bad           bool // it should be removed or corrected
}

// exemptionList is what the page shows of exemptions.
type exemptionList struct {
	Rows []exemption
	More int // that are not shown
}

// mostExemptions is how many exemptions a page shows.
const mostExemptions = 500

// cut leaves out the last if there are too many; what should be corrected stays.
func cut(list []exemption) exemptionList {
	if len(list) <= mostExemptions {
		return exemptionList{Rows: list}
	}
	slices.SortStableFunc(list, func(a, b exemption) int { return compareFlags(a.Bad, b.Bad) })
	return exemptionList{list[:mostExemptions], len(list) - mostExemptions}
}

// everyExemption lists the exemptions of the configuration file, then those of the
// users' tags.
func everyExemption(v *view.View, users bool, now time.Time) []exemption {
	list := fileExemptions(v, users, now, func(*policy.Exemption) bool { return true })
	for _, ev := range v.Accounts() {
		list = append(list, tagExemptions(ev, users, now)...)
	}
	return list
}

// exemptionsOf lists those that are for the account alone, or name somebody there.
func exemptionsOf(v *view.View, ev *policy.Evaluation, users bool, now time.Time) []exemption {
	list := fileExemptions(v, users, now, func(e *policy.Exemption) bool {
		return e.Account == ev.Snapshot.Account.ID || e.Account == "" && ev.Has(e.UserName)
	})
	return append(list, tagExemptions(ev, users, now)...)
}

// fileExemptions lists the wanted exemptions of the configuration file. It names
// nobody whom any account hides, on the page of another one neither, and nobody whom
// no account has if the policy may hide somebody: that can be a hidden user who is gone,
// or a slip in the name of one.
func fileExemptions(v *view.View, users bool, now time.Time, wanted func(*policy.Exemption) bool) []exemption {
	var list []exemption
	anywhere := hiddenIn(v.Accounts(), users)
	for i := range v.Policy.Exemptions {
		e := &v.Policy.Exemptions[i]
		if !wanted(e) {
			continue
		}
		row := newExemption(e, "configuration file")
		named, _ := v.Matched(i)
		if e.UserName != policy.RootUserName && (anywhere.hides(e) || !named && hidesSome(v.Policy)) {
			row.withhold()
			row.Origin += fmt.Sprintf(", exemptions[%d]", i) // to find it by
		}
		row.Account = cmp.Or(e.Account, "every account")
		row.State, row.Bad = exemptionState(v, i, now)
		list = append(list, row)
	}
	return list
}

// tagExemptions lists the exemptions of the tags of the account's users.
func tagExemptions(ev *policy.Evaluation, users bool, now time.Time) []exemption {
	var list []exemption
	var here *hidden // made for the first, since most accounts have none
	for i := range ev.Exemptions {
		e := &ev.Exemptions[i]
		if !e.FromTag {
			continue
		}
		if here == nil {
			here = hiddenIn([]*policy.Evaluation{ev}, users)
		}
		row := newExemption(e, "user tag")
		if here.hides(e) {
			row.withhold()
		}
		row.Account = cmp.Or(ev.Snapshot.Account.ID, "not known yet")
		row.State, row.Bad = lapseState(e, now)
		list = append(list, row)
	}
	return list
}

// longestReason is how many characters of a reason the page shows.
const longestReason = 300

func newExemption(e *policy.Exemption, origin string) exemption {
	return exemption{User: e.UserName, Rules: e.Rules, Reason: inventory.Shorten(e.Reason, longestReason), LastDay: policy.LastDay(e.Until), Origin: origin}
}

// withhold leaves out what may name the user.
func (e *exemption) withhold() { e.User, e.Reason = hiddenUser, withheld }

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

// hidden says whom accounts hide. It is made once for all exemptions, because there
// can be many of them, and many accounts.
type hidden struct {
	everybody bool                 // but root
	users     map[string]bool      // by name
	perhaps   []*policy.Evaluation // of accounts that have not listed their users yet, and may hide some
}

// hiddenIn says whom the accounts hide. If users have no series or no account is
// known yet, that is everybody.
func hiddenIn(accounts []*policy.Evaluation, users bool) *hidden {
	h := &hidden{everybody: !users || len(accounts) == 0, users: map[string]bool{}}
	for _, ev := range accounts {
		for i := range ev.Users {
			if name := ev.Snapshot.Users[i].Name; ev.Users[i].Hidden && ev.Classification(name).Hidden {
				h.users[name] = true
			}
		}
		if _, listed := ev.Snapshot.Freshness[inventory.GroupUsers]; !listed && hidesSome(ev.Policy) {
			h.perhaps = append(h.perhaps, ev)
		}
	}
	return h
}

// hides reports whether one of the accounts hides the exempted user, even if the
// exemption is for another account.
func (h *hidden) hides(e *policy.Exemption) bool {
	return h.everybody || h.users[e.UserName] || slices.ContainsFunc(h.perhaps, mayHide(e))
}

// mayHide reports whether an account that has not listed its users yet may hide the
// exempted one: privacy wins.
func mayHide(e *policy.Exemption) func(*policy.Evaluation) bool {
	return func(ev *policy.Evaluation) bool {
		id := ev.Snapshot.Account.ID
		return (id == "" || e.Concerns(id)) && ev.Classification(e.UserName) == nil
	}
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
