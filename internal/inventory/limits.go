package inventory

// How many characters things have at most. They are twice what AWS allows, or
// more, so that no change of AWS's keeps a user from being read.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	LongestName     = 128
	LongestPath     = 1024
	LongestARN      = 4096
	LongestID       = 256 // of users and of keys
	LongestTagKey   = 256
	LongestTagValue = 512
	LongestWord     = 128 // a region or a service
	// MostUsers is how many users an account has at most. AWS allows 5,000 unless
	// asked for more.
	MostUsers = 200_000
)
