//go:build unix && !long

package state

// TestKilledWhileSaving kills this often: five at each kind of moment.
const (
	killedDirectories = 1
	killsEach         = 25
)
