package account

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// BenchmarkReportToEvaluation takes a credential report from its bytes to a
// judged snapshot, and tells how much memory an account of that size keeps.
func BenchmarkReportToEvaluation(b *testing.B) {
	for _, users := range []int{5_000, 100_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			content := reportOf(users)
			before := heap()
			var account *Account
			var evaluation *policy.Evaluation
			b.ReportAllocs()
			for b.Loop() {
				account, evaluation = judgeReport(b, content)
			}
			if got := len(evaluation.Snapshot.Users); got != users {
				b.Fatalf("got %d users, want %d", got, users)
			}
			b.ReportMetric(float64(heap()-before)/1e6, "MB-held")
			runtime.KeepAlive(account)
			runtime.KeepAlive(evaluation)
			runtime.KeepAlive(content)
		})
	}
}

// BenchmarkRendered takes an account of 5,000 users to what is served of it: from the
// bytes of a report, and after ten users were read whose keys have changed. Either a tenth
// of the users break rules, or all of them break several.
func BenchmarkRendered(b *testing.B) {
	renderer := collector.NewRenderer(collector.Options{Now: time.Now, KeyAge: true, Users: true})
	for name, content := range map[string][]byte{"tenth": orderlyReport(5_000), "all": reportOf(5_000)} {
		b.Run("accused="+name+"/report", func(b *testing.B) {
			for b.Loop() {
				_, ev := judgeReport(b, content)
				renderer.Render(ev, nil, nil)
			}
		})
		b.Run("accused="+name+"/ten", func(b *testing.B) {
			a, ev := judgeReport(b, content)
			rendered, n := renderer.Render(ev, nil, nil), 0
			for b.Loop() {
				n++
				for i := range 10 {
					user := a.known.users[i*499+n%499]
					keys, _ := user.Keys.Get()
					keys = slices.Clone(keys)
					keys[0].Status = map[inventory.Status]inventory.Status{inventory.Active: inventory.Inactive, inventory.Inactive: inventory.Active}[keys[0].Status]
					user.Keys = inventory.Observe(keys, time.Now())
				}
				next := policy.Evaluate(a.Snapshot(), ev.Policy, time.Now())
				ev, rendered = next, renderer.Render(next, ev, rendered)
			}
			b.ReportMetric(float64(len(ev.Findings)), "findings")
		})
	}
}

func judgeReport(b *testing.B, content []byte) (*Account, *policy.Evaluation) {
	parsed, err := credreport.Parse(content)
	if err != nil {
		b.Fatal(err)
	}
	a := testAccount(awsapi.SourceReport)
	a.takeReport(&awsiam.Report{Report: parsed, Generated: benchTime()})
	return a, policy.Evaluate(a.Snapshot(), policy.WithLimits(policy.DefaultLimits()), time.Now())
}

func benchTime() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// heap returns the bytes in use once the garbage is collected.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// orderlyReport is reportOf with nine in ten users who break no rule: they have an active
// key, and every other one an inactive one.
func orderlyReport(users int) []byte {
	var b strings.Builder
	for i, line := range strings.Split(string(reportOf(users)), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 || i%10 == 0 {
			b.WriteString(line)
			continue
		}
		date := func(days int) string { return benchTime().AddDate(0, 0, -days-i%20).Format(time.RFC3339) }
		who := strings.SplitN(line, ",", 3)
		fmt.Fprintf(&b, "%s,%s,%s,false,N/A,N/A,N/A,false,true,%s,%s,eu-central-1,s3", who[0], who[1], date(200), date(40), date(1))
		if i%2 == 0 {
			fmt.Fprintf(&b, ",false,%s,%s,us-east-1,sts,false,N/A,false,N/A", date(100), date(70))
		} else {
			b.WriteString(",false,N/A,N/A,N/A,N/A,false,N/A,false,N/A")
		}
	}
	return []byte(b.String())
}

// reportOf is a report of users with one or two active keys each; every other
// one has a password.
func reportOf(users int) []byte {
	var b strings.Builder
	b.WriteString("user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active," +
		"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
		"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service," +
		"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated")
	for i := range users {
		date := func(days int) string { return benchTime().AddDate(0, 0, days-300+i%200).Format(time.RFC3339) }
		fmt.Fprintf(&b, "\nuser-%06d,arn:aws:iam::123456789012:user/team-%02d/user-%06d,%s", i, i%50, i, date(0))
		if i%2 == 0 {
			fmt.Fprintf(&b, ",true,%s,%s,N/A,true,false,N/A,N/A,N/A,N/A", date(9), date(0))
		} else {
			fmt.Fprintf(&b, ",false,N/A,N/A,N/A,false,true,%s,%s,eu-central-1,s3", date(1), date(2))
		}
		fmt.Fprintf(&b, ",true,%s,%s,us-east-1,sts,false,N/A,false,N/A", date(3), date(4))
	}
	return []byte(b.String())
}
