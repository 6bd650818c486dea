package app

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
)

// roster makes of each configuration the accounts to watch. Whoever is reached in
// the same way as before keeps the client, and so its pace and its credentials.
type roster struct {
	from     awsSource
	settings *settings
	shared   *awsapi.Shared

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

func newRoster(from awsSource, s *settings, shared *awsapi.Shared) *roster {
	return &roster{from: from, settings: s, shared: shared, clients: map[route]*awsapi.Client{}}
}

// entry is an account to watch, with what its organization says of it.
type entry struct {
	config.Account
	state     string // in the organization; empty without one
	suspended bool
}

// own is the account of the exporter's own credentials.
func (r *roster) own(c *config.Config) entry {
	own := entry{Account: config.Account{Settings: r.settings.defaults().Settings}}
	own.Settings.Tags = c.Tags
	return own
}

// withDemo returns the configuration with the demo's accounts, if it has several.
func (r *roster) withDemo(c *config.Config) (*config.Config, error) {
	switch {
	case !r.settings.demo:
		return c, nil
	case c.Accounts != nil || c.Organization != nil:
		return nil, fmt.Errorf("%s: got accounts beside --demo, want one of them: the demo has an account of its own", r.settings.configFile)
	case len(r.from.demo) < 2:
		return c, nil
	}
	with := *c
	for i, m := range r.from.demo {
		a := config.Account{ID: m.ID, Name: m.Name, Settings: r.settings.defaults().Settings}
		a.Settings.Tags = c.Tags
		if i > 0 {
			a.Role = &awsapi.Role{Name: demo.Role, ExternalID: demo.ExternalID}
		}
		with.Accounts = append(with.Accounts, a)
	}
	return &with, nil
}

// wanted returns how the accounts are to be watched. It changes nothing if it returns
// an error.
func (r *roster) wanted(c *config.Config, accounts []entry) ([]fleet.Wanted, error) {
	if err := r.checkPartitions(c); err != nil {
		return nil, err
	}
	r.prepareHub(c, accounts)
	kept := make(map[route]*awsapi.Client, len(accounts))
	var all []fleet.Wanted
	for _, a := range accounts {
		w := r.want(a)
		kept[routeOf(a)] = w.Client
		all = append(all, w)
	}
	r.clients, r.begun = kept, true
	return all, nil
}

func routeOf(a entry) route {
	way := route{accountID: a.ID, source: a.Source, named: a.Name != ""}
	if a.Role != nil {
		way.role = *a.Role
	}
	return way
}

func (r *roster) want(a entry) fleet.Wanted {
	way := routeOf(a)
	client := r.clients[way]
	if client == nil {
		client = r.client(a)
		r.clients[way] = client
	}
	client.SetTags(a.Settings.Tags)
	return fleet.Wanted{Client: client, Account: account.Options{
		ID: a.ID, Name: a.Name, Tags: a.Tags, Partition: r.partitionOf(a),
		OUPath: a.OUPath, Units: a.Units, State: a.state, Suspended: a.suspended,
		RefreshInterval: a.RefreshInterval, KeysInterval: a.KeysInterval, ReportLife: r.from.reportLife,
	}}
}

func (r *roster) client(a entry) *awsapi.Client {
	o := awsapi.Options{
		Needs: awsapi.Needs{Source: a.Source, Tags: a.Settings.Tags, Named: a.Name != ""},
		Rate:  rate.Limit(r.settings.accountRate), Timeout: time.Duration(r.settings.timeout), LoadCredentials: r.from.credentials,
	}
	if a.Role != nil {
		o.Assume = &awsapi.Assumption{Hub: r.hub, AccountID: a.ID, Role: *a.Role}
	}
	client := awsapi.New(r.from.config, r.shared, o)
	if r.begun && a.Role == nil { // the hub has those of the others
		client.WantCredentials()
	}
	return client
}

// prepareHub makes a hub for the roles that the accounts have. Another way to begin
// sessions needs another hub, and with it other clients.
func (r *roster) prepareHub(c *config.Config, accounts []entry) {
	roles := map[string]string{}
	for _, a := range accounts {
		if a.Role != nil {
			roles[a.Role.ARN(r.partition(), a.ID)] = a.Role.Name
		}
	}
	if len(roles) == 0 && c.Organization == nil {
		return
	}
	if r.hub == nil || r.sessions != c.Sessions {
		r.sessions, r.clients = c.Sessions, map[route]*awsapi.Client{}
		hub := awsapi.NewHub(r.from.config, r.shared, awsapi.HubOptions{
			Sessions: c.Sessions, Timeout: time.Duration(r.settings.timeout), LoadCredentials: r.from.credentials,
		})
		if r.begun {
			hub.WantCredentials()
		}
		r.mu.Lock()
		r.hub = hub
		r.mu.Unlock()
	}
	r.hub.SetRoles(roles)
	if c.Organization == nil {
		r.hub.ForgetOrganization()
	}
}

// currentHub returns the hub of the configuration in force; nil if it needs none.
func (r *roster) currentHub() *awsapi.Hub {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hub
}

// partitionOf returns the account's partition, where it is known before AWS has
// told it.
func (r *roster) partitionOf(a entry) string {
	if a.ID == "" {
		return ""
	}
	return r.partition()
}

func (r *roster) partition() string { return awsapi.PartitionOf(r.from.config.Region) }

// checkPartitions refuses roles of another partition than that of the region: none
// of them could be assumed.
func (r *roster) checkPartitions(c *config.Config) error {
	if c.Partition != "" && c.Partition != r.partition() {
		return fmt.Errorf("%s: got roles in the partition %s, want %s, which the region %s is in; one process watches one partition",
			r.settings.configFile, c.Partition, r.partition(), r.from.config.Region)
	}
	return nil
}
