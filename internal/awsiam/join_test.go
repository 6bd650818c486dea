package awsiam

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const day = 24 * time.Hour

var (
	epoch     = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	generated = epoch.Add(day)
	observed  = epoch.Add(2 * day) // live, later than the report
)

// equalFacts lets cmp look into facts, where a fact learnt at another time is another fact.
func equalFacts() cmp.Option {
	return cmp.Options{
		factsOf[bool](), factsOf[time.Time](), factsOf[inventory.Use](), factsOf[[]inventory.AccessKey](), factsOf[inventory.Tags](),
	}
}

type plainFact[T any] struct {
	Value    T
	Known    bool
	Observed time.Time
}

func factsOf[T any]() cmp.Option {
	return cmp.Transformer("fact", func(f inventory.Fact[T]) plainFact[T] {
		value, known := f.Get()
		return plainFact[T]{value, known, f.Observed()}
	})
}

func mustEqual[T any](t *testing.T, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, equalFacts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func slot(active bool, created time.Time) credreport.Slot {
	return credreport.Slot{Active: active, Created: created}
}

// usedSlot is an active slot that was last used at the time; zero for never.
func usedSlot(created, used time.Time) credreport.Slot {
	return credreport.Slot{Active: true, Created: created, LastUse: credreport.Known(inventory.Use{At: used})}
}

func key(id string, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: inventory.Active, Created: created}
}

func use(at, observed time.Time) inventory.Fact[inventory.Use] {
	return inventory.Observe(inventory.Use{At: at}, observed)
}

func TestRowOf(t *testing.T) {
	row := &credreport.Row{User: "bob", Created: epoch}
	rows := map[string]*credreport.Row{"bob": row}
	for name, test := range map[string]struct {
		user inventory.User
		want *credreport.Row
	}{
		"name and second agree": {inventory.User{Name: "bob", Created: epoch}, row},
		"other zone":            {inventory.User{Name: "bob", Created: epoch.In(time.FixedZone("", 3600))}, row},
		"made anew":             {inventory.User{Name: "bob", Created: epoch.Add(time.Second)}, nil},
		"renamed":               {inventory.User{Name: "bobby", Created: epoch}, nil},
		"other case":            {inventory.User{Name: "Bob", Created: epoch}, nil},
		"nobody":                {inventory.User{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rowOf(rows, &test.user); got != test.want {
				t.Errorf("row: got %v, want %v", got, test.want)
			}
			if got := rowOf(nil, &test.user); got != nil {
				t.Errorf("row of no report: got %v, want none", got)
			}
		})
	}
}

func TestSlotOf(t *testing.T) {
	later := epoch.Add(time.Second)
	for name, test := range map[string]struct {
		keys  []inventory.AccessKey // the slot of the first is asked for
		slots []credreport.Slot
		want  int // index; -1 for none
	}{
		"the only ones":                        {[]inventory.AccessKey{key("A", epoch)}, []credreport.Slot{slot(true, epoch)}, 0},
		"newer key in the first slot":          {[]inventory.AccessKey{key("A", epoch), key("B", later)}, []credreport.Slot{slot(true, later), slot(true, epoch)}, 1},
		"inactive keeps its date":              {[]inventory.AccessKey{key("A", epoch)}, []credreport.Slot{slot(false, epoch)}, 0},
		"two keys of a second":                 {[]inventory.AccessKey{key("A", epoch), key("B", epoch)}, []credreport.Slot{slot(true, epoch)}, -1},
		"two slots of a second":                {[]inventory.AccessKey{key("A", epoch)}, []credreport.Slot{slot(true, epoch), slot(false, epoch)}, -1},
		"two of each":                          {[]inventory.AccessKey{key("A", epoch), key("B", epoch)}, []credreport.Slot{slot(true, epoch), slot(true, epoch)}, -1},
		"third key, not shown":                 {[]inventory.AccessKey{key("C", later.Add(day)), key("A", epoch), key("B", later)}, []credreport.Slot{slot(true, epoch), slot(true, later)}, -1},
		"one of three, shown":                  {[]inventory.AccessKey{key("A", epoch), key("B", later), key("C", later.Add(day))}, []credreport.Slot{slot(true, later), slot(true, epoch)}, 1},
		"a tie of others is no matter":         {[]inventory.AccessKey{key("C", later), key("A", epoch), key("B", epoch)}, []credreport.Slot{slot(true, epoch), slot(true, later)}, 1},
		"one second off":                       {[]inventory.AccessKey{key("A", epoch)}, []credreport.Slot{slot(true, later)}, -1},
		"slot without date":                    {[]inventory.AccessKey{key("A", epoch)}, []credreport.Slot{slot(true, time.Time{})}, -1},
		"slot without date beside the partner": {[]inventory.AccessKey{key("A", epoch)}, []credreport.Slot{slot(true, time.Time{}), slot(true, epoch)}, 1},
		"no slots":                             {[]inventory.AccessKey{key("A", epoch)}, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			row := &credreport.Row{Slots: test.slots}
			got := slotOf(&test.keys[0], test.keys, row)
			switch {
			case test.want < 0 && got != nil:
				t.Errorf("slot: got %+v, want none", *got)
			case test.want >= 0 && got != &row.Slots[test.want]:
				t.Errorf("slot: got %+v, want slot %d", got, test.want)
			}
			if got := slotOf(&test.keys[0], test.keys, nil); got != nil {
				t.Errorf("slot without row: got %+v, want none", *got)
			}
		})
	}
}

