package conformance

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

type moto struct {
	iam *iam.Client
	sts *sts.Client
}

// NewMoto returns a target that fills a moto server, which must hold no users
// and no credential report yet, by the SDK's own write calls.
func NewMoto(endpoint string) Target {
	config := aws.Config{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("testing", "testing", ""),
		BaseEndpoint: aws.String(endpoint),
	}
	return &moto{iam: iam.NewFromConfig(config), sts: sts.NewFromConfig(config)}
}

func (m *moto) Name() string     { return "moto" }
func (m *moto) IAM() *iam.Client { return m.iam }
func (m *moto) STS() *sts.Client { return m.sts }

func (m *moto) CreateUser(ctx context.Context, name, path string) error {
	_, err := m.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Path: &path})
	return wrap("create user", err)
}

func (m *moto) DeleteUser(ctx context.Context, name string) error {
	_, err := m.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name})
	return wrap("delete user", err)
}

func (m *moto) SetPassword(ctx context.Context, name string) error {
	_, err := m.iam.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: &name, Password: aws.String("Only-4-tests!")})
	return wrap("set password", err)
}

func (m *moto) AddMFA(ctx context.Context, name string) error {
	created, err := m.iam.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name})
	if err != nil {
		return wrap("create MFA device", err)
	}
	_, err = m.iam.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{
		UserName: &name, SerialNumber: created.VirtualMFADevice.SerialNumber,
		AuthenticationCode1: aws.String("123456"), AuthenticationCode2: aws.String("654321"),
	})
	return wrap("enable MFA device", err)
}

func (m *moto) CreateKey(ctx context.Context, name string) (string, error) {
	out, err := m.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		return "", wrap("create key", err)
	}
	return aws.ToString(out.AccessKey.AccessKeyId), nil
}

func (m *moto) DeactivateKey(ctx context.Context, name, id string) error {
	_, err := m.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &name, AccessKeyId: &id, Status: types.StatusTypeInactive})
	return wrap("deactivate key", err)
}

func (m *moto) SetAlias(ctx context.Context, alias string) error {
	_, err := m.iam.CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: &alias})
	return wrap("create account alias", err)
}

func (m *moto) TagUser(ctx context.Context, name, key, value string) error {
	_, err := m.iam.TagUser(ctx, &iam.TagUserInput{UserName: &name, Tags: []types.Tag{{Key: &key, Value: &value}}})
	return wrap("tag user", err)
}

func (m *moto) PutUserPolicy(ctx context.Context, name, policyName, document string) error {
	_, err := m.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: &policyName, PolicyDocument: &document})
	return wrap("put user policy", err)
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s in moto: %w", what, err)
	}
	return nil
}
