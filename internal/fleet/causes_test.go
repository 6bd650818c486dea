package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// several are the logs of some accounts, in one text.
type several struct {
	*logged
	logs []refreshLog
}

func newSeveral(n int) *several {
	s := &several{logged: newLogged()}
	for i := range n {
		s.logs = append(s.logs, refreshLog{logger: s.logger, common: s.common, account: idOf(i)})
	}
	return s
}

func idOf(i int) string { return fmt.Sprintf("%012d", i+1) }

// refreshed has each account of these refreshed, with what is wrong in it; nil for
// nothing. It returns the lines.
func (s *several) refreshed(after time.Duration, wrong ...func(i int) inventory.Problem) []string {
	s.now = s.now.Add(after)
	for i, problem := range wrong {
		snapshot := &inventory.Snapshot{Account: inventory.Account{ID: idOf(i)}, Health: inventory.Health{State: inventory.StateUp}}
		if problem != nil {
			snapshot.Health = inventory.Health{State: inventory.StateDown, Problems: []inventory.Problem{problem(i)}}
		}
		s.logs[i].write(s.now.Add(time.Duration(i)*time.Second), &policy.Evaluation{Snapshot: snapshot})
	}
	return s.lines()
}

// TestOneCauseIsRepeatedOnce has three accounts meet the same, and each tell so when it
// begins: that it lasts is said for all of them, and each hour once, whoever is left.
func TestOneCauseIsRepeatedOnce(t *testing.T) {
	const shared = `msg="Refresh still incomplete" reason=credentials for=%s others=0 accounts=%d problem=%s`
	gone := func(i int) inventory.Problem {
		return problem(inventory.ReasonCredentials, "role/"+idOf(i)+"/request"+fmt.Sprint(100+i))
	}
	other := func(i int) inventory.Problem { return problem(inventory.ReasonDenied, "no") }
	s := newSeveral(3)
	if got := s.refreshed(0, gone, gone, gone); len(got) != 3 {
		t.Errorf("at the beginning: got %q, want a line for each account", got)
	}
	for i, step := range []struct {
		after time.Duration
		wrong []func(int) inventory.Problem
		want  []string
	}{
		{59 * time.Minute, []func(int) inventory.Problem{gone, gone, gone}, nil},
		{time.Minute, []func(int) inventory.Problem{gone, gone, gone}, []string{fmt.Sprintf(shared, "1h0m0s", 3, "role/000000000001/request100")}},
		{30 * time.Minute, []func(int) inventory.Problem{nil, gone, gone}, []string{allIsWell}},
		{25 * time.Minute, []func(int) inventory.Problem{nil, gone, gone}, nil},
		{5 * time.Minute, []func(int) inventory.Problem{nil, gone, gone}, []string{fmt.Sprintf(shared, "2h0m0s", 2, "role/000000000002/request101")}},
		{5 * time.Minute, []func(int) inventory.Problem{nil, gone, other}, []string{
			fmt.Sprintf(over, "credentials", "2h5m0s", "role/000000000003/request102"), `msg="Refresh incomplete, no facts yet" reason=denied problem=no`,
		}},
		{55 * time.Minute, []func(int) inventory.Problem{nil, gone, other}, []string{fmt.Sprintf(still, "credentials", "3h0m0s", 0, "role/000000000002/request101")}},
		{5 * time.Minute, []func(int) inventory.Problem{nil, gone, other}, []string{fmt.Sprintf(still, "denied", "1h0m0s", 0, "no")}},
	} {
		mustLog(t, fmt.Sprintf("step %d", i), step.want, s.refreshed(step.after, step.wrong...))
	}
}

// TestOthersCausesHideNone has two accounts meet the same, and one of them a problem of its
// own later: each is repeated once an hour.
func TestOthersCausesHideNone(t *testing.T) {
	s := newSeveral(2)
	shared, own := problem(inventory.ReasonReport, "shared"), problem(inventory.ReasonDenied, "own")
	refreshed := func(after time.Duration) []string {
		s.now = s.now.Add(after)
		for i, problems := range [][]inventory.Problem{{shared}, {shared, own}} {
			health := inventory.Health{State: inventory.StateDown, Problems: problems}
			s.logs[i].write(s.now, &policy.Evaluation{Snapshot: &inventory.Snapshot{Account: inventory.Account{ID: idOf(i)}, Health: health}})
		}
		return s.lines()
	}
	refreshed(0)
	for hour := range 3 {
		mustLog(t, fmt.Sprintf("hour %d", hour+1), []string{
			fmt.Sprintf(`msg="Refresh still incomplete" reason=report for=%dh0m0s others=0 accounts=2 problem=shared`, hour+1),
			fmt.Sprintf(still, "denied", fmt.Sprintf("%dh0m0s", hour+1), 1, "own"),
		}, refreshed(time.Hour))
	}
}

// TestFullDiskIsRepeatedOnce has the facts of three accounts not be saved.
func TestFullDiskIsRepeatedOnce(t *testing.T) {
	const failed = `msg="Saving facts failed; a restart would begin without them"`
	s := newSeveral(3)
	save := func(after time.Duration, why string) []string {
		s.now = s.now.Add(after)
		for i := range s.logs {
			s.logs[i].writeSaving(s.now, idOf(i), fmt.Errorf("%s.json: %s", idOf(i), why))
		}
		return s.lines()
	}
	if got := save(0, "full"); len(got) != 3 {
		t.Errorf("at the beginning: got %q, want a line for each account", got)
	}
	mustLog(t, "soon", nil, save(59*time.Minute, "full"))
	for range 2 {
		mustLog(t, "an hour later", []string{failed + ` accounts=3 err="000000000001.json: full"`}, save(time.Hour, "full"))
	}
	if got := save(time.Minute, "denied"); len(got) != 3 {
		t.Errorf("another failure: got %q, want a line for each account", got)
	}
	s.logs[0].writeSaving(s.now, idOf(0), nil)
	s.common.forget(idOf(1))
	s.logs = s.logs[2:]
	s.lines()
	mustLog(t, "one account left", []string{failed + ` err="000000000001.json: denied"`}, save(time.Hour, "denied"))
}

// TestSameCause says what passes for one cause in two accounts.
func TestSameCause(t *testing.T) {
	const a, b = "111122223333", "444455556666"
	for name, test := range map[string]struct {
		first, second inventory.Problem
		same          bool
	}{
		"the same":        {problem("network", "cut"), problem("network", "cut"), true},
		"their own roles": {problem("role", "role "+a+":role/x: no"), problem("role", "role "+b+":role/x: no"), true},
		"their own users": {about("amy", "iam:ListMFADevices", "user amy: no (and the same for 1 more user)"), about("bob", "iam:ListMFADevices", "user bob: no"), true},
		"another role":    {problem("role", "role "+a+":role/x: no"), problem("role", "role "+b+":role/y: no"), false},
		"another call":    {about("amy", "iam:ListMFADevices", "no"), about("amy", "iam:ListUserTags", "no"), false},
		"another class":   {problem("server", "no"), problem("other", "no"), false},
		"a third account": {problem("malformed", "those of account "+a), problem("malformed", "those of account "+a), false},
	} {
		if same := causeOf(test.first, a) == causeOf(test.second, b); same != test.same {
			t.Errorf("%s: got the same cause %t, want %t", name, same, test.same)
		}
	}
}
