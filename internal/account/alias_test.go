package account

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

const listAliases = "ListAccountAliases"

// TestAliasIsAskedHourly has the alias change, be denied and go, with each source.
func TestAliasIsAskedHourly(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				h.user("alice")
				h.ok(h.world.SetAlias("blue"))
				hour := func(want string, calls int) {
					h.Helper()
					h.world.ResetCalls()
					var s *inventory.Snapshot
					for range int(time.Hour / refreshInterval) {
						s = h.refresh()
						if s.Health.State != inventory.StateUp || len(s.Health.Problems) > 0 || len(s.Health.Errors) > 0 {
							h.Errorf("state: got %s, %v, errors %v; want up without any", s.Health.State, s.Health.Problems, s.Health.Errors)
						}
					}
					inventorytest.Equal(h.T, inventory.Account{ID: "123456789012", Partition: "aws", Alias: want}, s.Account)
					if got := h.world.Calls()[listAliases]; got != calls {
						h.Errorf("calls within an hour, alias %q: got %d, want %d", want, got, calls)
					}
				}
				hour("blue", 1)
				h.ok(h.world.SetAlias("green"))
				hour("green", 1)
				h.fail(listAliases, denied())
				h.ok(h.world.SetAlias("red"))
				hour("green", 1)
				h.world.SetFault(nil)
				hour("red", 1)
				h.ok(h.world.SetAlias(""))
				hour("", 1)
			})
		})
	}
}

// TestAliasFailureIsTold expects word of it, and nothing else.
func TestAliasFailureIsTold(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.fail(listAliases, denied())
		var told []string
		for ended := false; !ended; {
			p := h.step(h.Context())
			if p.AliasErr != nil {
				told = append(told, p.AliasErr.Error())
				if p.Learnt {
					h.Error("there is news to show")
				}
			}
			ended = p.Ended
		}
		want := "call iam:ListAccountAliases for the account: AccessDenied; allow iam:ListAccountAliases (`aws_iam_exporter iam-policy` with the same flags prints the policy)"
		if len(told) != 1 || told[0] != want {
			h.Errorf("told: got %q, want %q", told, want)
		}
	})
}

// TestAliasOfAnUnknownAccountIsNotAsked also has credentials that turn out to
// be another account's, whose alias would look like this one's.
func TestAliasOfAnUnknownAccountIsNotAsked(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.ok(h.world.SetAlias("blue"))
		h.fail("GetCallerIdentity", denied())
		h.refresh()
		if got := h.calls(listAliases); got != 0 {
			h.Errorf("calls before AWS has told which account it is: got %d, want none", got)
		}
		h.world.SetFault(nil)
		h.refresh()
		other := awssim.New(awssim.Options{AccountID: "999999999999"})
		_, err := other.CreateUser("eve", "/", time.Now())
		h.ok(err)
		h.ok(other.SetAlias("evil"))
		h.world.SetFault(func(string, int) http.HandlerFunc { return other.ServeHTTP })
		time.Sleep(2 * time.Hour)
		if s := h.refresh(); s.Account.Alias != "blue" {
			h.Errorf("alias: got %q, want blue", s.Account.Alias)
		}
		h.world.SetFault(nil)
		if s := h.refresh(); s.Account.Alias != "blue" {
			h.Errorf("alias: got %q, want blue", s.Account.Alias)
		}
	})
}

// TestAliasUnderNewCredentials has the credentials change, with the source whose other
// answers do not tell for hours whose they are: AWS is asked that once, and for the
// alias no more often than otherwise.
func TestAliasUnderNewCredentials(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		key := "AKIAFIRST"
		config := h.world.Config()
		config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "x"}, nil
		})
		h.client = awsapi.New(config, awsapi.NewShared(1e6), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceReport}, Rate: 1e6, Timeout: 10 * time.Second})
		h.account = New(h.client, Options{RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
		h.ok(h.world.SetAlias("blue"))
		h.refreshFor(time.Hour)
		key = "AKIASECOND"
		h.ok(h.world.SetAlias("green"))
		h.world.ResetCalls()
		s := h.refreshFor(time.Hour)
		if calls := h.world.Calls(); s.Account.Alias != "green" || calls[listAliases] != 1 || calls["GetCallerIdentity"] != 1 {
			h.Errorf("got alias %q after %d calls, and %d for whose it is; want green after one each", s.Account.Alias, calls[listAliases], calls["GetCallerIdentity"])
		}
	})
}

