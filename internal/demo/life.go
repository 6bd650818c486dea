package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// Live lets something happen every second to three, until the context ends:
// keys are used, rotated, forgotten; users join, leave, violate rules and are
// repaired. The numbers of users and findings stay roughly the same. It fails
// only if somebody else changes the world.
func (a *Account) Live(ctx context.Context) error {
	timer := time.NewTimer(a.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := a.step(); err != nil {
			return fmt.Errorf("live on in the demo account: %w", err)
		}
		timer.Reset(a.pause())
	}
}

func (a *Account) pause() time.Duration { return a.between(time.Second, 3*time.Second) }

// step lets one thing happen.
func (a *Account) step() error {
	switch n := a.random.IntN(100); {
	case n < 40:
		return a.useSomeKey()
	case n < 52:
		return a.signInSomeone()
	case n < 70:
		return a.rotateSomeKey()
	case n < 92:
		return a.violateOrRepair()
	default:
		return a.joinOrLeave()
	}
}

// some returns a random user that meets the condition.
func (a *Account) some(condition func(awssim.User) bool) (awssim.User, bool) {
	users := slices.DeleteFunc(a.World.Users(), func(u awssim.User) bool { return !condition(u) })
	if len(users) == 0 {
		return awssim.User{}, false
	}
	return pick(a, users), true
}

// useSomeKey uses a machine's key, unless it is a forgotten one.
func (a *Account) useSomeKey() error {
	now := a.now()
	u, ok := a.some(func(u awssim.User) bool {
		return isMachine(u) && len(activeKeys(u)) > 0 && !hasIdleKey(u, now)
	})
	if !ok {
		return nil
	}
	return a.use(u.Name, pick(a, activeKeys(u)).ID, now)
}

// signInSomeone signs in a person, unless it is one who left the password unused.
func (a *Account) signInSomeone() error {
	now := a.now()
	u, ok := a.some(func(u awssim.User) bool { return isPerson(u) && !hasIdlePassword(u, now) })
	if !ok {
		return nil
	}
	return a.World.SignIn(u.Name, a.now())
}

// rotateSomeKey takes one step of a rotation: a new key, which is used; the
// old one deactivated; the old one deleted. Few rotations go on at a time, so
// that a viewer sees them end.
func (a *Account) rotateSomeKey() error {
	const atOnce = 3
	if len(a.rotating) < atOnce {
		return a.beginRotation()
	}
	i := a.random.IntN(len(a.rotating))
	u, ok := a.World.User(a.rotating[i])
	if !ok || len(u.Keys) < 2 {
		a.rotating = slices.Delete(a.rotating, i, i+1)
		return nil
	}
	old := slices.MinFunc(u.Keys, func(x, y awssim.Key) int { return x.Created.Compare(y.Created) })
	if old.Status == types.StatusTypeActive {
		return a.World.SetKeyStatus(old.ID, types.StatusTypeInactive)
	}
	return a.World.DeleteKey(old.ID)
}

func (a *Account) beginRotation() error {
	u, ok := a.some(func(u awssim.User) bool {
		return isMachine(u) && len(u.Keys) == 1 && !slices.Contains(a.rotating, u.Name)
	})
	if !ok {
		return nil
	}
	a.rotating = append(a.rotating, u.Name)
	return a.addKey(u.Name, keySpec{})
}

// violateOrRepair makes somebody violate a rule, or repairs a violator, so that
// every rule keeps some findings, but few.
func (a *Account) violateOrRepair() error {
	const few = 3
	many := a.population / 16 // so that most users of a small account are compliant, too
	v := pick(a, violations())
	violators := slices.DeleteFunc(a.violators(v), isExcused)
	if len(violators) < few || (len(violators) < many && a.chance(50)) {
		if !v.isAboutRoot() || len(violators) == 0 {
			return a.apply(v)
		}
	}
	return a.repair(pick(a, violators))
}

// joinOrLeave adds a newcomer, or removes one. The first users stay: most
// violations need users of their age.
func (a *Account) joinOrLeave() error {
	const newcomers = 16
	u, ok := a.some(func(u awssim.User) bool { return u.Created.After(a.began) })
	surplus := len(a.World.Users()) - a.population
	if !ok || (surplus < newcomers && a.chance(50)) {
		return a.join()
	}
	return a.World.DeleteUser(u.Name)
}

// join adds a machine with a key, or a person, who sometimes has one, too.
func (a *Account) join() error {
	if a.chance(50) {
		kind := pick(a, machines())
		name := a.freshName(kind.prefix + pick(a, a.size.projectNames()))
		if _, err := a.World.CreateUser(name, kind.path, a.now()); err != nil {
			return err
		}
		if err := a.tag(name, tagKind, "machine"); err != nil { // of no team yet
			return err
		}
		return a.addKey(name, keySpec{})
	}
	name := a.freshName(pick(a, firstNames()) + pick(a, a.size.teamNames()))
	if err := a.addConsoleUser(name, "/people/", 0, a.chance(80)); err != nil {
		return err
	}
	if a.chance(20) {
		return a.addKey(name, keySpec{idle: never})
	}
	return nil
}

// freshName returns the name, with a number if it is taken.
func (a *Account) freshName(name string) string {
	fresh := name
	for n := 2; ; n++ {
		if _, taken := a.World.User(fresh); !taken {
			return fresh
		}
		fresh = fmt.Sprintf("%s%d", name, n)
	}
}
