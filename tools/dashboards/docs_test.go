package dashboards

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	docsFile    = "../../docs/dashboards.md"
	panelsBegin = "<!-- panels: begin -->\n"
	panelsEnd   = "<!-- panels: end -->\n"
)

// TestPanelsInDocs holds the document's list of panels to the dashboards.
func TestPanelsInDocs(t *testing.T) {
	before, rest, found := strings.Cut(readText(t, docsFile), panelsBegin)
	content, after, closed := strings.Cut(rest, panelsEnd)
	if !found || !closed {
		t.Fatalf("%s has no place for the panels", docsFile)
	}
	want := panelLists()
	if *update {
		if err := os.WriteFile(docsFile, []byte(before+panelsBegin+want+panelsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, content); diff != "" {
		t.Errorf("%s is out of date; run make docs: -want +got:\n%s", docsFile, diff)
	}
}

func panelLists() string {
	all, text := All(), ""
	for _, name := range []string{"compliance.json", "users.json", "exporter.json"} {
		text += "### " + strings.TrimPrefix(all[name].Title, "AWS IAM / ") + "\n\n| panel | shows |\n| --- | --- |\n"
		for _, p := range panels(all[name]) {
			text += "| " + p.Title + " | " + p.Description + " |\n"
		}
		text += "\n"
	}
	return strings.TrimSuffix(text, "\n")
}
