package app

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

const (
	organizationID = "o-a1b2c3d4e5"

	organizationList = `
account_defaults: {role: exporter, external_id: ` + externalID + `}
account_tags: [stage]
organization:
  overrides:
    - {id: "111111111111", role: null}
`
)

// company is a federation that is an organization.
type company struct {
	*federation
	organization *awssim.Organization
}

func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{newFederation(t), awssim.NewOrganization(organizationID, homeID)}
	c.realm.AddRole(c.large, "exporter", externalID)
	c.realm.SetOrganization(c.organization)
	c.organization.SetMembers(c.members()...)
	return c
}

// members are the accounts as they are at first.
func (c *company) members() []awssim.Member {
	return []awssim.Member{
		{ID: homeID, Name: "management", State: "ACTIVE"},
		{ID: largeID, Name: "large", State: "ACTIVE", Units: []string{"ou-ab12-prod1234"}, Tags: []awssim.Tag{{Key: "Stage", Value: "prod"}}},
		{ID: smallID, Name: "small", State: "ACTIVE", Units: []string{"ou-ab12-test1234"}},
	}
}

// change changes the account of that id in the organization.
func (c *company) change(id string, change func(*awssim.Member)) {
	members := c.members()
	for i := range members {
		if members[i].ID == id {
			change(&members[i])
		}
	}
	c.organization.SetMembers(members...)
}

// remove has the account leave.
func (c *company) remove(id string) {
	c.organization.SetMembers(slices.DeleteFunc(c.members(), func(m awssim.Member) bool { return m.ID == id })...)
}

const label = `account_id="` + smallID + `"`

// removals returns the reasons for which accounts were taken out.
func (x exposition) removals() map[string]string {
	all := map[string]string{}
	for series := range x.find("aws_iam_account_removed_timestamp_seconds") {
		_, rest, _ := strings.Cut(series, `account_id="`)
		id, rest, _ := strings.Cut(rest, `"`)
		_, rest, _ = strings.Cut(rest, `reason="`)
		all[id], _, _ = strings.Cut(rest, `"`)
	}
	return all
}

// TestOrganizationIsFound serves the accounts that the organization has, with what
// it says of them.
func TestOrganizationIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		e := c.start(t, newConfigFile(t, organizationList))
		if status, _ := e.get("/-/ready"); status == http.StatusOK && len(e.scrape().find("aws_iam_account_info")) == 0 {
			t.Error("ready before the organization was asked")
		}
		time.Sleep(30 * time.Minute)
		x := e.scrape()
		e.lint()
		sameBut(t, exposition{
			`aws_iam_account_info{account_id="111111111111",account_name="management",account_owner="",ou_path="r-ab12",partition="aws",state="active",tag_stage=""}`:                 1,
			`aws_iam_account_info{account_id="222222222222",account_name="large",account_owner="",ou_path="r-ab12/ou-ab12-prod1234",partition="aws",state="active",tag_stage="prod"}`: 1,
			`aws_iam_account_info{account_id="333333333333",account_name="small",account_owner="",ou_path="r-ab12/ou-ab12-test1234",partition="aws",state="active",tag_stage=""}`:     1,
		}, x.find("aws_iam_account_info"))
		if up := x.find("aws_iam_account_up"); len(up) != 3 || slices.Min(slices.Collect(maps.Values(up))) != 1 {
			t.Errorf("up: got %v, want three accounts up", up)
		}
		if at, _ := x.value("aws_iam_exporter_discovery_success_timestamp_seconds"); time.Since(time.Unix(int64(at), 0)) > time.Hour {
			t.Errorf("discovered: got %v", at)
		}
		if strings.Contains(e.log.String(), externalID) {
			t.Error("the external id is in the log")
		}
	})
}

