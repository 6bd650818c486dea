package collector

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// emitTime serves a time unless it is zero, which is not a timestamp.
func emitTime(emit emit, t time.Time, labels ...string) {
	if !t.IsZero() {
		emit(seconds(t), labels...)
	}
}

func emitBool(emit emit, fact inventory.Fact[bool]) {
	if is, known := fact.Get(); known {
		emit(number(is))
	}
}

// emitUse serves when something was last used, if it is known to have been used.
func emitUse(emit emit, fact inventory.Fact[inventory.Use]) {
	use, _ := fact.Get()
	emitTime(emit, use.At)
}

func emitUserInfo(s *subject, emit emit) {
	labels := []string{s.user.ARN, s.user.Path, s.classification.ClassName(), s.classification.Owner}
	for _, tag := range s.Policy.UserTags {
		labels = append(labels, policy.TagOf(s.user, tag))
	}
	emit(1, labels...)
}

func emitAccountInfo(s *subject, emit emit) {
	account := &s.Snapshot.Account
	if account.ID == "" {
		return
	}
	labels := []string{account.ShownName(), account.Partition, account.OUPath, account.State, s.RootOwner}
	for _, tag := range s.Policy.AccountTags {
		labels = append(labels, policy.TagOfAccount(account, tag))
	}
	emit(1, labels...)
}

func emitKeyInfo(s *subject, emit emit) {
	tags, known := s.user.Tags.Get()
	if !known || !s.Policy.KeyDescriptions || inventory.IsCreatedKeyID(s.key.ID) {
		return
	}
	description, _ := tags.Get(s.key.ID)
	emit(1, description)
}

// shows reports whether a user with that classification has series of their own.
// Root has no classification and is never hidden.
func (s *subject) shows(classification *policy.Classification) bool {
	return classification == nil || s.options.Users && !classification.Hidden
}

func emitExemptions(s *subject, emit emit) {
	type exemptionKey struct {
		rule     policy.Rule
		userName string
	}
	ends := map[exemptionKey]time.Time{}
	for _, e := range s.Exemptions {
		for _, rule := range e.Rules {
			if of := (exemptionKey{rule, e.UserName}); e.Until.After(ends[of]) {
				ends[of] = e.Until
			}
		}
	}
	order := func(a, b exemptionKey) int {
		return cmp.Or(strings.Compare(a.userName, b.userName), strings.Compare(string(a.rule), string(b.rule)))
	}
	for _, of := range slices.SortedFunc(maps.Keys(ends), order) {
		if end := ends[of]; s.shows(s.Classification(of.userName)) {
			emitTime(emit, end, string(of.rule), unmistakable(of.userName))
		}
	}
}

func emitUnmatched(s *subject, emit emit) {
	if n, known := s.view.Unmatched(s.options.Share); known {
		emit(float64(n))
	}
}

func emitStatuses(emit emit, keys []inventory.AccessKey) {
	for _, status := range inventory.Statuses() {
		n := 0
		for i := range keys {
			if keys[i].Status == status {
				n++
			}
		}
		emit(float64(n), string(status))
	}
}

// emitAge counts whole minutes of the clock: a value that changes once a minute
// takes Prometheus less space.
func emitAge(s *subject, emit emit) {
	age := s.awsNow().Truncate(time.Minute).Sub(s.key.Created)
	emit(max(age, 0).Seconds())
}

func emitRootKeyCreated(s *subject, emit emit) {
	var newest time.Time
	keys, _ := s.Snapshot.Root.AccessKeys().Get()
	for i := range keys {
		if keys[i].Status == inventory.Active && keys[i].Created.After(newest) {
			newest = keys[i].Created
		}
	}
	emitTime(emit, newest)
}

func emitRootKeyUse(s *subject, emit emit) {
	var last time.Time
	keys, _ := s.Snapshot.Root.AccessKeys().Get()
	for i := range keys {
		if use, _ := keys[i].LastUse.Get(); use.At.After(last) {
			last = use.At
		}
	}
	emitTime(emit, last)
}

func emitProblems(s *subject, emit emit) {
	counts := map[inventory.Reason]int{}
	for _, problem := range s.Snapshot.Health.Problems {
		counts[problem.Reason]++
	}
	for _, reason := range inventory.Reasons() {
		if n := counts[reason]; n > 0 {
			emit(float64(n), string(reason))
		}
	}
}

// emitDiscovery serves nothing before the first try. A list that an earlier process
// got is the last one that was tried, too.
func emitDiscovery(s *subject, emit emit) {
	switch {
	case s.view.NotListed != "":
		emit(0)
	case !s.view.Watchlist.Listed.IsZero():
		emit(1)
	}
}

// usersListed reports whether the snapshot has all users of the account.
func (s *subject) usersListed() bool {
	_, listed := s.Snapshot.Freshness[inventory.GroupUsers]
	return listed
}

func emitHiddenUsers(s *subject, emit emit) {
	if !s.usersListed() {
		return
	}
	n := 0
	for i := range s.Users {
		if !s.shows(&s.Users[i]) {
			n++
		}
	}
	emit(float64(n))
}

