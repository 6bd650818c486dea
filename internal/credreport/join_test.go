package credreport

import (
	"slices"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

const day = 24 * time.Hour

var (
	epoch     = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	generated = epoch.Add(day)
	observed  = epoch.Add(2 * day) // live, later than the report
)

func slot(active bool, created time.Time) Slot {
	return Slot{Active: active, Created: created}
}

// usedSlot is an active slot that was last used at the time; zero for never.
func usedSlot(created, used time.Time) Slot {
	return Slot{Active: true, Created: created, LastUse: Known(inventory.Use{At: used})}
}

func key(id string, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: inventory.Active, Created: created}
}

func use(at, observed time.Time) inventory.Fact[inventory.Use] {
	return inventory.Observe(inventory.Use{At: at}, observed)
}

func TestRowOf(t *testing.T) {
	row := &Row{User: "bob", Created: epoch}
	rows := map[string]*Row{"bob": row}
	for name, test := range map[string]struct {
		user inventory.User
		want *Row
	}{
		"name and second agree": {inventory.User{Name: "bob", Created: epoch}, row},
		"other zone":            {inventory.User{Name: "bob", Created: epoch.In(time.FixedZone("", 3600))}, row},
		"made anew":             {inventory.User{Name: "bob", Created: epoch.Add(time.Second)}, nil},
		"renamed":               {inventory.User{Name: "bobby", Created: epoch}, nil},
		"other case":            {inventory.User{Name: "Bob", Created: epoch}, nil},
		"nobody":                {inventory.User{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := RowOf(rows, &test.user); got != test.want {
				t.Errorf("row: got %v, want %v", got, test.want)
			}
			if got := RowOf(nil, &test.user); got != nil {
				t.Errorf("row of no report: got %v, want none", got)
			}
		})
	}
}

func TestSlot(t *testing.T) {
	later := epoch.Add(time.Second)
	for name, test := range map[string]struct {
		keys  []inventory.AccessKey // the slot of the first is asked for
		slots []Slot
		want  int // index; -1 for none
	}{
		"the only ones":                        {[]inventory.AccessKey{key("A", epoch)}, []Slot{slot(true, epoch)}, 0},
		"newer key in the first slot":          {[]inventory.AccessKey{key("A", epoch), key("B", later)}, []Slot{slot(true, later), slot(true, epoch)}, 1},
		"inactive keeps its date":              {[]inventory.AccessKey{key("A", epoch)}, []Slot{slot(false, epoch)}, 0},
		"two keys of a second":                 {[]inventory.AccessKey{key("A", epoch), key("B", epoch)}, []Slot{slot(true, epoch)}, -1},
		"two slots of a second":                {[]inventory.AccessKey{key("A", epoch)}, []Slot{slot(true, epoch), slot(false, epoch)}, -1},
		"two of each":                          {[]inventory.AccessKey{key("A", epoch), key("B", epoch)}, []Slot{slot(true, epoch), slot(true, epoch)}, -1},
		"third key, not shown":                 {[]inventory.AccessKey{key("C", later.Add(day)), key("A", epoch), key("B", later)}, []Slot{slot(true, epoch), slot(true, later)}, -1},
		"one of three, shown":                  {[]inventory.AccessKey{key("A", epoch), key("B", later), key("C", later.Add(day))}, []Slot{slot(true, later), slot(true, epoch)}, 1},
		"a tie of others is no matter":         {[]inventory.AccessKey{key("C", later), key("A", epoch), key("B", epoch)}, []Slot{slot(true, epoch), slot(true, later)}, 1},
		"one second off":                       {[]inventory.AccessKey{key("A", epoch)}, []Slot{slot(true, later)}, -1},
		"slot without date":                    {[]inventory.AccessKey{key("A", epoch)}, []Slot{slot(true, time.Time{})}, -1},
		"slot without date beside the partner": {[]inventory.AccessKey{key("A", epoch)}, []Slot{slot(true, time.Time{}), slot(true, epoch)}, 1},
		"no slots":                             {[]inventory.AccessKey{key("A", epoch)}, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			row := &Row{Slots: test.slots}
			got := row.Slot(&test.keys[0], test.keys)
			switch {
			case test.want < 0 && got != nil:
				t.Errorf("slot: got %+v, want none", *got)
			case test.want >= 0 && got != &row.Slots[test.want]:
				t.Errorf("slot: got %+v, want slot %d", got, test.want)
			}
			if got := (*Row)(nil).Slot(&test.keys[0], test.keys); got != nil {
				t.Errorf("slot without row: got %+v, want none", *got)
			}
		})
	}
}

func TestWithUse(t *testing.T) {
	never := use(time.Time{}, observed)
	keys := []inventory.AccessKey{key("A", epoch), key("B", epoch.Add(time.Hour)), key("C", epoch.Add(2*time.Hour))}
	keys[0].LastUse = never
	before := slices.Clone(keys)
	row := &Row{Slots: []Slot{
		usedSlot(epoch.Add(time.Hour), epoch.Add(2*time.Hour)),
		usedSlot(epoch, epoch.Add(time.Hour)),
	}}

	got := row.WithUse(keys, generated)

	want := slices.Clone(keys)
	want[0].LastUse = use(epoch.Add(time.Hour), observed) // the live answer is the later word, yet the use stands
	want[1].LastUse = use(epoch.Add(2*time.Hour), generated)
	inventorytest.Equal(t, want, got)
	inventorytest.Equal(t, before, keys) // a published slice stays as it was
}

