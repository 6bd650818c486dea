package awssim_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim/conformance"
)

// simulator is a World as a target of the conformance suite.
type simulator struct{ world *awssim.World }

func (s simulator) Name() string     { return "simulator" }
func (s simulator) IAM() *iam.Client { return iam.NewFromConfig(s.world.Config()) }
func (s simulator) STS() *sts.Client { return sts.NewFromConfig(s.world.Config()) }

func (s simulator) CreateUser(_ context.Context, name, path string) error {
	_, err := s.world.CreateUser(name, path, time.Now())
	return err
}

func (s simulator) DeleteUser(_ context.Context, name string) error { return s.world.DeleteUser(name) }

func (s simulator) SetPassword(_ context.Context, name string) error {
	return s.world.SetPassword(name, time.Now())
}

func (s simulator) AddMFA(_ context.Context, name string) error {
	_, err := s.world.AddMFA(name, time.Now())
	return err
}

func (s simulator) CreateKey(_ context.Context, name string) (string, error) {
	return s.world.CreateKey(name, time.Now())
}

func (s simulator) DeactivateKey(_ context.Context, _, id string) error {
	return s.world.SetKeyStatus(id, types.StatusTypeInactive)
}

func (s simulator) SetAlias(_ context.Context, alias string) error { return s.world.SetAlias(alias) }

func (s simulator) TagUser(_ context.Context, name, key, value string) error {
	return s.world.TagUser(name, key, value)
}

func (s simulator) PutUserPolicy(_ context.Context, name, policyName, document string) error {
	return s.world.PutUserPolicy(name, policyName, document)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, simulator{awssim.New(awssim.Options{})})
}
