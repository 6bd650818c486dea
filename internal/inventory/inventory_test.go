package inventory

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	epoch    = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	observed = time.Date(2026, 11, 5, 9, 30, 0, 123456789, time.UTC)
)

// facts compares facts with the times of their observation. A nil list and an
// empty one are not the same.
func facts() cmp.Option {
	return cmp.AllowUnexported(Fact[bool]{}, Fact[string]{}, Fact[time.Time]{}, Fact[Use]{}, Fact[[]AccessKey]{}, Fact[Tags]{})
}

func TestFactNewer(t *testing.T) {
	unknown := Fact[string]{}
	old, recent := Observe("old", epoch), Observe("recent", epoch.Add(time.Nanosecond))
	rival := Observe("rival", epoch.In(time.FixedZone("", 3600)))
	tests := map[string]struct{ f, other, want Fact[string] }{
		"both unknown":           {unknown, unknown, unknown},
		"unknown, then known":    {unknown, old, old},
		"known, then unknown":    {old, unknown, old},
		"older, then newer":      {old, recent, recent},
		"newer, then older":      {recent, old, recent},
		"the first wins a tie":   {old, rival, old},
		"also in another zone":   {rival, old, rival},
		"a zero value can win":   {old, Observe("", observed), Observe("", observed)},
		"a zero value can stand": {Observe("", observed), old, Observe("", observed)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.f.Newer(test.other), facts()); diff != "" {
				t.Errorf("newer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRootAccessKeys(t *testing.T) {
	before, after := observed.Add(-time.Second), observed.Add(time.Second)
	some := []AccessKey{{Status: Active, Created: epoch}}
	tests := map[string]struct {
		root Root
		want Fact[[]AccessKey]
	}{
		"nothing known":                  {Root{}, Fact[[]AccessKey]{}},
		"only a listing":                 {Root{Keys: Observe(some, observed)}, Observe(some, observed)},
		"only that there are none":       {Root{KeyPresent: Observe(false, observed)}, Observe([]AccessKey(nil), observed)},
		"only that there are some":       {Root{KeyPresent: Observe(true, observed)}, Fact[[]AccessKey]{}},
		"gone since the listing":         {Root{KeyPresent: Observe(false, after), Keys: Observe(some, observed)}, Observe([]AccessKey(nil), after)},
		"gone at the time of it":         {Root{KeyPresent: Observe(false, observed), Keys: Observe(some, observed)}, Observe([]AccessKey(nil), observed)},
		"gone, and listed again":         {Root{KeyPresent: Observe(false, before), Keys: Observe(some, observed)}, Observe(some, observed)},
		"still there":                    {Root{KeyPresent: Observe(true, after), Keys: Observe(some, observed)}, Observe(some, observed)},
		"made since a listing of none":   {Root{KeyPresent: Observe(true, after), Keys: Observe([]AccessKey{}, observed)}, Fact[[]AccessKey]{}},
		"there, and then a list of none": {Root{KeyPresent: Observe(true, before), Keys: Observe([]AccessKey{}, observed)}, Observe([]AccessKey{}, observed)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.root.AccessKeys(), facts()); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTagsGet(t *testing.T) {
	tags := Tags{{Key: "Owner", Value: "ops"}, {Key: "empty"}, {Key: "Größe", Value: "L"}}
	tests := map[string]struct {
		tags  Tags
		key   string
		want  string
		found bool
	}{
		"as written":          {tags, "Owner", "ops", true},
		"in another case":     {tags, "oWNER", "ops", true},
		"not only in ASCII":   {tags, "GRÖSSE", "", false}, // ß has no capital of one letter in use
		"folded beyond ASCII": {tags, "GRÖßE", "L", true},
		"without a value":     {tags, "empty", "", true},
		"a part of a key":     {tags, "Own", "", false},
		"with a space":        {tags, "Owner ", "", false},
		"no tags":             {nil, "Owner", "", false},
		"no name":             {tags, "", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, found := test.tags.Get(test.key)
			if got != test.want || found != test.found {
				t.Errorf("Get(%q): got %q, %t; want %q, %t", test.key, got, found, test.want, test.found)
			}
		})
	}
}
