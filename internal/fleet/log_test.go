package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// logged is a log of which only messages and problems are looked at.
type logged struct {
	refreshLog
	text bytes.Buffer
	now  time.Time
}

func newLogged() *logged {
	l := &logged{now: time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC)}
	l.common = newCommon()
	keep := map[string]bool{slog.MessageKey: true, "reason": true, "problem": true, "for": true, "others": true, "accounts": true, "lasted": true, "err": true}
	l.logger = slog.New(slog.NewTextHandler(&l.text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if !keep[a.Key] {
			return slog.Attr{}
		}
		return a
	}}))
	return l
}

// lines returns what was logged since the last time.
func (l *logged) lines() []string {
	defer l.text.Reset()
	return strings.FieldsFunc(l.text.String(), func(r rune) bool { return r == '\n' })
}

// refreshed writes of a refresh, a while after the last one, and returns the lines.
func (l *logged) refreshed(after time.Duration, state inventory.State, problems ...inventory.Problem) []string {
	l.now = l.now.Add(after)
	l.write(l.now, &policy.Evaluation{Snapshot: &inventory.Snapshot{
		Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {}},
		Health:    inventory.Health{State: state, Problems: problems},
	}})
	return l.lines()
}

func mustLog(t *testing.T, when string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func problem(reason inventory.Reason, text string) inventory.Problem {
	return inventory.Problem{Reason: reason, Text: text}
}

func about(user, action, text string) inventory.Problem {
	return inventory.Problem{Reason: inventory.ReasonDenied, Text: text, User: user, Action: action}
}

const (
	incomplete = `msg="Refresh incomplete, keeping the last facts" reason=%s problem=%s`
	replaced   = `msg="A call failed, but others gave its facts" reason=%s problem=%s`
	over       = `msg="A problem is over" reason=%s lasted=%s problem=%s`
	still      = `msg="Refresh still incomplete" reason=%s for=%s others=%d problem=%s`
	allIsWell  = `msg="Refresh complete"`
)

// TestProblemsAreToldOnce goes through a day of an account, in which problems
// begin, change, last and end.
func TestProblemsAreToldOnce(t *testing.T) {
	const down, up, pending = inventory.StateDown, inventory.StateUp, inventory.StatePending
	slow, no, cut := problem(inventory.ReasonTimeout, "slow"), problem(inventory.ReasonDenied, "no"), problem(inventory.ReasonNetwork, "cut")
	l := newLogged()
	for i, step := range []struct {
		after    time.Duration
		state    inventory.State
		problems []inventory.Problem
		want     []string
	}{
		{0, up, nil, []string{allIsWell}},
		{5 * time.Minute, up, nil, nil},
		{5 * time.Minute, down, []inventory.Problem{slow}, []string{fmt.Sprintf(incomplete, "timeout", "slow")}},
		{5 * time.Minute, down, []inventory.Problem{slow}, nil},
		{5 * time.Minute, down, []inventory.Problem{no, slow}, []string{fmt.Sprintf(incomplete, "denied", "no")}},
		{59 * time.Minute, down, []inventory.Problem{no, slow}, nil},
		{time.Minute, down, []inventory.Problem{no, slow}, []string{fmt.Sprintf(still, "timeout", "1h10m0s", 1, "slow")}},
		{5 * time.Minute, down, []inventory.Problem{no}, []string{fmt.Sprintf(over, "timeout", "1h15m0s", "slow")}},
		{55 * time.Minute, down, []inventory.Problem{no}, []string{fmt.Sprintf(still, "denied", "2h0m0s", 0, "no")}},
		{5 * time.Minute, up, nil, []string{allIsWell}}, // which says that all are over
		{5 * time.Minute, up, nil, nil},
		{5 * time.Minute, down, []inventory.Problem{no, slow}, []string{fmt.Sprintf(incomplete, "denied", "no"), fmt.Sprintf(incomplete, "timeout", "slow")}},
		{5 * time.Minute, pending, nil, []string{
			fmt.Sprintf(over, "denied", "5m0s", "no"), fmt.Sprintf(over, "timeout", "5m0s", "slow"), `msg="Reading users"`,
		}},
		{5 * time.Minute, up, nil, []string{allIsWell}},
		{5 * time.Minute, up, []inventory.Problem{slow}, []string{fmt.Sprintf(replaced, "timeout", "slow")}}, // of which everything was learnt otherwise
		{5 * time.Minute, up, nil, []string{fmt.Sprintf(over, "timeout", "5m0s", "slow")}},
		{5 * time.Minute, down, []inventory.Problem{no}, []string{fmt.Sprintf(incomplete, "denied", "no")}},
		{5 * time.Minute, down, []inventory.Problem{cut}, []string{fmt.Sprintf(incomplete, "network", "cut")}}, // nobody knows whether it is denied
		{60 * time.Minute, down, []inventory.Problem{cut}, []string{fmt.Sprintf(still, "network", "1h0m0s", 1, "cut")}},
		{5 * time.Minute, down, []inventory.Problem{no}, []string{fmt.Sprintf(over, "network", "1h5m0s", "cut")}},
	} {
		mustLog(t, fmt.Sprintf("step %d", i), step.want, l.refreshed(step.after, step.state, step.problems...))
	}
}

// TestSameProblem says which problems pass for the one before them.
func TestSameProblem(t *testing.T) {
	const (
		listUsers = "call iam:ListUsers for the account: "
		request   = "AWS answered ServiceUnavailable (HTTP 503, request 5aa8d32c-0000-4000-a000-000000000000)"
	)
	for name, test := range map[string]struct {
		before, after inventory.Problem
		same          bool
	}{
		"the same":         {problem("server", request), problem("server", request), true},
		"another request":  {problem("server", request), problem("server", strings.Replace(request, "5aa8d32c-0", "ffffffff-f", 1)), true},
		"another class":    {problem("server", "no"), problem("other", "no"), false},
		"another code":     {problem("server", request), problem("server", strings.Replace(request, "ServiceUnavailable", "ServiceFailure", 1)), false},
		"another call":     {problem("denied", listUsers), problem("denied", strings.Replace(listUsers, "Users", "Roles", 1)), false},
		"another time":     {problem("timeout", "no answer within 10s; see"), problem("timeout", "no answer within 1m30s; see"), true},
		"another duration": {problem("malformed", "in 15m0.5s: no"), problem("malformed", "in 900ms: no"), true},
		"another moment":   {problem("malformed", "about 2026-11-05T09:30:00Z"), problem("malformed", "about 2026-12-31T10:31:59Z"), true},
		"another port":     {problem("network", "read tcp 10.0.0.1:40000->192.0.2.7:443: reset"), problem("network", "read tcp 10.0.0.1:55555->192.0.2.81:443: reset"), true},
		"another address":  {problem("network", "dial tcp [2001:db8::a]:443: refused"), problem("network", "dial tcp [2001:db8:1:2::b]:443: refused"), true},
		"another host":     {problem("network", "lookup iam.amazonaws.com: no such host"), problem("network", "lookup sts.amazonaws.com: no such host"), false},
		"another account":  {problem("malformed", "those of account 111122223333"), problem("malformed", "those of account 222233334444"), false},
		"another user":     {about("user1", "iam:ListMFADevices", "user user1: no"), about("user2", "iam:ListMFADevices", "user user2: no"), false},
		"one more user":    {about("a", "iam:ListMFADevices", "no"), about("a", "iam:ListMFADevices", "no (and the same for 1 more user)"), true},
		"many more users":  {about("a", "iam:ListMFADevices", "no (and the same for 1 more user)"), about("a", "iam:ListMFADevices", "no (and the same for 4711 more users)"), true},
		"more odd ones":    {about("a", "iam:ListUsers", "odd (and something of the kind for 2 others); check"), about("a", "iam:ListUsers", "odd (and something of the kind for 31 others); check"), true},
		"a denial changes": {problem("denied", "no identity-based policy allows it"), problem("denied", "an explicit deny in a service control policy"), false},
	} {
		l := newLogged()
		l.refreshed(0, inventory.StateDown, test.before)
		got := l.refreshed(5*time.Minute, inventory.StateDown, test.after)
		if same := len(got) == 0; same != test.same {
			t.Errorf("%s: got %q, want the same problem: %t", name, got, test.same)
		}
	}
}

// TestProblemOfManyUsersGoesOn has another user stand for all of them, which ends
// nothing.
func TestProblemOfManyUsersGoesOn(t *testing.T) {
	l := newLogged()
	l.refreshed(0, inventory.StateDown, about("zoe", "iam:ListMFADevices", "zoe"))
	mustLog(t, "another user", []string{fmt.Sprintf(incomplete, "denied", "amy")},
		l.refreshed(time.Minute, inventory.StateDown, about("amy", "iam:ListMFADevices", "amy")))
	mustLog(t, "another call", []string{fmt.Sprintf(over, "denied", "1m0s", "amy"), fmt.Sprintf(incomplete, "denied", "AMY")},
		l.refreshed(time.Minute, inventory.StateDown, about("amy", "iam:GetLoginProfile", "AMY")))
}

// TestTagMistakesAreToldOnce has one come, another join it, and one come again.
func TestTagMistakesAreToldOnce(t *testing.T) {
	l := newLogged()
	for i, step := range []struct{ problems, want []string }{
		{[]string{"a"}, []string{`msg="Cannot use a tag" problem=a`}},
		{[]string{"a"}, nil},
		{[]string{"a", "b"}, []string{`msg="Cannot use a tag" problem=b`}},
		{[]string{"b"}, nil},
		{[]string{"a", "b"}, []string{`msg="Cannot use a tag" problem=a`}},
	} {
		l.complete = true
		l.write(l.now, &policy.Evaluation{Problems: step.problems, Snapshot: &inventory.Snapshot{Health: inventory.Health{State: inventory.StateUp}}})
		mustLog(t, fmt.Sprintf("step %d", i), step.want, l.lines())
	}
}

// TestFailureToSaveIsToldOnce goes through a disk that fills up and is emptied.
func TestFailureToSaveIsToldOnce(t *testing.T) {
	full := func(name string) error {
		return errors.New("save facts to 123456789012.json: write .123456789012.json." + name + ".tmp: no space")
	}
	const failed = `msg="Saving facts failed; a restart would begin without them" err=%q`
	first, second := full(strings.Repeat("A", 26)), full(strings.Repeat("7", 26))
	denied := errors.New("its mode is 0777")
	l := newLogged()
	for i, step := range []struct {
		after time.Duration
		err   error
		want  []string
	}{
		{0, nil, nil},
		{time.Hour, first, []string{fmt.Sprintf(failed, first)}},
		{5 * time.Minute, second, nil},
		{54 * time.Minute, second, nil},
		{time.Minute, second, []string{fmt.Sprintf(failed, second)}},
		{5 * time.Minute, denied, []string{fmt.Sprintf(failed, denied)}},
		{5 * time.Minute, nil, []string{`msg="Saving facts works again"`}},
		{5 * time.Minute, nil, nil},
		{5 * time.Minute, denied, []string{fmt.Sprintf(failed, denied)}},
	} {
		l.now = l.now.Add(step.after)
		l.writeSaving(l.now, "", step.err)
		mustLog(t, fmt.Sprintf("step %d", i), step.want, l.lines())
	}
}
