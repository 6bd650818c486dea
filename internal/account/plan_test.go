package account

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

func TestLacks(t *testing.T) {
	console := func(change func(*inventory.User)) inventory.User {
		u := withKeys("alice", 1)
		u.Console, u.MFA = inventory.Observe(true, observed), inventory.Observe(true, observed)
		u.PasswordCreated = inventory.Observe(epoch, observed)
		change(&u)
		return u
	}
	for name, test := range map[string]struct {
		user inventory.User
		want bool
	}{
		"nothing":                        {withKeys("alice", 2), false},
		"keys":                           {inventory.User{Console: inventory.Observe(false, observed)}, true},
		"console access":                 {inventory.User{Keys: inventory.Observe([]inventory.AccessKey{}, observed)}, true},
		"nothing of a console user":      {console(func(*inventory.User) {}), false},
		"MFA of a console user":          {console(func(u *inventory.User) { u.MFA = inventory.Fact[bool]{} }), true},
		"password creation":              {console(func(u *inventory.User) { u.PasswordCreated = inventory.Fact[time.Time]{} }), true},
		"password creation, no key":      {console(func(u *inventory.User) { u.PasswordCreated, u.Keys = inventory.Fact[time.Time]{}, knownUser("").Keys }), false},
		"use of a key":                   {console(func(u *inventory.User) { u.Keys = inventory.Observe([]inventory.AccessKey{key("A", epoch)}, observed) }), true},
		"MFA of whoever has no password": {knownUser("alice"), false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []struct {
				name string
				plan plan
				want bool
			}{
				{"with a report", plan{source: awsapi.SourceAuto, reported: true}, test.want},
				{"without a report", plan{source: awsapi.SourceAuto, asksLive: true}, test.want},
				{"while a report is awaited", plan{source: awsapi.SourceAuto}, false},
				{"by the report alone", plan{source: awsapi.SourceReport, reported: true}, false},
			} {
				if got := mode.plan.lacks(&test.user); got != mode.want {
					t.Errorf("%s: got %t, want %t", mode.name, got, mode.want)
				}
			}
		})
	}
}

func TestIsDue(t *testing.T) {
	forbidden := map[string]error{"iam:GetLoginProfile": awsapi.Wrap("iam:GetLoginProfile", "user alice", refusal("AccessDenied"))}
	now := observed
	for name, test := range map[string]struct {
		rec  trackedUser
		want bool
	}{
		"never read":                          {trackedUser{}, true},
		"read just now":                       {trackedUser{attempted: now, User: knownUser("alice")}, false},
		"read long ago":                       {trackedUser{attempted: now.Add(-keysInterval), User: knownUser("alice")}, true},
		"due before next refresh":             {trackedUser{attempted: now.Add(refreshInterval - keysInterval), User: knownUser("alice")}, true},
		"due after next refresh":              {trackedUser{attempted: now.Add(refreshInterval - keysInterval + 1), User: knownUser("alice")}, false},
		"row changed":                         {trackedUser{attempted: now, User: knownUser("alice"), rowChanged: true}, true},
		"to be read again":                    {trackedUser{attempted: now, User: knownUser("alice"), retry: true}, true},
		"read before the report was given up": {trackedUser{attempted: now.Add(-2 * time.Minute), User: knownUser("alice")}, true},
		"lacks a fact":                        {trackedUser{attempted: now}, true},
		"lacks one it is denied":              {trackedUser{attempted: now, failed: forbidden}, false},
		"failed for now":                      {trackedUser{attempted: now, User: knownUser("alice"), failed: map[string]error{"": errors.New("reset")}}, true},
		"denied, long ago":                    {trackedUser{attempted: now.Add(-keysInterval), failed: forbidden}, true},
	} {
		p := plan{now: now, until: now.Add(refreshInterval), keysInterval: keysInterval, source: awsapi.SourceAuto, reported: true}
		if strings.Contains(name, "given up") {
			p.asksLive, p.liveSince = true, now.Add(-time.Minute)
		}
		if got := p.isDue(&test.rec); got != test.want {
			t.Errorf("%s: got %t, want %t", name, got, test.want)
		}
	}
}

