package fleet_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
)

// TestFactsOfAnotherAccountGo starts with the facts of one account and the credentials
// of another one, which says who it is and then nothing more: from then on nothing of
// the first is served.
func TestFactsOfAnotherAccountGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open(dir)
		check(t, err)
		board := newBoard()
		watch := func(world *awssim.World) *fleet.Fleet {
			accounts := fleet.New(board, fleet.Options{Store: store, Logger: quiet()})
			check(t, accounts.Reconcile([]fleet.Target{targetOf(world, "", 1000)}))
			return accounts
		}
		stop := run(t, watch(worldOf(t, first, "alice")))
		time.Sleep(time.Minute)
		stop()

		other := worldOf(t, second, "bob")
		other.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "GetCallerIdentity" {
				return nil
			}
			return awssim.Hang()
		})
		board = newBoard()
		accounts := watch(other)
		mustShow(t, "at first", board, map[string]string{first: "alice"})
		stop = run(t, accounts)
		time.Sleep(time.Second)
		mustShow(t, "once it is known who it is", board, map[string]string{second: ""})
		stop()
	})
}
