package e2e

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
	year = 365 * day
)

// past is the made-up history of one account, as the shipped rules would have
// recorded it: users grow in number, campaigns bring the findings down in steps.
// Its end resembles the account that --demo shows.
type past struct {
	account, name string
	began         time.Duration // how long ago the account was first watched
	rootKey       period        // without the one that root has in the end
	rootKeySince  time.Duration
	gap           period   // in which AWS could not be read
	incidents     []period // in which not everything was known
	noise         map[policy.Rule][]float64
}

// instance is the name under which Prometheus scrapes the account's exporter.
func (p past) instance() string { return "exporter-" + p.name + ":10190" }

// period is given by how long before the end of the history it began and ended.
type period struct{ began, ended time.Duration }

func (p period) includes(ago time.Duration) bool { return ago <= p.began && ago > p.ended }

// pasts returns the histories of the stage's accounts, always the same.
func pasts() []past {
	all := []past{
		{
			account: "111122223333", name: "production", began: 5 * year,
			rootKey: period{5 * year, 3 * year}, rootKeySince: 5 * day,
			incidents: []period{{31 * day, 27 * day}, {restarted - 2*time.Minute, restarted - 20*time.Minute}},
		},
		{
			account: "222233334444", name: "staging", began: 5 * year,
			rootKey: period{5 * year, 2 * year}, rootKeySince: 40 * day,
			gap: period{400 * day, 379 * day},
		},
		{
			account: "333344445555", name: "sandbox", began: 3 * year,
			rootKey: period{3 * year, 2 * year}, rootKeySince: 300 * day,
		},
	}
	for i := range all {
		random := rand.New(rand.NewPCG(2026, uint64(i)))
		all[i].noise = map[policy.Rule][]float64{}
		for _, rule := range policy.Rules() {
			for range all[i].began/week + 2 {
				all[i].noise[rule] = append(all[i].noise[rule], 2*random.Float64()-1)
			}
		}
	}
	return all
}

// The past was recorded every six hours, and every hour of the last hundred
// days: at full hours, because dashboards look at full hours and at midnight, and
// take nothing that is older than an hour.
const (
	coarse = 6 * time.Hour
	fine   = time.Hour
)

func every(at, end time.Time) time.Duration {
	if at.Before(end.Add(-100 * day).Truncate(coarse)) {
		return coarse
	}
	return fine
}

// times returns when the past was recorded, oldest first.
func (p past) times(end time.Time) []time.Time {
	var all []time.Time
	for at := p.first(end); at.Before(end); at = at.Add(every(at, end)) {
		all = append(all, at)
	}
	return append(all, end)
}

func (p past) first(end time.Time) time.Time {
	return end.Add(-p.began).Truncate(coarse).Add(coarse)
}

// last returns the last of the times that is not after another.
func (p past) last(at, end time.Time) time.Time {
	if !at.Before(end) {
		return end
	}
	if at = at.Truncate(every(at, end)); at.Before(p.first(end)) {
		return time.Time{}
	}
	return at
}

// figures are what is recorded about an account at one time. While AWS cannot be
// read, only the last two are recorded.
type figures struct {
	users, consoleUsers, neverUsed int
	usersByActiveKeys              map[string]int
	activeKeys                     map[string]int // by age band
	keys                           map[inventory.Status]int
	verdicts                       map[policy.Rule]map[policy.Verdict]int

	up       bool
	observed map[inventory.Group]time.Time
}

// at returns the figures of a time between the beginning and the end.
func (p past) at(at, end time.Time) figures {
	ago := end.Sub(at)
	f := figures{up: !p.gap.includes(ago), observed: p.observed(at, end)}
	if !f.up {
		return f
	}
	f.users = int(247 * (1 - 0.6*ago.Seconds()/p.began.Seconds()))
	f.consoleUsers = portion(f.users, 0.49)
	two := portion(f.users, min(0.3, 0.016*excess(ago)))
	one := portion(f.users, 0.53)
	keys := one + 2*two
	f.usersByActiveKeys = map[string]int{"0": f.users - one - two, "1": one, "2+": two, "unknown": 0}
	f.activeKeys = ages(keys, ago)
	f.keys = map[inventory.Status]int{inventory.Active: keys, inventory.Inactive: portion(keys, 0.14), inventory.Expired: 0}
	f.neverUsed = portion(keys, 0.022*excess(ago))
	f.verdicts = map[policy.Rule]map[policy.Verdict]int{}
	for _, rule := range policy.Rules() {
		if began, late := ruleBegan(rule); late && ago > began {
			continue
		}
		population := map[policy.Subject]int{policy.SubjectUser: f.users, policy.SubjectKey: keys, policy.SubjectAccount: 1}[rule.Subject()]
		f.verdicts[rule] = p.verdicts(rule, population, ago)
	}
	return f
}

