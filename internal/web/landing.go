package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

//go:embed landing.html
var landingHTML string

//go:embed landing.css
var files embed.FS

const styleSheet = "landing.css"

// landingPage shows the present state.
func landingPage(o Options) http.Handler {
	body := template.Must(template.New("landing").Parse(landingHTML))
	negotiate := negotiator(nil)
	pageWish := func(r *http.Request) wish {
		return wish{key: "page", compressed: negotiate(r).Get("Content-Encoding") == "gzip"}
	}
	return newShared(o, pageWish, func() http.Handler {
		p := newPage(o)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var text bytes.Buffer
			if err := body.Execute(&text, p); err != nil {
				o.Logger.Error("Render landing page", "err", err)
				http.Error(w, "rendering the landing page failed; see the log", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = text.WriteTo(w)
		})
	})
}

// page is what the landing page shows.
type page struct {
	Version      string
	Pprof        bool
	Demo         string
	Source       string
	Reload       string // a sentence
	ReloadFailed bool
	Classes      []class
	Accounts     []account
	Exemptions   []exemption
}

type class struct {
	Name                                                                 string
	MaxKeyAge, RotationWarning, MaxKeyIdle, RotationOverlap, SetupWindow string
}

type account struct {
	ID, Partition string
	State         string // a sentence
	Class         string // how it looks: good, bad or waiting
	Mode          string // a sentence
	Users         string // a sentence; empty while nobody knows
	Problems      []string
	Facts         []facts
	Rules         []verdicts // empty while the users are unknown
}

type facts struct {
	Group    inventory.Group
	Observed string
	Age      string
	Stale    bool
}

type verdicts struct {
	Rule                                    policy.Rule
	Description                             string
	Violation, Exempted, Compliant, Unknown int
}

func newPage(o Options) page {
	v, now := o.View(), o.Now()
	p := page{
		Version: o.Version, Pprof: o.Pprof, Demo: o.Demo, Source: o.Source,
		Reload: reloadSentence(v.Reload, o.Demo != ""), ReloadFailed: v.Reload.Wanted && !v.Reload.Successful,
		Exemptions: newExemptions(v, o.Users, now),
	}
	for i := range v.Policy.Classes {
		p.Classes = append(p.Classes, newClass(&v.Policy.Classes[i]))
	}
	p.Classes = append(p.Classes, newClass(&v.Policy.Default))
	for _, ev := range v.Accounts() {
		p.Accounts = append(p.Accounts, newAccount(ev, o.Users, now))
	}
	return p
}

func reloadSentence(r view.Reload, demo bool) string {
	at := r.At.UTC().Format(time.RFC3339)
	switch {
	case !r.Wanted && demo:
		return "The demo has a configuration of its own."
	case !r.Wanted:
		return "There is no configuration file."
	case r.Successful:
		return "The configuration file, as read at " + at + ", is in force."
	}
	return "The last reload failed; the configuration file stays in force as it was read at " + at + ". The log says why."
}

func newClass(c *policy.Class) class {
	return class{
		Name:            c.Name,
		MaxKeyAge:       policy.InDays(c.Limits.MaxKeyAge),
		RotationWarning: policy.InDays(c.Limits.RotationWarning),
		MaxKeyIdle:      policy.InDays(c.Limits.MaxKeyIdle),
		RotationOverlap: policy.InDays(c.Limits.RotationOverlap),
		SetupWindow:     policy.InDays(c.Limits.SetupWindow),
	}
}

func newAccount(ev *policy.Evaluation, users bool, now time.Time) account {
	s := ev.Snapshot
	a := account{
		ID: s.Account.ID, Partition: s.Account.Partition,
		State: stateSentence(s), Class: stateClass(s.Health.State),
		Mode: modeSentence(s.Report),
	}
	if _, known := s.Freshness[inventory.GroupUsers]; known {
		a.Users = usersSentence(ev, users)
	}
	for _, p := range s.Health.Problems {
		a.Problems = append(a.Problems, problemSentence(ev, p, users))
	}
	a.Problems = append(a.Problems, tagProblems(ev, users)...)
	for _, group := range inventory.Groups() {
		fresh, known := s.Freshness[group]
		if group == inventory.GroupTags && !known && !ev.Policy.NeedsTags() {
			continue // nobody asks for them
		}
		f := newFacts(group, fresh, now)
		if f.Stale {
			a.Problems = append(a.Problems, fmt.Sprintf("The facts about %s are stale: the oldest were observed at %s; newer ones were due by %s.",
				group, f.Observed, fresh.Stale.UTC().Format(time.RFC3339)))
		}
		a.Facts = append(a.Facts, f)
	}
	if a.Users != "" {
		a.Rules = newVerdicts(ev)
	}
	return a
}

