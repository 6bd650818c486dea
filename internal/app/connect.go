package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	// appID is part of the SDK's user agent, so that these calls can be told
	// from others in CloudTrail.
	appID = "aws_iam_exporter"
	// commercialRegion signs requests to IAM where no region is configured.
	commercialRegion = "us-east-1"
)

// awsSource is where facts come from: AWS or the demo.
type awsSource struct {
	config        aws.Config
	credentials   awsapi.LoadCredentials // finds them anew; nil if they never change
	reportLife    time.Duration          // 0 for AWS's own
	note          string                 // for the landing page; empty for AWS
	configuration []byte                 // in place of a file; nil for AWS
	demo          []demo.Member          // its accounts; nil for AWS
}

func connect(ctx context.Context, group *errgroup.Group, s *settings, logger *slog.Logger) (awsSource, error) {
	if s.demo.on {
		return connectDemo(ctx, group, s)
	}
	return connectAWS(ctx, logger)
}

// connectAWS finds credentials and region in the SDK's usual way. It sends nothing
// yet: missing credentials show in metrics, not here. The calls that fetch
// credentials use the region, too. More options come last. Credentials can be found
// anew later; region and endpoints stay as they are now.
func connectAWS(ctx context.Context, logger *slog.Logger, more ...func(*config.LoadOptions) error) (awsSource, error) {
	options := append([]func(*config.LoadOptions) error{
		config.WithAppID(appID), config.WithLogger(sdkLogger(logger)), config.WithDefaultRegion(commercialRegion),
		config.WithAPIOptions([]func(*middleware.Stack) error{awsapi.BoundAnswers, awsapi.PlainBodies}), // of whoever gives credentials, too
	}, more...)
	cfg, err := loadAWS(ctx, options)
	if err != nil {
		return awsSource{}, fmt.Errorf("%w; %s", err, whatToDo(err))
	}
	if !regionName.MatchString(cfg.Region) {
		return awsSource{}, fmt.Errorf("load AWS configuration: got region %q, want one such as %s; correct AWS_REGION, or region in the profile", cfg.Region, commercialRegion)
	}
	return awsSource{config: cfg, credentials: func(ctx context.Context) (aws.CredentialsProvider, error) {
		again, err := loadAWS(ctx, options)
		return again.Credentials, err
	}}, nil
}

// regionName matches what can be part of a host's name.
var regionName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

func loadAWS(ctx context.Context, options []func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	places := placesOf(cfg)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", places.explain(err))
	}
	if cfg.Credentials != nil {
		cfg.Credentials = explained{cfg.Credentials, places}
	}
	return cfg, nil
}

func whatToDo(err error) string {
	if advised := new(awsapi.Advised); errors.As(err, &advised) {
		return advised.Do
	}
	return "check the AWS_ environment variables and ~/.aws"
}

// sdkLogger passes on what the SDK logs, which is little: requests and answers are
// not logged by default.
func sdkLogger(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		const longest = 1000
		logger.Debug("AWS SDK", "message", inventory.Shorten(fmt.Sprintf(format, v...), longest))
	})
}

const (
	// demoReportLife is short, so that people see the report's facts change.
	demoReportLife = time.Minute
	// demoSeed makes every start begin with the same people and keys, so that the page,
	// `check --demo` and the documents tell of the same ones.
	demoSeed = 1
)

// connectDemo starts the made-up accounts on the loopback interface. What it returns
// cannot reach AWS. Something happens in them only while they are served: whoever
// reads once gets the same answer each time.
func connectDemo(ctx context.Context, group *errgroup.Group, s *settings) (awsSource, error) {
	made, err := demo.NewAccounts(s.demo.accounts, demoSeed, time.Now)
	if err != nil {
		return awsSource{}, fmt.Errorf("make up the demo: %w", err)
	}
	server, err := demo.Listen(ctx, made.Realm)
	if err != nil {
		return awsSource{}, fmt.Errorf("serve the demo: %w", err)
	}
	group.Go(server.Wait)
	if s.command == commandServe {
		group.Go(func() error { return made.Live(ctx) })
	}
	return demoSource(made, aws.Config{
		Region:       commercialRegion,
		BaseEndpoint: aws.String(server.URL),
		HTTPClient:   server.Client(),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIADEMODEMODEMODEMO", "demo", ""),
		AppID:        appID,
		APIOptions:   []func(*middleware.Stack) error{awsapi.PlainBodies},
	}), nil
}

// demoSource returns the accounts, which the configuration reaches.
func demoSource(made *demo.Accounts, reached aws.Config) awsSource {
	return awsSource{
		config: reached, reportLife: demoReportLife, note: made.Note(),
		configuration: demo.Configuration(time.Now()), demo: made.Members,
	}
}
