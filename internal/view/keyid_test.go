package view_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

func TestShowKeyIDs(t *testing.T) {
	show := func(display view.KeyIDFormat, ids ...string) []string {
		var ks []inventory.AccessKey
		for _, id := range ids {
			ks = append(ks, inventory.AccessKey{ID: id})
		}
		var shown []string
		for _, id := range ids {
			shown = append(shown, display.Show(id, ks))
		}
		return shown
	}
	tests := []struct {
		name    string
		display view.KeyIDFormat
		ids     []string
		want    []string
	}{
		{"full", view.KeyIDFull, []string{"AKIAABCDEF0123456789"}, []string{"AKIAABCDEF0123456789"}},
		{"suffix", view.KeyIDSuffix, []string{"AKIAABCDEF0123456789", "AKIAABCDEF0000001234"}, []string{"6789", "1234"}},
		{"same end", view.KeyIDSuffix, []string{"AKIAXX6789", "AKIAXY6789", "AKIAZZ0000"}, []string{"X6789", "Y6789", "0000"}},
		{"one the end of another", view.KeyIDSuffix, []string{"XAKIA6789", "AKIA6789"}, []string{"XAKIA6789", "AKIA6789"}},
		{"short", view.KeyIDSuffix, []string{"abc", ""}, []string{"abc", ""}},
		{"made up", view.KeyIDSuffix, []string{"created-2026-01-02T15:04:05Z-a"}, []string{"created-2026-01-02T15:04:05Z-a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, show(tt.display, tt.ids...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzShowKeyIDs(f *testing.F) {
	f.Add("AKIAXX6789", "AKIAXY6789", "AKIAZZ0000")
	f.Add("", "a", "aa")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if a == b || b == c || a == c {
			return
		}
		ks := []inventory.AccessKey{{ID: a}, {ID: b}, {ID: c}}
		var shown []string
		for _, k := range ks {
			shown = append(shown, view.KeyIDSuffix.Show(k.ID, ks))
		}
		slices.Sort(shown)
		if len(slices.Compact(shown)) != len(ks) {
			t.Errorf("ids %q are shown as %q, want them distinct", []string{a, b, c}, shown)
		}
	})
}
