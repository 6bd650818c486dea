package app

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// validate refuses values that are of their flag's type, but make no sense.
func (s *settings) validate() error {
	return cmp.Or(
		s.validateIntervals(),
		validateRates(s.calls.rates),
		s.share.validate(),
		s.validateDemo(),
		s.validateCommand(),
		validateLimits(s.defaults.Limits),
	)
}

// validateCommand refuses flags of the command itself.
func (s *settings) validateCommand() error {
	switch s.command {
	case commandCheckAccess:
		return atLeastASecond("timeout", s.access.timeout)
	case commandPolicy:
		return s.iamPolicy.validate()
	}
	return nil
}

func (s *settings) validateIntervals() error {
	read := &s.defaults.Settings
	if err := cmp.Or(
		atLeastASecond("iam.refresh-interval", read.RefreshInterval),
		atLeastASecond("iam.keys-interval", read.KeysInterval),
		atLeastASecond("iam.timeout", s.calls.timeout),
	); err != nil {
		return err
	}
	if read.KeysInterval < read.RefreshInterval {
		return fmt.Errorf("flag --iam.keys-interval: got %s, want --iam.refresh-interval (%s) or more",
			model.Duration(read.KeysInterval), model.Duration(read.RefreshInterval))
	}
	return nil
}

func atLeastASecond(flag string, value time.Duration) error {
	if value < time.Second {
		return fmt.Errorf("flag --%s: got %s, want 1s or more", flag, model.Duration(value))
	}
	return nil
}

func validateRates(rates cost.Rates) error {
	if err := cmp.Or(aboveZero("iam.rate", rates.All), aboveZero("iam.account-rate", rates.Account)); err != nil {
		return err
	}
	if rates.Account > rates.All {
		return fmt.Errorf("flag --iam.account-rate: got %v, want --iam.rate (%v) or less", rates.Account, rates.All)
	}
	return nil
}

func aboveZero(flag string, value float64) error {
	if math.IsNaN(value) || value <= 0 {
		return fmt.Errorf("flag --%s: got %v, want a number above 0", flag, value)
	}
	return nil
}

// validateDemo refuses what makes no sense beside the demo, or without it.
func (s *settings) validateDemo() error {
	switch {
	case s.demo.on && s.share.total > 1:
		return errors.New("flag --total-shards: got it beside --demo, want one of them: the demo has an account of its own")
	case s.demo.on && s.stateDir != "":
		return errors.New("flag --state.dir: got it beside --demo, want one of them: each start makes a new demo account")
	case s.demo.accounts > 1 && !s.demo.on:
		return errors.New("flag --demo.accounts: got it without --demo, which alone it is for")
	}
	return nil
}

// validateLimits returns every limit that makes no sense, by the name of its flag.
func validateLimits(l policy.Limits) error {
	var errs []error
	for _, p := range l.Problems() {
		if p.Other != "" && p.Value == policy.DefaultLimits().RotationWarning {
			errs = append(errs, shortAge(p))
			continue
		}
		flag := func(name string) string { return "--policy." + strings.ReplaceAll(name, "_", "-") }
		errs = append(errs, fmt.Errorf("flag %s: got %s, want %s", flag(p.Limit), policy.InDays(p.Value), p.Wanted(flag(p.Other))))
	}
	return errors.Join(errs...)
}

// shortAge says what to do about a greatest age of keys that is shorter than the warning
// before it, which is what it is by default: nobody chose it.
func shortAge(p policy.LimitProblem) error {
	const warnings = 7 // fit into the age
	return fmt.Errorf("flag --policy.max-key-age: got %s, want more than --policy.rotation-warning, which is %s by default: set that too, for example --policy.rotation-warning=%s",
		policy.InDays(p.OtherValue), policy.InDays(p.Value), policy.InDays((p.OtherValue / warnings).Truncate(time.Second)))
}
