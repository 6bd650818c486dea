package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// The accounts of these tests: the exporter's own, a large one and a small one.
const (
	homeID, largeID, smallID = "111111111111", "222222222222", "333333333333"

	externalID = "ext3rnal-id-that-nobody-sees"
)

// accountList is a configuration with all three accounts.
const accountList = `
account_defaults: {role: /audit/exporter, external_id: ` + externalID + `}
account_tags: [stage]
accounts:
  - {id: "111111111111", role: null, name: home}
  - {id: "222222222222", name: large, tags: {Stage: prod}}
  - {id: "333333333333", role: "arn:aws:iam::333333333333:role/exporter"}
`

// federation is three accounts with roles.
type federation struct {
	realm              *awssim.Realm
	home, large, small *awssim.World
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	now := time.Now()
	f := &federation{
		home: awssim.New(awssim.Options{AccountID: homeID}), large: town(t, now, awssim.Options{AccountID: largeID}),
		small: awssim.New(awssim.Options{AccountID: smallID}),
	}
	for _, w := range []*awssim.World{f.home, f.small} {
		b := builder{t, w, now}
		b.user("alice", "/", 100*day)
		b.key("alice", 95*day, never)
	}
	check(t, f.small.SetAlias("the-small-one"))
	f.realm = awssim.NewRealm(f.home, f.large, f.small)
	f.realm.AddRole(f.large, "audit/exporter", externalID)
	f.realm.AddRole(f.small, "exporter", externalID)
	return f
}

// start runs the exporter on all accounts.
func (f *federation) start(t *testing.T, file configFile, args ...string) *exporter {
	t.Helper()
	caller, config := &caller{}, f.realm.Config()
	config.Credentials = caller
	e := startFrom(t, f.home, awsSource{config: config}, append([]string{file.flag()}, args...)...)
	e.caller = caller
	return e
}

// of returns the series about one account, but for what is about the exporter or
// the way to it.
func (x exposition) account(accountID string) exposition {
	some := exposition{}
	for series, value := range x {
		if strings.Contains(series, `account_id="`+accountID+`"`) {
			some[series] = value
		}
	}
	return some.only("aws_iam_user_", "aws_iam_access_key_", "aws_iam_root_", "aws_iam_finding_", "aws_iam_account_users", "aws_iam_account_verdicts",
		"aws_iam_account_access_keys", "aws_iam_account_up", "aws_iam_account_console_users", "aws_iam_account_facts_observed", "aws_iam_account_refresh_errors")
}

// TestAccountsAreServedAsIfAlone compares what is served of each account with what
// an exporter on that account alone serves.
func TestAccountsAreServedAsIfAlone(t *testing.T) {
	args := []string{"--iam.rate=1e6", "--iam.account-rate=1e6"}
	serve := func(t *testing.T, start func(*testing.T, *federation) *exporter) (x exposition) {
		synctest.Test(t, func(t *testing.T) {
			e := start(t, newFederation(t))
			time.Sleep(3*time.Hour + 30*time.Second)
			x = e.scrape()
			e.lint()
		})
		return x
	}
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--iam.source=" + string(source)}, args...)
			got := serve(t, func(t *testing.T, f *federation) *exporter { return f.start(t, newConfigFile(t, accountList), args...) })
			for id, world := range map[string]func(*federation) *awssim.World{
				homeID:  func(f *federation) *awssim.World { return f.home },
				largeID: func(f *federation) *awssim.World { return f.large },
				smallID: func(f *federation) *awssim.World { return f.small },
			} {
				want := serve(t, func(t *testing.T, f *federation) *exporter { return start(t, world(f), args...) }).account(id)
				if len(want) < 50 {
					t.Errorf("account %s: got %d series alone, want more", id, len(want))
				}
				sameBut(t, want, got.account(id))
			}
			sameBut(t, exposition{
				`aws_iam_account_info{account_id="111111111111",account_name="home",account_owner="",ou_path="",partition="aws",state="",tag_stage=""}`:          1,
				`aws_iam_account_info{account_id="222222222222",account_name="large",account_owner="",ou_path="",partition="aws",state="",tag_stage="prod"}`:     1,
				`aws_iam_account_info{account_id="333333333333",account_name="the-small-one",account_owner="",ou_path="",partition="aws",state="",tag_stage=""}`: 1,
			}, got.find("aws_iam_account_info"))
		})
	}
}

