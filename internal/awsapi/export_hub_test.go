package awsapi

import "github.com/aws/aws-sdk-go-v2/service/sts"

// STSOf returns the client by which the hub assumes roles.
func STSOf(h *Hub) *sts.Client { return h.sts }
