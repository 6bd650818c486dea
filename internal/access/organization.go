package access

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// InitialRole notes whether the role that assumes the accounts' roles could be assumed.
func InitialRole(ctx context.Context, arn string, err error) *Checked {
	p := assuming()
	p.For = "credentials that assume the accounts' roles"
	return &Checked{Role: arn, Permissions: []Permission{p.after(ctx, err)}}
}

// Discovery is what to try on an organization.
type Discovery struct {
	Reader   *organization.Reader
	Asks     awsapi.Discovery
	Complete bool // the tags of all accounts are needed to know which of them are wanted
}

// Organization tries what finding the accounts of an organization needs, and returns
// them; none where they may not be listed.
func Organization(ctx context.Context, d *Discovery) (*Checked, organization.Listing) {
	c := &Checked{}
	a := &attempts{checked: c}
	listing, err := d.Reader.Accounts(ctx, time.Now(), "")
	c.ID = listing.OrganizationID
	refused, complete := err, false
	for _, o := range awsapi.OperationsToDiscover(d.Asks) {
		p := permissionOf(&o)
		switch {
		case a.ended != "":
			a.skip(p, a.ended)
		case refused != nil && about(refused) == p.Action:
			a.note(ctx, p, refused)
			if a.ended == "" {
				a.ended = "not tried, since the accounts cannot be listed"
			}
		case p.Action == organization.ListTags:
			denied := d.Reader.TryTags(ctx, listing.ManagementID)
			a.note(ctx, p, denied)
			complete = d.Complete && denied == nil
		case p.Action == organization.DescribeUnit:
			a.tryUnit(ctx, p, d.Reader, &listing)
		default:
			a.note(ctx, p, nil)
		}
	}
	if complete {
		d.Reader.Complete(ctx, &listing) // whose gaps leave accounts in doubt, which Select says
	}
	return c, listing
}

// about returns the action that a failure to list the accounts is about.
func about(err error) string {
	if failed := new(awsapi.Error); errors.As(err, &failed) {
		return failed.Action
	}
	return organization.Describe
}

// tryUnit tries one of the organizational units.
func (a *attempts) tryUnit(ctx context.Context, p Permission, reader *organization.Reader, listing *organization.Listing) {
	for i := range listing.Accounts {
		for _, id := range listing.Accounts[i].OUPath {
			if strings.HasPrefix(id, "ou-") {
				a.note(ctx, p, reader.TryUnit(ctx, id))
				return
			}
		}
	}
	a.skip(p, "not tried: no account is in an organizational unit")
}
