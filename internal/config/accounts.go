package config

import (
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Account is an account to watch.
type Account struct {
	ID   string
	Name string         // empty if the file gives none
	Tags inventory.Tags // ordered by key; never nil: the file says which there are
	Role *awsapi.Role   // nil for the account of the exporter's own credentials
	Settings
}

// Settings say how an account is read.
type Settings struct {
	Source          awsapi.Source
	RefreshInterval time.Duration
	KeysInterval    time.Duration
	Tags            awsapi.TagSource // of its users; NoTags unless the policy needs tags
}
