package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

const (
	accountsPath        = "accounts"
	accountDefaultsPath = "account_defaults"
	accountTagsPath     = "account_tags"

	// defaultSessionName is what sessions are called if the file does not say.
	defaultSessionName = "aws_iam_exporter"
)

// shortest is the shortest refresh interval.
const shortest = time.Second

// accounts makes accounts of what the file says, and notes values that do not fit
// together. Tags of users come from where the configuration says, if an account does
// not.
func (d *document) accounts(f *format, flags Settings, c *Config) {
	d.needAccounts(accountDefaultsPath, "to apply it to")
	d.needAccounts(accountTagsPath, "with tags")
	d.checkIntervals(accountDefaultsPath, f.AccountDefaults.reading, reading{}, flags)
	r := &accountReader{roles{document: d, defaults: f.AccountDefaults}, flags, c.Own.Settings.Tags}
	if at := join(accountDefaultsPath, "initial_role"); f.AccountDefaults.InitialRole != "" && !d.broken[at] {
		partition, _, _ := partsOf(string(f.AccountDefaults.InitialRole))
		r.inPartition(at, partition)
	}
	c.Accounts = r.accounts(accountsPath, f.Accounts)
	c.Organization = d.organization(f, r)
	if len(f.Accounts) == 0 && c.Organization == nil {
		return
	}
	r.mustBeOfUse()
	c.Partition = r.partition
	c.Sessions = awsapi.Sessions{
		InitialRole: string(f.AccountDefaults.InitialRole), SourceIdentity: string(f.AccountDefaults.SourceIdentity),
		Name: cmp.Or(string(f.AccountDefaults.SessionName), defaultSessionName),
	}
}

// accountReader makes accounts of what the file says of each.
type accountReader struct {
	roles
	flags Settings
	tags  awsapi.TagSource // of users, where an account says nothing else
}

func (r *accountReader) accounts(path string, list []account) []Account {
	var all []Account
	ids := map[string]string{}
	for i, a := range list {
		at := element(path, i)
		r.once(ids, join(at, "id"), string(a.ID), string(a.ID))
		r.checkIntervals(at, a.reading, r.defaults.reading, r.flags)
		all = append(all, Account{
			ID: string(a.ID), Name: string(a.Name), Tags: r.tagsOfAccount(join(at, "tags"), a.Tags),
			Role: r.of(at, a), Settings: r.settings(a),
		})
	}
	return all
}

func (r *accountReader) settings(a account) Settings {
	s := a.over(r.defaults.reading).settings(r.flags)
	if r.tags != awsapi.NoTags {
		s.Tags = cmp.Or(awsapi.TagSource(a.TagsFrom), r.tags)
	}
	return s
}

// needAccounts notes what is at the path and makes no sense without a list of accounts
// or an organization.
func (d *document) needAccounts(path, which string) {
	if d.has(path) && !d.has(accountsPath) && !d.has(organizationPath) {
		d.fail(path, "got it without accounts, want a list of accounts %s, or an organization", which)
	}
}

// over returns what is set, or else inherited.
func (r reading) over(inherited reading) reading {
	return reading{
		Source:          cmp.Or(r.Source, inherited.Source),
		RefreshInterval: cmp.Or(r.RefreshInterval, inherited.RefreshInterval),
		KeysInterval:    cmp.Or(r.KeysInterval, inherited.KeysInterval),
	}
}

// settings returns what the file sets, or else the flags. Keys are not read more often
// than users are listed, unless the file demands it, which is a mistake.
func (r reading) settings(flags Settings) Settings {
	refresh := r.RefreshInterval.or(flags.RefreshInterval)
	return Settings{
		Source:          cmp.Or(awsapi.Source(r.Source), flags.Source),
		RefreshInterval: refresh,
		KeysInterval:    r.KeysInterval.or(max(flags.KeysInterval, refresh)),
	}
}

