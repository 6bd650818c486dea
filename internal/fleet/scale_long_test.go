//go:build long

package fleet_test

// scale divides the account whose calls are counted. The table in the documents
// is about all of it.
const scale = 1