// ruleBegan tells of the youngest rules when they came, before the end.
func ruleBegan(rule policy.Rule) (ago time.Duration, late bool) {
	switch rule {
	case policy.ConsoleUserWithoutMFA:
		return 900 * day, true
	case policy.PasswordUnused, policy.RootUserWithoutMFA:
		return 300 * day, true
	}
	return 0, false
}

// verdicts judges a population.
func (p past) verdicts(rule policy.Rule, population int, ago time.Duration) map[policy.Verdict]int {
	var violation, exempted, unknown int
	switch {
	case rule.Subject() == policy.SubjectAccount:
		if rule == policy.RootAccessKey && (p.rootKey.includes(ago) || ago < p.rootKeySince) {
			violation = 1
		}
	default:
		violation = portion(population, min(0.8, share(rule)*excess(ago)*(1+0.2*p.noiseAt(rule, ago))))
		exempted = min(exemptions(rule, ago), population-violation)
		if slices.ContainsFunc(p.incidents, func(i period) bool { return i.includes(ago) }) {
			unknown = portion(population, 0.35)
			violation, exempted = violation*6/10, exempted*6/10
		}
	}
	return map[policy.Verdict]int{
		policy.Compliant: population - violation - exempted - unknown,
		policy.Violation: violation,
		policy.Exempted:  exempted,
		policy.Unknown:   unknown,
	}
}

// share returns what part of a population breaks a rule in the end.
func share(rule policy.Rule) float64 {
	return map[policy.Rule]float64{
		policy.MultipleActiveKeys:        0.012,
		policy.ConsoleUserWithActiveKeys: 0.036,
		policy.KeyCreatedAtUserSetup:     0.022,
		policy.ConsoleKeyNeverUsed:       0.022,
		policy.KeyRotation:               0.17,
		policy.KeyRotationDue:            0.10,
		policy.KeyUnused:                 0.015,
		policy.ConsoleUserWithoutMFA:     0.02,
		policy.PasswordUnused:            0.03,
	}[rule]
}

// exemptions returns how many are excused: some always, some for the time of a
// migration, some for the last two months.
func exemptions(rule policy.Rule, ago time.Duration) int {
	switch rule {
	case policy.KeyRotation:
		if (period{560 * day, 240 * day}).includes(ago) {
			return 14
		}
		if ago < 60*day {
			return 2
		}
	case policy.ConsoleUserWithoutMFA:
		return 1
	}
	return 0
}

// excess returns how much more was wrong than at the end, as a factor. Each campaign
// takes four weeks and repairs a third; the last one has just come to its end.
func excess(ago time.Duration) float64 {
	const lasts = 4 * week
	factor := 1.0
	for _, began := range []time.Duration{1600 * day, 1250 * day, 880 * day, 520 * day, 230 * day, 70 * day, lasts} {
		left := (ago - began + lasts).Seconds() / lasts.Seconds()
		factor *= 1 + 0.45*min(1, max(0, left))
	}
	return factor
}

// noiseAt returns a number from -1 to 1 that changes slowly and is 0 in the end.
func (p past) noiseAt(rule policy.Rule, ago time.Duration) float64 {
	weeks, part := math.Modf(ago.Seconds() / week.Seconds())
	noise := p.noise[rule][int(weeks):]
	return min(1, ago.Seconds()/week.Seconds()) * (noise[0]*(1-part) + noise[1]*part)
}

// ages spreads keys over the age bands; the more was wrong, the older they are.
func ages(keys int, ago time.Duration) map[string]int {
	young := []float64{0.39, 0.13, 0.30, 0.10, 0.01, 0.04, 0.02, 0.01}
	old := []float64{0.08, 0.05, 0.12, 0.19, 0.20, 0.20, 0.13, 0.03}
	age := min(1, (excess(ago)-1)/4)
	bands, spread, left := collector.AgeBands(), map[string]int{}, keys
	for i, band := range bands[1:] {
		spread[band] = min(left, portion(keys, young[i+1]*(1-age)+old[i+1]*age))
		left -= spread[band]
	}
	spread[bands[0]] = left
	return spread
}

// observed returns where the oldest facts come from: the credential report of every
// fourth hour, or the sweep of the last hour.
func (p past) observed(at, end time.Time) map[inventory.Group]time.Time {
	if p.gap.includes(end.Sub(at)) {
		at = end.Add(-p.gap.began)
	}
	all := map[inventory.Group]time.Time{}
	for _, group := range inventory.Groups() {
		all[group] = at.Truncate(4 * time.Hour)
	}
	all[inventory.GroupUsers] = at.Add(-2 * time.Minute)
	all[inventory.GroupTags] = at.Add(-2 * time.Minute)
	all[inventory.GroupKeys] = at.Add(-time.Hour)
	return all
}

