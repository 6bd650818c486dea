// Package access tries out what the exporter is allowed to do: each needed operation
// once, by its cheapest call. It keeps no answer, and no name of a user leaves it.
package access

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Status says what is known of a permission.
type Status string

// The statuses.
const (
	Granted Status = "granted" // AWS has answered
	Missing Status = "missing" // AWS has denied it
	Unknown Status = "unknown" // AWS has done neither, or was not asked
	Untried Status = "untried" // there is nothing in the account to try it on, and so nothing yet that needs it
)

// Permission is what is known of one.
type Permission struct {
	Action string `json:"action"`
	Status Status `json:"status"`
	// Optional tells that the exporter does without it.
	Optional bool   `json:"optional,omitempty"`
	For      string `json:"for"` // what it is needed for
	// Why it is not granted, and what to do about it; empty if it is granted.
	Why string `json:"why,omitempty"`

	allow bool // a statement that allows the action is what is wanting
}

// Checked is who was tried, and what came of it.
type Checked struct {
	ID          string       `json:"id,omitempty"`   // of an account, or of an organization; empty if it is not known
	Name        string       `json:"name,omitempty"` // of an account
	Role        string       `json:"role,omitempty"` // the ARN of the role that is assumed; empty for the exporter's own credentials
	Caller      string       `json:"caller,omitempty"`
	Permissions []Permission `json:"permissions"`

	partition string
	needs     awsapi.Needs // of an account
}

// assuming is what accounts with a role need of their caller.
func assuming() Permission {
	return Permission{Action: "sts:AssumeRole", For: "credentials of the account"}
}

func permissionOf(o *awsapi.Operation) Permission {
	return Permission{Action: o.Action(), Optional: o.Naming, For: o.Why}
}

// Caller is who the exporter is.
type Caller struct {
	Account inventory.Account
	ARN     string
}

// Who asks AWS whose credentials the client has.
func Who(ctx context.Context, client *awsapi.Client) (Caller, error) {
	account, arn, err := awsiam.New(client, awsiam.NewClock(clockPatience)).Caller(ctx)
	return Caller{account, arn}, err
}

// clockPatience is longer than anything is tried for: no time of AWS's judges anything here.
const clockPatience = time.Hour

// Target is an account to try.
type Target struct {
	Client *awsapi.Client
	ID     string // empty for that of the exporter's own credentials
	Name   string
	Role   string // ARN of the role to assume; empty for the own credentials
}

// Account tries what reading the account needs. Own is who the exporter is, whose
// policies let it assume a role.
func Account(ctx context.Context, t *Target, own Caller) *Checked {
	c := &Checked{ID: cmp.Or(t.ID, own.Account.ID), Name: t.Name, Role: t.Role, Caller: own.ARN, needs: t.Client.Needs()}
	a := &attempts{reader: awsiam.New(t.Client, awsiam.NewClock(clockPatience)), checked: c}
	account := own.Account
	if t.Role != "" {
		var err error
		account, c.Caller, err = a.reader.Caller(ctx)
		if failed := new(awsapi.Error); errors.As(err, &failed) && !failed.OfRole() && ctx.Err() == nil {
			a.note(ctx, assuming(), nil)
			a.skipAll("not tried: " + err.Error())
			return c
		}
		if a.note(ctx, assuming(), err); err != nil {
			a.skipAll("not tried: the role was not assumed")
			return c
		}
	}
	if account.ID != c.ID {
		a.skipAll("not tried: the credentials are those of account " + account.ID + ", want account " + c.ID + ": correct the credentials or role for it")
		return c
	}
	c.partition = account.Partition
	a.run(ctx)
	return c
}

// Unreached is what is known of an account that nobody can ask.
func Unreached(t *Target, why string) *Checked {
	c := &Checked{ID: t.ID, Name: t.Name, Role: t.Role, needs: t.Client.Needs()}
	a := &attempts{checked: c}
	if t.Role != "" {
		a.skip(assuming(), why)
	}
	a.skipAll(why)
	return c
}

// wanting returns the actions for which a statement is wanting.
func (c *Checked) wanting() []string {
	var actions []string
	for _, p := range c.Permissions {
		if p.allow {
			actions = append(actions, p.Action)
		}
	}
	return actions
}

// attempts are made on one account, one after the other.
type attempts struct {
	reader  awsiam.Reader
	checked *Checked

	users    []string // some of the account
	allUsers bool     // users are all of it
	keyed    []string // users who had a key when AWS made its last report
	noneHad  bool     // that report told that no user had one
	key      string   // of one user
	noneHas  bool     // none of users has one
	ended    string   // why nothing else is tried; empty if it is
}

// run tries each operation: those about users last, when it is known which there are.
func (a *attempts) run(ctx context.Context) {
	operations := slices.DeleteFunc(awsapi.OperationsFor(a.checked.needs), func(o awsapi.Operation) bool { return o.Free })
	for _, aboutUsers := range []bool{false, true} {
		for i := range operations {
			if o := &operations[i]; o.OnUsers == aboutUsers {
				a.try(ctx, o)
			}
		}
	}
}

