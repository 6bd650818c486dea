package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/access"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

const (
	commandCheckAccess = "check-access"
	// accountsAtOnce is how many accounts are tried at the same time.
	accountsAtOnce = 20
)

// accessFlags are the flags of the command check-access.
type accessFlags struct {
	timeout time.Duration
	json    bool
}

func declareCheckAccess(app *kingpin.Application, s *settings) {
	c, f := app.Command(commandCheckAccess, "Say who the exporter is to AWS, try each permission that it needs once, and exit: 0 if all are granted, 1 if one is missing, 2 if it could not tell, 3 for wrong usage or configuration."), &s.access
	c.Flag("timeout", "How long to try at most; what was not tried by then is unknown.").
		Default("30m").SetValue(value{(*model.Duration)(&f.timeout), "timeout", "a duration such as 30s or 10m"})
	boolFlag(c, "json", "false", "Print JSON, for programs.", &f.json)
}

// checkAccess tries what the exporter is allowed to do, and prints it.
func checkAccess(ctx context.Context, s *settings, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	group, running := errgroup.WithContext(ctx)
	defer func() { cancel(nil); _ = group.Wait() }() // what ends is the demo
	if err := s.quiet(); err != nil {
		return err
	}
	from, err := connect(running, group, s, s.logger(stderr))
	if err != nil {
		return err
	}
	// No deadline: whoever waits for a turn would fail before it, in other words.
	timer := time.AfterFunc(s.access.timeout, func() { cancel(errTimeUp) })
	defer timer.Stop()
	result, err := accessFrom(ctx, from, s, stderr)
	if err != nil {
		return err
	}
	print := result.Text
	if s.access.json {
		print = result.JSON
	}
	content, err := print()
	if err != nil {
		return err
	}
	if _, err := io.Copy(stdout, bytes.NewReader(content)); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	if result.ExitCode != access.ExitGranted {
		return exitCode(result.ExitCode)
	}
	return nil
}

var errTimeUp = errors.New("the time was up; raise --timeout")

// accessFrom tries everything that the configuration needs.
func accessFrom(ctx context.Context, from awsSource, s *settings, stderr io.Writer) (*access.Result, error) {
	c, err := configuration(from, s)
	if err != nil {
		return nil, err
	}
	t := &accessTrial{settings: s, from: from, stderr: stderr, clients: newClientPool(from, s.calls, awsapi.NewShared(rate.Limit(s.calls.rates.All)))}
	if c, err = from.withDemo(c); err != nil {
		return nil, err
	}
	if err := s.share.check(c); err != nil {
		return nil, err
	}
	t.c = c
	return t.run(ctx)
}

// accessTrial tries what one configuration needs.
type accessTrial struct {
	settings *settings
	from     awsSource
	clients  *clientPool
	c        *config.Config
	stderr   io.Writer

	own    access.Caller
	result access.Result
}

func (t *accessTrial) run(ctx context.Context) (*access.Result, error) {
	t.identify(ctx)
	accounts := t.mine(t.c.Known())
	if _, err := t.clients.targets(t.c, accounts); err != nil { // makes the hub
		return nil, err
	}
	stop := t.result.Identity.Problem
	if stop != "" {
		stop = "not tried: AWS did not say who the exporter is"
	}
	if arn := t.c.Sessions.InitialRole; arn != "" && stop == "" && t.clients.currentHub() != nil {
		t.result.InitialRole = access.InitialRole(ctx, arn, t.assumeInitialRole(ctx))
		if t.result.InitialRole.Permissions[0].Status != access.Granted {
			stop = "not tried: the initial role was not assumed"
		}
	}
	if t.c.Organization != nil && stop == "" {
		accounts = t.mine(t.discover(ctx))
	}
	if err := t.try(ctx, accounts, stop); err != nil {
		return nil, err
	}
	t.result.Conclude(&access.Way{Partition: t.clients.partition(), Sessions: t.c.Sessions, Discovery: t.c.Discovery()})
	return &t.result, nil
}

