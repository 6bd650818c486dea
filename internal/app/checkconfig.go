package app

import (
	"context"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
)

const commandCheck = "check-config"

func declareCheck(app *kingpin.Application, s *settings) {
	check := app.Command(commandCheck, "Check a configuration file, and show what it means with the flags given.")
	check.Arg("FILE", "The configuration file.").Required().StringVar(&s.checkFile)
}

func checkConfig(_ context.Context, s *settings, stdout, _ io.Writer) error {
	c, err := config.Load(s.checkFile, s.limits())
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, c.Summary(time.Now()))
	return err
}
