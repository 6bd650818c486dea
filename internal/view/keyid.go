package view

import (
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// KeyIDFormat says how access key ids are shown: in metrics, in logs, on pages.
type KeyIDFormat string

// The ways of showing access key ids.
const (
	KeyIDFull   KeyIDFormat = "full"
	KeyIDSuffix KeyIDFormat = "suffix" // the last 4 characters, or more until unique in the user
)

const suffixLength = 4

// Show returns the id of one of a user's keys as it is to be shown, unique
// among them. Made-up ids give nothing away and stay whole.
func (f KeyIDFormat) Show(id string, keys []inventory.AccessKey) string {
	if f != KeyIDSuffix || inventory.IsCreatedKeyID(id) {
		return id
	}
	for n := suffixLength; n < len(id); n++ {
		if suffix := id[len(id)-n:]; !endsAnother(id, suffix, keys) {
			return suffix
		}
	}
	return id
}

func endsAnother(id, suffix string, keys []inventory.AccessKey) bool {
	for i := range keys {
		if keys[i].ID != id && strings.HasSuffix(keys[i].ID, suffix) {
			return true
		}
	}
	return false
}
