package cost

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

// String says in one line what the settings cost.
func (c *Cost) String() string {
	text := c.calls() + c.pace() + "; " + c.trail()
	if assumed := c.assumed(); assumed != "" {
		text += "; " + assumed
	}
	return text
}

// calls says how many calls are wanted, and for what.
func (c *Cost) calls() string {
	unit, per := 1.0, "a second"
	if c.Wanted.Total() < 0.1 {
		unit, per = time.Hour.Seconds(), "an hour"
	}
	var parts []string
	for _, part := range []struct {
		name  string
		calls float64
	}{
		{"sweep", c.Wanted.Sweep},
		{"listings", c.Wanted.Listing},
		{"reports", c.Wanted.Reports},
		{"tags", c.Wanted.Tags},
		{"roles", c.Wanted.Roles},
		{"aliases", c.Wanted.Aliases},
		{"discovery", c.Wanted.Discovery},
	} {
		if part.calls > 0 {
			parts = append(parts, part.name+" "+number(part.calls*unit))
		}
	}
	return fmt.Sprintf("wants %s calls %s (%s)%s", precisely(c.Wanted.Total()*unit), per, strings.Join(parts, ", "), c.more())
}

// more names what is not counted.
func (c *Cost) more() string {
	for i := range c.Accounts {
		if c.Accounts[i].Source == awsapi.SourceAuto {
			return ", and some more for each user with a finding"
		}
	}
	return ""
}

// pace says whether the rates allow the calls, and what becomes of the round.
func (c *Cost) pace() string {
	text := ""
	switch {
	case c.Wanted.Total() > c.Rates.All:
		text = ", more than --iam.rate " + number(c.Rates.All)
	case c.Slow == 1:
		text = ", in one account more than --iam.account-rate " + number(c.Rates.Account)
	case c.Slow > 1:
		text = fmt.Sprintf(", in %s accounts more than --iam.account-rate %s", grouped(float64(c.Slow)), number(c.Rates.Account))
	}
	switch c.Round {
	case 0:
		return text
	case Endless:
		return text + ": hardly any user is read again"
	}
	return text + ": a full round takes " + model.Duration(c.Round.Round(time.Minute)).String()
}

// trail says what comes of it in CloudTrail.
func (c *Cost) trail() string {
	return fmt.Sprintf("%s CloudTrail events a month, %s USD for each paid copy of a trail", roughly(c.Events()), money(c.Price()))
}

// assumed says what is not known yet, if it matters.
func (c *Cost) assumed() string {
	n := 0
	for i := range c.Accounts {
		if a := &c.Accounts[i]; a.Assumed && a.readsUsers() {
			n++
		}
	}
	users := Assumed().Users
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("assumed: %d users with a key each", users)
	}
	return fmt.Sprintf("assumed: %d users with a key each in each of %s accounts", users, grouped(float64(n)))
}

// precisely shows three digits, so that what is just above a rate shows as such.
func precisely(x float64) string {
	if x >= 100 {
		return grouped(x)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// number shows one decimal, or two digits of less than one.
func number(x float64) string {
	switch {
	case x >= 100:
		return grouped(x)
	case x < 1:
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

// roughly shows three digits of a large number.
func roughly(x float64) string {
	if x >= 1e6 {
		return number(x/1e6) + " million"
	}
	unit := math.Pow(10, max(0, math.Floor(math.Log10(x))-2))
	return grouped(math.Round(x/unit) * unit)
}

func money(usd float64) string {
	if usd >= 100 {
		return grouped(usd)
	}
	return strconv.FormatFloat(usd, 'f', 2, 64)
}

// grouped rounds, and sets the thousands apart.
func grouped(x float64) string {
	digits := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