// TestAccountsAreKnownBeforeAWSAnswers has AWS silent from the start.
func TestAccountsAreKnownBeforeAWSAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t)
		for _, w := range []*awssim.World{f.home, f.large, f.small} {
			w.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		}
		e := f.start(t, newConfigFile(t, accountList))
		x := e.scrape()
		for _, id := range []string{homeID, largeID, smallID} {
			label := `account_id="` + id + `"`
			if len(x.find("aws_iam_account_info", label)) != 1 || len(x.find("aws_iam_account_refreshes_total", label)) != 1 ||
				len(x.find("aws_iam_account_refresh_errors_total", label)) == 0 || len(x.find("aws_iam_account_up", label)) != 0 {
				t.Errorf("account %s: got %v, want its info and counters, and no up", id, x.only("aws_iam_account_"))
			}
		}
	})
}

// TestOneBadAccount has the small account lose its role, be denied, lie about who
// it is, or fall silent: that is said once and shown, its facts stay with their
// age, and the others notice nothing.
func TestOneBadAccount(t *testing.T) {
	for name, test := range map[string]struct {
		cause         func(*federation)
		reason, wants string
	}{
		"its role is gone": {
			func(f *federation) { f.realm.RemoveRole(f.small, "exporter"); f.realm.EndSessions() },
			"role", "assume role arn:aws:iam::333333333333:role/exporter: AccessDenied: User: arn:aws:iam::111111111111:user/exporter is not authorized to perform: sts:AssumeRole",
		},
		"a service control policy": {
			func(f *federation) {
				f.small.SetFault(func(operation string, _ int) http.HandlerFunc {
					return awssim.Error(http.StatusForbidden, "AccessDenied", "User: arn:aws:sts::333333333333:assumed-role/exporter/aws_iam_exporter is not authorized to perform: iam:"+operation+
						" on resource: * with an explicit deny in a service control policy")
				})
			},
			"denied", "call iam:ListUsers for the account: AccessDenied: User: arn:aws:sts::333333333333:assumed-role/exporter/aws_iam_exporter is not authorized to perform: iam:ListUsers" +
				" on resource: * with an explicit deny in a service control policy; a statement in a service control policy denies iam:ListUsers, and no policy that allows it can help: have that statement changed",
		},
		"another account answers": {
			func(f *federation) {
				f.realm.EndSessions() // so that it is asked again who it is
				f.small.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation != "GetCallerIdentity" {
						return nil
					}
					return awssim.Raw(http.StatusOK, "text/xml", "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::444444444444:assumed-role/exporter/x</Arn>"+
						"<UserId>AROAX</UserId><Account>444444444444</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
				})
			},
			"malformed", "the credentials are those of account 444444444444, want account 333333333333",
		},
		"silence": {
			func(f *federation) {
				f.small.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
			},
			"timeout", "call iam:ListUsers for the account: no answer within 10s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFederation(t)
				e := f.start(t, newConfigFile(t, accountList))
				time.Sleep(2*time.Hour + 30*time.Second)
				before := e.scrape()
				if up := before.find("aws_iam_account_up"); len(up) != 3 || up[`aws_iam_account_up{account_id="333333333333"}`] != 1 {
					t.Fatalf("before: got %v, want three accounts up", up)
				}
				test.cause(f)
				time.Sleep(2 * time.Hour)
				x := e.scrape()
				label := `account_id="` + smallID + `"`
				if up, served := x.value("aws_iam_account_up", label); up != 0 || !served {
					t.Errorf("up: got %v, %t, want 0", up, served)
				}
				if n, _ := x.value("aws_iam_account_refresh_errors_total", label, `reason="`+test.reason+`"`); n == 0 {
					t.Errorf("errors: got %v, want some for the reason %s", x.find("aws_iam_account_refresh_errors_total", label), test.reason)
				}
				sameBut(t, before.account(smallID).facts(), x.account(smallID).facts())
				sameBut(t, before.account(smallID).observed(), x.account(smallID).observed())
				for _, id := range []string{homeID, largeID} {
					if up, _ := x.value("aws_iam_account_up", `account_id="`+id+`"`); up != 1 {
						t.Errorf("account %s: got up %v, want 1", id, up)
					}
					for series, at := range x.account(id).observed() {
						if !strings.Contains(series, `facts="users"`) {
							continue
						}
						if age := time.Since(time.Unix(int64(at), 0)); age > 5*time.Minute+time.Second {
							t.Errorf("%s: %s old, want at most the interval", series, age)
						}
					}
				}
				begun := 0
				for line := range strings.Lines(e.log.String()) {
					if strings.Contains(line, `msg="Refresh incomplete`) && strings.Contains(line, test.wants) {
						begun++
					}
				}
				if begun != 1 {
					t.Errorf("the log says that %q has begun %d times, want once", test.wants, begun)
				}
				if _, page := e.get("/accounts/" + smallID); !strings.Contains(strings.ReplaceAll(page, "&#34;", `"`), test.wants) {
					t.Errorf("the page does not say %q:\n%s", test.wants, page)
				}
				for place, text := range map[string]string{"log": e.log.String(), "metrics": e.scraped} {
					if strings.Contains(text, externalID) {
						t.Errorf("the external id is in the %s", place)
					}
				}
			})
		})
	}
}

