// Package demo holds the made-up accounts of --demo: users of recognisable kinds,
// with findings for every rule. Things happen faster than in a real account.
package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

const day = 24 * time.Hour

// Account is a made-up account. Only Live may change its World while it runs.
type Account struct {
	World *awssim.World

	size       size
	now        func() time.Time
	began      time.Time
	random     *rand.Rand
	population int      // how many users there were at first
	rotating   []string // users in the middle of a rotation
}

// build returns an account that is not denied as it is before Live. The same seed and
// time give the same account.
func (m Member) build(seed uint64, now func() time.Time) (*Account, error) {
	a := &Account{
		size: m.size,
		World: awssim.New(awssim.Options{
			AccountID:   m.ID,
			Now:         now,
			Seed:        seed,
			Created:     now().Add(-9 * 365 * day),
			ReportDelay: 2 * time.Second,
			// AWS makes a report every four hours; nobody watches a demo that long.
			ReportLife: time.Minute,
		}),
		now:    now,
		began:  now(),
		random: rand.New(rand.NewPCG(seed, 1)),
	}
	if err := a.populate(); err != nil {
		return nil, fmt.Errorf("populate the demo account: %w", err)
	}
	a.population = len(a.World.Users())
	return a, nil
}

// between returns a random duration.
func (a *Account) between(low, high time.Duration) time.Duration {
	return low + time.Duration(a.random.Int64N(int64(high-low)))
}

// chance reports true in the given percentage of cases.
func (a *Account) chance(percent int) bool { return a.random.IntN(100) < percent }

func pick[T any](a *Account, from []T) T { return from[a.random.IntN(len(from))] }

// keySpec is a key to be made: its age, for how long it has not been used (never
// used, if longer than its age), and whether it is inactive.
type keySpec struct {
	age, idle time.Duration
	inactive  bool
}

// never is longer than any key has been idle.
const never = 100 * 365 * day

// arrange replaces a user's keys by these.
func (a *Account) arrange(name string, specs ...keySpec) error {
	u, _ := a.World.User(name)
	for _, k := range u.Keys {
		if err := a.World.DeleteKey(k.ID); err != nil {
			return err
		}
	}
	for _, spec := range specs {
		if err := a.addKey(name, spec); err != nil {
			return err
		}
	}
	return nil
}

// addKey gives a user one more key, which is never older than the user.
func (a *Account) addKey(name string, spec keySpec) error {
	now := a.now()
	u, _ := a.World.User(name)
	spec.age = min(spec.age, now.Sub(u.Created))
	id, err := a.World.CreateKey(name, now.Add(-spec.age))
	if err != nil {
		return err
	}
	if a.chance(20) {
		if err := a.tag(name, id, "for "+pick(a, services(name))); err != nil {
			return err
		}
	}
	if spec.idle <= spec.age {
		if err := a.use(name, id, now.Add(-spec.idle)); err != nil {
			return err
		}
	}
	if spec.inactive {
		return a.World.SetKeyStatus(id, types.StatusTypeInactive)
	}
	return nil
}

// use records a use of a key that suits its owner.
func (a *Account) use(name, id string, at time.Time) error {
	use := awssim.Use{At: at, Service: pick(a, services(name))}
	if use.Service != "s3" { // AWS names no region for it
		use.Region = pick(a, []string{"eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2"})
	}
	return a.World.UseKey(id, use)
}

// services returns the AWS services that a user of that name uses.
func services(name string) []string {
	prefix, _, _ := strings.Cut(name, "-")
	switch prefix {
	case "ci":
		return []string{"ecr", "s3"}
	case "deploy":
		return []string{"cloudformation", "ecs", "s3"}
	case "ses":
		return []string{"ses"}
	case "backup":
		return []string{"s3", "backup"}
	case "terraform":
		return []string{"ec2", "rds", "sts"}
	case "monitoring":
		return []string{"monitoring", "logs"}
	}
	return []string{"s3", "ec2", "sts"}
}

func activeKeys(u awssim.User) []awssim.Key {
	var active []awssim.Key
	for _, k := range u.Keys {
		if k.Status == types.StatusTypeActive {
			active = append(active, k)
		}
	}
	return active
}
