package collector_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// sinner is a user with findings about keys and about the user, and a tag for
// each key.
func sinner(name string, keys ...inventory.AccessKey) inventory.User {
	var tags []string
	for _, k := range keys {
		tags = append(tags, k.ID, "of "+name)
	}
	return tagged(full(name, ago(400*day), true, false, keys...), append(tags, "kind", name)...)
}

func old(id string, days int) inventory.AccessKey {
	return used(key(id, inventory.Active, ago(time.Duration(days)*day)), inventory.Use{})
}

// hostile are snapshots that no reading of AWS should bring.
func hostile() map[string][]*inventory.Snapshot {
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	times := func(created, used time.Time) inventory.User {
		u := sinner("u"+created.Format(time.RFC3339Nano)+used.Format(time.RFC3339Nano), inventory.AccessKey{
			ID: "AKIA", Status: inventory.Active, Created: created, LastUse: inventory.Observe(inventory.Use{At: used, Service: "s3"}, live),
		})
		u.Created = created
		u.PasswordUse, u.PasswordCreated = inventory.Observe(inventory.Use{At: used}, live), inventory.Observe(created, live)
		return u
	}
	of := func(users ...inventory.User) []*inventory.Snapshot {
		slices.SortStableFunc(users, func(a, b inventory.User) int { return strings.Compare(a.Name, b.Name) })
		return []*inventory.Snapshot{withTags(settled(account("111122223333", users...)))}
	}
	clock := func(skew time.Duration) []*inventory.Snapshot {
		s := withTags(settled(account("111122223333", sinner("a", old("AKIAA", 100)))))
		s.Health.Skew, s.Health.Duration = skew, skew
		return []*inventory.Snapshot{s}
	}
	long := strings.Repeat("x", 1<<16)
	return map[string][]*inventory.Snapshot{
		"names that look alike once escaped": of(sinner(`a\\xff`, old("AKIAA", 100)), sinner(`a\xff`, old("AKIAA", 100)), sinner("a\xff", old("AKIAA", 100))),
		"ids that look alike once escaped":   of(sinner("a", old(`AKIA\xff`, 100), old("AKIA\xff", 200), old("AKIA\xfe\xff", 300))),
		"ids that look alike once cut":       of(sinner("a", old("", 100), old("\xff", 100), old("1234", 100), old("A1234", 100), old("AKIAXXA1234", 100), old("AKIAXXB1234", 100), old("created-1234", 100))),
		"accounts that look alike": {
			withTags(settled(account(`1\xff`, sinner("a", old("AKIAA", 100))))),
			withTags(settled(account("1\xff", sinner("a", old("AKIAA", 100))))),
			withTags(settled(account("", sinner("a", old("AKIAA", 100))))),
		},
		"a user twice":  of(sinner("a", old("AKIAA", 100)), sinner("a", old("AKIAA", 200), old("AKIAB", 300)), sinner("b")),
		"a key twice":   of(sinner("a", old("AKIAA", 300), old("AKIAB", 200), old("AKIAA", 100))),
		"nothing known": of(inventory.User{}, inventory.User{Name: "b", Keys: inventory.Observe([]inventory.AccessKey{{}}, live)}),
		"odd text":      of(sinner("", old("a\nb", 100)), sinner("\n\r\t\x00\u2028\"{}=,", old(" ", 100)), sinner(long, old(long, 100))),
		"absurd times": of(times(time.Time{}, time.Time{}), times(time.Time{}, year(9999)), times(year(-200), year(1960)),
			times(year(1960), year(2999)), times(year(9999), year(1)), times(time.Unix(1<<62, 0), time.Unix(-1<<62, 0))),
		"a clock far behind": clock(-1 << 63),
		"a clock far ahead":  clock(1<<63 - 1),
	}
}

