//go:build !long

package fleet_test

// scale divides the account whose calls are counted: a tenth of it is enough to
// hold the calls to their limits.
const scale = 10

// So many accounts, so many of them bad, are watched for so long: one for each
// kind of fault, at the rate that as many have of a thousand.
const crowdSize, crowdBad, crowdHours = 36, 6, 1
