package credreport

import (
	"fmt"
	"slices"
	"strings"
)

// absent is the index of an optional column that a report lacks.
const absent = -1

// header tells which column stands where, by index.
type header struct {
	names []string

	user, arn, created, password, mfa int
	passwordUsed, passwordChanged     int // optional
	additional                        int // optional
	slots                             [2]slotColumns
}

// slotColumns are the columns of one access key.
type slotColumns struct {
	active, created, used int
	region, service       int // optional
}

// newHeader finds the columns; names are copied.
func newHeader(names []string) (*header, error) {
	f := newFinder(names)
	h := &header{
		names:           slices.Clone(names),
		user:            f.required("user"),
		arn:             f.required("arn"),
		created:         f.required("user_creation_time"),
		password:        f.required("password_enabled"),
		mfa:             f.required("mfa_active"),
		passwordUsed:    f.optional("password_last_used"),
		passwordChanged: f.optional("password_last_changed"),
		additional:      f.optional("additional_credentials_info"),
		slots:           [2]slotColumns{f.slot("access_key_1_"), f.slot("access_key_2_")},
	}
	if len(f.missing) > 0 {
		return nil, fmt.Errorf("got a header without %s, want that of a credential report", strings.Join(f.missing, ", "))
	}
	if f.twice != nil { // only then, since it quotes what may be no report at all
		return nil, f.twice
	}
	return h, nil
}

// finder looks up columns and remembers the required ones it did not find.
type finder struct {
	index   map[string]int
	missing []string
	twice   error // a column is there twice
}

func newFinder(names []string) *finder {
	f := &finder{index: make(map[string]int, len(names))}
	for i, name := range names {
		if first, ok := f.index[name]; ok && f.twice == nil {
			f.twice = fmt.Errorf("got column %s as field %d and field %d, want it once", quote(name), first+1, i+1)
		}
		f.index[name] = i
	}
	return f
}

func (f *finder) slot(prefix string) slotColumns {
	return slotColumns{
		active:  f.required(prefix + "active"),
		created: f.required(prefix + "last_rotated"),
		used:    f.required(prefix + "last_used_date"),
		region:  f.optional(prefix + "last_used_region"),
		service: f.optional(prefix + "last_used_service"),
	}
}

func (f *finder) required(name string) int {
	i := f.optional(name)
	if i == absent {
		f.missing = append(f.missing, name)
	}
	return i
}

func (f *finder) optional(name string) int {
	if i, ok := f.index[name]; ok {
		return i
	}
	return absent
}