func emitConsoleUsers(s *subject, emit emit) {
	if !s.Snapshot.Complete[inventory.GroupConsole] {
		return
	}
	n := 0
	for i := range s.Snapshot.Users {
		if console, _ := s.Snapshot.Users[i].Console.Get(); console {
			n++
		}
	}
	emit(float64(n))
}

func emitUsersByActiveKeys(s *subject, emit emit) {
	if !s.usersListed() {
		return
	}
	counts := map[string]int{}
	for i := range s.Snapshot.Users {
		counts[activeKeys(&s.Snapshot.Users[i])]++
	}
	for _, band := range []string{"0", "1", "2+", "unknown"} {
		emit(float64(counts[band]), band)
	}
}

func emitMaybeMoreKeys(s *subject, emit emit) {
	if !s.usersListed() {
		return
	}
	n := 0
	for i := range s.Snapshot.Users {
		if s.Snapshot.Users[i].MaybeMoreKeys {
			n++
		}
	}
	emit(float64(n))
}

func activeKeys(user *inventory.User) string {
	switch n, known := user.CountKeys(inventory.Active); {
	case !known:
		return "unknown"
	case n == 0:
		return "0"
	case n == 1:
		return "1"
	}
	return "2+"
}

func emitNeverUsedKeys(s *subject, emit emit) {
	if !s.Snapshot.Complete[inventory.GroupKeyUse] {
		return
	}
	n := 0
	for i := range s.Snapshot.Users {
		for key := range s.Snapshot.Users[i].ActiveKeys() {
			if never, _ := policy.NeverUsed(key).Get(); never {
				n++
			}
		}
	}
	emit(float64(n))
}

const day = 24 * time.Hour

// ageBand is a band of key ages, its upper end included.
type ageBand struct {
	name string
	upTo time.Duration
}

// ageBands returns the bands, which never change: stored series must stay
// comparable.
func ageBands() []ageBand {
	return []ageBand{
		{"0-30d", 30 * day},
		{"30-45d", 45 * day},
		{"45-90d", 90 * day},
		{"90-180d", 180 * day},
		{"180-365d", 365 * day},
		{"1-2y", 2 * 365 * day},
		{"2-5y", 5 * 365 * day},
		{"5y+", 1<<63 - 1},
	}
}

// AgeBands lists the values of the age_band label.
func AgeBands() []string {
	var names []string
	for _, band := range ageBands() {
		names = append(names, band.name)
	}
	return names
}

func emitKeysByAge(s *subject, emit emit) {
	if !s.Snapshot.Complete[inventory.GroupKeys] {
		return
	}
	bands, now := ageBands(), s.awsNow()
	counts := map[inventory.Status][]int{} // by band
	for _, status := range inventory.Statuses() {
		counts[status] = make([]int, len(bands))
	}
	for i := range s.Snapshot.Users {
		keys, _ := s.Snapshot.Users[i].Keys.Get()
		for k := range keys {
			age := now.Sub(keys[k].Created)
			band := slices.IndexFunc(bands, func(b ageBand) bool { return age <= b.upTo })
			if of := counts[keys[k].Status]; of != nil {
				of[band]++
			}
		}
	}
	for _, status := range inventory.Statuses() {
		for i, band := range bands {
			emit(float64(counts[status][i]), string(status), band.name)
		}
	}
}

// emitVerdicts counts no users before all of them are listed. Root is a population of
// its own, known as soon as anything about it is.
func emitVerdicts(s *subject, emit emit) {
	_, rootKnown := s.Snapshot.Freshness[inventory.GroupRoot]
	for _, rule := range policy.Rules() {
		if !s.usersListed() && (rule.Subject() != policy.SubjectAccount || !rootKnown) {
			continue
		}
		for _, verdict := range policy.Verdicts() {
			emit(float64(s.Count(rule, verdict)), string(rule), string(verdict))
		}
	}
}

func emitAccounts(s *subject, emit emit) {
	counts := map[inventory.State]int{}
	for _, ev := range s.view.Accounts() {
		counts[ev.Snapshot.Health.State]++
	}
	for _, state := range inventory.States() {
		emit(float64(counts[state]), string(state))
	}
}

// emitFinding serves a finding about root or about a user who is shown. Key ids look as
// in the keys' own series.
func emitFinding(s *subject, emit emit) {
	owner, keyID := s.RootOwner, s.finding.KeyID
	if s.classification != nil {
		owner = s.classification.Owner
	}
	if keyID != "" && s.user != nil {
		keys, _ := s.user.Keys.Get()
		keyID = s.options.AccessKeyIDs.Show(keyID, keys)
	}
	since := math.NaN() // unknown; the series itself must be there
	if !s.finding.Since.IsZero() {
		since = seconds(s.finding.Since)
	}
	emit(since, string(s.finding.Rule), owner, unmistakable(s.finding.UserName), unmistakable(keyID))
}

func sameSubject(a, b *policy.Finding) bool {
	return a.Rule == b.Rule && a.UserName == b.UserName && a.KeyID == b.KeyID
}
