package fleet

import (
	"strings"
	"sync"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// cause is what accounts may have in common that have a problem: the problem, but for
// the account and the user that its sentence names.
type cause struct {
	reason       inventory.Reason
	action, text string
}

func causeOf(p inventory.Problem, accountID string) cause {
	text := p.Text
	for _, name := range []string{p.User, accountID} {
		if name != "" {
			text = strings.ReplaceAll(text, name, "…")
		}
	}
	return cause{p.Reason, p.Action, inventory.WithoutPassing(text)}
}

// common is what is wrong in all accounts, so that what is wrong in many of them is not
// repeated for each.
type common struct {
	reading, saving *causes
}

func newCommon() *common { return &common{newCauses(), newCauses()} }

// forget takes in that nothing is done about the account any more.
func (c *common) forget(account string) {
	c.reading.set(account, nil)
	c.saving.set(account, nil)
}

// causes are what is wrong, and in which accounts.
type causes struct {
	mu  sync.Mutex
	all map[cause]*affected
}

// affected are the accounts that have a problem of one cause.
type affected struct {
	accounts map[string]bool // by the id under which they are watched
	said     time.Time       // when one of them last said that it lasts
}

func newCauses() *causes { return &causes{all: map[cause]*affected{}} }

// set replaces what is wrong in an account.
func (c *causes) set(account string, now map[cause]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cause, a := range c.all {
		if now[cause] {
			continue
		}
		if delete(a.accounts, account); len(a.accounts) == 0 {
			delete(c.all, cause)
		}
	}
	for cause := range now {
		if c.all[cause] == nil {
			c.all[cause] = &affected{accounts: map[string]bool{}}
		}
		c.all[cause].accounts[account] = true
	}
}

// repeat reports whether it is time to say of an account's cause that it lasts, which
// holds for so many accounts, and takes in that it is said.
func (c *causes) repeat(id cause, now time.Time) (accounts int, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.all[id]
	if now.Sub(a.said) < repeatAfter {
		return 0, false
	}
	a.said = now
	return len(a.accounts), true
}
