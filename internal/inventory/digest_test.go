package inventory

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// parts lets a test write to a fact.
func (f *Fact[T]) parts() (value any, observed *time.Time) { return &f.value, &f.observed }

// everything returns a snapshot in which each fact is known.
func everything() *Snapshot {
	use := Observe(Use{At: epoch, Region: "eu-west-1", Service: "s3"}, observed)
	keys := func() Fact[[]AccessKey] {
		return Observe([]AccessKey{{ID: "AKIA1", Status: Active, Created: epoch, LastUse: use}, {ID: "AKIA2", Status: Inactive, Created: epoch, LastUse: use}}, observed)
	}
	return &Snapshot{
		Account: Account{
			ID: "123456789012", Alias: "blue", Partition: "aws", OUPath: "o-1/r-2/", Name: "production", Tags: Tags{{Key: "Owner", Value: "ops"}},
			Units: []string{"r-2"},
		},
		Users: []User{{
			ID: "AIDA1", Name: "alice", ARN: "arn:aws:iam::123456789012:user/alice", Path: "/", Created: epoch, Keys: keys(), MaybeMoreKeys: true,
			Console: Observe(true, observed), PasswordCreated: Observe(epoch, observed), PasswordChanged: Observe(epoch, observed), PasswordUse: use, MFA: Observe(false, observed),
			Tags: Observe(Tags{{Key: "team", Value: "blue"}, {Key: "x", Value: "y"}}, observed),
		}},
		Root: Root{
			Created: epoch, KeyPresent: Observe(true, observed), Keys: keys(), Console: Observe(true, observed), MFA: Observe(true, observed), PasswordUse: use,
		},
		Freshness: map[Group]Freshness{GroupUsers: {Observed: observed}},
		Complete:  map[Group]bool{GroupUsers: true, GroupTags: true},
		Report:    Report{Usable: true},
		Sweep:     Sweep{Length: time.Minute, Unread: 1},
		Health:    Health{State: StateUp},
	}
}

// notKept are the fields of a snapshot that are not among the facts that are kept,
// or tell only when and how they were learnt.
func notKept() []string {
	return []string{".Account.Name", ".Account.State", ".Account.Tags", ".Account.Units", ".Freshness", ".Report", ".Sweep", ".Health"}
}

// changes finds what can be changed in a snapshot, so that no new field is
// forgotten: each function changes one thing, and is in one of two lists.
type changes struct {
	*testing.T
	facts, others map[string]func()
}

// visit takes in what the path leads to.
func (c *changes) visit(path string, v reflect.Value) {
	if fact, ok := v.Addr().Interface().(interface{ parts() (any, *time.Time) }); ok {
		value, observed := fact.parts()
		c.others[path+" observed"] = func() { *observed = observed.Add(time.Second) }
		c.facts[path+" unknown"] = v.SetZero
		c.visit(path, reflect.ValueOf(value).Elem())
		return
	}
	if slices.Contains(notKept(), path) {
		c.others[path] = v.SetZero
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if at, ok := v.Addr().Interface().(*time.Time); ok {
			c.facts[path] = func() { *at = at.Add(time.Nanosecond) }
			c.facts[path+" zero"] = v.SetZero
			return
		}
		for field, value := range v.Fields() {
			c.visit(path+"."+field.Name, value)
		}
	case reflect.Slice:
		c.facts[path+" without the last"] = func() { v.SetLen(v.Len() - 1) }
		for i := range v.Len() {
			c.visit(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.String:
		c.facts[path] = func() { v.SetString(v.String() + "x") }
	case reflect.Bool:
		c.facts[path] = func() { v.SetBool(!v.Bool()) }
	case reflect.Map:
		c.facts[path] = func() { v.SetMapIndex(reflect.ValueOf(GroupMFA), reflect.ValueOf(true)) }
		c.facts[path+" less"] = func() { v.SetMapIndex(reflect.ValueOf(GroupTags), reflect.Value{}) }
		c.others[path+" said to be not"] = func() { v.SetMapIndex(reflect.ValueOf(GroupMFA), reflect.ValueOf(false)) }
	default:
		c.Errorf("%s: expected a kind of value that this test can change, got %s", path, v.Kind())
	}
}

func changesOf(t *testing.T, s *Snapshot) *changes {
	c := &changes{T: t, facts: map[string]func(){}, others: map[string]func(){}}
	c.visit("", reflect.ValueOf(s).Elem())
	return c
}

func TestDigest(t *testing.T) {
	unchanged := everything().Digest()
	all := changesOf(t, everything())
	for path := range all.facts {
		s := everything()
		changesOf(t, s).facts[path]()
		if s.Digest() == unchanged {
			t.Errorf("%s changed: the digest is the same", path)
		}
	}
	for path := range all.others {
		s := everything()
		changesOf(t, s).others[path]()
		if s.Digest() != unchanged {
			t.Errorf("%s changed: the digest is another one", path)
		}
	}
	want := []string{
		".Account.Name", ".Account.State", ".Account.Tags", ".Account.Units", ".Complete said to be not", ".Freshness", ".Health", ".Report", ".Sweep",
	}
	got := slices.DeleteFunc(slices.Sorted(maps.Keys(all.others)), func(path string) bool { return strings.HasSuffix(path, " observed") })
	if !slices.Equal(want, got) {
		t.Errorf("what is no fact, beside times of observation: got %v, want %v", got, want)
	}
	if got, want := len(all.others)-len(want), (7+2)+(5+2); got != want {
		t.Errorf("times of observation: got %d, want %d: of a user and two keys, and of root and two keys", got, want)
	}
}

// TestDigestTellsWhereTextsEnd has the same letters in other places.
func TestDigestTellsWhereTextsEnd(t *testing.T) {
	digests := map[Digest]string{}
	for name, tags := range map[string]Tags{
		"one":   {{Key: "ab", Value: "c"}},
		"other": {{Key: "a", Value: "bc"}},
		"two":   {{Key: "a", Value: "b"}, {Key: "c"}},
		"none":  {},
	} {
		s := &Snapshot{Users: []User{{Tags: Observe(tags, observed)}}}
		if same, found := digests[s.Digest()]; found {
			t.Errorf("%s and %s have one digest", name, same)
		}
		digests[s.Digest()] = name
	}
}

// TestDigestIsOfMoments has one moment in two zones.
func TestDigestIsOfMoments(t *testing.T) {
	here, abroad := everything(), everything()
	abroad.Users[0].Created = abroad.Users[0].Created.In(time.FixedZone("", 7200))
	if here.Digest() != abroad.Digest() {
		t.Error("the same moment in another zone: another digest")
	}
}

func BenchmarkDigest(b *testing.B) {
	s := everything()
	s.Users = slices.Repeat(s.Users[:1], 5000)
	for b.Loop() {
		s.Digest()
	}
}
