// Package app is the program: its flags, its commands and the wiring of its parts.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/alecthomas/kingpin/v2"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
)

// command is a command of the program. Each has a file of its own.
type command struct {
	name    string
	declare func(*kingpin.Application, *settings)
	run     func(ctx context.Context, s *settings, stdout, stderr io.Writer) error
	uses    []string // the flags of all commands that do something for it; those of one kind by their prefix, with its dot
}

// commands returns all commands, in the order of --help.
func commands() []command {
	return []command{
		{commandServe, declareServe, serve, []string{"demo", "demo.", "config.", "state.", "iam.", "shard", "total-shards", "policy.", "metrics.", "web.", "log."}},
		{commandCheck, declareCheck, checkOnce, []string{"demo", "demo.", "config.", "iam.source", "iam.rate", "iam.account-rate", "iam.timeout", "shard", "total-shards", "policy.", "metrics.access-key-id", "log."}},
		{commandCheckAccess, declareCheckAccess, checkAccess, []string{"demo", "demo.", "config.", "iam.source", "iam.rate", "iam.account-rate", "iam.timeout", "shard", "total-shards", "metrics.access-key-id", "log."}},
		{commandPolicy, declarePolicy, printPolicy, []string{"config.", "iam.source"}},
		{commandCheckConfig, declareCheckConfig, checkConfig, []string{"iam.", "shard", "total-shards", "policy."}},
	}
}

// Run runs the program and returns its exit code. A server runs until the context
// ends or something fails for good.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := run(ctx, args, stdout, stderr)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	_, _ = fmt.Fprintf(stderr, "aws_iam_exporter: error: %v\n", err)
	if slices.Contains(args, commandCheck) || slices.Contains(args, commandCheckAccess) {
		return report.ExitFailure
	}
	return 1
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, done, err := parse(args, stdout, stderr)
	if err != nil || done {
		return err
	}
	warnOfVariables(os.Environ(), s.logger(stderr))
	for _, c := range commands() {
		if c.name == s.command {
			return c.run(ctx, s, stdout, stderr)
		}
	}
	return fmt.Errorf("command %q: no code runs it; see --help for the commands", s.command)
}