// TestComingAndGoing suspends, closes, moves out, excludes and renames an account,
// and each time takes it back.
func TestComingAndGoing(t *testing.T) {
	state := func(s string) func(*company) {
		return func(c *company) { c.change(smallID, func(m *awssim.Member) { m.State = s }) }
	}
	for name, test := range map[string]struct {
		go_    func(*company)
		config string // in place of the first; empty for that
		state  string // as then served; empty if the account is gone
		reason string // of the removal
	}{
		"suspended":        {go_: state("SUSPENDED"), state: "suspended"},
		"being closed":     {go_: state("PENDING_CLOSURE"), state: "pending_closure"},
		"closed":           {go_: state("CLOSED"), reason: "closed"},
		"in another state": {go_: state("HIBERNATING"), state: "unknown"},
		"gone":             {go_: func(c *company) { c.remove(smallID) }, reason: "left_organization"},
		"excluded":         {config: organizationList + `  exclude: [{id: "333333333333", reason: sandbox}]`, reason: "excluded"},
		"not included":     {config: organizationList + `  include: [{ou: ou-ab12-prod1234}, {id: "111111111111"}]`, reason: "excluded"},
		"moved": {
			go_:    func(c *company) { c.change(smallID, func(m *awssim.Member) { m.Units = []string{"ou-ab12-sand1234"} }) },
			config: organizationList + `  exclude: [{ou: ou-ab12-sand1234, reason: sandbox}]`, reason: "excluded",
		},
		"no organization any more": {config: strings.ReplaceAll(accountList, "  - {id: \"333333333333\", role: \"arn:aws:iam::333333333333:role/exporter\"}\n", ""), reason: "configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCompany(t)
				file := newConfigFile(t, organizationList)
				e := c.start(t, file, "--state.dir="+filepath.Join(t.TempDir(), "state"))
				time.Sleep(70 * time.Minute)
				before := e.scrape().account(smallID).facts()
				if test.go_ != nil {
					test.go_(c)
				}
				if test.config != "" {
					file.write(test.config)
					e.reload()
				}
				time.Sleep(70 * time.Minute)
				x := e.scrape()
				e.lint()
				want := map[string]string{}
				if test.reason != "" {
					want[smallID] = test.reason
				}
				if got := x.removals(); !maps.Equal(got, want) {
					t.Errorf("removals: got %v, want %v", got, want)
				}
				_, up := x.value("aws_iam_account_up", label)
				stale := x.find("aws_iam_account_facts_stale_timestamp_seconds", label)
				read := test.state == "unknown" // which is never taken for inactive
				switch info := x.find("aws_iam_account_info", label, `state="`+test.state+`"`); {
				case test.state == "":
					if rest := x.find("aws_iam_account_info", label); len(rest)+len(x.account(smallID)) > 0 {
						t.Errorf("gone: got %v", rest)
					}
				case len(info) != 1 || up != read || (len(stale) > 0) != read:
					t.Errorf("got %v, up served: %t, stale times %v; want state %s, and the others served: %t", x.find("aws_iam_account_info", label), up, stale, test.state, read)
				default:
					sameBut(t, before, x.account(smallID).facts())
				}
				if other, _ := x.value("aws_iam_account_up", `account_id="`+largeID+`"`); other != 1 {
					t.Errorf("the other account: got up %v, want 1", other)
				}

				c.organization.SetMembers(c.members()...)
				file.write(organizationList)
				e.reload()
				time.Sleep(70 * time.Minute)
				x = e.scrape()
				sameBut(t, before, x.account(smallID).facts())
				if up, _ := x.value("aws_iam_account_up", label); up != 1 || len(x.removals()) > 0 {
					t.Errorf("back: got up %v, removals %v, want 1 and none", up, x.removals())
				}
			})
		})
	}
}