func TestLaterUse(t *testing.T) {
	var unknown inventory.Fact[inventory.Use]
	early, late := observed, observed.Add(time.Hour)
	first, second := epoch, epoch.Add(time.Minute)
	inS3 := func(at, observed time.Time) inventory.Fact[inventory.Use] {
		return inventory.Observe(inventory.Use{At: at, Service: "s3", Region: "eu-west-1"}, observed)
	}
	for name, test := range map[string]struct{ a, b, want inventory.Fact[inventory.Use] }{
		"nothing known":                      {unknown, unknown, unknown},
		"only the one":                       {use(first, early), unknown, use(first, early)},
		"only the other":                     {unknown, use(first, early), use(first, early)},
		"only never":                         {unknown, use(time.Time{}, early), use(time.Time{}, early)},
		"never, seen again":                  {use(time.Time{}, early), use(time.Time{}, late), use(time.Time{}, late)},
		"first use":                          {use(time.Time{}, early), use(first, late), use(first, late)},
		"later use":                          {use(first, early), use(second, late), use(second, late)},
		"never after a use":                  {use(first, early), use(time.Time{}, late), use(first, late)},
		"earlier use said later":             {use(second, early), use(first, late), use(second, late)},
		"later use said earlier":             {use(first, late), use(second, early), use(second, late)},
		"same use, same time":                {use(first, early), use(first, early), use(first, early)},
		"place of the later use":             {use(first, late), inS3(second, early), inS3(second, late)},
		"place that only the earlier tells":  {inS3(second, early), use(first, late), inS3(second, late)},
		"same use, place of the later words": {use(first, early), inS3(first, late), inS3(first, late)},
	} {
		t.Run(name, func(t *testing.T) {
			mustEqual(t, test.want, laterUse(test.a, test.b))
			mustEqual(t, test.want, laterUse(test.b, test.a))
		})
	}
}

func TestWithUse(t *testing.T) {
	never := use(time.Time{}, observed)
	keys := []inventory.AccessKey{key("A", epoch), key("B", epoch.Add(time.Hour)), key("C", epoch.Add(2*time.Hour))}
	keys[0].LastUse = never
	before := slices.Clone(keys)
	row := &credreport.Row{Slots: []credreport.Slot{
		usedSlot(epoch.Add(time.Hour), epoch.Add(2*time.Hour)),
		usedSlot(epoch, epoch.Add(time.Hour)),
	}}

	got := withUse(keys, row, generated)

	want := slices.Clone(keys)
	want[0].LastUse = use(epoch.Add(time.Hour), observed) // the live answer is the later word, yet the use stands
	want[1].LastUse = use(epoch.Add(2*time.Hour), generated)
	mustEqual(t, want, got)
	mustEqual(t, before, keys) // a published slice stays as it was
}

