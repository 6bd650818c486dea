package account

import "time"

// pace measures how fast users are read.
type pace struct {
	perUser time.Duration // the mean of late; 0 while unknown
}

// paceMemory is how many batches of users the mean is over, about.
const paceMemory = 16

// paceOf returns the pace at which so many users take that long.
func paceOf(length time.Duration, users int) pace {
	if users == 0 {
		return pace{}
	}
	return pace{length / time.Duration(users)}
}

// note takes in that reading some users took that long.
func (p *pace) note(took time.Duration, users int) {
	sample := took / time.Duration(users)
	if p.perUser == 0 {
		p.perUser = sample
		return
	}
	p.perUser += (sample - p.perUser) / paceMemory
}

// length returns how long it takes to read so many users; 0 while unknown.
func (p *pace) length(users int) time.Duration { return p.perUser * time.Duration(users) }
