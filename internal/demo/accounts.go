package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// By this role the exporter reads every account but its own, and this is what the
// role's trust policy asks for.
const (
	Role       = "audit/aws-iam-exporter"
	ExternalID = "made-up"
)

// Member is one of several accounts of the demo.
type Member struct {
	ID, Name string
	Denied   bool // nobody may assume its role, and so nothing is ever known of it
	size
}

// MaxMembers is how many accounts a demo can have.
func MaxMembers() int { return len(members()) }

// members returns all accounts that a demo can have. The first is that of the
// exporter's own credentials; from the third on, every tenth is denied.
func members() []Member {
	all := []Member{
		{ID: "123456789012", Name: "tooling", size: size{teams: 4, projects: 20, isHub: true}},
		{Name: "shop-production", size: size{teams: 7, projects: 20}},
		{Name: "acquired-company", Denied: true},
		{Name: "shop-staging", size: size{teams: 2, projects: 12}},
		{Name: "shop-development", size: size{teams: 5, projects: 20}},
		{Name: "data-production", size: size{teams: 2, projects: 14}},
		{Name: "data-science", size: size{teams: 3, projects: 6}},
		{Name: "payments-production", size: size{teams: 2, projects: 18}},
		{Name: "payments-staging", size: size{teams: 1, projects: 10}},
		{Name: "mobile-production", size: size{teams: 3, projects: 16}},
		{Name: "mobile-staging", size: size{teams: 1, projects: 8}},
		{Name: "website", size: size{teams: 2, projects: 12}},
		{Name: "joint-venture", Denied: true},
		{Name: "security", size: size{teams: 1, projects: 6}},
		{Name: "log-archive", size: size{teams: 1, projects: 4}},
		{Name: "network", size: size{teams: 1, projects: 5}},
		{Name: "backup", size: size{teams: 1, projects: 7}},
		{Name: "sandbox", size: size{teams: 6, projects: 4}},
		{Name: "training", size: size{teams: 4, projects: 4}},
		{Name: "marketing", size: size{teams: 2, projects: 5}},
	}
	for i := range all[1:] {
		all[i+1].ID = fmt.Sprintf("2%011d", i+2)
	}
	return all
}

// Accounts are the accounts of a demo behind one endpoint.
type Accounts struct {
	Realm   *awssim.Realm
	Members []Member // the first is that of the exporter's own credentials

	living []*Account // without those that are denied
}

// NewAccounts returns as many accounts as they are before Live, from 1 to MaxMembers.
// The same seed and time give the same accounts.
func NewAccounts(n int, seed uint64, now func() time.Time) (*Accounts, error) {
	a := &Accounts{Members: members()[:n]}
	var worlds []*awssim.World
	for i, m := range a.Members {
		if m.Denied {
			continue
		}
		account, err := m.build(seed+uint64(i), now)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", m.Name, err)
		}
		a.living, worlds = append(a.living, account), append(worlds, account.World)
	}
	a.Realm = awssim.NewRealm(worlds[0], worlds[1:]...)
	for _, w := range worlds[1:] {
		a.Realm.AddRole(w, Role, ExternalID)
	}
	return a, nil
}

// Live is Account.Live in every account.
func (a *Accounts) Live(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, account := range a.living {
		group.Go(func() error { return account.Live(ctx) })
	}
	return group.Wait()
}

// Note says in words what the demo shows.
func (a *Accounts) Note() string {
	if len(a.Members) == 1 {
		return "This is a demo: a made-up account on the loopback interface. Something happens in it every few seconds, far more often than in a real account, " +
			"and its credential report is renewed every minute instead of every four hours."
	}
	note := fmt.Sprintf("This is a demo: %d made-up accounts on the loopback interface. Something happens in each of them every few seconds, far more often than in a real account, "+
		"and their credential reports are renewed every minute instead of every four hours.", len(a.Members))
	var denied []string
	for _, m := range a.Members {
		if m.Denied {
			denied = append(denied, fmt.Sprintf("%s (%s)", m.Name, m.ID))
		}
	}
	if len(denied) == 0 {
		return note
	}
	return note + " Nobody may assume the exporter's role in " + strings.Join(denied, " and ") +
		", to show what that looks like, and that no other account suffers from it."
}