// checkIntervals notes intervals that make no sense, and blames what the file sets at
// the path. What is inherited is blamed where it is set.
func (d *document) checkIntervals(path string, own, inherited reading, flags Settings) {
	refreshAt, keysAt := join(path, "refresh_interval"), join(path, "keys_interval")
	all := own.over(inherited).settings(flags)
	refresh, keys := policy.InDays(all.RefreshInterval), policy.InDays(all.KeysInterval)
	inheritsBroken := d.broken[join(accountDefaultsPath, "refresh_interval")] || d.broken[join(accountDefaultsPath, "keys_interval")]
	switch {
	case d.broken[refreshAt], d.broken[keysAt]:
	case own.RefreshInterval != nil && all.RefreshInterval < shortest:
		d.fail(refreshAt, "got %s, want 1s or more", refresh)
	case all.KeysInterval >= all.RefreshInterval, own.RefreshInterval == nil && own.KeysInterval == nil:
	case own.RefreshInterval != nil && own.KeysInterval != nil:
		d.fail(keysAt, "got %s, want refresh_interval (%s) or more", keys, refresh)
	case inheritsBroken && path != accountDefaultsPath:
	case own.RefreshInterval != nil:
		d.fail(refreshAt, "got %s, want keys_interval (%s) or less, which is inherited", refresh, keys)
	case inherited.RefreshInterval != nil:
		d.fail(keysAt, "got %s, want refresh_interval (%s) or more, which is inherited", keys, refresh)
	default:
		d.fail(keysAt, "got %s, want refresh_interval (%s) or more, which comes from the flags", keys, refresh)
	}
}

// tagsOfAccount returns the tags in the order of their keys.
func (d *document) tagsOfAccount(path string, tags accountTags) inventory.Tags {
	if len(tags) > maxAccountTags {
		d.fail(path, "got %d tags, want at most %d", len(tags), maxAccountTags)
	}
	all := inventory.Tags{}
	for _, key := range keysOnce(d, path, tags) {
		all = append(all, inventory.Tag{Key: string(key), Value: string(tags[key])})
	}
	slices.SortFunc(all, func(a, b inventory.Tag) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// roles finds the roles of accounts.
type roles struct {
	*document
	defaults accountDefaults

	own         string // the path of the role of the account of the exporter's own credentials
	partition   string // of the first ARN
	partitionAt string // its path
	assumed     bool   // some account has a role, or has one that cannot be read
}

// of returns the role of the account; nil if it is that of the exporter's own credentials.
func (r *roles) of(path string, a account) *awsapi.Role {
	at := join(path, "role")
	isNull := a.Role != nil && *a.Role == "" && !r.broken[at]
	r.assumed = r.assumed || !isNull
	if isNull {
		r.ownCredentials(path)
		return nil
	}
	switch {
	case r.broken[at]:
		return r.role(a, "")
	case a.Role == nil:
		return r.role(a, r.nameByDefault(at))
	case strings.HasPrefix(string(*a.Role), "arn:"):
		return r.role(a, r.nameInARN(at, string(*a.Role), string(a.ID)))
	}
	return r.role(a, strings.TrimPrefix(string(*a.Role), "/"))
}

func (r *roles) role(a account, name string) *awsapi.Role {
	return &awsapi.Role{Name: name, ExternalID: awsapi.Secret(cmp.Or(a.ExternalID, r.defaults.ExternalID))}
}

// ownCredentials notes a second account of the exporter's own credentials, and what is
// of no use for it.
func (r *roles) ownCredentials(path string) {
	at := join(path, "role")
	if r.own != "" {
		r.fail(at, "got null again, want it once, for the account of the exporter's own credentials; first on line %d", r.lines[r.own])
		return
	}
	r.own = at
	if external := join(path, "external_id"); r.has(external) {
		r.fail(external, "got it beside role: null, want none: no role is assumed")
	}
}

func (r *roles) nameByDefault(at string) string {
	if byDefault := join(accountDefaultsPath, "role"); !r.has(byDefault) && !r.has(organizationPath) { // which needs one, and says so
		r.fail(at, "missing, want a role here or in account_defaults, or null for the account of the exporter's own credentials")
	}
	return strings.TrimPrefix(string(r.defaults.Role), "/")
}

func (r *roles) nameInARN(at, arn, id string) string {
	partition, of, name := partsOf(arn)
	if of != id && !r.broken[join(above(at), "id")] && id != "" {
		r.fail(at, "got a role of account %s, want one of %s, which is the account's id", of, id)
	}
	r.inPartition(at, partition)
	return name
}

// inPartition notes an ARN of a second partition.
func (r *roles) inPartition(at, partition string) {
	if r.partition == "" {
		r.partition, r.partitionAt = partition, at
	} else if r.partition != partition {
		r.fail(at, "got a role of partition %s, want one of %s, as on line %d: a process reads one partition", partition, r.partition, r.lines[r.partitionAt])
	}
}

// mustBeOfUse notes what is for roles if there are none.
func (r *roles) mustBeOfUse() {
	if r.assumed {
		return
	}
	for _, name := range []string{"role", "external_id", "initial_role", "session_name", "source_identity"} {
		if at := join(accountDefaultsPath, name); r.has(at) && !r.broken[at] {
			r.fail(at, "got it for no account, want an account with a role, since role: null needs none")
		}
	}
}
