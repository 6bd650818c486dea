package awssim_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

func TestConcurrentUse(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	client := once(w)
	names := []string{"a", "b", "c", "d"}
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() {
			for range 20 {
				_, created := w.CreateUser(name, "", start())
				id, keyed := w.CreateKey(name, start())
				_, listed := client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String(name)})
				_, users := client.ListUsers(t.Context(), nil)
				errs[i] = errors.Join(errs[i], created, keyed, listed, users, w.DeleteKey(id), w.DeleteUser(name))
			}
		})
	}
	group.Wait()
	check(t, errors.Join(errs...))
	if got := w.Calls()["ListUsers"]; got != 80 || len(w.Users()) != 0 {
		t.Errorf("%d calls of ListUsers, want 80; %d users are left, want none", got, len(w.Users()))
	}
}

func FuzzServeHTTP(f *testing.F) {
	f.Add("Action=ListUsers&Version=2010-05-08&MaxItems=1&Marker=IA")
	f.Add("Action=ListAccessKeys&Version=2010-05-08&UserName=alice&Marker=LTE")
	f.Add("Action=GetCallerIdentity&Version=2011-06-15")
	f.Add("Action=ListUserTags&Version=2010-05-08&UserName=alice&Marker=MQ")
	f.Add("Action=GetAccountAuthorizationDetails&Version=2010-05-08&Filter.member.1=User&MaxItems=1&Marker=VXNlcnxi")
	f.Add("Action=%zz")
	f.Fuzz(func(t *testing.T, form string) {
		w := awssim.New(awssim.Options{Now: fixed})
		addUsers(t, w, "alice", "bob")
		check(t, w.TagUser("alice", "team", "blue"))
		check(t, w.PutUserPolicy("alice", "p", "{}"))
		client := http.Client{Transport: w.Transport()}
		response := get[*http.Response](t)(client.Post("https://iam.test/", "application/x-www-form-urlencoded", strings.NewReader(form)))
		if response.StatusCode >= http.StatusInternalServerError {
			t.Errorf("status %d", response.StatusCode)
		}
		for d := xml.NewDecoder(response.Body); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			check(t, err)
		}
	})
}