// usersSentence counts the users, and those that are not in the metrics.
func usersSentence(ev *policy.Evaluation, users bool) string {
	hidden := 0
	for i := range ev.Users {
		if ev.Users[i].Hidden {
			hidden++
		}
	}
	switch n := len(ev.Users); {
	case !users:
		return fmt.Sprintf("%d users. None has series of its own: --no-metrics.users is set.", n)
	case hidden > 0:
		return fmt.Sprintf("%d users, %d of them without series of their own: excluded by the configuration, or not known yet to be included.", n, hidden)
	default:
		return fmt.Sprintf("%d users.", n)
	}
}

// newFacts returns how old the facts of a group are. If they are unknown, fresh is
// the zero value.
func newFacts(group inventory.Group, fresh inventory.Freshness, now time.Time) facts {
	if fresh.Observed.IsZero() {
		return facts{Group: group, Observed: "not known yet", Age: "–"}
	}
	return facts{
		Group:    group,
		Observed: fresh.Observed.UTC().Format(time.RFC3339),
		Age:      now.Sub(fresh.Observed).Round(time.Second).String(),
		Stale:    now.After(fresh.Stale),
	}
}

func newVerdicts(ev *policy.Evaluation) []verdicts {
	var all []verdicts
	for _, rule := range policy.Rules() {
		all = append(all, verdicts{
			Rule: rule, Description: rule.Description(),
			Violation: ev.Count(rule, policy.Violation), Exempted: ev.Count(rule, policy.Exempted),
			Compliant: ev.Count(rule, policy.Compliant), Unknown: ev.Count(rule, policy.Unknown),
		})
	}
	return all
}

func stateSentence(s *inventory.Snapshot) string {
	switch {
	case s.Health.State == inventory.StateUp && s.Sweep.Unread > 0:
		return "The last refresh got every fact it asked for. " + unreadSentence(s)
	case s.Health.State == inventory.StateUp:
		return "The last refresh got every fact it asked for."
	case s.Health.State == inventory.StatePending && s.Sweep.Unread > 0:
		return unreadSentence(s)
	case s.Health.State == inventory.StatePending:
		return "The first refresh is under way."
	case len(s.Freshness) == 0:
		return "Nothing is known yet: no refresh got the facts it asked for."
	}
	return "The last refresh did not get every fact it asked for. What was known before is kept, with its age."
}

// stateClass is how a state looks.
func stateClass(state inventory.State) string {
	switch state {
	case inventory.StateUp:
		return "good"
	case inventory.StateDown:
		return "bad"
	}
	return "waiting"
}

// unreadSentence says how many users have been read, and how long the rest takes.
func unreadSentence(s *inventory.Snapshot) string {
	read := fmt.Sprintf("%d of %d users read", len(s.Users)-s.Sweep.Unread, len(s.Users))
	left := s.Left()
	switch {
	case left == 0:
		return read + "."
	case left < time.Minute:
		return read + ", less than a minute to go."
	case left < 90*time.Second:
		return read + ", about a minute to go."
	case left < 2*time.Hour:
		return fmt.Sprintf("%s, about %d minutes to go.", read, left.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%s, about %d hours to go.", read, left.Round(time.Hour)/time.Hour)
}

func modeSentence(r inventory.Report) string {
	switch {
	case !r.Wanted:
		return "Everything is asked live."
	case r.Usable:
		return "The credential report of " + r.Generated.UTC().Format(time.RFC3339) + " is in use."
	case !r.Generated.IsZero():
		return "The newest credential report, of " + r.Generated.UTC().Format(time.RFC3339) + ", is too old to rely on."
	default:
		return "There is no credential report yet."
	}
}
