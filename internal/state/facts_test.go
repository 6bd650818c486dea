package state

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const accountID = "123456789012"

var (
	epoch    = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	observed = time.Date(2026, 11, 5, 9, 30, 0, 123456789, time.UTC)
)

// exactly compares facts with the times of their observation. Only a nil list
// and an empty one count as the same.
func exactly() cmp.Options {
	return cmp.Options{
		cmp.AllowUnexported(
			inventory.Fact[bool]{}, inventory.Fact[time.Time]{}, inventory.Fact[inventory.Use]{},
			inventory.Fact[[]inventory.AccessKey]{}, inventory.Fact[inventory.Tags]{},
		),
		cmpopts.EquateEmpty(),
	}
}

func known[T any](value T) inventory.Fact[T] { return inventory.Observe(value, observed) }

func arnOf(name string) string { return "arn:aws:iam::" + accountID + ":user/" + name }

// plain returns a snapshot of one user about whom nothing is known.
func plain() *inventory.Snapshot {
	return &inventory.Snapshot{
		Account:   inventory.Account{ID: accountID},
		Users:     []inventory.User{{Name: "bob", ARN: arnOf("bob"), Created: epoch}},
		Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {Observed: observed}},
		Health:    inventory.Health{State: inventory.StatePending},
	}
}

// rich returns a snapshot in which every fact occurs unknown, and known with
// each kind of value.
func rich() *inventory.Snapshot {
	s := plain()
	s.Account = inventory.Account{ID: accountID, Alias: `Größe "1" <&>`, Partition: "aws-cn", OUPath: "o-1/r-2/ou-3/"}
	s.Complete = map[inventory.Group]bool{inventory.GroupUsers: true, inventory.GroupTags: true, inventory.GroupMFA: true}
	s.Root = inventory.Root{
		Created:    epoch.AddDate(-5, 0, 0).In(time.FixedZone("", 7200)),
		KeyPresent: known(true),
		Keys: known([]inventory.AccessKey{
			{Status: inventory.Active, Created: epoch, LastUse: known(inventory.Use{At: epoch, Service: "s3"})},
			{Status: inventory.Inactive},
		}),
		Console:     known(false),
		MFA:         known(true),
		PasswordUse: known(inventory.Use{}),
	}
	s.Users = []inventory.User{
		{
			ID: "AIDA1", Name: "Alice", ARN: arnOf("team/Alice"), Path: "/team/", Created: epoch,
			Keys: known([]inventory.AccessKey{
				{ID: "AKIA1", Status: inventory.Active, Created: epoch, LastUse: inventory.Observe(inventory.Use{At: epoch.Add(time.Hour), Region: "eu-central-1", Service: "sts"}, epoch.Add(2*time.Hour))},
				{ID: "AKIA2", Status: inventory.Inactive, Created: epoch.Add(time.Nanosecond), LastUse: known(inventory.Use{})},
				{ID: "AKIA3", Status: inventory.Expired, Created: epoch.Add(time.Second)},
			}),
			Console:         known(true),
			PasswordCreated: known(epoch.Add(time.Minute)),
			PasswordUse:     inventory.Observe(inventory.Use{At: epoch.Add(time.Hour)}, epoch.Add(2*time.Hour)),
			MFA:             known(false),
			Tags:            known(inventory.Tags{{Key: "AKIA1", Value: "for <CI> & \u2028 \\ud800 \ufffd \x00"}, {Key: "Owner"}}),
		},
		{
			Name: "bob", ARN: arnOf("bob"), Created: epoch.In(time.FixedZone("", 7200)),
			Keys:        known([]inventory.AccessKey{}),
			Console:     known(false),
			PasswordUse: known(inventory.Use{Region: "nowhere"}),
			Tags:        known(inventory.Tags{}),
		},
		{Name: "carol", ARN: arnOf("carol"), Created: epoch, Keys: known([]inventory.AccessKey(nil)), Tags: known(inventory.Tags(nil))},
		{Name: "dave", ARN: arnOf("dave"), Created: epoch},
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	nobody := plain()
	nobody.Users = nil
	later := rich() // with what the first code for version 1 did not know
	later.Users[0].PasswordChanged = known(epoch.Add(2 * time.Minute))
	for name, snapshot := range map[string]*inventory.Snapshot{"plain": plain(), "rich": rich(), "richer": later, "no users": nobody} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			save(t, store, snapshot)
			got, err := store.Load(accountID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(snapshot, got, exactly()); diff != "" {
				t.Errorf("loaded snapshot (-saved +loaded):\n%s", diff)
			}
			if zone := got.Root.Created.Location(); zone != time.UTC {
				t.Errorf("creation of root: got zone %s, want UTC", zone)
			}
			for _, user := range got.Users {
				if zone := user.Created.Location(); zone != time.UTC {
					t.Errorf("creation of %s: got zone %s, want UTC", user.Name, zone)
				}
			}
		})
	}
}

