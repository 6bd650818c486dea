package inventory_test

import (
	"reflect"
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

func key(id string, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: inventory.Active, Created: created}
}

func use(at, observed time.Time) inventory.Fact[inventory.Use] {
	return inventory.Observe(inventory.Use{At: at}, observed)
}

func TestMergeUse(t *testing.T) {
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
			inventorytest.Equal(t, test.want, inventory.MergeUse(test.a, test.b))
			inventorytest.Equal(t, test.want, inventory.MergeUse(test.b, test.a))
		})
	}
}

func TestMergeChange(t *testing.T) {
	var unknown inventory.Fact[time.Time]
	early, late := observed, observed.Add(time.Hour)
	first, second := epoch, epoch.Add(time.Minute)
	for name, test := range map[string]struct{ a, b, want inventory.Fact[time.Time] }{
		"nothing known":             {unknown, unknown, unknown},
		"only the one":              {inventory.Observe(first, early), unknown, inventory.Observe(first, early)},
		"the same, seen again":      {inventory.Observe(first, early), inventory.Observe(first, late), inventory.Observe(first, late)},
		"later change":              {inventory.Observe(first, early), inventory.Observe(second, late), inventory.Observe(second, late)},
		"later change said earlier": {inventory.Observe(second, early), inventory.Observe(first, late), inventory.Observe(second, late)},
	} {
		t.Run(name, func(t *testing.T) {
			inventorytest.Equal(t, test.want, inventory.MergeChange(test.a, test.b))
			inventorytest.Equal(t, test.want, inventory.MergeChange(test.b, test.a))
		})
	}
}

func TestCarryUse(t *testing.T) {
	earlier := []inventory.AccessKey{key("A", epoch), key("B", epoch)}
	earlier[0].LastUse = use(epoch.Add(time.Hour), generated)
	earlier[1].LastUse = use(time.Time{}, generated)
	before := slices.Clone(earlier)
	keys := []inventory.AccessKey{key("B", epoch), key("C", epoch), key("A", epoch)}

	inventory.CarryUse(keys, earlier)

	inventorytest.Equal(t, []inventory.Fact[inventory.Use]{use(time.Time{}, generated), {}, use(epoch.Add(time.Hour), generated)},
		[]inventory.Fact[inventory.Use]{keys[0].LastUse, keys[1].LastUse, keys[2].LastUse})
	inventorytest.Equal(t, before, earlier)
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
		t.Run(name, func(t *testing.T) { inventorytest.Equal(t, test.want, inventory.MergeRoot(test.old, test.now)) })
	}
}

// TestRelisted fills every field of a user: what a listing does not tell must
// stay, fields that are yet to come among them.
func TestRelisted(t *testing.T) {
	listed := inventory.User{
		ID: "AIDA", Name: "alicia", ARN: "arn", Path: "/new/", Created: epoch,
		PasswordUse: use(epoch.Add(time.Hour), observed),
	}
	var old inventory.User
	fill(reflect.ValueOf(&old).Elem())
	got := old.Relisted(listed)
	want := old
	want.ID, want.Name, want.ARN, want.Path, want.Created, want.PasswordUse = listed.ID, listed.Name, listed.ARN, listed.Path, listed.Created, listed.PasswordUse
	inventorytest.Equal(t, want, got)
	for field, value := range reflect.ValueOf(got).Fields() {
		if value.IsZero() {
			t.Errorf("%s: lost in a listing", field.Name)
		}
	}
}

// fill gives every field of a user a value of its kind.
func fill(user reflect.Value) {
	for _, field := range user.Fields() {
		switch v := field.Addr().Interface().(type) {
		case *string:
			*v = "old"
		case *bool:
			*v = true
		case *time.Time:
			*v = epoch.Add(-day)
		case *inventory.Fact[bool]:
			*v = inventory.Observe(true, generated)
		case *inventory.Fact[time.Time]:
			*v = inventory.Observe(epoch, generated)
		case *inventory.Fact[inventory.Use]:
			*v = use(epoch, generated)
		case *inventory.Fact[[]inventory.AccessKey]:
			*v = inventory.Observe([]inventory.AccessKey{key("A", epoch)}, generated)
		case *inventory.Fact[inventory.Tags]:
			*v = inventory.Observe(inventory.Tags{{Key: "team", Value: "blue"}}, generated)
		}
	}
}

func TestAccountOf(t *testing.T) {
	for arn, want := range map[string][2]string{
		"arn:aws:iam::123456789012:user/bob":         {"123456789012", "aws"},
		"arn:aws-cn:iam::123456789012:user/a:b/bob":  {"123456789012", "aws-cn"},
		"arn:aws:iam::123456789012:root":             {"123456789012", "aws"},
		"arn:aws:sts::123456789012:assumed-role/a/b": {},
		"arn:aws:iam::123456789012":                  {},
		"":                                           {},
	} {
		if id, partition := inventory.AccountOf(arn); id != want[0] || partition != want[1] {
			t.Errorf("%q: got account %q, partition %q; want %q, %q", arn, id, partition, want[0], want[1])
		}
	}
}