func portion(of int, share float64) int { return int(math.Round(float64(of) * share)) }

// write writes the whole past, as the shipped rules name it.
func (p past) write(w *openMetrics, end time.Time) {
	for _, at := range p.times(end) {
		record := func(name string, value float64, labels ...string) {
			w.sample("account:aws_iam_account_"+name, value, at, append(labels, "account_id", p.account)...)
		}
		p.at(at, end).record(record)
	}
}

// writeFleet writes what the shipped rules record of all accounts together: sums, and
// how many accounts are in them.
func writeFleet(w *openMetrics, end time.Time, all []past) {
	recorded := map[time.Time][]past{}
	for _, p := range all {
		for _, at := range p.times(end) {
			recorded[at] = append(recorded[at], p)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(recorded), time.Time.Compare) {
		sums, accounts := map[string]float64{}, map[string]map[string]bool{}
		labelsOf := map[string][]string{}
		add := func(into, account string, value float64, labels ...string) {
			key := into + fmt.Sprint(labels)
			sums[key] += value
			labelsOf[key] = append([]string{into}, labels...)
			if accounts[key] == nil {
				accounts[key] = map[string]bool{}
			}
			accounts[key][account] = true
		}
		for _, p := range recorded[at] {
			p.at(at, end).record(func(name string, value float64, labels ...string) {
				switch name {
				case "up":
					add("up:count", p.account, 0)
				case "users", "access_keys":
					add(name+":sum", p.account, value, labels...)
					add(name+":count", p.account, 0)
				case "verdicts":
					add(name+":sum", p.account, value, labels...)
					add(name+":count", p.account, 0, labels[:2]...) // the rule
				}
			})
		}
		for _, key := range slices.Sorted(maps.Keys(sums)) {
			name, value := labelsOf[key][0], sums[key]
			if strings.HasSuffix(name, ":count") {
				value = float64(len(accounts[key]))
			}
			w.sample("fleet:aws_iam_account_"+name, value, at, labelsOf[key][1:]...)
		}
	}
}

func (f figures) record(record func(name string, value float64, labels ...string)) {
	up := 0.0
	if f.up {
		up = 1
		f.recordCounts(func(name string, n int, labels ...string) { record(name, float64(n), labels...) })
	}
	record("up", up)
	for _, group := range inventory.Groups() {
		record("facts_observed_timestamp_seconds", float64(f.observed[group].Unix()), "facts", string(group))
	}
}

func (f figures) recordCounts(record func(name string, n int, labels ...string)) {
	record("users", f.users)
	record("console_users", f.consoleUsers)
	record("never_used_access_keys", f.neverUsed)
	for _, active := range slices.Sorted(maps.Keys(f.usersByActiveKeys)) {
		record("users_by_active_keys", f.usersByActiveKeys[active], "active_keys", active)
	}
	for _, band := range collector.AgeBands() {
		record("access_keys", f.activeKeys[band], "status", string(inventory.Active), "age_band", band)
	}
	for _, status := range inventory.Statuses() {
		record("access_keys:sum", f.keys[status], "status", string(status))
	}
	f.recordVerdicts(record)
}

func (f figures) recordVerdicts(record func(name string, n int, labels ...string)) {
	for _, rule := range policy.Rules() {
		for _, verdict := range policy.Verdicts() {
			if n, judged := f.verdicts[rule][verdict]; judged {
				record("verdicts", n, "rule", string(rule), "verdict", string(verdict))
			}
		}
	}
}

// writeVerdicts writes the verdicts of the last days as they were scraped.
func (p past) writeVerdicts(w *openMetrics, end time.Time) {
	const lasts, every = 8 * day, 4 * time.Minute // queries look back five
	for at := end.Add(-lasts); !at.After(end); at = at.Add(every) {
		p.at(at, end).recordVerdicts(func(name string, n int, labels ...string) {
			labels = append(labels, "account_id", p.account, "job", "aws_iam", "instance", p.instance())
			w.sample("aws_iam_account_"+name, float64(n), at, labels...)
		})
	}
}

// openMetrics writes samples in the format that promtool imports.
// https://prometheus.io/docs/specs/om/open_metrics_spec/
type openMetrics struct{ *bufio.Writer }

func newOpenMetrics(w io.Writer) *openMetrics { return &openMetrics{bufio.NewWriterSize(w, 1<<20)} }

// sample writes a sample of the series with these labels, given as names and
// values in turn. The method end returns errors.
func (w *openMetrics) sample(name string, value float64, at time.Time, labels ...string) {
	line := append(w.AvailableBuffer(), name...)
	line = append(line, '{')
	for i := 0; i < len(labels); i += 2 {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(append(line, labels[i]...), '=')
		line = strconv.AppendQuote(line, labels[i+1])
	}
	line = append(line, "} "...)
	line = append(strconv.AppendFloat(line, value, 'g', -1, 64), ' ')
	line = append(strconv.AppendInt(line, at.Unix(), 10), '\n')
	_, _ = w.Write(line)
}

func (w *openMetrics) end() error {
	_, _ = w.WriteString("# EOF\n")
	return w.Flush()
}

func TestOpenMetrics(t *testing.T) {
	var b strings.Builder
	w := newOpenMetrics(&b)
	w.sample("a:b", 1, time.Unix(60, 0), "x", "1", "y", `"`)
	w.sample("c_seconds", 1795316004.5, time.Unix(120, 0), "x", "1")
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	const want = `a:b{x="1",y="\""} 1 60` + "\n" + `c_seconds{x="1"} 1.7953160045e+09 120` + "\n# EOF\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text differs (-want +got):\n%s", diff)
	}
}