// TestFactsAlone gives Save all that is no fact, and expects none of it back.
func TestFactsAlone(t *testing.T) {
	snapshot := rich()
	snapshot.Health = inventory.Health{State: inventory.StateUp, Refreshes: 7, Problems: []inventory.Problem{{Text: "secret"}}}
	snapshot.Report = inventory.Report{Wanted: true, Usable: true, Generated: epoch}
	snapshot.Freshness = map[inventory.Group]inventory.Freshness{
		inventory.GroupUsers: {Observed: observed, Stale: observed.Add(time.Hour)},
		inventory.GroupKeys:  {Observed: epoch, Stale: observed},
	}
	snapshot.Complete[inventory.GroupKeys] = false
	store := open(t)
	save(t, store, snapshot)
	got, err := store.Load(accountID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rich(), got, exactly()); diff != "" {
		t.Errorf("loaded snapshot (-want +got):\n%s", diff)
	}
}

// TestVersion1 reads and writes a file that the first code for version 1 wrote
// of the rich snapshot. Never rewrite the file: a change that would need that makes a
// new version.
func TestVersion1(t *testing.T) {
	file, err := os.ReadFile("testdata/version-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(file), string(encoded(t, rich()))); diff != "" {
		t.Errorf("file (-version 1 +now):\n%s", diff)
	}
	got, err := decode(accountID, file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rich(), got, exactly()); diff != "" {
		t.Errorf("snapshot in the file (-want +got):\n%s", diff)
	}
}

// TestLayout pins the bytes of version 1.
func TestLayout(t *testing.T) {
	snapshot := plain()
	snapshot.Complete = map[inventory.Group]bool{inventory.GroupKeys: true, inventory.GroupUsers: true}
	snapshot.Root.KeyPresent = known(false)
	bob := &snapshot.Users[0]
	bob.Keys = known([]inventory.AccessKey{{ID: "AKIA1", Status: inventory.Active, Created: epoch, LastUse: known(inventory.Use{})}})
	bob.PasswordUse = known(inventory.Use{At: epoch})
	bob.Tags = known(inventory.Tags{{Key: "Owner", Value: "ops"}})
	got, err := encode(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	const seen = `"observed":"2026-11-05T09:30:00.123456789Z"}`
	want := fmt.Sprintf(`{"format":"aws_iam_exporter facts","version":1,"account_id":"123456789012","sha256":"%s","facts":%s}`+"\n",
		"08d079d2e69e2fdbabffefa0970e7c6835f1295fd475c89d539db8ec6196a9bf", strings.Join([]string{
			`{"account":{"id":"123456789012"},"users_listed":"2026-11-05T09:30:00.123456789Z","complete":["users","keys"],`,
			`"root":{"key_present":{"value":false,` + seen + `},`,
			`"users":[{"name":"bob","arn":"arn:aws:iam::123456789012:user/bob","created":"2026-01-02T15:04:05Z",`,
			`"keys":{"value":[{"id":"AKIA1","status":"active","created":"2026-01-02T15:04:05Z","last_use":{"value":{"never":true},` + seen + `}],` + seen + `,`,
			`"password_use":{"value":{"at":"2026-01-02T15:04:05Z"},` + seen + `,`,
			`"tags":{"value":[{"key":"Owner","value":"ops"}],` + seen + `}]}`,
		}, ""))
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

// TestLongSweepsAreKeptAsTheLongest saves the facts of an account whose users are read
// so slowly that a round over them takes years.
func TestLongSweepsAreKeptAsTheLongest(t *testing.T) {
	store := open(t)
	for length, want := range map[time.Duration]time.Duration{
		maxSweep: maxSweep, maxSweep + time.Nanosecond: maxSweep, 1000 * maxSweep: maxSweep, maxSweep - time.Second: maxSweep - time.Second,
	} {
		s := plain()
		s.Sweep.Length = length
		save(t, store, s)
		got, err := store.Load(accountID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Sweep.Length != want || s.Sweep.Length != length {
			t.Errorf("a sweep of %s: got %s, want %s", length, got.Sweep.Length, want)
		}
	}
}
