package collector_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// world makes up accounts, and changes them.
type world struct {
	*rand.Rand
	policy    *policy.Policy
	snapshots []*inventory.Snapshot
	now       time.Time
}

func one[T any](w *world, values ...T) T { return values[w.IntN(len(values))] }

func (w *world) name() string {
	return one(w, "bob", "a\nb", `c\d`, `"e"`, "\xff", "é\u2028", "", "#", " ") + fmt.Sprint(w.IntN(200))
}

func (w *world) moment() time.Time {
	return ago(time.Duration(w.IntN(20_000)) * time.Hour).Add(time.Duration(w.IntN(2)) * time.Millisecond)
}

func maybe[T any](w *world, value T) inventory.Fact[T] {
	if w.IntN(4) == 0 {
		return inventory.Fact[T]{}
	}
	return inventory.Observe(value, w.moment())
}

func (w *world) use() inventory.Use {
	return one(w, inventory.Use{}, inventory.Use{At: w.moment(), Service: w.name(), Region: w.name()})
}

func (w *world) key() inventory.AccessKey {
	return inventory.AccessKey{
		ID: one(w, "AKIA", "created-", "\xff") + fmt.Sprint(w.IntN(9000)), Status: one(w, append(inventory.Statuses(), "new")...),
		Created: w.moment(), LastUse: maybe(w, w.use()),
	}
}

func (w *world) user() inventory.User {
	u := inventory.User{Name: w.name(), ARN: w.name(), Path: w.name(), Created: w.moment()}
	for range 20 {
		w.changeUser(&u)
	}
	return u
}

// changeUser changes something of the user but the name.
func (w *world) changeUser(u *inventory.User) {
	switch w.IntN(12) {
	case 0:
		u.ARN = w.name()
	case 1:
		u.Path = w.name()
	case 2:
		u.Created = w.moment()
	case 3:
		u.Keys = maybe(w, slices.Repeat([]inventory.AccessKey{w.key()}, w.IntN(2)))
	case 4, 5:
		keys, _ := u.Keys.Get()
		keys = append(slices.Clone(keys), w.key())
		slices.SortFunc(keys, inventory.CompareKeys)
		u.Keys = maybe(w, keys[:min(len(keys), 3)])
	case 6:
		u.Console = maybe(w, w.IntN(2) == 0)
	case 7:
		u.MFA = maybe(w, w.IntN(2) == 0)
	case 8:
		u.PasswordUse = maybe(w, w.use())
	case 9:
		u.PasswordCreated, u.MaybeMoreKeys = maybe(w, w.moment()), w.IntN(2) == 0
	case 10:
		u.PasswordChanged = maybe(w, w.moment())
	case 11:
		u.Tags = maybe(w, one(w, nil, inventory.Tags{{Key: "exempt", Value: "key_rotation until 2027-01-01 agreed"}, {Key: "kind", Value: w.name()}, {Key: "owner", Value: w.name()}}))
	}
}

func (w *world) account(i int) *inventory.Snapshot {
	s := settled(account(fmt.Sprintf("%012d", i)))
	for range w.IntN(80) {
		s.Users = append(s.Users, w.user())
	}
	return w.sound(s)
}

// sound puts the users in order, and each name once.
func (w *world) sound(s *inventory.Snapshot) *inventory.Snapshot {
	slices.SortFunc(s.Users, func(a, b inventory.User) int { return strings.Compare(a.Name, b.Name) })
	s.Users = slices.CompactFunc(s.Users, func(a, b inventory.User) bool { return a.Name == b.Name })
	return s
}

func (w *world) newPolicy() *policy.Policy {
	p := everyPolicy()
	p.UserTags = one(w, nil, []string{"kind"}, []string{"owner", "kind", "a-b"})
	p.Users.Exclude = one(w, nil, []policy.Match{named("bob1*")}, []policy.Match{withTag("kind", "bob*")})
	p.KeyDescriptions, p.ExemptionTag = w.IntN(2) == 0, one(w, "", "exempt")
	return p
}