// TestRemovalsAreForgotten says for 35 days that an account was taken out, restarts
// included, and then deletes what was kept of it.
func TestRemovalsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		dir := filepath.Join(t.TempDir(), "state")
		file := newConfigFile(t, organizationList)
		e := c.start(t, file, "--state.dir="+dir)
		time.Sleep(90 * time.Minute)
		c.remove(smallID)
		time.Sleep(time.Hour) // it is noticed after half of it
		removed := e.scrape().find("aws_iam_account_removed_timestamp_seconds")
		e.stop()
		kept := func() int { return len(must[[]string](t)(filepath.Glob(filepath.Join(dir, smallID+"*")))) }

		time.Sleep(34*24*time.Hour + 23*time.Hour)
		e = c.start(t, file, "--state.dir="+dir)
		time.Sleep(time.Minute)
		x := e.scrape()
		sameBut(t, removed, x.find("aws_iam_account_removed_timestamp_seconds"))
		if got := x.removals(); got[smallID] != "left_organization" || kept() != 1 {
			t.Errorf("after 35 days less half an hour: got %v, %d files, want the removal and one file", got, kept())
		}
		time.Sleep(2 * time.Hour)
		if got := e.scrape().removals(); len(got) > 0 || kept() > 0 {
			t.Errorf("after 35 days: got %v, %d files, want neither", got, kept())
		}
	})
}

// TestRemovalsAreForgottenAlone watches the own account alone after an organization: what
// was kept of the others goes after 35 days, and what is kept of that one stays.
func TestRemovalsAreForgottenAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		dir := filepath.Join(t.TempDir(), "state")
		file := newConfigFile(t, organizationList)
		for _, run := range []struct {
			content     string
			runs, pause time.Duration
		}{
			{organizationList, 90 * time.Minute, 0},
			{"owner_tags: [owner]\n", time.Hour, 34*day + 22*time.Hour},
			{"owner_tags: [owner]\n", 90 * time.Minute, 0},
		} {
			file.write(run.content)
			e := c.start(t, file, "--state.dir="+dir)
			for range run.runs / time.Minute {
				time.Sleep(time.Minute)
				if _, err := os.Stat(filepath.Join(dir, homeID+".json")); err != nil && len(e.scrape().find("aws_iam_account_up")) > 0 {
					t.Fatal(err)
				}
			}
			e.stop()
			time.Sleep(run.pause)
		}
		var kept []string
		for _, file := range must[[]string](t)(filepath.Glob(filepath.Join(dir, "*"))) {
			kept = append(kept, filepath.Base(file))
		}
		if want := []string{homeID + ".json", "accounts.json"}; !slices.Equal(kept, want) {
			t.Errorf("got the files %v, want %v", kept, want)
		}
		if content := string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "accounts.json")))); strings.Contains(content, smallID) {
			t.Errorf("got %s, want no account that was forgotten", content)
		}
	})
}

// TestListsThatAreNone has the organization refuse, fall silent, tell half or be
// another one: everybody stays watched, and the age of the list shows.
func TestListsThatAreNone(t *testing.T) {
	all := func(fault http.HandlerFunc) func(*company) {
		return func(c *company) { c.organization.SetFault(func(string, int) http.HandlerFunc { return fault }) }
	}
	for name, test := range map[string]struct {
		cause func(*company)
		says  string
	}{
		"denied": {all(awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "You don't have permissions to access this resource.")), "AccessDenied"},
		"silent": {all(awssim.Hang()), "no answer within 10s"},
		"cut off after the first page": {
			func(c *company) {
				c.organization.SetPages(1, false)
				c.organization.SetFault(func(operation string, n int) http.HandlerFunc {
					if operation == "ListAccounts" && n%3 == 2 {
						return awssim.JSONError(http.StatusBadRequest, "InvalidInputException", "bad token")
					}
					return nil
				})
			}, "InvalidInputException",
		},
		"half a list":          {func(c *company) { c.organization.SetMembers(c.members()[1:]...) }, homeID},
		"another organization": {func(c *company) { c.realm.SetOrganization(otherCompany(c)) }, "o-zzzzzzzzzz"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCompany(t)
				e := c.start(t, newConfigFile(t, organizationList))
				time.Sleep(90 * time.Minute)
				before, _ := e.scrape().value("aws_iam_exporter_discovery_success_timestamp_seconds")
				test.cause(c)
				time.Sleep(5 * time.Hour)
				x := e.scrape()
				if up := x.find("aws_iam_account_up"); len(up) != 3 || slices.Min(slices.Collect(maps.Values(up))) != 1 || len(x.removals()) > 0 {
					t.Errorf("got %v, removals %v, want three accounts up and none removed", up, x.removals())
				}
				if at, _ := x.value("aws_iam_exporter_discovery_success_timestamp_seconds"); at-before > 3600 {
					t.Errorf("the list is said to be of %v, want at most an hour after %v", at, before)
				}
				if n := strings.Count(e.log.String(), "Listing the organization failed"); n != 1 || !strings.Contains(e.log.String(), test.says) {
					t.Errorf("the log says %d times that listing failed, want once, with %s", n, test.says)
				}
			})
		})
	}
}

