package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// lost is a hub whose own credentials, or initial role, are of no use as long as gone
// is true.
type lost struct {
	*members
	gone    bool
	found   bool // some are found all the same
	lookups int  // how often they were looked for, or asked for
}

// Retrieve finds credentials, or none.
func (l *lost) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if l.gone && !l.found {
		l.lookups++
		return aws.Credentials{}, errors.New("nothing found")
	}
	return l.realm.Config().Credentials.Retrieve(ctx)
}

// ways are how they are of no use: each makes l.hub.
var ways = map[string]func(*lost){
	"none are found": func(l *lost) {
		l.makeHub("", func(context.Context) (aws.CredentialsProvider, error) { return l, nil })
	},
	"they cannot be loaded": func(l *lost) {
		l.refuse(http.StatusForbidden, "ExpiredToken", false)
		l.makeHub("", func(context.Context) (aws.CredentialsProvider, error) {
			if l.gone {
				l.lookups++
				return nil, errors.New("the file is being written")
			}
			return l.realm.Config().Credentials, nil
		})
	},
	"AWS refuses them": func(l *lost) {
		l.refuse(http.StatusForbidden, "ExpiredToken", true)
		l.makeHub("", func(context.Context) (aws.CredentialsProvider, error) { return l.realm.Config().Credentials, nil })
	},
	"the initial role is gone": func(l *lost) { l.loseInitialRole("AccessDenied") },
	"its region is off":        func(l *lost) { l.loseInitialRole("RegionDisabledException") },
}

func (l *lost) loseInitialRole(code string) {
	l.found = true
	l.realm.AddRole(l.home, "hub", "")
	l.refuse(http.StatusForbidden, code, true)
	l.makeHub("arn:aws:iam::"+hubID+":role/hub", func(context.Context) (aws.CredentialsProvider, error) { return l.realm.Config().Credentials, nil })
}

// refuse has STS answer so while they are gone, which counts or not.
func (l *lost) refuse(status int, code string, counts bool) {
	l.realm.SetFault(func(string, int) http.HandlerFunc {
		if !l.gone {
			return nil
		}
		if counts {
			l.lookups++
		}
		return awssim.Error(status, code, "no")
	})
}

func (l *lost) makeHub(initial string, load awsapi.LoadCredentials) {
	cfg := l.realm.Config()
	cfg.Credentials = l
	l.hub = awsapi.NewHub(cfg, l.shared, awsapi.HubOptions{
		Sessions: awsapi.Sessions{Name: "aws_iam_exporter", InitialRole: initial}, Timeout: timeout, LoadCredentials: load,
	})
	l.hub.SetRoles(map[string]string{memberRole: roleName})
}

// TestLostCredentialsAreLookedForOnce has a thousand accounts ask for a session, each
// every five minutes. One lookup in five seconds serves all of them. What is there again
// is found within that time, and at once by whoever has reason to believe so.
func TestLostCredentialsAreLookedForOnce(t *testing.T) {
	const asks, spacing, pause = 200, 300 * time.Millisecond, 5 * time.Second
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &lost{members: newMembers(t, awsapi.Sessions{})}
				way(l)
				ask := func() error { time.Sleep(spacing); return list(t.Context(), l.client(externalID)) }
				if err := ask(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Hour) // the sessions have ended

				l.gone = true
				said, reasons := map[string]bool{}, map[inventory.Reason]bool{}
				for range asks {
					err := ask()
					if err == nil {
						t.Fatal("got no error without credentials")
					}
					reasons[awsapi.ReasonOf(err)] = true
					said[withoutRequestID(err.Error())] = true
				}
				if most := int(asks*spacing/pause) + 2; l.lookups > most {
					t.Errorf("looked for %d times, want at most %d", l.lookups, most)
				}
				if len(said) > 2 { // that AWS refuses them, and that there are no others
					t.Errorf("said in %d ways: %v", len(said), said)
				}
				if len(reasons) != 1 {
					t.Errorf("reasons: got %v, want one", reasons)
				}

				l.gone = false
				since := time.Now()
				for ask() != nil {
					if time.Since(since) > pause+spacing {
						t.Fatalf("found after %s, want within %s", time.Since(since), pause)
					}
				}

				time.Sleep(2 * time.Hour)
				l.gone = true
				for range 10 {
					_ = ask()
				}
				l.gone = false
				l.hub.WantCredentials()
				if err := ask(); err != nil {
					t.Errorf("wanted anew: %v", err)
				}
			})
		})
	}
}