func TestOrderOfTheSweep(t *testing.T) {
	now := observed
	row := func(password bool, slots ...credreport.Slot) *credreport.Row {
		return &credreport.Row{Password: credreport.Known(password), Slots: slots}
	}
	rec := func(name string, attempted time.Time, r *credreport.Row) *trackedUser {
		return &trackedUser{User: inventory.User{Name: name}, attempted: attempted, row: r}
	}
	hour := now.Add(-keysInterval)
	refused := map[string]error{"iam:X": awsapi.Wrap("iam:X", "user", refusal("AccessDenied"))}
	users := []*trackedUser{
		rec("a read an hour ago", hour, row(false)),
		rec("b read a little earlier", hour.Add(-time.Minute), row(false)),
		rec("c accused", hour, row(false)),
		rec("d overdue", now.Add(-2*keysInterval-1), row(false)),
		rec("e read, not in the report", hour, nil),
		rec("f unread", time.Time{}, row(true)),
		rec("g unread, active key", time.Time{}, row(false, slot(true, epoch))),
		rec("h unread, password and active key", time.Time{}, row(true, slot(true, epoch))),
		rec("i unread, password and inactive key", time.Time{}, row(true, slot(false, epoch))),
		rec("j unread, not in the report", time.Time{}, nil),
		{User: inventory.User{Name: "k row changed"}, attempted: now, row: row(false), rowChanged: true},
		{User: knownUser("l not due"), attempted: now, row: row(false)},
		{User: knownUser("m failed"), attempted: hour.Add(-time.Minute), row: row(false), failed: refused},
		{User: knownUser("n failed and overdue"), attempted: now.Add(-3 * keysInterval), row: row(false), failed: refused},
		{User: knownUser("o given up"), attempted: hour.Add(-2 * time.Minute), row: row(false), failed: map[string]error{"iam:X": &givenUp{refused["iam:X"]}}},
	}
	var got []string
	p := plan{
		now: now, until: now.Add(refreshInterval), keysInterval: keysInterval, source: awsapi.SourceAuto, reported: true,
		accused: map[string]inventory.GroupSet{"c accused": inventory.GroupsOf(inventory.GroupKeys)},
	}
	for _, rec := range p.order(users) {
		got = append(got, rec.Name)
	}
	want := []string{
		"h unread, password and active key", "j unread, not in the report", "k row changed",
		"g unread, active key",
		"f unread", "i unread, password and inactive key",
		"n failed and overdue", "d overdue", "c accused", "e read, not in the report",
		"o given up", "b read a little earlier", "a read an hour ago", "m failed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestOneOfTheDeferredIsTriedFirst has AWS be too busy for some users.
func TestOneOfTheDeferredIsTriedFirst(t *testing.T) {
	now := observed
	busy := map[string]error{"iam:ListAccessKeys": refusal("Throttling")}
	users := []*trackedUser{
		{User: knownUser("a")},
		{User: knownUser("b"), attempted: now, deferred: busy},
		{User: knownUser("c"), attempted: now.Add(-time.Minute), deferred: busy},
		{User: knownUser("d"), attempted: now, deferred: busy},
	}
	p := plan{now: now, until: now.Add(refreshInterval), keysInterval: keysInterval, source: awsapi.SourceLive, asksLive: true}
	var got []string
	for _, user := range p.order(users) {
		got = append(got, user.Name)
	}
	if diff := cmp.Diff([]string{"c", "a", "b", "d"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestOneOfTheDeniedIsProbed(t *testing.T) {
	now := observed
	forbidden := map[string]error{"iam:GetLoginProfile": awsapi.Wrap("iam:GetLoginProfile", "user", refusal("AccessDenied"))}
	var users []*trackedUser
	for i, name := range []string{"a", "b", "c"} {
		users = append(users, &trackedUser{User: knownUser(name), attempted: now.Add(time.Duration(-i%2) * time.Minute), failed: forbidden})
	}
	p := plan{now: now, until: now.Add(refreshInterval), keysInterval: keysInterval, source: awsapi.SourceLive, asksLive: true}
	due := p.order(users)
	if len(due) != 1 || due[0].Name != "b" {
		t.Errorf("due: got %d users, want b alone, who was asked about longest ago", len(due))
	}
}
