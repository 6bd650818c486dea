// Package inventorytest helps tests compare facts.
package inventorytest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Equal fails the test unless both values are the same. A fact learnt at
// another time is another fact.
func Equal[T any](t *testing.T, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, Facts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Facts lets cmp look into facts.
func Facts() cmp.Option {
	return cmp.Options{
		factsOf[bool](), factsOf[time.Time](), factsOf[inventory.Use](), factsOf[[]inventory.AccessKey](), factsOf[inventory.Tags](),
	}
}

type plainFact[T any] struct {
	Value    T
	Known    bool
	Observed time.Time
}

func factsOf[T any]() cmp.Option {
	return cmp.Transformer("fact", func(f inventory.Fact[T]) plainFact[T] {
		value, known := f.Get()
		return plainFact[T]{value, known, f.Observed()}
	})
}
