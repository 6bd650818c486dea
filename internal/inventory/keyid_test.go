package inventory_test

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

func TestCreatedKeyID(t *testing.T) {
	created := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for name, at := range map[string]time.Time{"UTC": created, "another zone": created.In(time.FixedZone("", 2*60*60))} {
		if got, want := inventory.CreatedKeyID(at), "created-2026-01-02T15:04:05Z"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for id, want := range map[string]bool{
		inventory.CreatedKeyID(created):        true,
		inventory.CreatedKeyID(created) + "-a": true,
		"AKIAABCDEF0123456789":                 false,
		"AKIAcreated-":                         false,
		"":                                     false,
	} {
		if got := inventory.IsCreatedKeyID(id); got != want {
			t.Errorf("IsCreatedKeyID(%q) = %t, want %t", id, got, want)
		}
	}
}