// TestNamedAccount knows the account before AWS has answered, and asks for no
// alias.
func TestNamedAccount(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.ok(h.world.SetAlias("blue"))
		o := Options{
			ID: "123456789012", Name: "production", Tags: inventory.Tags{{Key: "Owner", Value: "platform"}}, Partition: "aws-cn",
			RefreshInterval: refreshInterval, KeysInterval: keysInterval,
		}
		h.client = awsapi.New(h.world.Config(), awsapi.NewShared(1e6), awsapi.Options{
			Needs: awsapi.Needs{Source: awsapi.SourceLive, Named: true}, Rate: 1e6, Timeout: 10 * time.Second,
		})
		want := inventory.Account{ID: o.ID, Name: o.Name, Tags: o.Tags, Partition: "aws-cn"}
		h.account = New(h.client, o, nil)
		inventorytest.Equal(h.T, want, h.account.Snapshot().Account)

		want.Alias = "green" // where the account is, the configuration knows better than what is kept
		kept := &inventory.Snapshot{Account: inventory.Account{ID: o.ID, Alias: "green", OUPath: "o-1/r-2/", Name: "old", Tags: inventory.Tags{{Key: "old"}}, Partition: "aws"}}
		h.account = New(h.client, o, kept)
		inventorytest.Equal(h.T, want, h.account.Snapshot().Account)

		h.account.RefreshSoon()
		for ended := false; !ended; {
			p := h.step(h.Context())
			if ended = p.Ended; p.AliasErr != nil {
				h.Errorf("an alias was wanted: %v", p.AliasErr)
			}
		}
		s := h.account.Snapshot()
		want.Partition = "aws"
		inventorytest.Equal(h.T, want, s.Account)
		h.account.Restore(kept)
		inventorytest.Equal(h.T, want, h.account.Snapshot().Account)
		if got := h.calls(listAliases); got != 0 || s.Account.ShownName() != "production" {
			h.Errorf("got %d calls, name %s; want none, production", got, s.Account.ShownName())
		}
	})
}

// TestAliasIsRestored for an account that AWS has named and for one that it has
// not.
func TestAliasIsRestored(t *testing.T) {
	kept := &inventory.Snapshot{Account: inventory.Account{ID: "123456789012", Alias: "green", Partition: "aws"}}
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.ok(h.world.SetAlias("blue"))
		h.fail(listAliases, denied())
		restored := New(h.client, Options{RefreshInterval: refreshInterval, KeysInterval: keysInterval}, kept)
		inventorytest.Equal(h.T, kept.Account, restored.Snapshot().Account)
		if p := h.step(h.Context()); !p.Restore {
			h.Fatal("the first step: want one after which facts are to be restored")
		}
		h.account.Restore(kept)
		inventorytest.Equal(h.T, kept.Account, h.account.Snapshot().Account)
		inventorytest.Equal(h.T, kept.Account, h.refresh().Account)
	})
}

// TestOptionsEqual changes each setting in turn.
func TestOptionsEqual(t *testing.T) {
	same := func() Options { return Options{Tags: inventory.Tags{{Key: "Owner", Value: "ops"}}} }
	if !same().Equal(same()) {
		t.Error("the same settings: not equal")
	}
	if known, unknown := (Options{Tags: inventory.Tags{}, Units: []string{}}), (Options{}); known.Equal(unknown) || (Options{Tags: inventory.Tags{}}).Equal(unknown) {
		t.Error("known to have none and not known: equal")
	}
	for field := range reflect.TypeFor[Options]().Fields() {
		changed := same()
		switch value := reflect.ValueOf(&changed).Elem().FieldByIndex(field.Index); value.Kind() {
		case reflect.String:
			value.SetString("changed")
		case reflect.Bool:
			value.SetBool(true)
		case reflect.Int64:
			value.SetInt(1)
		case reflect.Slice:
			value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		default:
			t.Fatalf("%s: expected a kind of value that this test can change", field.Name)
		}
		if changed.Equal(same()) || same().Equal(changed) {
			t.Errorf("%s changed: still equal", field.Name)
		}
		told := slices.Contains([]string{"Name", "Tags", "OUPath", "Units", "State"}, field.Name)
		if got := changed.SameReading(same()); got != told {
			t.Errorf("%s changed: read in the same way: %t, want %t", field.Name, got, told)
		}
	}
}
