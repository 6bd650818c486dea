//go:build long

package fleet_test

// scale divides the account whose calls are counted. The table in the documents
// is about all of it.
const scale = 1

// So many accounts, so many of them bad, are watched for so long.
const crowdSize, crowdBad, crowdHours = 1000, 50, 3
