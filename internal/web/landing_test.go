package web

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestUnreadSentence has ten of forty users read.
func TestUnreadSentence(t *testing.T) {
	for left, want := range map[time.Duration]string{
		0:                 "10 of 40 users read.",
		30 * time.Second:  "10 of 40 users read, less than a minute to go.",
		time.Minute:       "10 of 40 users read, about a minute to go.",
		90 * time.Second:  "10 of 40 users read, about 2 minutes to go.",
		time.Hour:         "10 of 40 users read, about 60 minutes to go.",
		150 * time.Minute: "10 of 40 users read, about 3 hours to go.",
	} {
		s := &inventory.Snapshot{Users: make([]inventory.User, 40), Sweep: inventory.Sweep{Length: left / 30 * 40, Unread: 30}}
		if got := unreadSentence(s); got != want {
			t.Errorf("%s: got %q, want %q", left, got, want)
		}
	}
}