// TestSlowLookupServesAll has each lookup take three seconds, in which other accounts ask:
// they wait for what it finds.
func TestSlowLookupServesAll(t *testing.T) {
	const asks, spacing, takes, pause = 200, 300 * time.Millisecond, 3 * time.Second, 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		l := &lost{members: newMembers(t, awsapi.Sessions{}), found: true}
		var gone atomic.Bool
		var lookups atomic.Int32
		l.refuse(http.StatusForbidden, "ExpiredToken", false)
		l.makeHub("", func(context.Context) (aws.CredentialsProvider, error) {
			lookups.Add(1)
			time.Sleep(takes)
			if gone.Load() {
				return nil, errors.New("the file is being written")
			}
			return l.realm.Config().Credentials, nil
		})
		if err := list(t.Context(), l.client(externalID)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // the session has ended
		l.gone = true
		gone.Store(true)
		var all sync.WaitGroup
		for range asks {
			all.Go(func() {
				if err := list(t.Context(), l.client(externalID)); err == nil {
					t.Error("got no error without credentials")
				}
			})
			time.Sleep(spacing)
		}
		all.Wait()
		if got, most := int(lookups.Load()), int(asks*spacing/(takes+pause))+2; got > most {
			t.Errorf("looked for %d times, want at most %d", got, most)
		}
	})
}

// TestRotatedCredentialsAreFoundAtOnce has AWS refuse those that have served for long,
// as their successors are there already: one account meets that, and the next none.
func TestRotatedCredentialsAreFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lost{members: newMembers(t, awsapi.Sessions{})}
		l.makeHub("", func(context.Context) (aws.CredentialsProvider, error) {
			l.gone = false
			return l, nil
		})
		l.refuse(http.StatusForbidden, "InvalidClientTokenId", true)
		if err := list(t.Context(), l.client(externalID)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(2 * time.Hour)
			l.gone = true
			if err := list(t.Context(), l.client(externalID)); err == nil {
				t.Error("got no error by credentials that AWS refuses")
			}
			if err := list(t.Context(), l.client(externalID)); err != nil {
				t.Errorf("by their successors: %v", err)
			}
		}
	})
}

// TestLateRefusalConcernsThoseBefore has AWS refuse a request that was signed by the
// credentials before those at hand.
func TestLateRefusalConcernsThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lost{members: newMembers(t, awsapi.Sessions{})}
		l.makeHub("", func(context.Context) (aws.CredentialsProvider, error) { return l.realm.Config().Credentials, nil })
		var requests atomic.Int64
		l.realm.SetFault(func(string, int) http.HandlerFunc {
			n := requests.Add(1)
			refuse := awssim.Error(http.StatusForbidden, "ExpiredToken", "no")
			switch n {
			case 1:
				return func(rw http.ResponseWriter, r *http.Request) {
					time.Sleep(5 * time.Second)
					refuse(rw, r)
				}
			case 2:
				return refuse
			}
			return nil
		})
		go func() { _ = list(t.Context(), l.client(externalID)) }()
		time.Sleep(time.Second)
		if err := list(t.Context(), l.client(externalID)); err == nil {
			t.Error("got no error by credentials that AWS refuses")
		}
		for range 10 {
			if err := list(t.Context(), l.client(externalID)); err != nil {
				t.Errorf("by others: %v", err)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestStoppingRefusesNothing stops an account while the exporter's credentials are
// looked for: that they did not come says nothing about them.
func TestStoppingRefusesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lost{members: newMembers(t, awsapi.Sessions{})}
		cfg := l.realm.Config()
		slow := true
		cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			if slow {
				<-ctx.Done()
				return aws.Credentials{}, ctx.Err()
			}
			return l.realm.Config().Credentials.Retrieve(ctx)
		})
		loads := 0
		client := awsapi.New(cfg, l.shared, awsapi.Options{
			Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1e6, Timeout: timeout,
			LoadCredentials: func(context.Context) (aws.CredentialsProvider, error) { loads++; return cfg.Credentials, nil },
		})
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := list(ctx, client); err == nil {
			t.Error("got no error without credentials")
		}
		slow = false
		if renewed, err := client.RenewCredentials(t.Context()); renewed || err != nil || loads != 0 {
			t.Errorf("renewed: got %t, %v after %d loads, want nothing to renew", renewed, err, loads)
		}
	})
}
