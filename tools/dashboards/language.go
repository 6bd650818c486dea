package dashboards

import (
	"slices"
	"strconv"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// Each colour has one meaning, the same on every dashboard.
const (
	compliant = "green"
	violation = "red"
	exempted  = "blue"
	unknown   = "purple"
	warned    = "orange" // due soon, out of date, going wrong
	plain     = "text"
	nothing   = "#7d8590" // no data
)

// noneKnown means that nothing is known to be in violation, but something is
// unknown. It is negative, unlike any count.
const noneKnown = -1

func noneAndNoneKnown() []Mapping {
	return []Mapping{mapValue(0, "none", compliant), mapValue(noneKnown, "none known", unknown)}
}

// ruleWords says what a rule is about in a few words.
func ruleWords(rule policy.Rule) string {
	switch rule {
	case policy.MultipleActiveKeys:
		return "Several active keys"
	case policy.ConsoleUserWithActiveKeys:
		return "Console and active keys"
	case policy.KeyCreatedAtUserSetup:
		return "Console key from setup"
	case policy.ConsoleKeyNeverUsed:
		return "Console key never used"
	case policy.KeyRotation:
		return "Key too old"
	case policy.KeyRotationDue:
		return "Key soon too old"
	case policy.KeyUnused:
		return "Key unused"
	case policy.RootAccessKey:
		return "Root key"
	case policy.ConsoleUserWithoutMFA:
		return "Console without MFA"
	case policy.PasswordUnused:
		return "Password unused"
	case policy.RootUserWithoutMFA:
		return "Root without MFA"
	}
	return string(rule)
}

// mapRules shows rules in words.
func mapRules() Mapping {
	words := map[string]Word{}
	for i, rule := range policy.Rules() {
		words[string(rule)] = Word{Text: ruleWords(rule), Index: i}
	}
	return Mapping{Type: "value", Options: words}
}

// mapValue shows one value as a word.
func mapValue(value int, text, color string) Mapping {
	return mapText(strconv.Itoa(value), text, color)
}

func mapText(value, text, color string) Mapping {
	return Mapping{Type: "value", Options: map[string]Word{value: {Text: text, Color: color}}}
}

// mapMissing shows a word where a query has no value for a row of a table.
func mapMissing(text, color string) Mapping { return mapSpecial("null+nan", text, color) }

// mapEmpty shows an empty label as a word.
func mapEmpty(text, color string) Mapping { return mapSpecial("empty", text, color) }

// mapPattern shows what matches as a word.
func mapPattern(pattern, text string) Mapping {
	return Mapping{Type: "regex", Options: map[string]any{"pattern": pattern, "result": Word{Text: text}}}
}

func mapSpecial(match, text, color string) Mapping {
	return Mapping{Type: "special", Options: map[string]any{"match": match, "result": Word{Text: text, Color: color}}}
}

// mapUnderOne shows less than a day as such, not as 0.
func mapUnderOne() Mapping {
	return Mapping{Type: "range", Options: map[string]any{"from": 0, "to": 0.999999, "result": Word{Text: "< 1 d"}}}
}

// mapOwners distinguishes users without an owner from users with unknown tags.
func mapOwners() []Mapping {
	return []Mapping{mapEmpty("not named", plain), mapText(policy.UnknownValue, "unknown", unknown)}
}

// steps are a base colour and, from each value on, another one.
func steps(base string, rest ...Step) *Thresholds {
	return &Thresholds{Mode: "absolute", Steps: slices.Concat([]Step{{Color: base}}, rest)}
}

func from(value float64, color string) Step { return Step{Color: color, Value: &value} }

func fixed(color string) *Color { return &Color{Mode: "fixed", FixedColor: color} }

func byThresholds() *Color { return &Color{Mode: "thresholds"} }

// palette is for what is neither good nor bad: rules, operations, reasons. None of
// its colours has a meaning of its own, and all can be seen on black and on white.
func palette() []string {
	return []string{"#4aa8d8", "#c9a227", "#2f9e8f", "#c774b2", "#8c6d46", "#a0896b", "#9aa63a", "#5b6fd6", "#d98e73", "#3f7f5f"}
}

// Units. Ages are in days, as policies are.
const (
	count   = "short"
	share   = "percentunit"
	days    = "suffix: d"
	seconds = "s"
	memory  = "bytes"
	rate    = "reqps"
	dollars = "currencyUSD"
)

const secondsPerDay = "86400"

// Age bands are no verdicts and have colours of their own: cool within the
// usual 90 days, then warmer.
func bandColors() []string {
	return []string{"#8fc7cf", "#5aa7b5", "#35839a", "#e3c565", "#d9a441", "#c18330", "#9c6428", "#744a26"}
}