// change has something happen.
func (w *world) change() (what string) {
	i := w.IntN(len(w.snapshots))
	s := *w.snapshots[i]
	s.Users = slices.Clone(s.Users)
	switch what = one(w, "user", "user", "users", "gone", "new", "account", "owner", "clock", "policy", "observed", "health"); what {
	case "user", "users":
		for range 1 + 9*strings.Count(what, "s") {
			if len(s.Users) > 0 {
				w.changeUser(&s.Users[w.IntN(len(s.Users))])
			}
		}
	case "gone":
		if n := len(s.Users); n > 0 {
			k := w.IntN(n)
			s.Users = slices.Delete(s.Users, k, min(n, k+1+w.IntN(3)))
		}
	case "new":
		s.Users = append(s.Users, w.user(), w.user())
	case "account":
		s.Account.ID, s.Account.Name = one(w, "", "000000000001", "111111111111", "1\xff"), w.name()
	case "owner": // of those users who have none
		s.Account.Tags = one(w, nil, inventory.Tags{}, inventory.Tags{{Key: "Owner", Value: w.name()}})
	case "clock":
		w.now = w.now.Add(time.Duration(w.IntN(3000)) * time.Second)
		return what
	case "policy":
		w.policy = w.newPolicy()
		return what
	case "observed": // the same facts, later
		for k := range s.Users {
			keys, known := s.Users[k].Keys.Get()
			if known {
				s.Users[k].Keys = inventory.Observe(slices.Clone(keys), s.Users[k].Keys.Observed().Add(time.Hour))
			}
		}
	case "health":
		s.Health.Skew, s.Health.State = time.Duration(w.IntN(200)-100)*time.Minute, one(w, inventory.States()...)
	}
	w.snapshots[i] = w.sound(&s)
	return what
}

// TestRenderedStepByStep changes made-up accounts step by step, and compares what is
// rendered each time, from what was rendered before, with what the library writes of the
// same series.
func TestRenderedStepByStep(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), now: now}
			w.policy = w.newPolicy()
			for i := range 3 {
				w.snapshots = append(w.snapshots, w.account(i))
			}
			r := collector.NewRenderer(w.options())
			rendered := map[string]step{} // by the place of the account
			var story []string
			for range 10 {
				v := view.Of(w.policy, view.Reload{}, w.byKey(), now)
				v = v.RenderedBy(view.Rendering{Render: func(now, _ *policy.Evaluation, _ *exposition.Part) *exposition.Part {
					key := w.keyOf(now)
					before := rendered[key]
					if before.ev != nil && before.ev.Snapshot == now.Snapshot && before.ev.Policy == now.Policy {
						rendered[key] = step{now, r.RenderClock(now, before.part)}
					} else {
						rendered[key] = step{now, r.Render(now, before.ev, before.part)}
					}
					return rendered[key].part
				}})
				if diff := gocmp.Diff(libraryText(t, collector.OfView(w.options(), source(func() *view.View { return v }))), served(t, r.Page(v))); diff != "" {
					t.Fatalf("after %q (-library +ours):\n%s", story, diff)
				}
				story = append(story, w.change())
			}
		})
	}
}

// step is an account as it was rendered.
type step struct {
	ev   *policy.Evaluation
	part *exposition.Part
}

func (w *world) options() collector.Options {
	return collector.Options{
		Now:          func() time.Time { return w.now },
		AccessKeyIDs: view.KeyIDSuffix, KeyAge: true, Users: true,
	}
}

func (w *world) byKey() map[string]*inventory.Snapshot {
	all := map[string]*inventory.Snapshot{}
	for i, s := range w.snapshots {
		all[fmt.Sprint(i)] = s
	}
	return all
}

func (w *world) keyOf(ev *policy.Evaluation) string {
	return fmt.Sprint(slices.Index(w.snapshots, ev.Snapshot))
}

