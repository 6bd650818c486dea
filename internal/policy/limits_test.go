package policy_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// TestAllLimits finds a limit that is shown nowhere, or under another name than its
// field's.
func TestAllLimits(t *testing.T) {
	var want []policy.Limit
	for field := range reflect.TypeFor[policy.Limits]().Fields() {
		want = append(want, policy.Limit{Name: strings.ToLower(wordBegins.ReplaceAllString(field.Name, "${1}_${2}")), Value: time.Duration(len(want) + 1)})
	}
	var l policy.Limits
	for i := range want {
		reflect.ValueOf(&l).Elem().Field(i).SetInt(int64(i + 1))
	}
	if diff := cmp.Diff(want, l.All()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	const words = "max_key_age 90d, rotation_warning 14d, max_key_idle 45d, max_password_idle 45d, rotation_overlap 7d, setup_window 15m"
	if got := policy.DefaultLimits().String(); got != words {
		t.Errorf("in words: got %q, want %q", got, words)
	}
}

// wordBegins matches where a word begins in the name of a field.
var wordBegins = regexp.MustCompile(`([a-z])([A-Z])`)

func TestLimitsProblems(t *testing.T) {
	type problem struct {
		Limit  string
		Value  time.Duration
		Wanted string
	}
	type problems = []problem
	tests := []struct {
		name   string
		change func(*policy.Limits)
		want   problems
	}{
		{"defaults", func(*policy.Limits) {}, nil},
		{"strict", func(l *policy.Limits) { l.RotationWarning, l.RotationOverlap, l.SetupWindow = 0, 0, 0 }, nil},
		{"a second of key age", func(l *policy.Limits) { l.MaxKeyAge, l.RotationWarning = time.Second, 0 }, nil},
		{"no key age", func(l *policy.Limits) { l.MaxKeyAge = 0 }, problems{{"max_key_age", 0, "more than 0"}}},
		{"negative key age", func(l *policy.Limits) { l.MaxKeyAge = -time.Hour }, problems{{"max_key_age", -time.Hour, "more than 0"}}},
		{"no idle time", func(l *policy.Limits) { l.MaxKeyIdle = 0 }, problems{{"max_key_idle", 0, "more than 0"}}},
		{"negative warning", func(l *policy.Limits) { l.RotationWarning = -time.Hour }, problems{{"rotation_warning", -time.Hour, "0 or more"}}},
		{"warning shorter than the age", func(l *policy.Limits) { l.RotationWarning = l.MaxKeyAge - 1 }, nil},
		{
			"warning as long as the age", func(l *policy.Limits) { l.RotationWarning = l.MaxKeyAge },
			problems{{"rotation_warning", 90 * day, "less than max_key_age (90d)"}},
		},
		{"negative overlap", func(l *policy.Limits) { l.RotationOverlap = -time.Hour }, problems{{"rotation_overlap", -time.Hour, "0 or more"}}},
		{"negative window", func(l *policy.Limits) { l.SetupWindow = -time.Hour }, problems{{"setup_window", -time.Hour, "0 or more"}}},
		{
			"two at once", func(l *policy.Limits) { l.MaxKeyAge, l.MaxKeyIdle = 0, 0 },
			problems{{"max_key_age", 0, "more than 0"}, {"max_key_idle", 0, "more than 0"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := policy.DefaultLimits()
			tt.change(&l)
			var got problems
			for _, p := range l.Problems() {
				got = append(got, problem{p.Limit, p.Value, p.Wanted(p.Other)})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestLimitBesideAnother names the other limit as data, for readers who know it
// by another name.
func TestLimitBesideAnother(t *testing.T) {
	l := policy.DefaultLimits()
	l.RotationWarning = 100 * day
	want := []policy.LimitProblem{{Limit: "rotation_warning", Value: 100 * day, Want: "less than", Other: "max_key_age", OtherValue: 90 * day}}
	got := l.Problems()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	if got, want := got[0].Wanted("--policy.max-key-age"), "less than --policy.max-key-age (90d)"; got != want {
		t.Errorf("Wanted: got %q, want %q", got, want)
	}
}

func TestDeadlines(t *testing.T) {
	l := policy.DefaultLimits()
	key := active("a", born)
	if got := l.RotationDeadline(&key); !got.Equal(at(90 * day)) {
		t.Errorf("RotationDeadline = %s, want %s", got, at(90*day))
	}
	type deadline struct {
		At    time.Time
		Known bool
	}
	unused := func(k inventory.AccessKey) deadline {
		d, known := l.UnusedDeadline(&k)
		return deadline{d, known}
	}
	overlap := func(u inventory.User) deadline {
		d, several := l.OverlapDeadline(&u)
		if !several {
			d = time.Time{}
		}
		return deadline{d, several}
	}
	password := func(u inventory.User) deadline {
		d, known := l.PasswordUnusedDeadline(&u)
		return deadline{d, known}
	}
	late := at(1000 * day)
	used := func(after time.Duration) inventory.Fact[inventory.Use] {
		return known(inventory.Use{At: at(after)}, late)
	}
	tests := []struct {
		name      string
		got, want deadline
	}{
		{"unused, use unknown", unused(key), deadline{}},
		{"unused, never used", unused(neverUsed(key, late)), deadline{at(45 * day), true}},
		{"unused, used", unused(usedAt(key, at(day), late)), deadline{at(46 * day), true}},
		{"password, no console access", password(inventory.User{Console: known(false, late), PasswordUse: used(day), PasswordCreated: known(born, late)}), deadline{}},
		{"password, console unknown", password(inventory.User{PasswordUse: used(day), PasswordCreated: known(born, late)}), deadline{}},
		{"password, use unknown", password(inventory.User{Console: known(true, late), PasswordCreated: known(born, late)}), deadline{}},
		{"password, setting unknown", password(inventory.User{Console: known(true, late), PasswordUse: used(day)}), deadline{}},
		{"password, used after it was set", password(inventory.User{Console: known(true, late), PasswordUse: used(day), PasswordCreated: known(born, late)}), deadline{at(46 * day), true}},
		{"password, changed after it was used", password(inventory.User{Console: known(true, late), PasswordUse: used(day), PasswordChanged: known(at(2*day), late)}), deadline{at(47 * day), true}},
		{"overlap, keys unknown", overlap(inventory.User{}), deadline{}},
		{"overlap, one active", overlap(inventory.User{Keys: keys(late, key, status(active("b", born), inventory.Inactive))}), deadline{}},
		{"overlap, two active", overlap(inventory.User{Keys: keys(late, key, active("b", at(day)))}), deadline{at(8 * day), true}},
		{"overlap, three active", overlap(inventory.User{Keys: keys(late, key, active("b", at(day)), active("c", at(30*day)))}), deadline{at(8 * day), true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRulesAreDescribed(t *testing.T) {
	subjects := map[policy.Rule]policy.Subject{}
	for _, r := range policy.Rules() {
		subjects[r] = r.Subject()
		if d := r.Description(); !strings.HasSuffix(d, ".") || strings.Contains(d, "\n") {
			t.Errorf("Description of %s is %q, want one sentence on one line", r, d)
		}
	}
	want := map[policy.Rule]policy.Subject{
		policy.MultipleActiveKeys:        policy.SubjectUser,
		policy.ConsoleUserWithActiveKeys: policy.SubjectUser,
		policy.KeyCreatedAtUserSetup:     policy.SubjectKey,
		policy.ConsoleKeyNeverUsed:       policy.SubjectKey,
		policy.KeyRotation:               policy.SubjectKey,
		policy.KeyRotationDue:            policy.SubjectKey,
		policy.KeyUnused:                 policy.SubjectKey,
		policy.RootAccessKey:             policy.SubjectAccount,
		policy.ConsoleUserWithoutMFA:     policy.SubjectUser,
		policy.PasswordUnused:            policy.SubjectUser,
		policy.RootUserWithoutMFA:        policy.SubjectAccount,
	}
	if diff := cmp.Diff(want, subjects); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]policy.Rule{policy.RootAccessKey, policy.RootUserWithoutMFA}, policy.RulesAbout(policy.SubjectAccount)); diff != "" {
		t.Errorf("rules about accounts: -want +got:\n%s", diff)
	}
}

func TestInDays(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                         "0s",
		90 * time.Second:          "1m30s",
		day:                       "1d",
		36 * time.Hour:            "1d12h",
		14 * day:                  "14d",
		365*day + time.Minute:     "365d1m",
		84*day + time.Millisecond: "84d1ms",
	} {
		if got := policy.InDays(d); got != want {
			t.Errorf("InDays(%s): got %s, want %s", d, got, want)
		}
	}
}
