// Package app is the program behind the command line: its flags, its wiring and
// its commands.
package app

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"
)

// command is one thing that the program can do. Each has a file of its own.
type command struct {
	name    string
	declare func(*kingpin.Application, *settings)
	run     func(ctx context.Context, s *settings, stdout, stderr io.Writer) error
}

// commands are all of them, in the order in which --help shows them.
func commands() []command {
	return []command{
		{commandServe, declareServe, serve},
		{commandPolicy, declarePolicy, printPolicy},
		{commandCheck, declareCheck, checkConfig},
	}
}

// Run is the program: it returns the exit code once the context ends or
// something fails for good.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := run(ctx, args, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "aws_iam_exporter: error: %v\n", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, done, err := parse(args, stdout, stderr)
	if err != nil || done {
		return err
	}
	for _, c := range commands() {
		if c.name == s.command {
			return c.run(ctx, s, stdout, stderr)
		}
	}
	return fmt.Errorf("command %q: got no code for it, want one of --help", s.command)
}
