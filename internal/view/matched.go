package view

import (
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// presence says whether an exemption of the configuration names somebody in an
// account.
type presence int8

const (
	elsewhere presence = iota // it is for another account
	nobody
	perhaps // not known before the account's id is, or its users are
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
		case concerned:
			named[i] = nobody
		}
	}
	return named
}

// tally counts the accounts in which an exemption names somebody, those in
// which it perhaps does, and those in which it names nobody and is meant to.
type tally struct{ somebody, perhaps, nobody int }

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
		case nobody:
			v.exemptions[i].nobody += by
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
// that is known of each of them. Those for an account that is not watched here
// don't count: another exporter may share the configuration. As a share of several
// that watch an organization together, neither do those for any account.
func (v *View) Unmatched(share bool) (n int, known bool) {
	for i, t := range v.exemptions {
		if anyAccount := v.Policy.Exemptions[i].Account == ""; anyAccount && share || !anyAccount && t == (tally{}) {
			continue
		}
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
