// Command aws_iam_exporter serves the state of AWS IAM users' access keys as
// Prometheus metrics.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends a stop that takes too long
	os.Exit(app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
