package app

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// purse holds credentials that can be found: at each loading others.
type purse struct {
	caller

	loads, asked atomic.Int64 // how often others were found, and the first were asked for
}

func (p *purse) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p.asked.Add(1)
	return p.caller.Retrieve(ctx)
}

// source returns the realm as reached by the credentials.
func (p *purse) source(c *company) awsSource {
	config := c.realm.Config()
	config.Credentials = p
	return awsSource{config: config, credentials: func(context.Context) (aws.CredentialsProvider, error) {
		p.loads.Add(1)
		return &p.caller, nil
	}}
}

// TestReloadBeforeTheFirstList finds other credentials where those at hand may list
// nothing, so that no account is watched yet.
func TestReloadBeforeTheFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := newCompany(t), &purse{}
		c.organization.SetFault(func(string, int) http.HandlerFunc {
			if p.loads.Load() > 0 {
				return nil
			}
			return awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "no")
		})
		file := newConfigFile(t, organizationList)
		e := startFrom(t, c.home, p.source(c), file.flag())
		time.Sleep(10 * time.Minute)
		check(t, e.program.reload())
		time.Sleep(30 * time.Minute)
		if n := len(e.scrape().find("aws_iam_account_info")); n != 3 || p.loads.Load() == 0 {
			t.Errorf("got %d accounts, credentials loaded %d times; want 3 accounts by other credentials", n, p.loads.Load())
		}
	})
}

// TestAnotherOrganizationsCredentials finds the right ones again without a reload.
func TestAnotherOrganizationsCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := newCompany(t), &purse{}
		file := newConfigFile(t, organizationList)
		e := startFrom(t, c.home, p.source(c), file.flag())
		time.Sleep(10 * time.Minute)
		c.realm.SetOrganization(otherCompany(c))
		time.Sleep(3 * time.Hour)
		if !strings.Contains(e.log.String(), "the answer is about organization o-zzzzzzzzzz") || p.loads.Load() == 0 {
			t.Errorf("credentials loaded %d times, want them loaded for those that another organization answers", p.loads.Load())
		}
	})
}

// TestNewClientsHaveTheNewestCredentials uses those of the start no more, once others
// were found, wherever a reload needs a client or a hub of its own.
func TestNewClientsHaveTheNewestCredentials(t *testing.T) {
	for name, change := range map[string]string{
		"initial role": strings.Replace(organizationList, `account_defaults: {`, `account_defaults: {initial_role: "arn:aws:iam::111111111111:role/hub", `, 1),
		"client":       strings.Replace(accountList, `role: null,`, `role: null, source: report,`, 1),
		"hub":          strings.Replace(accountList, `account_defaults: {`, `account_defaults: {session_name: other, `, 1),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := newCompany(t), &purse{}
				c.realm.AddRole(c.home, "hub", "")
				file := newConfigFile(t, accountList)
				e := startFrom(t, c.home, p.source(c), file.flag())
				time.Sleep(10 * time.Minute)
				check(t, e.program.reload())
				time.Sleep(3 * time.Hour) // past the end of every session
				before := p.asked.Load()
				file.write(change)
				check(t, e.program.reload())
				time.Sleep(3 * time.Hour)
				if n := p.asked.Load() - before; n != 0 {
					t.Errorf("the credentials of the start were asked for %d times after the reload, want never", n)
				}
			})
		})
	}
}
