package inventory_test

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestAged moves observations, and neither what was observed nor the original.
func TestAged(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key := inventory.AccessKey{ID: "a", Status: inventory.Active, Created: at, LastUse: inventory.Observe(inventory.Use{At: at}, at)}
	s := &inventory.Snapshot{
		Users: []inventory.User{{Name: "ann", Created: at, Console: inventory.Observe(true, at), Keys: inventory.Observe([]inventory.AccessKey{key}, at)}},
		Root:  inventory.Root{MFA: inventory.Observe(true, at)},
	}
	later := s.Aged(time.Hour)
	ann := &later.Users[0]
	keys, _ := ann.Keys.Get()
	for name, observed := range map[string]time.Time{
		"console": ann.Console.Observed(), "keys": ann.Keys.Observed(), "use": keys[0].LastUse.Observed(), "root": later.Root.MFA.Observed(),
	} {
		if want := at.Add(time.Hour); !observed.Equal(want) {
			t.Errorf("%s: observed %s, want %s", name, observed, want)
		}
	}
	if ann.MFA.Known() || later.Root.Keys.Known() {
		t.Error("what was unknown became known")
	}
	if use, _ := keys[0].LastUse.Get(); !keys[0].Created.Equal(at) || !use.At.Equal(at) || !ann.Created.Equal(at) {
		t.Error("what was observed has moved")
	}
	before, _ := s.Users[0].Keys.Get()
	if !before[0].LastUse.Observed().Equal(at) || !s.Users[0].Console.Observed().Equal(at) {
		t.Error("the original has changed")
	}
}
