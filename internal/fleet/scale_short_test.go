//go:build !long

package fleet_test

// scale divides the account whose calls are counted: a tenth of it is enough to
// hold the calls to their limits.
const scale = 10
