package account

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

func TestReportInTheMaking(t *testing.T) {
	for name, test := range map[string]struct {
		delay time.Duration
		took  time.Duration
		calls int
		err   string
	}{
		"made at once":  {0, 3 * time.Second, 1, ""},
		"small account": {2 * time.Second, 3 * time.Second, 1, ""},
		"large account": {20 * time.Second, 28 * time.Second, 2, ""},
		"not in time":   {time.Hour, 28 * time.Second, 2, "call iam:GetCredentialReport for the account: AWS is still making the credential report; AWS makes a report at most every four hours; the exporter asks again"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceReport, awssim.Options{ReportDelay: test.delay}, func(h *harness) {
				began := time.Now()
				h.account.RefreshSoon()
				for {
					p := h.account.Step(h.Context(), nil)
					if p.Ended || h.account.Snapshot().Report.Usable {
						break
					}
					time.Sleep(time.Until(p.Next))
				}
				if took := time.Since(began); took != test.took {
					h.Errorf("took %s, want %s", took, test.took)
				}
				if got := h.world.Calls()["GetCredentialReport"]; got != test.calls {
					h.Errorf("GetCredentialReport: got %d calls, want %d", got, test.calls)
				}
				snapshot := h.account.Snapshot()
				if test.err != "" {
					inventorytest.Equal(h.T, []inventory.Problem{{Reason: inventory.ReasonReport, Text: test.err}}, snapshot.Health.Problems)
					return
				}
				inventorytest.Equal(h.T, inventory.Truncate(began), snapshot.Report.Generated)
			})
		})
	}
}
