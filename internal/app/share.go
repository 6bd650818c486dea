package app

import (
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/alecthomas/kingpin/v2"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// share says which of the accounts this process watches, if several processes share
// them out.
type share struct {
	shard int // counted from 0
	total int // of shards
}

func (s *share) declare(app *kingpin.Application) {
	app.Flag("shard", "Which of --total-shards parts of the accounts to watch, counted from 0; auto for the number at the end of the host name, as a StatefulSet's pods have.").
		Default("0").SetValue(shard{&s.shard, os.Hostname})
	app.Flag("total-shards", "Among how many processes the accounts are shared out. All of them need the same configuration.").
		Default("1").SetValue(value{(*integer)(&s.total), "total-shards", "a whole number"})
}

func (s share) validate() error {
	switch {
	case s.total < 1:
		return fmt.Errorf("flag --total-shards: got %d, want 1 or more", s.total)
	case s.shard >= s.total:
		return fmt.Errorf("flag --shard: got %d, want less than --total-shards (%d): the first is 0", s.shard, s.total)
	}
	return nil
}

// check refuses to share out the one account of the own credentials.
func (s share) check(c *config.Config) error {
	if s.total > 1 && c.Accounts == nil && c.Organization == nil {
		return fmt.Errorf("flag --total-shards: got %d, want accounts or an organization in --config.file: one account cannot be shared out", s.total)
	}
	return nil
}

// has reports whether this process watches the account.
func (s share) has(accountID string) bool {
	return organization.Shard(accountID, s.total) == s.shard
}

// of returns those of the accounts that this process watches.
func (s share) of(accounts []config.Account) []config.Account {
	var mine []config.Account
	for _, a := range accounts {
		if s.has(a.ID) {
			mine = append(mine, a)
		}
	}
	return mine
}

// shard is a number from 0 on, be it that at the end of the host's name.
type shard struct {
	target   *int
	hostname func() (string, error)
}

// auto stands for the number at the end of the host's name.
const auto = "auto"

// ordinal matches the number at the end of a host's name, as the pods of a
// StatefulSet have it; a domain may come after it.
var ordinal = regexp.MustCompile(`^[^.]*-([0-9]+)(\..*)?$`)

func (s shard) String() string { return strconv.Itoa(*s.target) }

func (s shard) Set(text string) error {
	if text == auto {
		return s.setByHost()
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("flag --shard: got %q, want a whole number from 0 on, or auto", text)
	}
	*s.target = int(n) //nolint:gosec // it has 31 bits
	return nil
}

func (s shard) setByHost() error {
	host, err := s.hostname()
	if err != nil {
		return fmt.Errorf("flag --shard: got auto, want a number from 0 on, since the host's name cannot be read: %w", err)
	}
	number := ordinal.FindStringSubmatch(host)
	if number == nil {
		return fmt.Errorf("flag --shard: got auto on host %q, want a number from 0 on, or a host's name with one at its end, such as exporter-2", host)
	}
	return s.Set(number[1])
}
