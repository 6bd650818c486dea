package credreport

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Snapshot turns the bytes of a credential report, and the time at which AWS
// made it, into what it tells of the account. Nothing else is needed: neither
// credentials nor a network. Users are known by name, and keys by their
// creation. It returns an error if the content cannot be read, or tells of more
// than one account.
func Snapshot(content []byte, generated time.Time) (*inventory.Snapshot, error) {
	report, err := Parse(content)
	if err != nil {
		return nil, err
	}
	account, err := report.account()
	if err != nil {
		return nil, err
	}
	s := &inventory.Snapshot{
		Account: account,
		Users:   report.UserFacts(generated),
		Report:  inventory.Report{Wanted: true, Usable: true, Generated: generated},
		Health:  inventory.Health{State: inventory.StateUp},
	}
	if report.Root != nil {
		s.Root = report.Root.RootFacts(generated)
	}
	s.Freshness, s.Complete = map[inventory.Group]inventory.Freshness{}, map[inventory.Group]bool{}
	for group, covered := range inventory.Cover(s.Users, &s.Root, generated) {
		if covered.Oldest.IsZero() {
			continue
		}
		s.Freshness[group] = inventory.Freshness{Observed: covered.Oldest}
		if !covered.Missing {
			s.Complete[group] = true
		}
	}
	return s, nil
}

// UserFacts returns all users as the report alone tells them, ordered by name.
func (r *Report) UserFacts(generated time.Time) []inventory.User {
	users := make([]inventory.User, len(r.Users))
	for i := range r.Users {
		users[i] = r.Users[i].UserFacts(generated)
	}
	slices.SortFunc(users, func(a, b inventory.User) int { return strings.Compare(a.Name, b.Name) })
	return users
}

// account returns the account that all ARNs of the report belong to.
func (r *Report) account() (inventory.Account, error) {
	rows := make([]*Row, 0, len(r.Users)+1)
	if r.Root != nil {
		rows = append(rows, r.Root)
	}
	for i := range r.Users {
		rows = append(rows, &r.Users[i])
	}
	slices.SortFunc(rows, func(a, b *Row) int { return cmp.Compare(a.Line, b.Line) })
	var account inventory.Account
	for _, row := range rows {
		id, partition := inventory.AccountOf(row.ARN)
		switch {
		case id == "":
			return account, fmt.Errorf("credential report, line %d: the ARN is %s, want one of IAM in an account", row.Line, quote(row.ARN))
		case account.ID == "":
			account = inventory.Account{ID: id, Partition: partition}
		case account.ID != id:
			return account, fmt.Errorf("credential report, line %d: the ARN is %s, want one in account %s, as in the lines before", row.Line, quote(row.ARN), account.ID)
		}
	}
	return account, nil
}
