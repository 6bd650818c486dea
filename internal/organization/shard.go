package organization

import "hash/fnv"

// Shard returns which of so many processes, counted from 0, watches the account, by
// jump consistent hash: https://arxiv.org/abs/1406.2294. If there is one process
// more, it takes its share from all others, and nothing else moves.
func Shard(accountID string, shards int) int {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(accountID)) // never fails
	key := hash.Sum64()
	shard := 0
	for next := int64(0); next < int64(shards); {
		shard = int(next)
		key = key*2862933555777941757 + 1
		next = int64(float64(next+1) * (float64(1<<31) / float64(key>>33+1)))
	}
	return shard
}
