package awsapi

import "strings"

// PartitionOf returns the partition that a region is in. All others than the
// commercial one have regions of their own beginnings.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func PartitionOf(region string) string {
	for _, p := range []struct{ beginning, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"eusc-", "aws-eusc"},
		{"us-iso-", "aws-iso"},
		{"us-isob-", "aws-iso-b"},
		{"eu-isoe-", "aws-iso-e"},
		{"us-isof-", "aws-iso-f"},
		{"eu-isof-", "aws-iso-f"},
	} {
		if strings.HasPrefix(region, p.beginning) {
			return p.partition
		}
	}
	return "aws"
}
