package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// checkAccounts prints the accounts of the configuration, those of its organization
// included.
func checkAccounts(ctx context.Context, s *settings, c *config.Config, stdout, stderr io.Writer) error {
	if c.Organization == nil {
		if c.Accounts == nil {
			return fmt.Errorf("flag --accounts: got it for %s, want a file with accounts or an organization: without either, the account of the own credentials is watched", c.File)
		}
		return printAccounts(stdout, s, c)
	}
	from, err := connectAWS(ctx, s.logger(stderr))
	if err != nil {
		return err
	}
	return checkOrganization(ctx, from, s, c, stdout)
}

// printAccounts prints those of a list. Nobody is asked.
func printAccounts(stdout io.Writer, s *settings, c *config.Config) error {
	t := &accountTable{shards: s.share.total}
	for _, a := range c.Accounts {
		t.add(a, "", true, "in the list of accounts")
	}
	if err := t.write(stdout); err != nil {
		return err
	}
	return printCount(stdout, s.share, len(c.Accounts), c.Accounts, costOf(c, s.share.of(c.Accounts), s.calls.rates))
}

// checkOrganization prints the accounts of the organization, and what becomes of each.
func checkOrganization(ctx context.Context, from awsSource, s *settings, c *config.Config, stdout io.Writer) error {
	clients := newClientPool(from, s.calls, awsapi.NewShared(rate.Limit(s.calls.rates.All)))
	if err := clients.checkPartition(c); err != nil {
		return err
	}
	reader := organization.NewReader(awsapi.NewOrganization(from.config, clients.newHub(c.Sessions), c.Discovery()))
	listing, gaps, err := reader.List(ctx, time.Now(), "")
	if err != nil {
		return err // which says of what
	}
	return errors.Join(
		printOrganization(stdout, s, c, listing),
		errors.Join(gaps...),
		c.Organization.Unmatched(listing),
	)
}

func printOrganization(stdout io.Writer, s *settings, c *config.Config, listing organization.Listing) error {
	t := &accountTable{shards: s.share.total}
	var watched []config.Account
	found := map[string]bool{}
	for _, d := range c.Organization.Select(listing) {
		account := c.Organization.AccountFor(d.Account)
		found[account.ID] = true
		t.add(account, string(d.Account.State), d.Included, d.Why)
		if d.Included {
			watched = append(watched, account)
		}
	}
	if err := t.write(stdout); err != nil {
		return err
	}
	for _, o := range c.Organization.Overrides {
		if !found[o.ID] {
			if _, err := fmt.Fprintf(stdout, "override for %s: no such account is in organization %s\n", o.ID, listing.OrganizationID); err != nil {
				return err
			}
		}
	}
	return printCount(stdout, s.share, len(listing.Accounts), watched, costOfOrganization(c, listing, s.share.of(watched), s.calls.rates))
}

func printCount(stdout io.Writer, by share, all int, watched []config.Account, costs *cost.Cost) error {
	count := fmt.Sprintf("accounts: %d, watched: %d", all, len(watched))
	if by.total > 1 {
		count += fmt.Sprintf(", of these in shard %d of %d: %d", by.shard, by.total, len(by.of(watched)))
	}
	_, err := fmt.Fprintf(stdout, "%s\ncost: %s\n", count, costs)
	return err
}

// accountTable is a line for each account.
type accountTable struct {
	shards int
	lines  [][]string
}

func (t *accountTable) add(a config.Account, state string, watched bool, why string) {
	role := "own"
	if a.Role != nil {
		role = a.Role.Name
	}
	line := []string{a.ID, a.Name, a.OUPath, state, role}
	if t.shards > 1 {
		line = append(line, strconv.Itoa(organization.Shard(a.ID, t.shards)))
	}
	t.lines = append(t.lines, append(line, yesOrNo(watched), why))
}

func yesOrNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// write writes the lines below a head. What is not known is a dash, and each cell
// is one line without tabs: a reason may have several.
func (t *accountTable) write(to io.Writer) error {
	head := []string{"id", "name", "ou", "state", "role"}
	if t.shards > 1 {
		head = append(head, "shard")
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, line := range append([][]string{append(head, "watched", "why")}, t.lines...) {
		cells := make([]string, 0, len(line))
		for _, cell := range line {
			cells = append(cells, cmp.Or(strings.Join(strings.Fields(cell), " "), "-"))
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}
