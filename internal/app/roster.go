package app

import (
	"fmt"
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

	sessions awsapi.Sessions // of the hub
	hub      *awsapi.Hub     // nil before an account needs one
	clients  map[access]*awsapi.Client
}

// access says how an account is reached, and what for.
type access struct {
	accountID string
	role      awsapi.Role // empty for the account of the exporter's own credentials
	source    awsapi.Source
	named     bool
}

func newRoster(from awsSource, s *settings, shared *awsapi.Shared) *roster {
	return &roster{from: from, settings: s, shared: shared, clients: map[access]*awsapi.Client{}}
}

// wanted returns the accounts of a configuration: those that it lists, or that of
// the exporter's own credentials. It changes nothing if it returns an error.
func (r *roster) wanted(c *config.Config) ([]fleet.Wanted, error) {
	if r.settings.demo {
		if c.Accounts != nil {
			return nil, fmt.Errorf("%s: got accounts beside --demo, want one of them: the demo has an account of its own", r.settings.configFile)
		}
		c = r.withDemo(c)
	}
	if c.Accounts == nil {
		own := config.Account{Settings: r.settings.defaults().Settings}
		own.Settings.Tags = c.Tags
		return []fleet.Wanted{r.want(own)}, nil
	}
	if err := r.checkPartitions(c); err != nil {
		return nil, err
	}
	r.prepareHub(c)
	kept := make(map[access]*awsapi.Client, len(c.Accounts))
	var all []fleet.Wanted
	for _, a := range c.Accounts {
		w := r.want(a)
		kept[accessOf(a)] = w.Client
		all = append(all, w)
	}
	r.clients = kept
	return all, nil
}

// withDemo returns the configuration with the demo's accounts, if it has several.
func (r *roster) withDemo(c *config.Config) *config.Config {
	if len(r.from.demo) < 2 {
		return c
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
	return &with
}

func accessOf(a config.Account) access {
	way := access{accountID: a.ID, source: a.Source, named: a.Name != ""}
	if a.Role != nil {
		way.role = *a.Role
	}
	return way
}

func (r *roster) want(a config.Account) fleet.Wanted {
	way := accessOf(a)
	client := r.clients[way]
	if client == nil {
		client = r.client(a)
		r.clients[way] = client
	}
	client.SetTags(a.Settings.Tags)
	return fleet.Wanted{Client: client, Account: account.Options{
		ID: a.ID, Name: a.Name, Tags: a.Tags, Partition: r.partitionOf(a),
		RefreshInterval: a.RefreshInterval, KeysInterval: a.KeysInterval, ReportLife: r.from.reportLife,
	}}
}

func (r *roster) client(a config.Account) *awsapi.Client {
	o := awsapi.Options{
		Needs: awsapi.Needs{Source: a.Source, Tags: a.Settings.Tags, Named: a.Name != ""},
		Rate:  rate.Limit(r.settings.accountRate), Timeout: time.Duration(r.settings.timeout), LoadCredentials: r.from.credentials,
	}
	if a.Role != nil {
		o.Assume = &awsapi.Assumption{Hub: r.hub, AccountID: a.ID, Role: *a.Role}
	}
	return awsapi.New(r.from.config, r.shared, o)
}

// prepareHub makes a hub for the roles that the accounts have. Another way to begin
// sessions needs another hub, and with it other clients.
func (r *roster) prepareHub(c *config.Config) {
	roles := map[string]string{}
	for _, a := range c.Accounts {
		if a.Role != nil {
			roles[a.Role.ARN(r.partition(), a.ID)] = a.Role.Name
		}
	}
	if len(roles) == 0 {
		return
	}
	if r.hub == nil || r.sessions != c.Sessions {
		r.sessions, r.clients = c.Sessions, map[access]*awsapi.Client{}
		r.hub = awsapi.NewHub(r.from.config, r.shared, awsapi.HubOptions{
			Sessions: c.Sessions, Timeout: time.Duration(r.settings.timeout), LoadCredentials: r.from.credentials,
		})
	}
	r.hub.SetRoles(roles)
}

// partitionOf returns the account's partition, where it is known before AWS has
// told it.
func (r *roster) partitionOf(a config.Account) string {
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
