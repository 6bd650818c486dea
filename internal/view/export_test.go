package view

import (
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// SetJudge has the board judge by another function, before it is used.
func (b *Board) SetJudge(judge func(*inventory.Snapshot, *policy.Policy, time.Time) *policy.Evaluation) {
	b.judge = judge
}
