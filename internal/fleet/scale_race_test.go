//go:build race

package fleet_test

// scale divides the account whose calls are counted: the race detector makes
// each call ten times dearer, and finds as much in the tenth part.
const scale = 10