// TestHostileSnapshots has a pedantic registry gather, and Prometheus's parser
// read, what is served of snapshots that break their promises: each user
// and each key once.
func TestHostileSnapshots(t *testing.T) {
	for name, snapshots := range hostile() {
		for _, ids := range []view.KeyIDFormat{view.KeyIDFull, view.KeyIDSuffix} {
			t.Run(name+"/"+string(ids), func(t *testing.T) {
				registry := prometheus.NewPedanticRegistry()
				p := everyPolicy()
				for _, s := range snapshots {
					for _, u := range s.Users {
						p.Exemptions = append(p.Exemptions, exempt(u.Name, now.Add(day), policy.ConsoleUserWithoutMFA))
					}
				}
				registry.MustRegister(scene{snapshots: snapshots, policy: p, ids: ids}.build())
				parser := expfmt.NewTextParser(model.UTF8Validation)
				families, err := parser.TextToMetricFamilies(bytes.NewReader(encode(t, registry)))
				if err != nil {
					t.Fatal(err)
				}
				served := map[string]int{}
				for _, metric := range []string{"aws_iam_user_info", "aws_iam_access_key_active", "aws_iam_exemption_expiry_timestamp_seconds"} {
					served[metric] = len(families[metric].GetMetric())
				}
				if diff := cmp.Diff(distinctIn(snapshots), served); diff != "" {
					t.Errorf("series (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// distinctIn counts the users, keys and exemptions that the snapshots tell apart.
func distinctIn(snapshots []*inventory.Snapshot) map[string]int {
	users, keys := map[string]bool{}, map[string]bool{}
	for _, s := range snapshots {
		var names []string
		for _, u := range s.Users {
			if slices.Contains(names, u.Name) {
				continue // only the first one of a name is served
			}
			names = append(names, u.Name)
			users[fmt.Sprintf("%q %q", s.Account.ID, u.Name)] = true
			list, _ := u.Keys.Get()
			for _, k := range list {
				keys[fmt.Sprintf("%q %q %q", s.Account.ID, u.Name, k.ID)] = true
			}
		}
	}
	return map[string]int{
		"aws_iam_user_info": len(users), "aws_iam_access_key_active": len(keys),
		"aws_iam_exemption_expiry_timestamp_seconds": len(users),
	}
}

// TestAgesGoByAWSClock has AWS's clock an hour and a minute ahead of ours: a key
// that is 30 days old by ours is older by AWS's.
func TestAgesGoByAWSClock(t *testing.T) {
	for skew, want := range map[time.Duration][]string{
		0:                          {`age_band="0-30d",status="active"} 1`, `user_name="bob"} 2.591944e+06`}, // whole minutes
		time.Hour + time.Minute:    {`age_band="30-45d",status="active"} 1`, `user_name="bob"} 2.595604e+06`},
		-30 * day:                  {`age_band="0-30d",status="active"} 1`, `user_name="bob"} 0`},
		60*day + 4*time.Second:     {`age_band="90-180d",status="active"} 1`, `user_name="bob"} 7.776004e+06`},
		60*day + 3*time.Second:     {`age_band="90-180d",status="active"} 1`, `user_name="bob"} 7.775944e+06`},
		-(100*day + 3*time.Second): {`age_band="0-30d",status="active"} 1`, `user_name="bob"} 0`},
	} {
		t.Run(skew.String(), func(t *testing.T) {
			s := settled(account("111122223333", full("bob", ago(400*day), false, false, key("a", inventory.Active, now.Add(-30*day)))))
			s.Health.Skew = skew
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(scene{snapshots: of(s)}.build())
			text := string(encode(t, registry))
			for i, metric := range []string{"aws_iam_account_access_keys{", "aws_iam_access_key_age_seconds{"} {
				found := false
				for line := range strings.Lines(text) {
					found = found || strings.HasPrefix(line, metric) && strings.HasSuffix(line, want[i]+"\n")
				}
				if !found {
					t.Errorf("want a series %s…%s", metric, want[i])
				}
			}
		})
	}
}