// TestPasts checks what must be true at every moment of the made-up history.
func TestPasts(t *testing.T) {
	end := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for _, p := range pasts() {
		t.Run(p.name, func(t *testing.T) {
			for _, at := range p.times(end) {
				if f := p.at(at, end); f.up {
					checkFigures(t, f, at)
				}
			}
		})
	}
}

func TestLast(t *testing.T) {
	end := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	p := pasts()[2]
	for name, c := range map[string]struct{ ago, want time.Duration }{
		"the end":      {0, 0},
		"a minute ago": {time.Minute, time.Hour},
		"an hour ago":  {time.Hour, time.Hour},
		"long ago":     {200*day + time.Minute, 200*day + 3*time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.last(end.Add(-c.ago), end); !got.Equal(end.Add(-c.want)) || !slices.ContainsFunc(p.times(end), got.Equal) {
				t.Errorf("the last recording is from %s before the end, want %s", end.Sub(got), c.want)
			}
		})
	}
	if got := p.last(end.Add(-p.began-time.Second), end); !got.IsZero() {
		t.Errorf("there is a recording from before the beginning, of %s", got)
	}
}

func checkFigures(t *testing.T, f figures, at time.Time) {
	t.Helper()
	sum := func(counts map[string]int) (n int) {
		for _, count := range counts {
			n += count
		}
		return n
	}
	active := f.keys[inventory.Active]
	if got := sum(f.usersByActiveKeys); got != f.users {
		t.Errorf("%s: %d users by active keys, want %d", at, got, f.users)
	}
	if got := sum(f.activeKeys); got != active {
		t.Errorf("%s: %d keys by age, want %d", at, got, active)
	}
	population := map[policy.Subject]int{policy.SubjectUser: f.users, policy.SubjectKey: active, policy.SubjectAccount: 1}
	for rule, verdicts := range f.verdicts {
		n := 0
		for verdict, count := range verdicts {
			n += count
			if count < 0 {
				t.Errorf("%s: %d are %s under %s", at, count, verdict, rule)
			}
		}
		if want := population[rule.Subject()]; n != want {
			t.Errorf("%s: verdicts of %s add up to %d, want %d", at, rule, n, want)
		}
	}
}

// TestPastsTell checks that the history has what dashboards must cope with.
func TestPastsTell(t *testing.T) {
	end := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	of := map[string]past{}
	for _, p := range pasts() {
		of[p.name] = p
	}
	series := func(name string, ago time.Duration) int {
		n := 0
		p := of[name]
		p.at(end.Add(-ago), end).record(func(string, float64, ...string) { n++ })
		return n
	}
	got := map[string]int{
		"all series in the end":          series("production", 0),
		"without the youngest rules":     series("production", 4*year),
		"in the gap":                     series("staging", 390*day),
		"unknown after the incident":     of["production"].at(end.Add(-30*day), end).verdicts[policy.KeyRotation][policy.Unknown],
		"unknown in the end":             of["production"].at(end, end).verdicts[policy.KeyRotation][policy.Unknown],
		"exempted during a migration":    of["sandbox"].at(end.Add(-year), end).verdicts[policy.KeyRotation][policy.Exempted],
		"the first sample of sandbox":    int((end.Sub(of["sandbox"].first(end)) + coarse) / year),
		"users of staging in the end":    of["staging"].at(end, end).users,
		"violations of rotation at last": of["staging"].at(end, end).verdicts[policy.KeyRotation][policy.Violation],
	}
	want := map[string]int{
		"all series in the end":          70,
		"without the youngest rules":     58,
		"in the gap":                     8,
		"unknown after the incident":     49,
		"unknown in the end":             0,
		"exempted during a migration":    14,
		"the first sample of sandbox":    3,
		"users of staging in the end":    247,
		"violations of rotation at last": 24,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history differs (-want +got):\n%s", diff)
	}
}
