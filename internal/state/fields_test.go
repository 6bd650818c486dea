package state

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// filler gives every field a value of its own, also where only reflection can,
// and notes where times and texts are.
type filler struct {
	t     *testing.T
	count int
	times map[string]*time.Time
	texts map[string]*string
}

func (f *filler) fill(path string, v reflect.Value) {
	f.count++
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = epoch.Add(time.Duration(f.count) * time.Second)
		f.times[path] = p
		return
	case *string:
		*p = fmt.Sprintf("text-%d", f.count)
		f.texts[path] = p
		return
	case *inventory.Status:
		*p = inventory.Inactive
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(path+"[0]", v.Index(0))
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.Tag.Get("json") == "-" { // not kept
				continue
			}
			writable := reflect.NewAt(value.Type(), unsafe.Pointer(value.UnsafeAddr())).Elem()
			f.fill(path+"."+field.Name, writable)
		}
	default:
		f.t.Fatalf("%s: this test has no value for the type %s: teach it one", path, v.Type())
	}
}

// filled returns a snapshot in which no field that is kept has its zero value.
func filled(t *testing.T) (*inventory.Snapshot, *filler) {
	t.Helper()
	s := plain()
	f := &filler{t: t, times: map[string]*time.Time{}, texts: map[string]*string{}}
	f.fill("account", reflect.ValueOf(&s.Account).Elem())
	f.fill("root", reflect.ValueOf(&s.Root).Elem())
	f.fill("user", reflect.ValueOf(&s.Users[0]).Elem())
	s.Account.ID = accountID
	s.Users[0].ARN = arnOf("bob")
	return s, f
}

// TestEveryFieldIsKept fails when a field of an account, root, a user, a key, a
// use or a tag is lost on the way to disk and back.
func TestEveryFieldIsKept(t *testing.T) {
	want, f := filled(t)
	if len(f.times) < 20 || len(f.texts) < 15 {
		t.Fatalf("filled %d times and %d texts, want at least 20 and 15", len(f.times), len(f.texts))
	}
	store := open(t)
	save(t, store, want)
	got, err := store.Load(accountID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, exactly()); diff != "" {
		t.Errorf("loaded snapshot (-saved +loaded):\n%s", diff)
	}
}

// TestEveryMomentIsChecked fails when a time anywhere in the facts is not.
func TestEveryMomentIsChecked(t *testing.T) {
	s, f := filled(t)
	for path, at := range f.times {
		good := *at
		*at = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)
		if err := check(s); err == nil || !strings.Contains(err.Error(), "1969-12-31T23:59:59Z, want one between the years 1970 and 9999") {
			t.Errorf("%s in 1969: got error %v, want one that says so", path, err)
		}
		*at = good
	}
	if err := check(s); err != nil {
		t.Errorf("all good again: %v", err)
	}
}

// TestEveryTextIsChecked fails when a text anywhere in the facts is not.
func TestEveryTextIsChecked(t *testing.T) {
	s, f := filled(t)
	for path, text := range f.texts {
		good := *text
		*text += "\xff"
		// The account's id says what it must be instead.
		if err := check(s); err == nil || !strings.Contains(err.Error(), `\xff`) {
			t.Errorf("%s: got error %v, want one that quotes it", path, err)
		}
		*text = good
	}
	if err := check(s); err != nil {
		t.Errorf("all good again: %v", err)
	}
}

// TestUnknownTypeRefused has a fact of a type that nobody taught check.
func TestUnknownTypeRefused(t *testing.T) {
	equalError(t, "checkValue", checkValue("the weather", 1.5), "the weather: state has no check for a value of type float64")
}
