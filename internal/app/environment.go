package app

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

const variablePrefix = "AWS_IAM_EXPORTER_"

// ofKubernetes matches the rest of the variables that Kubernetes makes of a Service
// whose name begins like the exporter's.
var ofKubernetes = regexp.MustCompile(`(^|_)(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$`)

// warnOfVariables tells of environment variables that look like flags of the
// exporter, and are none. They are no reason to refuse to start: somebody else may
// have set them.
func warnOfVariables(environment []string, logger *slog.Logger) {
	known := flagVariables()
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, variablePrefix)
		if !ours || slices.Contains(known, name) || ofKubernetes.MatchString(rest) {
			continue
		}
		details := []any{"variable", shortened(name)}
		if meant := closest(name, known); meant != "" {
			details = append(details, "perhaps_meant", meant)
		}
		logger.Warn("Ignoring an environment variable that sets no flag", details...)
	}
}

// flagVariables returns the variables that set flags, those of commands included.
func flagVariables() []string {
	flags, _ := Flags() // which only fails if a test does
	var names []string
	for _, f := range flags {
		if f.Envar != "" {
			names = append(names, f.Envar)
		}
	}
	return names
}

// shortened is a name that is not too long for a log.
func shortened(name string) string {
	const most = 100
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

// closest returns the one of the names that a slip or two turn into the name; empty
// if none is that close.
func closest(name string, among []string) string {
	best, least := "", 4 // slips
	for _, candidate := range among {
		if n := slips(name, candidate, least); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// slips counts the letters to insert, remove or replace that turn a into b. It
// returns enough if they are that many or more.
func slips(a, b string, enough int) int {
	if d := len(a) - len(b); d >= enough || -d >= enough {
		return enough
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], enough)
}