// TestReloadAwayFromOrganization tells anew of a failure that lasted all the while, and
// what the organization's part of the file says.
func TestReloadAwayFromOrganization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		c.organization.SetFault(func(string, int) http.HandlerFunc {
			return awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "no")
		})
		file := newConfigFile(t, organizationFile)
		e := c.start(t, file)
		time.Sleep(10 * time.Minute)
		for _, content := range []string{accountList, organizationFile} {
			file.write(content)
			check(t, e.program.reload())
			time.Sleep(10 * time.Minute)
		}
		for want, times := range map[string]int{
			"Listing the organization failed": 2,
			" accounts=3\n":                   1,
			" organization_include=3 organization_exclude=2 organization_overrides=3\n": 2,
		} {
			if n := strings.Count(e.log.String(), want); n != times {
				t.Errorf("the log says %d times %q, want %d", n, want, times)
			}
		}
	})
}

// otherCompany is another organization of the same accounts.
func otherCompany(c *company) *awssim.Organization {
	o := awssim.NewOrganization("o-zzzzzzzzzz", homeID)
	o.SetMembers(c.members()...)
	return o
}

// TestRestartWhileOrganizationsIsSilent begins with the last good set.
func TestRestartWhileOrganizationsIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		args := []string{"--state.dir=" + filepath.Join(t.TempDir(), "state")}
		file := newConfigFile(t, organizationList)
		e := c.start(t, file, args...)
		time.Sleep(2*time.Hour + 10*time.Minute)
		e.stop()
		before := e.scrape()
		c.organization.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		e = c.start(t, file, args...)
		x := e.scrape()
		for _, id := range []string{homeID, largeID, smallID} {
			sameBut(t, before.account(id).facts(), x.account(id).facts())
		}
		sameBut(t, before.find("aws_iam_account_info"), x.find("aws_iam_account_info"))
		sameBut(t, before.find("aws_iam_exporter_discovery_success_timestamp_seconds"), x.find("aws_iam_exporter_discovery_success_timestamp_seconds"))
		time.Sleep(time.Hour)
		if up := e.scrape().find("aws_iam_account_up"); len(up) != 3 || slices.Min(slices.Collect(maps.Values(up))) != 1 {
			t.Errorf("an hour later: got %v, want all accounts up", up)
		}
		e.stop()
		time.Sleep(time.Minute) // until the listing has given up
	})
}

