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

// failure is what does not work in the exporter as a whole.
type failure struct {
	short string // for the sentence
	text  string // a sentence of its own
}

// failuresOf lists what does not work in the exporter as a whole.
func failuresOf(v *view.View) []failure {
	var failures []failure
	if v.NotListed != "" {
		failures = append(failures, failure{"the organization could not be listed", "The organization could not be listed: " + v.NotListed})
	}
	if v.Reload.Wanted && !v.Reload.Successful {
		failures = append(failures, failure{"the last reload of the configuration failed", reloadSentence(v.Reload, false)})
	}
	return failures
}

// trouble is what keeps the verdicts from being as they should. Where there is but one
// account, it does not say which.
type trouble struct {
	Text     string
	Accounts []link
	More     int // accounts that are not listed
}

// link leads to the page of an account; the id is empty while it is not known.
type link struct{ ID, Words string }

// How much the head of the page tells.
const (
	mostLinks    = 3 // to accounts with the same trouble
	mostProblems = 5 // of a single account
)

// troubles lists what is wrong: every problem of a single account; of several, which
// of them have the same trouble.
func troubles(o *Options, accounts []*policy.Evaluation, failures []failure, now time.Time) []trouble {
	var all []trouble
	for _, f := range failures {
		all = append(all, trouble{Text: f.text})
	}
	if len(accounts) == 1 {
		problems := problemsOf(accounts[0], o.Users, now)
		for _, text := range problems[:min(len(problems), mostProblems)] {
			all = append(all, trouble{Text: text})
		}
		if n := len(problems) - mostProblems; n > 0 {
			all = append(all, trouble{Text: fmt.Sprintf("And %d more; the log has them.", n)})
		}
		return all
	}
	return append(all, troublesOf(accounts, now)...)
}

// troublesOf lists troubles and the accounts that have them, the most frequent first.
func troublesOf(accounts []*policy.Evaluation, now time.Time) []trouble {
	var all []trouble
	for _, ev := range accounts {
		text := ""
		switch state := stateOf(ev, now); {
		case state == string(inventory.StateDown):
			text = capital(wrong(ev, nil))
		case state == stateStale:
			text = "Some facts are out of date"
		case len(ev.Problems) > 0:
			text = "Exemption tags cannot be read"
		default:
			continue
		}
		i := slices.IndexFunc(all, func(t trouble) bool { return t.Text == text })
		if i < 0 {
			i = len(all)
			all = append(all, trouble{Text: text})
		}
		if len(all[i].Accounts) == mostLinks {
			all[i].More++
			continue
		}
		account := &ev.Snapshot.Account
		all[i].Accounts = append(all[i].Accounts, link{account.ID, accountName(account)})
	}
	slices.SortStableFunc(all, func(a, b trouble) int {
		return cmp.Compare(len(b.Accounts)+b.More, len(a.Accounts)+a.More)
	})
	return all
}

// accountName is how an account is called in a sentence.
func accountName(account *inventory.Account) string {
	return cmp.Or(shorten(account.ShownName()), account.ID, "an account not known yet")
}

// problemsOf says, a sentence each, what is wrong with the reading of an account.
func problemsOf(ev *policy.Evaluation, users bool, now time.Time) []string {
	var problems []string
	for _, p := range ev.Snapshot.Health.Problems {
		problems = append(problems, problemSentence(ev, p, users))
	}
	stale, _, _ := ages(ev, now)
	for _, group := range stale {
		fresh := ev.Snapshot.Freshness[group]
		problems = append(problems, fmt.Sprintf("The facts about %s are out of date: the oldest were observed at %s; newer ones were due by %s.",
			group, fresh.Observed.UTC().Format(time.RFC3339), fresh.Stale.UTC().Format(time.RFC3339)))
	}
	return append(problems, tagProblems(ev, users)...)
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
