package credreport_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
)

// bigReport returns a report of that many users as AWS sends it: every other
// one has a password, all have one or two keys.
func bigReport(t testing.TB, users int) []byte {
	t.Helper()
	header, _, _ := strings.Cut(read(t, "live.csv"), "\n")
	var b strings.Builder
	b.WriteString(header)
	b.WriteString("\n<root_account>,arn:aws:iam::123456789012:root,2019-03-04T09:12:44Z,true,no_information,2019-03-04T09:12:44Z,not_supported,true" +
		strings.Repeat(",false,N/A,N/A,N/A,N/A", 2) + ",false,N/A,false,N/A")
	start := at("2024-01-01T00:00:00Z")
	for i := range users {
		date := func(hours int) string { return start.Add(time.Duration(i+hours) * time.Hour).Format(time.RFC3339) }
		fmt.Fprintf(&b, "\nuser-%06d,arn:aws:iam::123456789012:user/team-%02d/user-%06d,%s", i, i%50, i, date(0))
		if i%2 == 0 {
			fmt.Fprintf(&b, ",true,%s,%s,N/A,true,false,%s,N/A,N/A,N/A", date(9), date(0), date(1))
		} else {
			fmt.Fprintf(&b, ",false,N/A,N/A,N/A,false,true,%s,%s,eu-central-1,s3", date(1), date(2))
		}
		fmt.Fprintf(&b, ",true,%s,%s,us-east-1,sts,false,N/A,false,N/A", date(3), date(4))
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	content := bigReport(b, 5000)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := credreport.Parse(content); err != nil {
			b.Fatal(err)
		}
	}
}

// TestParseAllocations holds the price of a row: the reader's copy of the row
// and the user's name and ARN. Time would depend on the machine.
func TestParseAllocations(t *testing.T) {
	const users, fixed, perRow = 2000, 200, 2
	content := bigReport(t, users)
	var err error
	got := testing.AllocsPerRun(5, func() { _, err = credreport.Parse(content) })
	if err != nil {
		t.Fatal(err)
	}
	if want := float64(fixed + perRow*users); got > want {
		t.Errorf("parse %d users: got %.0f allocations, want at most %.0f", users, got, want)
	}
}

// TestParseKeepsRowsAlone holds what stays in memory of a report: its rows and their
// keys, and not the text, which an account would else keep for hours.
func TestParseKeepsRowsAlone(t *testing.T) {
	const users, reports, perRow = 5000, 5, 500
	content := bigReport(t, users)
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var kept [reports]*credreport.Report
	before := inUse()
	for i := range kept {
		var err error
		if kept[i], err = credreport.Parse(content); err != nil {
			t.Fatal(err)
		}
	}
	after := inUse()
	if got := (int64(after) - int64(before)) / (users * reports); got > perRow {
		t.Errorf("got %d bytes kept for each row, want at most %d; the text has %d", got, perRow, len(content)/users)
	}
	runtime.KeepAlive(kept)
}
