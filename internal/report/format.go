package report

import (
	"fmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Format names a format.
type Format string

// The formats.
const (
	FormatTable       Format = "table"
	FormatJSON        Format = "json"
	FormatCSV         Format = "csv"
	FormatMarkdown    Format = "markdown"
	FormatJUnit       Format = "junit"
	FormatSARIF       Format = "sarif"
	FormatOCSF        Format = "ocsf"
	FormatOpenMetrics Format = "openmetrics"
)

// Formats lists every format, the default first.
func Formats() []Format {
	return []Format{FormatTable, FormatJSON, FormatCSV, FormatMarkdown, FormatJUnit, FormatSARIF, FormatOCSF, FormatOpenMetrics}
}

// Look says how to print.
type Look struct {
	Width    int  // of the terminal; 0 for no limit
	Colour   bool // the table's
	Exempted bool // show what is exempted in SARIF, too
	// Place is the file that SARIF points to where a result has none of its own: its
	// path is relative to the checkout. Empty for none.
	Place string
	// Relative returns the path of a file in the checkout, relative to it.
	Relative func(file string) (string, error)
}

// Write returns the report in the format.
func (r *Report) Write(format Format, look Look) ([]byte, error) {
	switch format {
	case FormatTable:
		return r.table(look), nil
	case FormatJSON:
		return indented(r)
	case FormatCSV:
		return r.csv()
	case FormatMarkdown:
		return r.markdown(), nil
	case FormatJUnit:
		return r.junit()
	case FormatSARIF:
		return r.sarif(look)
	case FormatOCSF:
		return r.ocsf()
	case FormatOpenMetrics:
		return r.openMetrics(), nil
	}
	return nil, fmt.Errorf("format: got %q, want one of %s", format, inventory.Listed(Formats()))
}
