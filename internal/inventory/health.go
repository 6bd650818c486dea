package inventory

import "time"

// Reason classifies why a fact could not be learnt. The list is closed, so
// that every reason can be served at zero before its first occurrence.
type Reason string

// The reasons.
const (
	ReasonThrottled   Reason = "throttled"   // AWS asked for fewer calls
	ReasonDenied      Reason = "denied"      // the credentials lack a permission
	ReasonCredentials Reason = "credentials" // no credentials, or AWS does not accept them
	ReasonRole        Reason = "role"        // the account's role cannot be assumed
	ReasonTimeout     Reason = "timeout"     // no answer in time
	ReasonNetwork     Reason = "network"     // no connection, or it broke
	ReasonServer      Reason = "server"      // AWS answered with an error of its own
	ReasonMalformed   Reason = "malformed"   // the answer could not be understood
	ReasonReport      Reason = "report"      // AWS had no credential report ready
	ReasonOther       Reason = "other"       // anything else
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{
		ReasonThrottled, ReasonDenied, ReasonCredentials, ReasonRole, ReasonTimeout, ReasonNetwork,
		ReasonServer, ReasonMalformed, ReasonReport, ReasonOther,
	}
}

// State tells how the reading of an account goes.
type State string

// The states of an account.
const (
	StatePending State = "pending" // nothing has failed, but not everything was read yet
	StateUp      State = "up"      // everything was read, and the last refresh got every fact it asked for
	StateDown    State = "down"    // it did not
	// StateSuspended is an account that is not read, because its organization has it
	// suspended or the like. What was known of it stays.
	StateSuspended State = "suspended"
)

// States lists every state.
func States() []State { return []State{StatePending, StateUp, StateDown, StateSuspended} }

// Problem is one thing that is wrong, in words for a person.
type Problem struct {
	Reason Reason
	Text   string // one sentence: what failed and what to do about it
	User   string // whom the sentence names; empty if nobody
	Action string // the call about that user that failed, as IAM policies spell it; empty if none did
}

// Health tells how the reading of an account goes.
type Health struct {
	State     State
	Refreshes uint64            // refreshes begun
	Finished  uint64            // refreshes ended
	Errors    map[Reason]uint64 // failures to learn a fact, since the start
	Duration  time.Duration     // of the last finished refresh
	Next      time.Time         // when the next refresh begins, by our clock; zero if none is to come, or not known
	Saved     time.Time         // when its facts were last kept on disk; zero if never
	Unsaved   bool              // the last attempt to keep them on disk failed
	Skew      time.Duration     // AWS's clock less ours, as far as it is known and matters
	Doubt     time.Duration     // AWS's dates less the time that its answers count as, while nobody knows which is right
	Problems  []Problem         // what is wrong now
}

// Calls counts the requests sent to one operation of AWS, retries included.
type Calls struct {
	Service, Operation          string
	Requests, Errors, Throttles uint64
}
