package conformance

import "slices"

// difference names a way in which a target answers unlike AWS.
type difference string

const (
	fractionalSeconds    difference = "fractional seconds"
	foreignUserIDs       difference = "foreign user ids"
	listUsersUnpaged     difference = "ListUsers unpaged"
	pageSizeUnchecked    difference = "page size unchecked"
	summaryNoPassword    difference = "summary without AccountPasswordPresent"
	callerUnderSTS       difference = "caller's ARN under sts"
	reportConstantDate   difference = "report of a constant date"
	reportDatesOffset    difference = "report dates with offset"
	reportEndsInLF       difference = "report ends in a line feed"
	reportNoRoot         difference = "report without root"
	reportNoPasswordWord difference = "report says not_supported for no password"
	tagKeysByCase        difference = "tag keys told apart by case"
	userTagsUnpaged      difference = "ListUserTags unpaged"
	detailsUnpaged       difference = "GetAccountAuthorizationDetails unpaged"
)

// Difference is a known way in which a target answers unlike AWS. The suite
// asserts it, so that a fix is noticed.
type Difference struct {
	Name   string
	Target string
	Reason string
}

// Differences lists the known differences. The simulator has none.
func Differences() []Difference {
	moto := func(name difference, reason string) Difference { return Difference{string(name), "moto", reason} }
	return []Difference{
		moto(fractionalSeconds, "it keeps microseconds; AWS keeps whole seconds"),
		moto(foreignUserIDs, "its ids are 20 lower-case characters without AWS's prefix AIDA"),
		moto(listUsersUnpaged, "it ignores MaxItems and answers all users at once"),
		moto(pageSizeUnchecked, "it accepts any MaxItems; AWS accepts 1 to 1000"),
		moto(summaryNoPassword, "its summary lacks AccountPasswordPresent"),
		moto(callerUnderSTS, "it puts the user into the service sts; AWS puts users into iam"),
		moto(reportConstantDate, "its reports are all generated on 2015-02-02, so that a reader must call them too old"),
		moto(reportDatesOffset, "it writes +00:00 as AWS did once; AWS writes Z"),
		moto(reportEndsInLF, "it ends the last row; AWS does not"),
		moto(reportNoRoot, "it has no root user; AWS puts root first"),
		moto(reportNoPasswordWord, "it says not_supported where a user has no password; AWS says N/A"),
		moto(tagKeysByCase, "it keeps keys that differ in case alone apart; AWS takes them for one"),
		moto(userTagsUnpaged, "it ignores MaxItems and answers all tags at once"),
		moto(detailsUnpaged, "it ignores MaxItems and answers all users at once"),
	}
}

func (s *suite) differs(name difference) bool {
	return slices.ContainsFunc(Differences(), func(d Difference) bool {
		return d.Target == s.target.Name() && d.Name == string(name)
	})
}

// expect returns what AWS answers or, if the difference is known, what the target
// answers instead.
func expect[T any](s *suite, name difference, ofAWS, instead T) T {
	if s.differs(name) {
		return instead
	}
	return ofAWS
}
