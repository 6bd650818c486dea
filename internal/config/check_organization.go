package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

const organizationPath = "organization"

// organization returns what the file says of an organization; nil if it says nothing.
func (d *document) organization(f *format, r *accountReader) *Organization {
	d.needOrganization(f)
	if !d.has(organizationPath) {
		return nil
	}
	if d.has(accountsPath) {
		d.fail(organizationPath, "got it beside accounts, want one of them")
	}
	d.needAccountTags(f)
	o := &Organization{UnitNames: f.Organization.OUNames, Default: r.byDefault()}
	for i, m := range f.Organization.Include {
		at := element(join(organizationPath, "include"), i)
		match := d.accountMatch(at, m.accountConditions)
		match.Name = string(m.Name)
		o.Include = append(o.Include, match)
		o.IncludeAt = append(o.IncludeAt, d.file+":"+strconv.Itoa(d.lines[at])+": "+at)
	}
	for i, m := range f.Organization.Exclude {
		at := element(join(organizationPath, "exclude"), i)
		match := d.accountMatch(at, m.accountConditions)
		match.Reason = string(m.Reason)
		o.Exclude = append(o.Exclude, match)
		if match.String() == "" && !d.broken[at] {
			d.fail(at, "got a reason alone, want a condition beside it: id, ou or tags")
		}
	}
	o.Overrides = r.overrides(join(organizationPath, "overrides"), f.Organization.Overrides)
	return o
}

func (d *document) accountMatch(path string, c accountConditions) organization.Match {
	m := organization.Match{ID: string(c.ID), OU: string(c.OU)}
	for _, t := range d.tagMatches(join(path, "tags"), c.Tags) {
		m.Tags = append(m.Tags, organization.TagMatch{Key: t.Key, Value: string(c.Tags[tagKey(t.Key)])})
	}
	return m
}

// everyConditions yields all conditions on users, by their paths.
func (f *format) everyConditions() func(yield func(string, conditions) bool) {
	return func(yield func(string, conditions) bool) {
		for i, c := range f.Policy.Classes {
			if !yield(join(element("policy.classes", i), "match"), c.Match.conditions) {
				return
			}
		}
		for i, c := range f.Users.Include {
			if !yield(element("users.include", i), c) {
				return
			}
		}
		for i, c := range f.Users.Exclude {
			if !yield(element("users.exclude", i), c) {
				return
			}
		}
	}
}

// needOrganization notes conditions on organizational units where nothing tells of
// them.
func (d *document) needOrganization(f *format) {
	for path := range f.everyConditions() {
		if at := join(path, "account_ou"); d.has(at) && !d.has(organizationPath) {
			d.fail(at, "got it without organization, want one, which alone tells in which organizational unit an account is")
		}
	}
}

// needAccountTags notes conditions on tags of accounts that account_tags does not
// list: whoever asks for tags must know that each account costs a call.
func (d *document) needAccountTags(f *format) {
	if d.broken[accountTagsPath] {
		return
	}
	listed := map[string]bool{}
	for _, key := range f.AccountTags {
		listed[fold(string(key))] = true
	}
	check := func(path string, conditions tagConditions) {
		for _, key := range slices.Sorted(maps.Keys(conditions)) {
			if at := join(path, string(key)); !listed[fold(string(key))] && !d.broken[at] {
				d.fail(at, "got it, want a key that account_tags lists, since the tags of an organization's accounts are read for it alone")
			}
		}
	}
	for path, c := range f.everyConditions() {
		check(join(path, "account_tags"), c.AccountTags)
	}
	for i, m := range f.Organization.Include {
		check(join(element("organization.include", i), "tags"), m.Tags)
	}
	for i, m := range f.Organization.Exclude {
		check(join(element("organization.exclude", i), "tags"), m.Tags)
	}
}

// overrides returns the accounts ordered by id. Their tags are nil where the file
// gives none.
func (r *accountReader) overrides(path string, list []account) []Account {
	all := r.accounts(path, list)
	for i := range all {
		if list[i].Tags == nil {
			all[i].Tags = nil
		}
	}
	slices.SortStableFunc(all, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// byDefault returns what account_defaults and the flags say of an account.
func (r *accountReader) byDefault() Account {
	r.assumed = true
	if at := join(accountDefaultsPath, "role"); !r.has(at) {
		r.fail(at, "missing, want the role to assume in the organization's accounts")
	}
	return Account{Role: r.role(account{}, strings.TrimPrefix(string(r.defaults.Role), "/")), Settings: r.settings(account{})}
}