// identify finds out who the exporter is.
func (t *accessTrial) identify(ctx context.Context) {
	i := &t.result.Identity
	i.Region, i.Partition = t.from.config.Region, t.clients.partition()
	own, err := access.Who(ctx, t.clients.client(watchedAccount{Account: t.c.Own}))
	if err != nil {
		i.Problem = access.Problem(ctx, err)
	}
	if err != nil && awsapi.ReasonOf(err) == inventory.ReasonCredentials && awsapi.Code(err) == "" { // there are none
		i.Looked = lookedAt(t.from)
		return
	}
	t.own, i.Caller, i.AccountID = own, own.ARN, own.Account.ID
	i.Credentials = t.settings.describeCredentials(ctx, t.from)
}

// mine returns those of the accounts that this process watches.
func (t *accessTrial) mine(accounts []config.Account) []watchedAccount {
	var mine []watchedAccount
	for _, a := range t.settings.share.of(accounts) {
		mine = append(mine, watchedAccount{Account: a})
	}
	return mine
}

func (t *accessTrial) assumeInitialRole(ctx context.Context) error {
	hub := t.clients.currentHub()
	if t.c.Organization != nil {
		t.organization() // tells the hub what else its session is for
	}
	return hub.AssumeInitialRole(ctx)
}

func (t *accessTrial) organization() *awsapi.Organization {
	return awsapi.NewOrganization(t.from.config, t.clients.currentHub(), t.c.Discovery())
}

// discover returns the accounts of the organization that the configuration includes.
func (t *accessTrial) discover(ctx context.Context) []config.Account {
	var listing organization.Listing
	t.result.Organization, listing = access.Organization(ctx, &access.Discovery{
		Reader: organization.NewReader(t.organization()), Asks: t.c.Discovery(), Complete: t.c.Organization.AsksTags(),
	})
	var included []config.Account
	for _, d := range t.c.Organization.Select(listing) {
		if d.Included {
			included = append(included, t.c.Organization.AccountFor(d.Account))
		}
	}
	return included
}

// try tries the accounts, several at once. Each fails for itself.
func (t *accessTrial) try(ctx context.Context, accounts []watchedAccount, stop string) error {
	wanted, err := t.clients.targets(t.c, accounts)
	if len(accounts) == 0 || err != nil {
		return err
	}
	var (
		tried    atomic.Int64
		trying   errgroup.Group
		progress sync.WaitGroup
		done     = make(chan struct{})
	)
	progress.Go(func() { t.tellProgress(&tried, len(wanted), done) })
	t.result.Accounts = make([]*access.Checked, len(wanted))
	trying.SetLimit(accountsAtOnce)
	for i, w := range wanted {
		target := &access.Target{Client: w.Client, ID: w.Account.ID, Name: w.Account.Name}
		if role := accounts[i].Role; role != nil {
			target.Role = role.ARN(t.clients.partition(), target.ID)
		}
		trying.Go(func() error {
			defer tried.Add(1)
			if stop != "" {
				t.result.Accounts[i] = access.Unreached(target, stop)
			} else {
				t.result.Accounts[i] = access.Account(ctx, target, t.own)
			}
			return nil
		})
	}
	_ = trying.Wait() // none of them fails
	close(done)
	progress.Wait()
	return nil
}

// tellProgress says now and then how far it is.
func (t *accessTrial) tellProgress(tried *atomic.Int64, all int, done <-chan struct{}) {
	ticker := time.NewTicker(progressPause)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			_, _ = fmt.Fprintf(t.stderr, "%d of %d accounts tried\n", tried.Load(), all) // nothing fails for it
		}
	}
}

// describeCredentials says where credentials come from; empty if there are none.
func (s *settings) describeCredentials(ctx context.Context, from awsSource) string {
	if from.demo != nil {
		return "those of the demo"
	}
	ctx, cancel := context.WithTimeout(ctx, s.calls.timeout)
	defer cancel()
	found, err := from.config.Credentials.Retrieve(ctx) // which keeps them from the call before
	if err != nil {
		return ""
	}
	return fmt.Sprintf("access key %s, from %s", s.metrics.accessKeyIDs.Show(found.AccessKeyID, nil), placesIn(from).describe(found.Source))
}