// TestShards splits the accounts between processes, each in one, and moves few when
// their number changes. Nobody counts as taken out for it.
func TestShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const accounts = 24
		home := awssim.New(awssim.Options{AccountID: homeID})
		var worlds []*awssim.World
		members := []awssim.Member{{ID: homeID, Name: "management", State: "ACTIVE"}}
		for i := range accounts {
			world := awssim.New(awssim.Options{AccountID: fmt.Sprintf("5%011d", i)})
			worlds = append(worlds, world)
			members = append(members, awssim.Member{ID: world.AccountID(), State: "ACTIVE"})
		}
		f := &federation{realm: awssim.NewRealm(home, worlds...), home: home}
		for _, w := range worlds {
			f.realm.AddRole(w, "exporter", externalID)
		}
		o := awssim.NewOrganization(organizationID, homeID)
		o.SetMembers(members...)
		f.realm.SetOrganization(o)
		dir := t.TempDir()
		owners := func(shards int) map[string]int {
			all := map[string]int{}
			for shard := range shards {
				e := f.start(t, newConfigFile(t, organizationList), fmt.Sprintf("--shard=%d", shard), fmt.Sprintf("--total-shards=%d", shards),
					"--iam.source=report", "--state.dir="+filepath.Join(dir, fmt.Sprint(shard)))
				time.Sleep(10 * time.Minute)
				x := e.scrape()
				e.stop()
				if got := x.removals(); len(got) > 0 {
					t.Errorf("shard %d of %d: removals %v, want none", shard, shards, got)
				}
				for series := range x.find("aws_iam_account_info") {
					_, rest, _ := strings.Cut(series, `account_id="`)
					id, _, _ := strings.Cut(rest, `"`)
					if other, twice := all[id]; twice {
						t.Errorf("account %s is in shards %d and %d", id, other, shard)
					}
					if all[id] = shard; organization.Shard(id, shards) != shard {
						t.Errorf("account %s is in shard %d, want %d", id, shard, organization.Shard(id, shards))
					}
				}
			}
			return all
		}
		three, four := owners(3), owners(4)
		moved := 0
		for id, shard := range three {
			if four[id] != shard {
				moved++
			}
		}
		if len(three) != accounts+1 || len(four) != accounts+1 || moved == 0 || moved > accounts/2 {
			t.Errorf("got %d and %d accounts, %d moved, want %d each and about a quarter moved", len(three), len(four), moved, accounts+1)
		}
	})
}

// TestOtherShardsFactsExpire keeps the facts of accounts that another process watches for
// as long as a removal is remembered, in case they come back. Those of its own, and of
// accounts that were taken out, stay however old their files are.
func TestOtherShardsFactsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watched, removed, moved, movedLately = 0, 1, 2, 3
		home := awssim.New(awssim.Options{AccountID: homeID})
		var worlds []*awssim.World
		var ids []string
		list := func(indexes ...int) string {
			content := "account_defaults: {role: exporter, external_id: " + externalID + "}\naccounts:\n"
			for _, i := range indexes {
				content += "  - {id: \"" + ids[i] + "\"}\n"
			}
			return content
		}
		for n := 0; len(ids) < 4; n++ {
			if id := fmt.Sprintf("5%011d", n); organization.Shard(id, 2) == min(len(ids)/2, 1) { // two of the first shard, two of the second
				ids, worlds = append(ids, id), append(worlds, awssim.New(awssim.Options{AccountID: id}))
			}
		}
		f := &federation{realm: awssim.NewRealm(home, worlds...), home: home}
		for _, w := range worlds {
			f.realm.AddRole(w, "exporter", externalID)
		}
		dir := filepath.Join(t.TempDir(), "state")
		file := newConfigFile(t, list(watched, removed, moved, movedLately))
		run := func(args ...string) []string {
			e := f.start(t, file, append(args, "--state.dir="+dir)...)
			time.Sleep(10 * time.Minute)
			e.stop()
			var kept []string
			for i, id := range ids {
				if _, err := os.Stat(filepath.Join(dir, id+".json")); err == nil {
					kept = append(kept, ids[i])
				}
			}
			return kept
		}
		if got := run(); !slices.Equal(got, ids) {
			t.Fatalf("got the facts of %q, want those of all", got)
		}
		for i, id := range ids {
			age := 36 * day
			if i == movedLately {
				age = 34 * day
			}
			at := time.Now().Add(-age)
			check(t, os.Chtimes(filepath.Join(dir, id+".json"), at, at))
		}
		file.write(list(watched, moved, movedLately))
		if got, want := run("--total-shards=2", "--shard=0"), []string{ids[watched], ids[removed], ids[movedLately]}; !slices.Equal(got, want) {
			t.Errorf("got the facts of %q, want those of %q", got, want)
		}
	})
}

