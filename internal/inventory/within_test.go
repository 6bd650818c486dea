package inventory_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// TestWithinPullsBackEveryFact fills every field of a user with what was observed
// tomorrow, fields that are yet to come among them.
func TestWithinPullsBackEveryFact(t *testing.T) {
	var user inventory.User
	fill(reflect.ValueOf(&user).Elem())
	keys, _ := user.Keys.Get()
	keys[0].LastUse = use(epoch, generated)
	now := epoch.Add(time.Minute) // a day before it
	got := user.Within(now, now)
	for fact := range got.KnownFacts() {
		if !fact.Observed.Equal(now) {
			t.Errorf("%s: observed at %s, want it pulled back to %s", fact.Name, fact.Observed, now)
		}
	}
	pulled, _ := got.Keys.Get()
	for fact := range pulled[0].KnownFacts() {
		if !fact.Observed.Equal(now) {
			t.Errorf("key: %s: observed at %s, want it pulled back to %s", fact.Name, fact.Observed, now)
		}
	}
	if !keys[0].LastUse.Observed().Equal(generated) {
		t.Error("the keys that others share have changed")
	}
	root := inventory.Root{Console: inventory.Observe(true, generated), Keys: inventory.Observe(keys, generated)}
	for fact := range new(root.Within(now, now)).KnownFacts() {
		if !fact.Observed.Equal(now) {
			t.Errorf("root: %s: observed at %s, want it pulled back to %s", fact.Name, fact.Observed, now)
		}
	}
}

// TestWithinForgetsWhatIsToCome goes to the second.
func TestWithinForgetsWhatIsToCome(t *testing.T) {
	latest := observed
	for name, test := range map[string]struct {
		at    time.Time
		stays bool
	}{
		"just now":          {latest, true},
		"a second too late": {latest.Add(time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			used := []inventory.AccessKey{{ID: "A", Status: inventory.Active, Created: epoch, LastUse: use(test.at, observed)}}
			made := []inventory.AccessKey{key("A", test.at)}
			for what, known := range map[string]bool{
				"use of a key":        firstKey(t, inventory.User{Keys: inventory.Observe(used, observed)}.Within(observed, latest)).LastUse.Known(),
				"keys":                inventory.User{Keys: inventory.Observe(made, observed)}.Within(observed, latest).Keys.Known(),
				"sign-in":             inventory.User{PasswordUse: use(test.at, observed)}.Within(observed, latest).PasswordUse.Known(),
				"password's creation": inventory.User{PasswordCreated: inventory.Observe(test.at, observed)}.Within(observed, latest).PasswordCreated.Known(),
				"password's change":   inventory.User{PasswordChanged: inventory.Observe(test.at, observed)}.Within(observed, latest).PasswordChanged.Known(),
				"root's sign-in":      inventory.Root{PasswordUse: use(test.at, observed)}.Within(observed, latest).PasswordUse.Known(),
				"root's creation":     !inventory.Root{Created: test.at}.Within(observed, latest).Created.IsZero(),
			} {
				if known != test.stays {
					t.Errorf("%s: known %t, want %t", what, known, test.stays)
				}
			}
		})
	}
}

func firstKey(t *testing.T, user inventory.User) inventory.AccessKey {
	t.Helper()
	keys, known := user.Keys.Get()
	if !known || len(keys) == 0 {
		t.Fatal("keys: unknown, want them known")
	}
	return keys[0]
}

func TestGroupSet(t *testing.T) {
	set := inventory.GroupsOf(inventory.GroupKeys, inventory.GroupTags)
	var got []inventory.Group
	for _, group := range inventory.Groups() {
		if set.Has(group) {
			got = append(got, group)
		}
	}
	inventorytest.Equal(t, []inventory.Group{inventory.GroupKeys, inventory.GroupTags}, got)
}

func TestLeft(t *testing.T) {
	s := inventory.Snapshot{Users: make([]inventory.User, 100), Sweep: inventory.Sweep{Length: 100 * time.Minute, Unread: 7}}
	inventorytest.Equal(t, 7*time.Minute, s.Left())
	inventorytest.Equal(t, 0, new(inventory.Snapshot).Left())
}
