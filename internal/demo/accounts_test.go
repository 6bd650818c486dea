package demo

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

func newAccounts(t *testing.T, n int, now func() time.Time) *Accounts {
	t.Helper()
	a, err := NewAccounts(n, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestMembers(t *testing.T) {
	if MaxMembers() != 20 {
		t.Errorf("%d accounts at most, want 20", MaxMembers())
	}
	seen, denied := map[string]bool{}, []int{}
	for i, m := range members() {
		if len(m.ID) != 12 || m.Name == "" || seen[m.ID] || seen[m.Name] {
			t.Errorf("account %d has the id %q and the name %q, want its own of both, and 12 digits", i+1, m.ID, m.Name)
		}
		seen[m.ID], seen[m.Name] = true, true
		if m.Denied {
			denied = append(denied, i+1)
		}
	}
	if diff := cmp.Diff([]int{3, 13}, denied); diff != "" {
		t.Errorf("denied accounts (-want +got):\n%s", diff)
	}
}

// TestOneAccountIsAsAlways compares a demo of one account with the account alone.
func TestOneAccountIsAsAlways(t *testing.T) {
	a := newAccounts(t, 1, fixed)
	if diff := cmp.Diff(newAccount(t, 1, fixed).World.Users(), a.living[0].World.Users()); diff != "" {
		t.Errorf("users (-alone +got):\n%s", diff)
	}
	if id := a.living[0].World.AccountID(); id != "123456789012" || len(a.living) != 1 {
		t.Errorf("%d accounts, the first is %s, want 123456789012 alone", len(a.living), id)
	}
	if note := a.Note(); !strings.HasPrefix(note, "This is a demo: a made-up account on the loopback interface. ") {
		t.Errorf("the note is %q", note)
	}
}

func TestEveryAccountHasFindingsAndSoundUsers(t *testing.T) {
	a := newAccounts(t, MaxMembers(), fixed)
	if len(a.living) != 18 {
		t.Errorf("%d accounts live, want all 20 but the 2 that are denied", len(a.living))
	}
	sizes := map[int]bool{}
	for _, account := range a.living {
		id, users := account.World.AccountID(), account.World.Users()
		sizes[len(users)] = true
		for _, v := range violations() {
			if len(account.violators(v)) == 0 {
				t.Errorf("account %s: nobody breaks %s", id, v.rule)
			}
		}
		if !slices.ContainsFunc(users, func(u awssim.User) bool { return compliant(u, fixed()) }) {
			t.Errorf("account %s: nobody of %d users keeps every rule", id, len(users))
		}
		_, exporter := account.World.User("exporter")
		if wanted := id == "123456789012"; exporter != wanted {
			t.Errorf("account %s: the exporter's user is there: %t, want %t", id, exporter, wanted)
		}
	}
	if len(sizes) < 10 {
		t.Errorf("the accounts have only %d sizes", len(sizes))
	}
}

func TestNoteNamesWhoIsDenied(t *testing.T) {
	for n, want := range map[int]string{
		2:  "every four hours.",
		3:  "Nobody may assume the exporter's role in acquired-company (200000000003), to show",
		20: "Nobody may assume the exporter's role in acquired-company (200000000003) and joint-venture (200000000013), to show",
	} {
		if note := newAccounts(t, n, fixed).Note(); !strings.Contains(note, want) {
			t.Errorf("%d accounts: the note is %q, want %q in it", n, note, want)
		}
	}
}

// TestEveryAccountLives keeps the smallest and the largest accounts, too, within
// bounds for a quarter of an hour.
func TestEveryAccountLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t, MaxMembers(), time.Now)
		before := make([][]awssim.User, len(a.living))
		for i, account := range a.living {
			before[i] = account.World.Users()
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Live(ctx) }()
		for _, after := range []time.Duration{time.Minute, 14 * time.Minute} {
			time.Sleep(after)
			synctest.Wait()
			for i, account := range a.living {
				id, users := account.World.AccountID(), account.World.Users()
				if cmp.Equal(before[i], users) {
					t.Errorf("account %s: nothing has happened", id)
				}
				if grown := len(users) - len(before[i]); grown < 0 || grown > 16 {
					t.Errorf("account %s: the population changed by %d", id, grown)
				}
				before[i] = users[:len(before[i])]
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestClientReachesNobodyElse asks the client for hosts of AWS.
func TestClientReachesNobodyElse(t *testing.T) {
	var asked []string
	server, err := Listen(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.Host) }))
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string) error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(request)
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	if err := get("http://iam.amazonaws.com/"); err != nil {
		t.Error(err)
	}
	if err := get("https://sts.us-east-1.amazonaws.com/"); err == nil { // the server speaks no TLS
		t.Error("somebody has answered who speaks TLS")
	}
	if diff := cmp.Diff([]string{"iam.amazonaws.com"}, asked); diff != "" {
		t.Errorf("what the server was asked for (-want +got):\n%s", diff)
	}
}