// TestRenamed gives an account another name, other tags and another unit: they show
// within the hour, and nothing about the account is ever missing or begins anew.
func TestRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		e := c.start(t, newConfigFile(t, organizationList))
		time.Sleep(150 * time.Minute)
		refreshes, _ := e.scrape().value("aws_iam_account_refreshes_total", label)
		facts := e.scrape().account(smallID).facts()
		c.change(smallID, func(m *awssim.Member) {
			m.Name, m.Units, m.Tags = "renamed", []string{"ou-ab12-prod1234"}, []awssim.Tag{{Key: "stage", Value: "test"}}
		})
		for range 60 * 26 / 10 {
			time.Sleep(10 * time.Minute)
			x := e.scrape()
			sameBut(t, facts, x.account(smallID).facts())
			up, _ := x.value("aws_iam_account_up", label)
			now, _ := x.value("aws_iam_account_refreshes_total", label)
			if up != 1 || now <= refreshes {
				t.Fatalf("got up %v and %v refreshes after %v, want 1 and more", up, now, refreshes)
			}
			refreshes = now
		}
		const want = `aws_iam_account_info{account_id="333333333333",account_name="renamed",account_owner="",ou_path="r-ab12/ou-ab12-prod1234",partition="aws",state="active",tag_stage="test"}`
		if x := e.scrape(); x[want] != 1 {
			t.Errorf("got %v, want %s", x.find("aws_iam_account_info", label), want)
		}
	})
}

// TestOrganizationInPlaceOfAList reloads from a list to an organization that cannot
// be listed yet: the accounts of the list stay until it can.
func TestOrganizationInPlaceOfAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		c.organization.SetFault(func(string, int) http.HandlerFunc {
			return awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "no")
		})
		file := newConfigFile(t, accountList)
		e := c.start(t, file)
		time.Sleep(time.Hour)
		before := e.scrape()
		file.write(organizationList)
		e.reload()
		for range 12 {
			time.Sleep(10 * time.Minute)
			x := e.scrape()
			for _, id := range []string{homeID, largeID, smallID} {
				sameBut(t, before.account(id).facts(), x.account(id).facts())
			}
			if up := x.find("aws_iam_account_up"); len(up) != 3 || slices.Min(slices.Collect(maps.Values(up))) != 1 {
				t.Errorf("got %v, want all accounts up", up)
			}
		}
		c.organization.SetFault(nil)
		time.Sleep(time.Hour)
		if info := e.scrape().find("aws_iam_account_info", `state="active"`); len(info) != 3 {
			t.Errorf("once it is listed: got %v, want three accounts of the organization", info)
		}
	})
}

// TestDoubtTakesNobodyOut has tags become unreadable where tags decide who is
// watched and shown, across a restart and a reload: everybody stays.
func TestDoubtTakesNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		const byTag = organizationList + "  include: [{tags: {stage: prod}}]\n" + "users: {exclude: [{account_tags: {stage: sandbox}}]}\n"
		file := newConfigFile(t, byTag)
		args := []string{"--state.dir=" + filepath.Join(t.TempDir(), "state")}
		e := c.start(t, file, args...)
		time.Sleep(70 * time.Minute)
		before := e.scrape()
		if info := before.find("aws_iam_account_info"); len(info) != 1 {
			t.Fatalf("got %v, want the account with the tag alone", info)
		}
		e.stop()
		c.organization.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "ListTagsForResource" {
				return awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "no")
			}
			return nil
		})
		e = c.start(t, file, args...)
		for range 3 {
			time.Sleep(time.Hour)
			x := e.scrape()
			sameBut(t, before.account(largeID).facts(), x.account(largeID).facts())
			sameBut(t, before.find("aws_iam_account_info"), x.find("aws_iam_account_info"))
			if got := x.removals(); len(got) > 0 {
				t.Errorf("removals: got %v, want none", got)
			}
		}
		c.organization.SetFault(nil)
		c.change(largeID, func(m *awssim.Member) { m.Tags = nil }) // which is known to be no match
		time.Sleep(26 * time.Hour)
		if got := e.scrape().removals(); got[largeID] != "excluded" {
			t.Errorf("once it is known to have no tag: got removals %v, want it excluded", got)
		}
	})
}

