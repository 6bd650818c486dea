package view

import (
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// presence says whether an exemption of the configuration names somebody in an
// account.
type presence int8

const (
	nobody  presence = iota
	perhaps          // not known before the account's id is, or its users are
	somebody
)

// namedIn returns whom each of the policy's exemptions names in the account.
func namedIn(j *policy.Evaluation) []presence {
	id := j.Snapshot.Account.ID
	_, listed := j.Snapshot.Freshness[inventory.GroupUsers]
	named := make([]presence, len(j.Policy.Exemptions))
	for i := range named {
		e := &j.Policy.Exemptions[i]
		concerned := e.Concerns(id)
		if !concerned && id != "" {
			continue // another account's
		}
		switch has := j.Has(e.UserName); {
		case has && concerned:
			named[i] = somebody
		case has || !listed:
			named[i] = perhaps
		}
	}
	return named
}

// tally counts the accounts in which an exemption names somebody, and those in
// which it perhaps does.
type tally struct{ somebody, perhaps int }

// count adds the account to what is known of the exemptions, or takes it off
// by -1. So an account that changes costs one look at each exemption, and a
// scrape none at the accounts.
func (v *View) count(a *account, by int) {
	for i, named := range a.named {
		switch named {
		case somebody:
			v.exemptions[i].somebody += by
		case perhaps:
			v.exemptions[i].perhaps += by
		}
	}
}

// Matched reports whether the policy's exemption of that index names somebody in
// any of the accounts, and whether that is known: it is not before the users of
// every account that it concerns have been listed.
func (v *View) Matched(exemption int) (matched, known bool) {
	t := v.exemptions[exemption]
	return t.somebody > 0, t.somebody > 0 || t.perhaps == 0
}

// Unmatched returns how many of the policy's exemptions name nobody, and whether
// that is known of each of them.
func (v *View) Unmatched() (n int, known bool) {
	for i := range v.exemptions {
		matched, known := v.Matched(i)
		if !known {
			return 0, false
		}
		if !matched {
			n++
		}
	}
	return n, true
}
