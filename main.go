// Command aws_iam_exporter serves the state of AWS IAM users' access keys as
// Prometheus metrics.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/app"
)

// gcPercent has garbage collected twice as often as Go does by itself. Most of the
// memory holds facts, which stay: with a thousand accounts that saves a hundred
// megabytes, and costs too little processor time to be measured.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends a stop that takes too long
	os.Exit(app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
