package web_test

import (
	"os"
	"regexp"
	"testing"
)

// TestRolesOfTables has every part of a table say what it is. Where there is no room for
// columns, rows become cards, and some browsers would take them for no table any more.
func TestRolesOfTables(t *testing.T) {
	page, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "th": "columnheader", "td": "cell"}
	parts := regexp.MustCompile(`<(table|thead|tbody|tr|th|td)\b(?: role="(\w+)")?`).FindAllSubmatch(page, -1)
	if len(parts) == 0 {
		t.Fatal("there are no tables")
	}
	for _, part := range parts {
		if tag, role := string(part[1]), string(part[2]); role != want[tag] {
			t.Errorf("<%s>: got role %q, want %q", tag, role, want[tag])
		}
	}
}
