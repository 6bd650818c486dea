package state

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestWhatReadersLearn keeps what is read of the demo account from each source.
func TestWhatReadersLearn(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				snapshot := learn(t, source)
				store := open(t)
				save(t, store, snapshot)
				got, err := store.Load(snapshot.Account.ID)
				if err != nil {
					t.Fatal(err)
				}
				want := &inventory.Snapshot{
					Account: snapshot.Account, Users: snapshot.Users, Root: snapshot.Root, Complete: snapshot.Complete,
					Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {Observed: listed(snapshot)}},
					Health:    inventory.Health{State: inventory.StatePending},
				}
				if diff := cmp.Diff(want, got, exactly()); diff != "" {
					t.Errorf("loaded snapshot (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// learn returns what a reader knows after a refresh and a sweep of the keys.
func learn(t *testing.T, source awsapi.Source) *inventory.Snapshot {
	t.Helper()
	made, err := demo.NewAccounts(1, 1, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client := awsapi.New(made.Realm.Config(), awsapi.NewShared(1e6), awsapi.Options{
		Needs: awsapi.Needs{Source: source}, Rate: 1e6, Timeout: 10 * time.Second,
	})
	watched := account.New(client, account.Options{RefreshInterval: 5 * time.Minute, KeysInterval: 5 * time.Minute}, nil)
	for p := watched.Step(t.Context(), nil); !p.Ended; p = watched.Step(t.Context(), nil) {
		time.Sleep(time.Until(p.Next))
	}
	snapshot := watched.Snapshot()
	if !snapshot.Complete[inventory.GroupKeys] || len(snapshot.Users) < 20 {
		t.Fatalf("read %d users, complete are %v; want at least 20 and their keys", len(snapshot.Users), snapshot.Complete)
	}
	return snapshot
}