// TestEveryChangeOfAUserShows changes one thing of a user at a time. Whoever gives users
// or keys another field has to say here what a change of it does to their series.
func TestEveryChangeOfAUserShows(t *testing.T) {
	const fieldsOfUsers, fieldsOfKeys = 13, 4
	if n, k := reflect.TypeFor[inventory.User]().NumField(), reflect.TypeFor[inventory.AccessKey]().NumField(); n != fieldsOfUsers || k != fieldsOfKeys {
		t.Errorf("users have %d fields and keys %d, want %d and %d: see whether sameUser compares the new ones", n, k, fieldsOfUsers, fieldsOfKeys)
	}
	changes := map[string]func(*inventory.User){
		"arn": func(u *inventory.User) { u.ARN += "2" }, "path": func(u *inventory.User) { u.Path = "/x/" },
		"created":          func(u *inventory.User) { u.Created = u.Created.Add(time.Second) },
		"keys unknown":     func(u *inventory.User) { u.Keys = inventory.Fact[[]inventory.AccessKey]{} },
		"no keys":          func(u *inventory.User) { u.Keys = inventory.Observe([]inventory.AccessKey(nil), live) },
		"console":          func(u *inventory.User) { u.Console = inventory.Observe(false, live) },
		"console unknown":  func(u *inventory.User) { u.Console = inventory.Fact[bool]{} },
		"mfa":              func(u *inventory.User) { u.MFA = inventory.Observe(false, live) },
		"password use":     func(u *inventory.User) { u.PasswordUse = inventory.Observe(inventory.Use{At: ago(day)}, live) },
		"password created": func(u *inventory.User) { u.PasswordCreated = inventory.Observe(ago(2*day), live) },
		"password changed": func(u *inventory.User) { u.PasswordChanged = inventory.Observe(ago(day), live) },
		"owner":            func(u *inventory.User) { *u = tagged(*u, "Owner", "else") },
		"tag":              func(u *inventory.User) { *u = tagged(*u, "kind", "else") },
		"description":      func(u *inventory.User) { *u = tagged(*u, "AKIABOB0000000000001", "else") },
	}
	ofKey := func(change func(*inventory.AccessKey)) func(*inventory.User) {
		return func(u *inventory.User) {
			keys, _ := u.Keys.Get()
			keys = slices.Clone(keys)
			change(&keys[0])
			u.Keys = inventory.Observe(keys, live)
		}
	}
	changes["id"] = ofKey(func(k *inventory.AccessKey) { k.ID += "2" })
	changes["status"] = ofKey(func(k *inventory.AccessKey) { k.Status = inventory.Inactive })
	changes["key created"] = ofKey(func(k *inventory.AccessKey) { k.Created = k.Created.Add(time.Second) })
	changes["key use"] = ofKey(func(k *inventory.AccessKey) { k.LastUse = inventory.Observe(inventory.Use{At: ago(day)}, live) })
	changes["key region"] = ofKey(func(k *inventory.AccessKey) {
		k.LastUse = inventory.Observe(inventory.Use{At: ago(2 * day), Region: "x"}, live)
	})
	changes["key use unknown"] = ofKey(func(k *inventory.AccessKey) { k.LastUse = inventory.Fact[inventory.Use]{} })
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			bob := tagged(full("bob", ago(100*day), true, true, used(key("AKIABOB0000000000001", inventory.Active, ago(100*day)), inventory.Use{At: ago(2 * day)})), "AKIABOB0000000000001", "laptop")
			before := withTags(settled(account("111122223333", bob)))
			change(&bob)
			after := withTags(settled(account("111122223333", bob)))
			p := everyPolicy()
			r := collector.NewRenderer(scene{}.options())
			old := view.Of(p, view.Reload{}, map[string]*inventory.Snapshot{"": before}, now).Accounts()[0]
			v := view.Of(p, view.Reload{}, map[string]*inventory.Snapshot{"": after}, now)
			v = v.RenderedBy(view.Rendering{Render: func(now, _ *policy.Evaluation, _ *exposition.Part) *exposition.Part {
				return r.Render(now, old, r.Render(old, nil, nil))
			}})
			if diff := gocmp.Diff(libraryText(t, collector.OfView(scene{}.options(), source(func() *view.View { return v }))), served(t, r.Page(v))); diff != "" {
				t.Errorf("-library +ours:\n%s", diff)
			}
		})
	}
}

// TestHostileSnapshotsRendered renders what breaks its promises as the library would.
func TestHostileSnapshotsRendered(t *testing.T) {
	for name, snapshots := range hostile() {
		t.Run(name, func(t *testing.T) {
			got, want := scene{snapshots: snapshots, policy: everyPolicy()}.render(t)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("-library +ours:\n%s", diff)
			}
		})
	}
}
