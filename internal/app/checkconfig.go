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

const commandCheck = "check-config"

func declareCheck(app *kingpin.Application, s *settings) {
	check := app.Command(commandCheck, "Check a configuration file, and show what it means with the flags given.")
	check.Arg("FILE", "The configuration file; - for standard input.").Required().StringVar(&s.checkFile)
	boolFlag(check, "accounts", "false", "List the file's accounts, too, or those of its organization, which is asked for them: which are watched, and why. Nothing else is read.", &s.checkAccounts)
}

func checkConfig(_ context.Context, s *settings, stdout, _ io.Writer) error {
	c, err := checked(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%scost: %s\n", c.Summary(time.Now()), costOf(s, c))
	return err
}

// checked reads what is to be checked.
func checked(s *settings) (*config.Config, error) {
	switch {
	case s.checkInput:
		return config.LoadFrom("standard input", os.Stdin, s.defaults())
	case s.checkFile == "":
		return nil, errors.New("argument FILE: got no name, want a file, or - for standard input")
	}
	return config.Load(s.checkFile, s.defaults())
}
