package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
)

const commandCheckConfig = "check-config"

// checkConfigFlags are the flags of the command check-config.
type checkConfigFlags struct {
	file     string
	input    bool // the file is standard input
	accounts bool // list them
}

func declareCheckConfig(app *kingpin.Application, s *settings) {
	check := app.Command(commandCheckConfig, "Check a configuration file, and show what it means with the flags given.")
	check.Arg("FILE", "The configuration file; - for standard input.").Required().StringVar(&s.checkConfig.file)
	boolFlag(check, "accounts", "false", "List the file's accounts instead, or those of its organization, which is asked for them: which are watched, and why. Nothing else is read.", &s.checkConfig.accounts)
}

func checkConfig(ctx context.Context, s *settings, stdout, stderr io.Writer) error {
	c, err := checked(s)
	if err != nil {
		return err
	}
	if s.checkConfig.accounts {
		return checkAccounts(ctx, s, c, stdout, stderr)
	}
	costs := "depends on how many accounts the organization has; --accounts asks it"
	if c.Organization == nil {
		costs = costOf(c, c.Known(), s.calls.rates).String()
	}
	_, err = fmt.Fprintf(stdout, "%scost: %s\n", c.Summary(time.Now()), costs)
	return err
}

// checked reads what is to be checked.
func checked(s *settings) (*config.Config, error) {
	switch {
	case s.checkConfig.input:
		return config.LoadFrom(standardInput, os.Stdin, s.defaults)
	case s.checkConfig.file == "":
		return nil, errors.New("argument FILE: got no name, want a file, or - for standard input")
	}
	return config.Load(s.checkConfig.file, s.defaults)
}
