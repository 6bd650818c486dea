package web

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestReadSoFar has ten of forty users read.
func TestReadSoFar(t *testing.T) {
	for left, want := range map[time.Duration]string{
		0:                 "10 of 40 users read",
		30 * time.Second:  "10 of 40 users read, less than a minute to go",
		time.Minute:       "10 of 40 users read, about 1 minute to go",
		90 * time.Second:  "10 of 40 users read, about 2 minutes to go",
		time.Hour:         "10 of 40 users read, about 1 hour to go",
		150 * time.Minute: "10 of 40 users read, about 3 hours to go",
	} {
		s := &inventory.Snapshot{Users: make([]inventory.User, 40), Sweep: inventory.Sweep{Length: left / 30 * 40, Unread: 30}}
		if got := readSoFar(s); got != want {
			t.Errorf("%s: got %q, want %q", left, got, want)
		}
	}
}

// TestLasting writes durations as exactly as one wants to know them.
func TestLasting(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Second: "0 seconds", time.Second: "1 second", time.Minute - 1: "59 seconds", time.Minute: "1 minute", time.Hour - 1: "59 minutes",
		time.Hour: "1 hour", 2*day - 1: "47 hours", 2 * day: "2 days", 2*year - 1: "729 days", 2 * year: "2.0 years", 3*year + 180*day: "3.5 years",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
