//go:build !race

package fleet_test

// scale divides the account whose calls are counted.
const scale = 1