// TestOldTagsDecideNothing asks for no tags for a while. What they were before leaves out
// no account that may have others by now.
func TestOldTagsDecideNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		const byTag = organizationList + "  exclude: [{tags: {stage: prod}}]\n"
		file := newConfigFile(t, byTag)
		e := c.start(t, file)
		time.Sleep(70 * time.Minute)
		wantWatched := func(when string, want int) {
			t.Helper()
			if info := e.scrape().find("aws_iam_account_info"); len(info) != want {
				t.Errorf("%s: got %v, want %d accounts", when, info, want)
			}
		}
		wantWatched("excluded by tag", 2)
		c.organization.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "ListTagsForResource" {
				return awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "no")
			}
			return nil
		})
		for _, content := range []string{strings.Replace(organizationList, "account_tags: [stage]\n", "", 1), byTag} {
			file.write(content)
			e.reload()
			time.Sleep(70 * time.Minute)
			wantWatched("after the reload", 3)
		}
	})
}

// TestListInPlaceOfAnOrganization forgets what the organization told, and takes the
// own account, which was watched under no id, for taken out by the configuration.
func TestListInPlaceOfAnOrganization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		file := newConfigFile(t, "owner_tags: [owner]\n")
		e := c.start(t, file)
		time.Sleep(time.Hour)
		_, list, _ := strings.Cut(accountList, `name: home}`)
		list = "account_defaults: {role: exporter, external_id: " + externalID + "}\naccounts:" + list
		file.write(list)
		e.reload()
		time.Sleep(time.Hour)
		if got := e.scrape().removals(); got[homeID] != "configuration" || len(got) != 1 {
			t.Errorf("from the own account to a list: got removals %v, want it taken out by the configuration", got)
		}
		file.write(organizationList)
		e.reload()
		time.Sleep(time.Hour)
		file.write(list)
		e.reload()
		time.Sleep(time.Hour)
		x := e.scrape()
		if n := len(x.find("aws_iam_exporter_discovery_success_timestamp_seconds")); n != 0 {
			t.Error("without an organization: the time of its list is served")
		}
		if info := x.find("aws_iam_account_info", `ou_path=""`, `state=""`); len(info) != 2 {
			t.Errorf("got %v, want two accounts of no organization", x.find("aws_iam_account_info"))
		}
		if _, page := e.get("/"); strings.Contains(page, "The organization") {
			t.Error("the page speaks of an organization")
		}
	})
}

// TestARoleThatIsGoneCostsOneCall asks for the role of an account once a refresh.
func TestARoleThatIsGoneCostsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t)
		e := f.start(t, newConfigFile(t, accountList))
		time.Sleep(30 * time.Minute)
		f.realm.RemoveRole(f.large, "audit/exporter")
		time.Sleep(90 * time.Minute) // the session has ended
		const arn = "arn:aws:iam::" + largeID + ":role/audit/exporter"
		before := f.realm.Assumed()[arn]
		time.Sleep(2 * time.Hour)
		if n := f.realm.Assumed()[arn] - before; n < 20 || n > 25 {
			t.Errorf("asked for the role %d times in two hours, want once for each of 24 refreshes", n)
		}
		if up, _ := e.scrape().value("aws_iam_account_up", `account_id="`+largeID+`"`); up != 0 {
			t.Errorf("up: got %v, want 0", up)
		}
	})
}
