package app

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// TestGuard tries operations that write, that read what is out of scope, and
// that only another source needs. None may reach AWS.
func TestGuard(t *testing.T) {
	name := "bob"
	for _, source := range awsapi.Sources() {
		world := awssim.New(awssim.Options{})
		client := awsapi.New(world.Config(), awsapi.NewShared(1000), awsapi.Options{Needs: awsapi.Needs{Source: source}, Rate: 1000, Timeout: time.Second})
		for operation, call := range map[string]func(context.Context) error{
			"CreateAccessKey": func(ctx context.Context) error {
				_, err := client.IAM.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
				return err
			},
			"DeleteUser": func(ctx context.Context) error {
				_, err := client.IAM.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name})
				return err
			},
			"ListRoles": func(ctx context.Context) error {
				_, err := client.IAM.ListRoles(ctx, &iam.ListRolesInput{})
				return err
			},
			"GetSessionToken": func(ctx context.Context) error {
				_, err := client.STS.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
				return err
			},
			"GenerateCredentialReport": func(ctx context.Context) error {
				_, err := client.IAM.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
				return err
			},
			"ListUsers": func(ctx context.Context) error {
				_, err := client.IAM.ListUsers(ctx, &iam.ListUsersInput{})
				return err
			},
		} {
			world.ResetCalls()
			err, sent := call(t.Context()), len(world.Calls()) > 0
			if allowed := mayCall(source, operation); (err == nil) != allowed || sent != allowed {
				t.Errorf("%s: %s: sent %t with error %v, want sent %t", source, operation, sent, err, allowed)
			}
		}
	}
}

func mayCall(source awsapi.Source, operation string) bool {
	for _, o := range awsapi.OperationsFor(awsapi.Needs{Source: source}) {
		if o.Name == operation {
			return true
		}
	}
	return false
}