func TestPathOf(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::123456789012:user/bob":           "/",
		"arn:aws:iam::123456789012:user/team/bob":      "/team/",
		"arn:aws-cn:iam::123456789012:user/a/b/c/bob":  "/a/b/c/",
		"arn:aws:iam::123456789012:user/user/x:user/b": "/user/x:user/",
		"arn:aws:iam::123456789012:root":               "",
		"":                                             "",
	} {
		if got := pathOf(arn); got != want {
			t.Errorf("%q: got %q, want %q", arn, got, want)
		}
	}
}

func TestUserFacts(t *testing.T) {
	row := &Row{
		User: "bob", ARN: "arn:aws:iam::123456789012:user/team/bob", Created: epoch,
		Password: Known(true), MFA: Known(false),
		PasswordUse: Known(inventory.Use{At: epoch.Add(time.Hour)}),
		Slots:       []Slot{usedSlot(epoch.Add(time.Minute), time.Time{})},
	}
	bob := key("created-2026-06-01T12:01:00Z", epoch.Add(time.Minute))
	bob.LastUse = use(time.Time{}, generated)
	inventorytest.Equal(t, inventory.User{
		Name: "bob", ARN: row.ARN, Path: "/team/", Created: epoch,
		Keys:        inventory.Observe([]inventory.AccessKey{bob}, generated),
		Console:     inventory.Observe(true, generated),
		MFA:         inventory.Observe(false, generated),
		PasswordUse: use(epoch.Add(time.Hour), generated),
	}, row.UserFacts(generated))

	bare := (&Row{User: "bob", Created: epoch}).UserFacts(generated)
	inventorytest.Equal(t, inventory.User{Name: "bob", Created: epoch, Keys: inventory.Observe([]inventory.AccessKey{}, generated)}, bare)
}

func TestMaybeMoreKeys(t *testing.T) {
	one, two := []Slot{slot(true, epoch)}, []Slot{slot(true, epoch), slot(false, epoch.Add(day))}
	for name, test := range map[string]struct {
		row  Row
		want bool
	}{
		"no key":                            {Row{}, false},
		"room for another":                  {Row{Slots: one}, false},
		"full, and the report does not say": {Row{Slots: two}, true},
		"full, and there are no more":       {Row{Slots: two, Additional: Known(false)}, false},
		"full, and there are more":          {Row{Slots: two, Additional: Known(true)}, false}, // all keys are unknown then
		"full, and one without creation":    {Row{Slots: []Slot{slot(true, epoch), slot(true, time.Time{})}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.row.UserFacts(generated).MaybeMoreKeys; got != test.want {
				t.Errorf("maybe more keys: got %t, want %t", got, test.want)
			}
		})
	}
}

func TestKeysFromRow(t *testing.T) {
	const id = "created-2026-06-01T12:00:00Z"
	inactive := func(id string, created time.Time) inventory.AccessKey {
		k := key(id, created)
		k.Status = inventory.Inactive
		return k
	}
	used := func(id string, at time.Time) inventory.AccessKey {
		k := key(id, epoch)
		k.LastUse = use(at, generated)
		return k
	}
	idleSlot := func(created, at time.Time) Slot {
		s := usedSlot(created, at)
		s.Active = false
		return s
	}
	idle := func(id string, at time.Time) inventory.AccessKey {
		k := used(id, at)
		k.Status = inventory.Inactive
		return k
	}
	unknown := inventory.Fact[[]inventory.AccessKey]{}
	known := func(keys ...inventory.AccessKey) inventory.Fact[[]inventory.AccessKey] {
		return inventory.Observe(keys, generated)
	}
	for name, test := range map[string]struct {
		row  Row
		want inventory.Fact[[]inventory.AccessKey]
	}{
		"none":                      {Row{}, inventory.Observe([]inventory.AccessKey{}, generated)},
		"one":                       {Row{Slots: []Slot{slot(true, epoch)}}, known(key(id, epoch))},
		"inactive":                  {Row{Slots: []Slot{slot(false, epoch)}}, known(inactive(id, epoch))},
		"by creation":               {Row{Slots: []Slot{slot(true, epoch.Add(day)), slot(true, epoch)}}, known(key(id, epoch), key("created-2026-06-02T12:00:00Z", epoch.Add(day)))},
		"tie, active first":         {Row{Slots: []Slot{slot(false, epoch), slot(true, epoch)}}, known(key(id+"-a", epoch), inactive(id+"-b", epoch))},
		"tie, used apart":           {Row{Slots: []Slot{usedSlot(epoch, epoch.Add(day)), usedSlot(epoch, time.Time{})}}, known(key(id+"-a", epoch), key(id+"-b", epoch))},
		"tie, used alike":           {Row{Slots: []Slot{usedSlot(epoch, epoch.Add(day)), usedSlot(epoch, epoch.Add(day))}}, known(used(id+"-a", epoch.Add(day)), used(id+"-b", epoch.Add(day)))},
		"tie, one use not told":     {Row{Slots: []Slot{usedSlot(epoch, epoch.Add(day)), slot(true, epoch)}}, known(key(id+"-a", epoch), key(id+"-b", epoch))},
		"tie of both, used apart":   {Row{Slots: []Slot{idleSlot(epoch, time.Time{}), usedSlot(epoch, epoch.Add(day))}}, known(used(id+"-a", epoch.Add(day)), idle(id+"-b", time.Time{}))},
		"no more than shown":        {Row{Additional: Known(false), Slots: []Slot{slot(true, epoch)}}, known(key(id, epoch))},
		"twins":                     {Row{Slots: []Slot{slot(true, epoch), slot(true, epoch)}}, known(key(id+"-a", epoch), key(id+"-b", epoch))},
		"more than the row shows":   {Row{Additional: Known(true), Slots: []Slot{slot(true, epoch)}}, unknown},
		"additional certificates":   {Row{Additional: Known(true)}, inventory.Observe([]inventory.AccessKey{}, generated)},
		"no creation date":          {Row{Slots: []Slot{slot(true, time.Time{})}}, unknown},
		"no creation date, one has": {Row{Slots: []Slot{slot(true, epoch), slot(true, time.Time{})}}, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			inventorytest.Equal(t, test.want, keysFromRow(&test.row, generated))
			swapped := test.row
			swapped.Slots = slices.Clone(test.row.Slots)
			slices.Reverse(swapped.Slots)
			inventorytest.Equal(t, test.want, keysFromRow(&swapped, generated)) // slots have no order
		})
	}
}

