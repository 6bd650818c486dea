package app

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
)

// reloader reads the configuration file again, if there is one, and applies it. It
// also has the credentials found anew.
type reloader struct {
	*watching
	file     string // empty for none
	defaults config.Defaults
	logger   *slog.Logger

	mu sync.Mutex // so that the last read wins
}

// reload reads the files. A bad configuration file changes nothing but the metric
// that says so; credentials are another matter.
func (r *reloader) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.targets.renewCredentials()
	if r.file == "" {
		r.logger.Info("Credentials are read again with the next refresh")
		return nil
	}
	c, err := r.apply()
	if err != nil {
		r.board.NoteFailedReload()
		r.logger.Error("Keeping the old configuration", "err", err)
		return err
	}
	r.logger.Info("Configuration reloaded", configurationDetails(c)...)
	return nil
}

// apply reads the configuration and puts it into force, or changes nothing.
func (r *reloader) apply() (*config.Config, error) {
	c, err := config.Load(r.file, r.defaults)
	if err != nil {
		return nil, err
	}
	if err := r.targets.reload(c); err != nil {
		return nil, err
	}
	r.discovery.soon()
	return c, nil
}

func configurationDetails(c *config.Config) []any {
	details := []any{"file", c.File, "classes", len(c.Policy.Classes), "exemptions", len(c.Policy.Exemptions)}
	if c.Accounts != nil {
		details = append(details, "accounts", len(c.Accounts))
	}
	if o := c.Organization; o != nil {
		details = append(details, "organization_include", len(o.Include), "organization_exclude", len(o.Exclude), "organization_overrides", len(o.Overrides))
	}
	return details
}

// reloadOnHangup reloads at each SIGHUP. Where there is nothing to reload the signal
// does nothing, rather than end the process.
func reloadOnHangup(ctx context.Context, hangup <-chan os.Signal, reload func() error, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if reload == nil {
				logger.Info("Nothing to reload: start with --config.file to have a configuration")
				continue
			}
			_ = reload() // it logs what is wrong
		}
	}
}
