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
// creation. Of users whose rows cannot be read nothing is known. It returns an
// error if the content cannot be read, or tells of more than one account.
func Snapshot(content []byte, generated time.Time) (*inventory.Snapshot, error) {
	report, err := Parse(content)
	if err != nil {
		return nil, err
	}
	account, err := report.account()
	if err != nil {
		return nil, err
	}
	users, complete := report.UserFacts(generated)
	s := &inventory.Snapshot{
		Account: account,
		Users:   users,
		Report:  inventory.Report{Wanted: true, Usable: true, Generated: generated},
		Health:  inventory.Health{State: inventory.StateUp},
	}
	if report.Root != nil {
		s.Root = inventory.MergeRoot(inventory.Root{}, report.Root.RootFacts(generated))
	}
	for _, gap := range report.Gaps() {
		problem := inventory.Problem{Reason: inventory.ReasonMalformed, Text: "credential report: " + gap.Err.Error()}
		if gap.Row != nil {
			problem.User = gap.Row.User
		}
		s.Health.State, s.Health.Problems = inventory.StateDown, append(s.Health.Problems, problem)
	}
	listed := generated
	if !complete {
		listed = time.Time{}
	}
	s.Freshness, s.Complete = map[inventory.Group]inventory.Freshness{}, map[inventory.Group]bool{}
	for group, covered := range inventory.Cover(s.Users, &s.Root, listed) {
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
// Of those whose rows cannot be read nothing is known; complete tells whether the
// report at least says for certain who they are.
func (r *Report) UserFacts(generated time.Time) (users []inventory.User, complete bool) {
	users, complete = make([]inventory.User, len(r.Users)), true
	for i := range r.Users {
		users[i] = r.Users[i].UserFacts(generated)
	}
	for i := range r.Unreadable {
		if u := &r.Unreadable[i]; u.User != RootUser {
			user, certain := u.UserFacts()
			if complete = complete && certain; certain {
				users = append(users, user)
			}
		}
	}
	slices.SortFunc(users, func(a, b inventory.User) int { return strings.Compare(a.Name, b.Name) })
	// Two rows can agree in whose they are, and in nothing else.
	users = slices.CompactFunc(users, func(a, b inventory.User) bool { return a.Name == b.Name })
	return users, complete
}

// Owner tells whose row a line is.
type Owner struct {
	Line      int
	User, ARN string
}

// Owners returns, in the order of lines, whose each row is. Rows that cannot be
// read are among them as far as they tell.
func (r *Report) Owners() []Owner {
	owners := make([]Owner, 0, len(r.Users)+len(r.Unreadable)+1)
	if r.Root != nil {
		owners = append(owners, Owner{r.Root.Line, r.Root.User, r.Root.ARN})
	}
	for i := range r.Users {
		owners = append(owners, Owner{r.Users[i].Line, r.Users[i].User, r.Users[i].ARN})
	}
	for i := range r.Unreadable {
		if u := &r.Unreadable[i]; u.ARN != "" {
			owners = append(owners, Owner{u.Line, u.User, u.ARN})
		}
	}
	slices.SortFunc(owners, func(a, b Owner) int { return cmp.Compare(a.Line, b.Line) })
	return owners
}

// account returns the account that all ARNs of the report belong to.
func (r *Report) account() (inventory.Account, error) {
	var account inventory.Account
	for _, row := range r.Owners() {
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