// TestSessionsEndInTheMiddle has AWS accept no session any longer while users are
// being read: nobody's verdict changes, and all is well again with the next
// refresh.
func TestSessionsEndInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t)
		e := f.start(t, newConfigFile(t, accountList), "--iam.source=live")
		time.Sleep(2*time.Hour + 30*time.Second)
		before := e.scrape()
		f.large.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListAccessKeys" && n == 3 {
				f.realm.EndSessions()
			}
			return nil
		})
		var ups []float64
		for range 130 {
			time.Sleep(time.Minute)
			x := e.scrape()
			sameBut(t, before.account(largeID).facts(), x.account(largeID).facts())
			up, _ := x.value("aws_iam_account_up", `account_id="`+largeID+`"`)
			ups = append(ups, up)
		}
		down := 0
		for _, up := range ups {
			down += int(1 - up)
		}
		if down == 0 || down > 6 || ups[len(ups)-1] != 1 {
			t.Errorf("up, minute by minute: got %v, want it 0 for one interval at most, and 1 in the end", ups)
		}
	})
}

// TestReloadOfTheList adds, changes and removes an account while others scrape:
// the series of the accounts that stay are never missing, and nobody's verdict
// flickers.
func TestReloadOfTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t)
		whole := strings.ReplaceAll(accountList, "tags: {Stage: prod}", `tags: {Stage: prod}, source: live`)
		changed := strings.ReplaceAll(accountList, "name: large", "name: renamed")
		_, without, _ := strings.Cut(accountList, `  - {id: "333333333333"`)
		without = strings.ReplaceAll(accountList, `  - {id: "333333333333"`+without, "")
		bad := strings.ReplaceAll(accountList, "333333333333:role", "444444444444:role")
		file := newConfigFile(t, accountList)
		e := f.start(t, file)
		time.Sleep(2*time.Hour + 30*time.Second)
		count := func(id string) int {
			answer := httptest.NewRecorder()
			e.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			n := 0
			for line := range strings.Lines(answer.Body.String()) {
				if strings.Contains(line, `account_id="`+id+`"`) && (strings.HasPrefix(line, "aws_iam_user_") || strings.HasPrefix(line, "aws_iam_access_key_")) {
					n++
				}
			}
			return n
		}
		want := map[string]int{homeID: count(homeID), largeID: count(largeID)}
		ctx, cancel := context.WithCancel(t.Context())
		var scrapers sync.WaitGroup
		for range 2 { // out of step with the reloads
			scrapers.Go(func() {
				for ctx.Err() == nil {
					for id, n := range want {
						if got := count(id); got != n {
							t.Errorf("account %s: got %d series, want %d", id, got, n)
						}
					}
					time.Sleep(230 * time.Millisecond)
				}
			})
		}
		for i, content := range []string{without, accountList, bad, changed, accountList, whole, without, accountList} {
			file.write(content)
			status, answer := e.post("/-/reload")
			if wanted := map[bool]int{true: http.StatusInternalServerError, false: http.StatusOK}[content == bad]; status != wanted {
				t.Errorf("reload %d: got %d, want %d: %s", i, status, wanted, answer)
			}
			time.Sleep(5 * time.Second)
			if n := count(smallID); (content == without) != (n == 0) {
				t.Errorf("after reload %d: got %d series of the small account", i, n)
			}
		}
		cancel()
		scrapers.Wait()
		if strings.Contains(e.log.String(), externalID) {
			t.Error("the external id is in the log")
		}
	})
}

// TestNoGuessAboutPartitions refuses roles of a partition that the region is not in.
func TestNoGuessAboutPartitions(t *testing.T) {
	f := newFederation(t)
	file := newConfigFile(t, strings.ReplaceAll(accountList, "arn:aws:", "arn:aws-cn:"))
	var output logText
	s, _, err := parse([]string{file.flag()}, &output, &output)
	check(t, err)
	_, err = wire(awsSource{config: f.realm.Config()}, s, s.logger(&output))
	want := file.name + ": got roles in the partition aws-cn, want aws, which the region us-east-1 is in; one process watches one partition"
	if err == nil || err.Error() != want {
		t.Errorf("error: got %v, want %s", err, want)
	}
}
