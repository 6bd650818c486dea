package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// BaselineSchema names the version of the baseline's format.
const BaselineSchema = "aws_iam_exporter/baseline/1"

// longestBaseline is how long a baseline may excuse what it lists.
const longestBaseline = 366 * 24 * time.Hour

// Baseline lists violations that were there before, and do not fail until its last
// day has ended.
type Baseline struct {
	Schema   string     `json:"schema"`
	LastDay  string     `json:"last_day"`
	Findings []Identity `json:"findings"`

	until time.Time
	known map[Identity]bool
}

// BaselineNote says of a baseline whether it counts.
type BaselineNote struct {
	LastDay  string `json:"last_day"`
	Findings int    `json:"findings"`
	Lapsed   bool   `json:"lapsed"` // its findings fail again
}

// ParseBaseline reads a baseline. A date that cannot be read, or that is more than a
// year away, is an error, never an open end.
func ParseBaseline(content []byte, now time.Time) (*Baseline, error) {
	b := &Baseline{}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(b); err != nil {
		return nil, fmt.Errorf("read as JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("got more after the baseline, want nothing")
	}
	if b.Schema != BaselineSchema {
		return nil, fmt.Errorf("schema: got %q, want %q, as --write-baseline writes it", b.Schema, BaselineSchema)
	}
	if err := b.index(now); err != nil {
		return nil, err
	}
	return b, nil
}

// NewBaseline returns a baseline of the report's violations up to a last day, which
// must be to come, and no more than a year away.
func NewBaseline(r *Report, lastDay string, now time.Time) (*Baseline, error) {
	b := &Baseline{Schema: BaselineSchema, LastDay: lastDay, Findings: []Identity{}}
	for i := range r.Results {
		if r.Results[i].Verdict == policy.Violation {
			b.Findings = append(b.Findings, r.Results[i].Identity)
		}
	}
	if err := b.index(now); err != nil {
		return nil, err
	}
	if !b.until.After(now) {
		return nil, fmt.Errorf("last day: got %s, want a day to come", lastDay)
	}
	return b, nil
}

func (b *Baseline) index(now time.Time) error {
	until, err := policy.EndOf(b.LastDay)
	if err != nil {
		return fmt.Errorf("last day: %w", err)
	}
	if until.After(now.Add(longestBaseline)) {
		return fmt.Errorf("last day: got %s, want one within a year", b.LastDay)
	}
	b.until, b.known = until, make(map[Identity]bool, len(b.Findings))
	for _, f := range b.Findings {
		b.known[f] = true
	}
	return nil
}

// Bytes returns the baseline's file.
func (b *Baseline) Bytes() ([]byte, error) { return indented(b) }

func (b *Baseline) excuses(i Identity, at time.Time) bool {
	return b != nil && at.Before(b.until) && b.known[i]
}

func (b *Baseline) note(now time.Time) *BaselineNote {
	return &BaselineNote{b.LastDay, len(b.Findings), !now.Before(b.until)}
}
