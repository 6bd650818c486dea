package awsapi

import (
	"regexp"
	"strings"
)

// Denial is what AWS says of a call that it denies. Only what has the form of a
// principal, an action, a resource and a kind of policy is kept of its message,
// because anything else can be in it: the request with its signature, say.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
type Denial struct {
	Principal string // the caller's ARN
	Action    string
	Resource  string // an ARN, "user NAME", "*" and the like; empty if it is not told
	// Policy is the kind of policy that denies, such as "service control policy";
	// empty if it is not told.
	Policy   string
	Explicit bool // the policy says so; else it lacks the permission
}

// policyKinds are those that AWS names. Of no other is the name shown: in its
// place could be anything.
const policyKinds = `((?:identity-based|resource-based|service control|resource control|session|VPC endpoint|role trust) policy|permissions boundary)`

// ownPolicy is AWS's name for the policies of the caller itself.
const ownPolicy = "identity-based policy"

// The parts of AWS's sentence.
var (
	deniedSentence = regexp.MustCompile(`^User: (arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:[\w+=,.@/-]{1,600}) is not authorized to perform: ([a-z0-9-]{1,40}:[A-Za-z]{1,100})(.*)$`)
	// The key's id is no resource to show.
	deniedResource = regexp.MustCompile(`^ on resource: (\*|arn:aws[a-z-]*:(?:iam|organizations)::[0-9]{12}:[\w+=,.@/*-]{1,600}|user [\w+=,.@-]{1,64}|access key)(?: \w{16,128})?( .*)?$`)
	deniedBy       = regexp.MustCompile(`^ with an explicit deny(?: in an? ` + policyKinds + `\b)?`)
	deniedLacking  = regexp.MustCompile(`^ because no ` + policyKinds + ` allows the\b`)
)

// ParseDenial reads the message of a denied call. It reports false if that is
// not the sentence that AWS says.
func ParseDenial(message string) (Denial, bool) {
	const longest = 4096
	if len(message) > longest {
		message = message[:longest]
	}
	parts := deniedSentence.FindStringSubmatch(strings.Join(strings.Fields(message), " "))
	if parts == nil {
		return Denial{}, false
	}
	d := Denial{Principal: parts[1], Action: parts[2]}
	rest := parts[3]
	if about := deniedResource.FindStringSubmatch(rest); about != nil {
		d.Resource, rest = about[1], about[2]
	}
	if by := deniedBy.FindStringSubmatch(rest); by != nil {
		d.Policy, d.Explicit = by[1], true
	} else if lacking := deniedLacking.FindStringSubmatch(rest); lacking != nil {
		d.Policy = lacking[1]
	}
	return d, true
}

// String returns AWS's sentence.
func (d Denial) String() string {
	text := "User: " + d.Principal + " is not authorized to perform: " + d.Action
	if d.Resource != "" {
		text += " on resource: " + d.Resource
	}
	switch {
	case d.Explicit && d.Policy != "":
		text += " with an explicit deny in " + withArticle(d.Policy)
	case d.Explicit:
		text += " with an explicit deny"
	case d.Policy != "":
		text += " because no " + d.Policy + " allows the " + d.Action + " action"
	}
	return text
}

func withArticle(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