func TestCarryUse(t *testing.T) {
	earlier := []inventory.AccessKey{key("A", epoch), key("B", epoch)}
	earlier[0].LastUse = use(epoch.Add(time.Hour), generated)
	earlier[1].LastUse = use(time.Time{}, generated)
	before := slices.Clone(earlier)
	keys := []inventory.AccessKey{key("B", epoch), key("C", epoch), key("A", epoch)}

	carryUse(keys, earlier)

	mustEqual(t, []inventory.Fact[inventory.Use]{use(time.Time{}, generated), {}, use(epoch.Add(time.Hour), generated)},
		[]inventory.Fact[inventory.Use]{keys[0].LastUse, keys[1].LastUse, keys[2].LastUse})
	mustEqual(t, before, earlier)
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

func TestUserFromRow(t *testing.T) {
	row := &credreport.Row{
		User: "bob", ARN: "arn:aws:iam::123456789012:user/team/bob", Created: epoch,
		Password: credreport.Known(true), MFA: credreport.Known(false),
		PasswordUse: credreport.Known(inventory.Use{At: epoch.Add(time.Hour)}),
		Slots:       []credreport.Slot{usedSlot(epoch.Add(time.Minute), time.Time{})},
	}
	bob := key("created-2026-06-01T12:01:00Z", epoch.Add(time.Minute))
	bob.LastUse = use(time.Time{}, generated)
	mustEqual(t, inventory.User{
		Name: "bob", ARN: row.ARN, Path: "/team/", Created: epoch,
		Keys:        inventory.Observe([]inventory.AccessKey{bob}, generated),
		Console:     inventory.Observe(true, generated),
		MFA:         inventory.Observe(false, generated),
		PasswordUse: use(epoch.Add(time.Hour), generated),
	}, userFromRow(row, generated))

	bare := userFromRow(&credreport.Row{User: "bob", Created: epoch}, generated)
	mustEqual(t, inventory.User{Name: "bob", Created: epoch, Keys: inventory.Observe([]inventory.AccessKey{}, generated)}, bare)
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
	unknown := inventory.Fact[[]inventory.AccessKey]{}
	known := func(keys ...inventory.AccessKey) inventory.Fact[[]inventory.AccessKey] {
		return inventory.Observe(keys, generated)
	}
	for name, test := range map[string]struct {
		row  credreport.Row
		want inventory.Fact[[]inventory.AccessKey]
	}{
		"none":                      {credreport.Row{}, inventory.Observe([]inventory.AccessKey{}, generated)},
		"one":                       {credreport.Row{Slots: []credreport.Slot{slot(true, epoch)}}, known(key(id, epoch))},
		"inactive":                  {credreport.Row{Slots: []credreport.Slot{slot(false, epoch)}}, known(inactive(id, epoch))},
		"by creation":               {credreport.Row{Slots: []credreport.Slot{slot(true, epoch.Add(day)), slot(true, epoch)}}, known(key(id, epoch), key("created-2026-06-02T12:00:00Z", epoch.Add(day)))},
		"tie, active first":         {credreport.Row{Slots: []credreport.Slot{slot(false, epoch), slot(true, epoch)}}, known(key(id+"-a", epoch), inactive(id+"-b", epoch))},
		"tie, earlier used first":   {credreport.Row{Slots: []credreport.Slot{usedSlot(epoch, epoch.Add(day)), usedSlot(epoch, time.Time{})}}, known(used(id+"-a", time.Time{}), used(id+"-b", epoch.Add(day)))},
		"twins":                     {credreport.Row{Slots: []credreport.Slot{slot(true, epoch), slot(true, epoch)}}, known(key(id+"-a", epoch), key(id+"-b", epoch))},
		"more than the row shows":   {credreport.Row{Additional: true, Slots: []credreport.Slot{slot(true, epoch)}}, unknown},
		"additional certificates":   {credreport.Row{Additional: true}, inventory.Observe([]inventory.AccessKey{}, generated)},
		"no creation date":          {credreport.Row{Slots: []credreport.Slot{slot(true, time.Time{})}}, unknown},
		"no creation date, one has": {credreport.Row{Slots: []credreport.Slot{slot(true, epoch), slot(true, time.Time{})}}, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			mustEqual(t, test.want, keysFromRow(&test.row, generated))
			swapped := test.row
			swapped.Slots = slices.Clone(test.row.Slots)
			slices.Reverse(swapped.Slots)
			mustEqual(t, test.want, keysFromRow(&swapped, generated)) // slots have no order
		})
	}
}

func TestRootFromRow(t *testing.T) {
	for name, test := range map[string]struct {
		row  credreport.Row
		want inventory.Root
	}{
		"no key": {
			credreport.Row{Created: epoch, Password: credreport.Known(true), MFA: credreport.Known(true), PasswordUse: credreport.Known(inventory.Use{})},
			inventory.Root{
				Created: epoch, Console: inventory.Observe(true, generated), MFA: inventory.Observe(true, generated), PasswordUse: use(time.Time{}, generated),
				KeyPresent: inventory.Observe(false, generated), Keys: inventory.Observe([]inventory.AccessKey{}, generated),
			},
		},
		"inactive key, and one of unknown creation": {
			credreport.Row{Created: epoch, Slots: []credreport.Slot{slot(false, epoch), slot(true, time.Time{})}},
			inventory.Root{
				Created: epoch, KeyPresent: inventory.Observe(true, generated),
				Keys: inventory.Observe([]inventory.AccessKey{{Status: inventory.Inactive, Created: epoch}, {Status: inventory.Active}}, generated),
			},
		},
		"more than the row shows": {
			credreport.Row{Created: epoch, Additional: true, Slots: []credreport.Slot{slot(false, epoch)}},
			inventory.Root{Created: epoch, KeyPresent: inventory.Observe(true, generated)},
		},
		"more than the row shows, one active": {
			credreport.Row{Created: epoch, Additional: true, Slots: []credreport.Slot{slot(true, epoch)}},
			inventory.Root{
				Created: epoch, KeyPresent: inventory.Observe(true, generated),
				Keys: inventory.Observe([]inventory.AccessKey{{Status: inventory.Active, Created: epoch, LastUse: slot(true, epoch).LastUse.ObservedAt(generated)}}, generated),
			},
		},
	} {
		t.Run(name, func(t *testing.T) { mustEqual(t, test.want, rootFromRow(&test.row, generated)) })
	}
}