func TestRootFacts(t *testing.T) {
	for name, test := range map[string]struct {
		row  Row
		want inventory.Root
	}{
		"no key": {
			Row{Created: epoch, Password: Known(true), MFA: Known(true), PasswordUse: Known(inventory.Use{})},
			inventory.Root{
				Created: epoch, Console: inventory.Observe(true, generated), MFA: inventory.Observe(true, generated), PasswordUse: use(time.Time{}, generated),
				KeyPresent: inventory.Observe(false, generated), Keys: inventory.Observe([]inventory.AccessKey{}, generated),
			},
		},
		"inactive key, and one of unknown creation": {
			Row{Created: epoch, Slots: []Slot{slot(false, epoch), slot(true, time.Time{})}},
			inventory.Root{
				Created: epoch, KeyPresent: inventory.Observe(true, generated),
				Keys: inventory.Observe([]inventory.AccessKey{{Status: inventory.Inactive, Created: epoch}, {Status: inventory.Active}}, generated),
			},
		},
		"more than the row shows": {
			Row{Created: epoch, Additional: Known(true), Slots: []Slot{slot(false, epoch)}},
			inventory.Root{Created: epoch, KeyPresent: inventory.Observe(true, generated)},
		},
		"more than the row shows, one active": {
			Row{Created: epoch, Additional: Known(true), Slots: []Slot{slot(true, epoch)}},
			inventory.Root{
				Created: epoch, KeyPresent: inventory.Observe(true, generated),
				Keys: inventory.Observe([]inventory.AccessKey{{Status: inventory.Active, Created: epoch, LastUse: slot(true, epoch).LastUse.ObservedAt(generated)}}, generated),
			},
		},
	} {
		t.Run(name, func(t *testing.T) { inventorytest.Equal(t, test.want, test.row.RootFacts(generated)) })
	}
}

func TestCredentialsDiffer(t *testing.T) {
	base := func() Row {
		return Row{Password: Known(true), Slots: []Slot{usedSlot(epoch, epoch), slot(false, epoch.Add(day))}}
	}
	for name, test := range map[string]struct {
		change func(*Row)
		want   bool
	}{
		"nothing":           {func(*Row) {}, false},
		"slots swapped":     {func(r *Row) { slices.Reverse(r.Slots) }, false},
		"key used":          {func(r *Row) { r.Slots[0] = usedSlot(epoch, epoch.Add(day)) }, false},
		"signed in":         {func(r *Row) { r.PasswordUse = Known(inventory.Use{At: epoch}) }, false},
		"password removed":  {func(r *Row) { r.Password = Known(false) }, true},
		"password not told": {func(r *Row) { r.Password = Maybe[bool]{} }, true},
		"key deactivated":   {func(r *Row) { r.Slots[0].Active = false }, true},
		"key replaced":      {func(r *Row) { r.Slots[1].Created = epoch.Add(2 * day) }, true},
		"key deleted":       {func(r *Row) { r.Slots = r.Slots[:1] }, true},
		"key added":         {func(r *Row) { r.Slots = append(r.Slots, slot(true, epoch.Add(3*day))) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := base(), base()
			test.change(&b)
			if got := a.CredentialsDiffer(&b); got != test.want {
				t.Errorf("changed: got %t, want %t", got, test.want)
			}
		})
	}
}
