package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
)

const (
	// appID stands in the SDK's user agent, so that whoever watches the
	// account's CloudTrail can tell these calls from others.
	appID = "aws_iam_exporter"
	// commercialRegion signs requests to IAM where no region is configured.
	commercialRegion = "us-east-1"
)

// awsSource is where facts come from.
type awsSource struct {
	config        aws.Config
	reportLife    time.Duration // 0 for AWS's own
	note          string        // for the landing page; empty for AWS
	configuration []byte        // in place of a file; nil for AWS
}

func connect(ctx context.Context, group *errgroup.Group, s *settings, logger *slog.Logger) (awsSource, error) {
	if s.demo {
		return connectDemo(ctx, group)
	}
	return connectAWS(ctx, logger)
}

// connectAWS finds credentials and region as the AWS SDK does everywhere. It
// sends nothing yet: missing credentials show in metrics, not here. The region
// is for the calls that fetch credentials, too. More options come last.
func connectAWS(ctx context.Context, logger *slog.Logger, more ...func(*config.LoadOptions) error) (awsSource, error) {
	options := append([]func(*config.LoadOptions) error{
		config.WithAppID(appID), config.WithLogger(sdkLogger(logger)), config.WithDefaultRegion(commercialRegion),
	}, more...)
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return awsSource{}, fmt.Errorf("load AWS configuration: %w; check the AWS_ environment variables and ~/.aws", err)
	}
	return awsSource{config: cfg}, nil
}

// sdkLogger passes on what the SDK has to say, which is little: it logs
// neither requests nor answers unless told to.
func sdkLogger(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		logger.Debug("AWS SDK", "message", fmt.Sprintf(format, v...))
	})
}

// demoReportLife is what lets people see the report's facts change.
const demoReportLife = time.Minute

// connectDemo starts the made-up account on the loopback interface and lets it
// live. AWS cannot be reached through what it returns.
func connectDemo(ctx context.Context, group *errgroup.Group) (awsSource, error) {
	account, err := demo.New(uint64(time.Now().UnixNano()), time.Now)
	if err != nil {
		return awsSource{}, fmt.Errorf("make up the demo account: %w", err)
	}
	server, err := demo.Listen(ctx, account.World)
	if err != nil {
		return awsSource{}, fmt.Errorf("serve the demo account: %w", err)
	}
	group.Go(server.Wait)
	group.Go(func() error { return account.Live(ctx) })
	return awsSource{
		config: aws.Config{
			Region:       commercialRegion,
			BaseEndpoint: aws.String(server.URL),
			Credentials:  credentials.NewStaticCredentialsProvider("AKIADEMODEMODEMODEMO", "demo", ""),
			AppID:        appID,
		},
		reportLife:    demoReportLife,
		configuration: demo.Configuration(time.Now()),
		note: "This is a demo: a made-up account on the loopback interface. Something happens in it every few seconds, far faster than in life, " +
			"and its credential report is made anew every minute rather than every four hours.",
	}, nil
}