func TestMergeRoot(t *testing.T) {
	yes, no, unknown := inventory.Observe(true, observed), inventory.Observe(false, observed), inventory.Fact[bool]{}
	for name, test := range map[string]struct{ old, now, want inventory.Root }{
		"creation stays":                    {inventory.Root{Created: epoch}, inventory.Root{}, inventory.Root{Created: epoch}},
		"keys outlive a summary":            {inventory.Root{Keys: inventory.Observe([]inventory.AccessKey{}, generated)}, inventory.Root{KeyPresent: yes}, inventory.Root{Keys: inventory.Observe([]inventory.AccessKey{}, generated), KeyPresent: yes}},
		"older words do not win":            {inventory.Root{KeyPresent: yes}, inventory.Root{KeyPresent: inventory.Observe(false, generated)}, inventory.Root{KeyPresent: yes}},
		"password without MFA":              {inventory.Root{}, inventory.Root{Console: yes, MFA: no}, inventory.Root{Console: yes, MFA: no}},
		"password with MFA":                 {inventory.Root{}, inventory.Root{Console: yes, MFA: yes}, inventory.Root{Console: yes, MFA: yes}},
		"no password needs no MFA":          {inventory.Root{}, inventory.Root{Console: no, MFA: no}, inventory.Root{Console: no}},
		"no password, MFA device":           {inventory.Root{}, inventory.Root{Console: no, MFA: yes}, inventory.Root{Console: no, MFA: yes}},
		"password not told, no MFA":         {inventory.Root{}, inventory.Root{Console: unknown, MFA: no}, inventory.Root{}},
		"password told live, then not told": {inventory.Root{Console: yes, MFA: yes}, inventory.Root{MFA: inventory.Observe(false, observed.Add(day))}, inventory.Root{Console: yes, MFA: inventory.Observe(false, observed.Add(day))}},
		"later sign-in":                     {inventory.Root{PasswordUse: use(epoch, generated)}, inventory.Root{PasswordUse: use(epoch.Add(time.Hour), observed)}, inventory.Root{PasswordUse: use(epoch.Add(time.Hour), observed)}},
	} {
		t.Run(name, func(t *testing.T) { mustEqual(t, test.want, mergeRoot(test.old, test.now)) })
	}
}

func TestCredentialsChanged(t *testing.T) {
	base := func() credreport.Row {
		return credreport.Row{Password: credreport.Known(true), Slots: []credreport.Slot{usedSlot(epoch, epoch), slot(false, epoch.Add(day))}}
	}
	for name, test := range map[string]struct {
		change func(*credreport.Row)
		want   bool
	}{
		"nothing":           {func(*credreport.Row) {}, false},
		"slots swapped":     {func(r *credreport.Row) { slices.Reverse(r.Slots) }, false},
		"key used":          {func(r *credreport.Row) { r.Slots[0] = usedSlot(epoch, epoch.Add(day)) }, false},
		"signed in":         {func(r *credreport.Row) { r.PasswordUse = credreport.Known(inventory.Use{At: epoch}) }, false},
		"password removed":  {func(r *credreport.Row) { r.Password = credreport.Known(false) }, true},
		"password not told": {func(r *credreport.Row) { r.Password = credreport.Maybe[bool]{} }, true},
		"key deactivated":   {func(r *credreport.Row) { r.Slots[0].Active = false }, true},
		"key replaced":      {func(r *credreport.Row) { r.Slots[1].Created = epoch.Add(2 * day) }, true},
		"key deleted":       {func(r *credreport.Row) { r.Slots = r.Slots[:1] }, true},
		"key added":         {func(r *credreport.Row) { r.Slots = append(r.Slots, slot(true, epoch.Add(3*day))) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := base(), base()
			test.change(&b)
			if got := credentialsChanged(&a, &b); got != test.want {
				t.Errorf("changed: got %t, want %t", got, test.want)
			}
		})
	}
}