func (a *attempts) try(ctx context.Context, o *awsapi.Operation) {
	p := permissionOf(o)
	switch {
	case a.ended != "":
		a.skip(p, a.ended)
	case p.Action == awsiam.GetKeyUse && a.keyless():
		p.Status, p.Why = Untried, "no user has a key to try it on; it is needed as soon as one has"
		a.checked.Permissions = append(a.checked.Permissions, p)
	case p.Action == awsiam.GetKeyUse && a.key == "":
		a.skip(p, "not tried: no key was found to try it on")
	default:
		a.note(ctx, p, a.call(ctx, p.Action))
		if o.OnUsers && a.user() == awsiam.Nobody {
			a.explainNobody()
		}
	}
}

// explainNobody says on whom the last call was tried if no policy allows it: one that
// is limited to some users does not know Nobody.
func (a *attempts) explainNobody() {
	if p := &a.checked.Permissions[len(a.checked.Permissions)-1]; p.allow {
		p.Why += ", at least not for every user: it was tried on a made-up name"
	}
}

// mostUsers is on how many users a key is looked for.
const mostUsers = 10

func (a *attempts) call(ctx context.Context, action string) error {
	switch action {
	case awsiam.ListUsers:
		var err error
		a.users, a.allUsers, err = a.reader.SomeUsers(ctx, mostUsers)
		return err
	case awsiam.GetReport:
		keyed, others, err := a.reader.ReportedUsers(ctx)
		a.keyed, a.noneHad = keyed[:min(len(keyed), mostUsers)], len(keyed) == 0 && len(others) > 0
		if len(a.users) == 0 {
			a.users = slices.Concat(a.keyed, others[:min(len(others), mostUsers)])
		}
		return err
	case awsiam.ListKeys:
		return a.findKey(ctx)
	case awsiam.GetKeyUse:
		return a.reader.Try(ctx, action, "", a.key)
	}
	return a.reader.Try(ctx, action, a.user(), "")
}

// user returns one who exists, else Nobody.
func (a *attempts) user() string {
	if len(a.users) == 0 {
		return awsiam.Nobody
	}
	return a.users[0]
}

// findKey looks for a key on one user after the other. That nobody has one is no
// failure.
func (a *attempts) findKey(ctx context.Context) error {
	users := slices.Concat(a.keyed, a.users)
	if len(users) == 0 {
		users = []string{awsiam.Nobody}
	}
	for _, user := range users {
		key, err := a.reader.SomeKey(ctx, user)
		if key != "" || err != nil {
			a.key = key
			return err
		}
	}
	a.noneHas = true
	return nil
}

// keyless reports whether no user of the account has a key.
func (a *attempts) keyless() bool {
	return a.noneHad && a.key == "" || a.allUsers && (a.noneHas || len(a.users) == 0)
}

// note takes down how a call ended.
func (a *attempts) note(ctx context.Context, p Permission, err error) {
	if err != nil {
		a.ended = endedBy(ctx, err)
	}
	a.checked.Permissions = append(a.checked.Permissions, p.after(ctx, err))
}

// skip takes down that nothing was called.
func (a *attempts) skip(p Permission, why string) {
	p.Status, p.Why = Unknown, why
	a.checked.Permissions = append(a.checked.Permissions, p)
}

// skipAll takes down that no operation was tried.
func (a *attempts) skipAll(why string) {
	for _, o := range awsapi.OperationsFor(a.checked.needs) {
		if !o.Free {
			a.skip(permissionOf(&o), why)
		}
	}
}

// after returns what is known of the permission after a call: whether it was denied
// or merely not answered. The context's cause is told where its end is what failed.
func (p Permission) after(ctx context.Context, err error) Permission {
	failed := new(awsapi.Error)
	switch {
	case err == nil:
		p.Status = Granted
		return p
	case ctx.Err() != nil:
		p.Status, p.Why = Unknown, stopped(ctx)
		return p
	case !errors.As(err, &failed):
		p.Status, p.Why = Unknown, err.Error()
		return p
	}
	perhaps, surely := failed.Lacks()
	p.Status, p.Why = Unknown, failed.Detail()+"; "+failed.Advice()
	switch failed.Reason {
	case inventory.ReasonDenied:
		p.Status, p.allow, p.Why = Missing, perhaps, failed.Advice()
	case inventory.ReasonRole:
		p.Status, p.allow, p.Why = Missing, surely, "denied; "+failed.Advice()
	case inventory.ReasonThrottled, inventory.ReasonServer, inventory.ReasonReport, inventory.ReasonOther: // whose advice is for a program that goes on
		p.Why = failed.Detail() + "; try again later"
	}
	switch {
	case surely:
		p.Why = "no policy allows it"
	case p.allow && strings.HasPrefix(p.Action, "iam:"): // others know more
		p.Why = "denied, and AWS does not say why; most likely no policy allows it"
	}
	return p
}

// Problem returns what a failure of a call says, or why everything was stopped.
func Problem(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	return err.Error()
}

// stopped says why the context has ended.
func stopped(ctx context.Context) string {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause.Error()
	}
	return "it was stopped before"
}

// endedBy returns why nothing else has to be tried after a failure: it would fail as well.
func endedBy(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "not tried: " + stopped(ctx)
	}
	switch awsapi.ReasonOf(err) {
	case inventory.ReasonCredentials, inventory.ReasonNetwork, inventory.ReasonTimeout:
		return "not tried, since the call before failed"
	}
	return ""
}
