package app

import (
	"fmt"
	"sync"

	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
)

// clientPool has a client for each account that is watched. Whoever is reached in
// the same way as before keeps the client, and so its pace and its credentials.
type clientPool struct {
	from   awsSource
	calls  callFlags
	shared *awsapi.Shared

	begun    bool            // credentials may have been loaded anew since the start
	mu       sync.Mutex      // guards hub
	sessions awsapi.Sessions // of the hub
	hub      *awsapi.Hub     // nil before an account needs one
	clients  map[route]*awsapi.Client
}

// route says how an account is reached, and what for.
type route struct {
	accountID string
	role      awsapi.Role // empty for the account of the exporter's own credentials
	source    awsapi.Source
	named     bool
}

func newClientPool(from awsSource, calls callFlags, shared *awsapi.Shared) *clientPool {
	return &clientPool{from: from, calls: calls, shared: shared, clients: map[route]*awsapi.Client{}}
}

// targets returns the accounts with their clients, in their order. It changes nothing
// if it returns an error.
func (p *clientPool) targets(c *config.Config, accounts []watchedAccount) ([]fleet.Target, error) {
	if err := p.checkPartition(c); err != nil {
		return nil, err
	}
	p.prepareHub(c, accounts)
	kept := make(map[route]*awsapi.Client, len(accounts))
	var all []fleet.Target
	for _, a := range accounts {
		t := p.target(a)
		kept[routeOf(a)] = t.Client
		all = append(all, t)
	}
	p.clients, p.begun = kept, true
	return all, nil
}

func routeOf(a watchedAccount) route {
	way := route{accountID: a.ID, source: a.Source, named: a.Name != ""}
	if a.Role != nil {
		way.role = *a.Role
	}
	return way
}

func (p *clientPool) target(a watchedAccount) fleet.Target {
	way := routeOf(a)
	client := p.clients[way]
	if client == nil {
		client = p.client(a)
		p.clients[way] = client
	}
	client.SetTags(a.Settings.Tags)
	return fleet.Target{Client: client, Account: account.Options{
		ID: a.ID, Name: a.Name, Tags: a.Tags, Partition: p.partitionOf(a),
		OUPath: a.OUPath, Units: a.Units, State: a.state, Suspended: a.suspended,
		RefreshInterval: a.RefreshInterval, KeysInterval: a.KeysInterval, ReportLife: p.from.reportLife,
	}}
}

func (p *clientPool) client(a watchedAccount) *awsapi.Client {
	o := awsapi.Options{
		Needs: awsapi.Needs{Source: a.Source, Tags: a.Settings.Tags, Named: a.Name != ""},
		Rate:  rate.Limit(p.calls.rates.Account), Timeout: p.calls.timeout, LoadCredentials: p.from.credentials,
	}
	if a.Role != nil {
		o.Assume = &awsapi.Assumption{Hub: p.hub, AccountID: a.ID, Role: *a.Role}
	}
	client := awsapi.New(p.from.config, p.shared, o)
	if p.begun && a.Role == nil { // the hub has those of the others
		client.WantCredentials()
	}
	return client
}

// prepareHub makes a hub for the roles that the accounts have. Another way to begin
// sessions needs another hub, and with it other clients.
func (p *clientPool) prepareHub(c *config.Config, accounts []watchedAccount) {
	roles := map[string]string{}
	for _, a := range accounts {
		if a.Role != nil {
			roles[a.Role.ARN(p.partition(), a.ID)] = a.Role.Name
		}
	}
	if len(roles) == 0 && c.Organization == nil {
		return
	}
	if p.hub == nil || p.sessions != c.Sessions {
		p.replaceHub(c.Sessions)
	}
	p.hub.SetRoles(roles)
	if c.Organization == nil {
		p.hub.ForgetOrganization()
	}
}

func (p *clientPool) replaceHub(sessions awsapi.Sessions) {
	hub := p.newHub(sessions)
	if p.begun {
		hub.WantCredentials()
	}
	p.sessions, p.clients = sessions, map[route]*awsapi.Client{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hub = hub
}

func (p *clientPool) newHub(sessions awsapi.Sessions) *awsapi.Hub {
	return awsapi.NewHub(p.from.config, p.shared, awsapi.HubOptions{
		Sessions: sessions, Timeout: p.calls.timeout, LoadCredentials: p.from.credentials,
	})
}

// currentHub returns the hub that assumes the accounts' roles; nil as long as no
// configuration has needed one.
func (p *clientPool) currentHub() *awsapi.Hub {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hub
}

// partitionOf returns the account's partition, where it is known before AWS has
// told it.
func (p *clientPool) partitionOf(a watchedAccount) string {
	if a.ID == "" {
		return ""
	}
	return p.partition()
}

func (p *clientPool) partition() string { return awsapi.PartitionOf(p.from.config.Region) }

// checkPartition refuses roles of another partition than that of the region: none
// of them could be assumed.
func (p *clientPool) checkPartition(c *config.Config) error {
	if c.Partition != "" && c.Partition != p.partition() {
		return fmt.Errorf("%s: got roles in the partition %s, want %s, which the region %s is in; one process watches one partition",
			c.File, c.Partition, p.partition(), p.from.config.Region)
	}
	return nil
}
