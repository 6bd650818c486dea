package app

import (
	"context"
	"fmt"
	"io"
	"regexp"

	"github.com/alecthomas/kingpin/v2"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

const commandPolicy = "iam-policy"

func declarePolicy(app *kingpin.Application, s *settings) {
	print := app.Command(commandPolicy, "Print the least IAM policy that the exporter needs with the flags given, as JSON.")
	print.Flag("partition", "The partition of the account: aws, aws-cn, aws-us-gov, …").Default("aws").StringVar(&s.partition)
	print.Flag("account-id", "Narrow the policy to users of this account.").Default("*").StringVar(&s.accountID)
}

// validatePolicy refuses values whose policy AWS would refuse, or that would allow
// nothing.
func (s *settings) validatePolicy() error {
	if !regexp.MustCompile(`^([0-9]{12}|\*)$`).MatchString(s.accountID) {
		return fmt.Errorf("flag --account-id: got %q, want 12 digits, or * for any account", s.accountID)
	}
	if !regexp.MustCompile(`^aws(-[a-z]+)*$`).MatchString(s.partition) {
		return fmt.Errorf("flag --partition: got %q, want a partition such as aws, aws-cn or aws-us-gov", s.partition)
	}
	return nil
}

func printPolicy(_ context.Context, s *settings, stdout, _ io.Writer) error {
	c, err := configuration(awsSource{}, s)
	if err != nil {
		return err
	}
	document, err := awsapi.Policy(awsapi.Needs{Source: awsapi.Source(s.source), Tags: c.Tags}, s.partition, s.accountID)
	if err != nil {
		return err
	}
	_, err = stdout.Write(document)
	return err
}
