package organization

import (
	"fmt"
	"testing"
)

// ids returns n account ids.
func ids(n int) []string {
	all := make([]string, 0, n)
	for i := range n {
		all = append(all, fmt.Sprintf("%012d", 100_000_000_000+i*7_919))
	}
	return all
}

// TestShardsMoveFew goes from three shards to four.
func TestShardsMoveFew(t *testing.T) {
	moved := 0
	for _, id := range ids(1000) {
		before, after := Shard(id, 3), Shard(id, 4)
		if before == after {
			continue
		}
		moved++
		if after != 3 {
			t.Errorf("account %s moved from shard %d to %d, want no move but to the new one", id, before, after)
		}
	}
	if moved != 238 {
		t.Errorf("moved: got %d of 1,000 accounts, want 238, about a quarter", moved)
	}
}

func TestShardsAreEven(t *testing.T) {
	for shards := 1; shards <= 10; shards++ {
		held := make([]int, shards)
		for _, id := range ids(1000) {
			held[Shard(id, shards)]++
		}
		share := 1000 / shards
		for shard, n := range held {
			if n < share*7/10 || n > share*13/10 {
				t.Errorf("shard %d of %d has %d accounts, want %d, more or less", shard, shards, n, share)
			}
		}
	}
}

// TestShardsStay holds on to where accounts are: a change would move them all.
func TestShardsStay(t *testing.T) {
	for id, want := range map[string][3]int{
		hubID: {0, 0, 57}, aliceID: {0, 0, 91}, bobID: {0, 2, 41}, "000000000000": {0, 0, 5}, "999999999999": {1, 1, 50},
	} {
		if got := [3]int{Shard(id, 2), Shard(id, 3), Shard(id, 100)}; got != want {
			t.Errorf("account %s: got shards %v of 2, 3 and 100, want %v", id, got, want)
		}
	}
	for _, shards := range []int{-1, 0, 1} {
		if got := Shard(hubID, shards); got != 0 {
			t.Errorf("one of %d shards: got %d, want 0", shards, got)
		}
	}
}
