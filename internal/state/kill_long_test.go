//go:build unix && long

package state

// TestKilledWhileSaving kills this often: 300 in all.
const (
	killedDirectories = 3
	killsEach         = 100
)
