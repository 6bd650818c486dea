package dashboards

import (
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// exporter is for the people who run the exporter: whether its facts can be
// trusted, and what they cost.
func exporter() Dashboard {
	d := dashboard(exporterUID, "AWS IAM / Exporter",
		"Whether the exporter gets its facts in time, what keeps it from that, and what it costs.",
		append(targets(), eventPrice()),

		tile(size{4, 4}, "Targets down", "Exporters that Prometheus could not scrape.",
			lines(`count(up{`+ofTarget+`} == 0)`, `or`, `0 * count(up{`+ofTarget+`})`)).
			words(mapValue(0, "none", compliant)).thresholds(steps(violation)).unit(count),
		tile(size{4, 4}, "Accounts not read", "Accounts whose last refresh did not get every fact, or has not ended yet; suspended ones do not count.",
			`sum(aws_iam_exporter_accounts{`+ofTarget+`, state!~"up|suspended"})`).
			words(mapValue(0, "none", compliant)).thresholds(steps(warned)).unit(count),
		staleTile(4),
		tile(size{4, 4}, "Throttled, last hour", "The share of requests that AWS refused because there were too many.",
			`sum(increase(aws_iam_exporter_api_throttles_total{`+ofTarget+`}[1h])) / (sum(increase(aws_iam_exporter_api_requests_total{`+ofTarget+`}[1h])) > 0)`).
			unit(share).decimals(1).thresholds(steps(compliant, from(0.01, warned), from(0.05, violation))),
		tile(size{4, 4}, "Configuration", "Whether the last read of the configuration file succeeded. If not, the configuration before it stays in force.",
			lines(`min(aws_iam_exporter_config_last_reload_successful{`+ofTarget+`})`, `or`, `2 * group(aws_iam_exporter_build_info{`+ofTarget+`})`)).
			words(mapValue(0, "refused", violation), mapValue(1, "in force", compliant), mapValue(2, "no file", plain)),
		tile(size{4, 4}, "Running for", "The time since the last start of any exporter.",
			`time() - max(process_start_time_seconds{`+ofTarget+`})`).unit(seconds).decimals(0),

		section("Refreshes"),
		curve(size{8, 8}, "Accounts", "Accounts by state: up, down (the last refresh did not get every fact), pending (none has ended) or suspended (not read, because the organization has suspended them).").
			plot(`sum by (state) (aws_iam_exporter_accounts{`+ofTarget+`})`, "{{state}}").stacked().unit(count).decimals(0).
			series("up", inColor(compliant)).series("down", inColor(violation)).series("pending", inColor(unknown)).series("suspended", inColor(nothing)),
		curve(size{8, 8}, "Failures by reason", "Failures to read a fact from AWS. The log and the exporter's landing page have the details.").
			plot(`sum by (reason) (increase(aws_iam_account_refresh_errors_total{`+ofAccount+`}[$__rate_interval])) > 0`, "{{reason}}").
			inBars().tellApart(reasons(), nil).unit(count).decimals(0).whenEmpty("No failures, if the exporter answers: see the figures at the top"),
		curve(size{8, 8}, "Duration of a refresh", "How long the last refresh took, for the slowest account and for the median.").
			plot(`max(aws_iam_account_refresh_duration_seconds{`+ofAccount+`})`, "slowest").
			plot(`quantile(0.5, aws_iam_account_refresh_duration_seconds{`+ofAccount+`})`, "median").unit(seconds).tellApart([]string{"slowest", "median"}, nil),

		section("Facts"),
		factAges(),
		curve(size{12, 10}, "Share of their time that facts have used up", "The age of the facts, as a share of the time after which they count as out of date, for the worst account. Above 100% they are out of date.").
			plot(`max by (facts) (`+usedUp+`)`, "{{facts}}").tellApart(groups(), nil).unit(share).decimals(0).thresholds(steps("transparent", from(1, warned))).
			custom(map[string]any{"thresholdsStyle": map[string]any{"mode": "line"}, "axisSoftMax": 1}),

		section("Calls to AWS"),
		curve(size{12, 9}, "Requests by operation", "Requests sent to AWS, retries included.").
			plot(`sum by (operation) (rate(aws_iam_exporter_api_requests_total{`+ofTarget+`}[$__rate_interval])) > 0`, "{{operation}}").
			stacked().withTable("mean").tellApart(operations(), nil).unit(rate).whenEmpty("no requests"),
		calls(),
		curve(size{12, 8}, "Refused and failed", "Requests that AWS refused because there were too many, and requests that failed otherwise.").
			plot(`sum(rate(aws_iam_exporter_api_throttles_total{`+ofTarget+`}[$__rate_interval]))`, "throttled").
			plot(`sum(rate(aws_iam_exporter_api_errors_total{`+ofTarget+`}[$__rate_interval])) - sum(rate(aws_iam_exporter_api_throttles_total{`+ofTarget+`}[$__rate_interval]))`, "failed").
			series("throttled", inColor(warned)).series("failed", inColor(violation)).unit(rate),
		curve(size{12, 8}, "Not judged", "Verdicts that are unknown because facts are. For some minutes after a start without a state directory there are many.").
			plot(`sum by (rule) (`+verdicts(`verdict="unknown"`)+`) > 0`, "{{rule}}").unit(count).decimals(0).stacked().
			whenEmpty("None, if the exporter answers: see the figures at the top").ruleNames(),

		section("Scrapes and process"),
		ofTargets("Duration of a scrape", "How long Prometheus waited for the metrics.", `scrape_duration_seconds{`+ofTarget+`}`, seconds),
		ofTargets("Series of a scrape", "How many series Prometheus got.", `scrape_samples_scraped{`+ofTarget+`}`, count),
		ofTargets("Memory", "Memory that an exporter uses.", `process_resident_memory_bytes{`+ofTarget+`}`, memory),
		ofTargets("Processor", "Processor cores that an exporter uses.", `rate(process_cpu_seconds_total{`+ofTarget+`}[$__rate_interval])`, count),
		instances(),
	)
	d.Annotations.List = []Annotation{
		event("Restarts", `changes(process_start_time_seconds{`+ofTarget+`}[2m])`, nothing, "{{instance}} started"),
		event("Failed refreshes", `min by (account_id) (aws_iam_account_up{`+ofAccount+`}) == bool 0`, violation, "{{account_id}} not read completely"),
	}
	return d
}

// event marks the times at which a query is above 0.
func event(name, expr, color, title string) Annotation {
	return Annotation{Name: name, Datasource: &live, Enable: true, Expr: expr, Step: "60s", IconColor: color, TitleFormat: title, TextFormat: ""}
}

func eventPrice() Variable {
	return Variable{
		Name: "event_price", Label: "USD for 100,000 events", Type: "textbox", Query: "2", Current: &Choice{"2", "2"},
		Description: "What a trail costs for 100,000 management events. CloudTrail's event history and the first copy of a trail cost nothing: set 0 for those",
	}
}

const (
	observed = `max by (account_id, facts) (aws_iam_account_facts_observed_timestamp_seconds{` + ofAccount + `})`
	stale    = `max by (account_id, facts) (aws_iam_account_facts_stale_timestamp_seconds{` + ofAccount + `})`
	usedUp   = `(time() - ` + observed + `) / (` + stale + ` - ` + observed + `)`
)

func factAges() *Panel {
	const worst = "\nand on (account_id, facts) topk(30, " + usedUp + ")"
	return table(size{12, 10}, "Age of facts against its limit",
		"The thirty groups of facts that have used up most of their time. At 100% they count as out of date.",
		label("account_id", "Account", 130),
		label("facts", "Facts", 90),
		value(`topk(30, `+usedUp+`)`, "Used up", 0, gauge(steps(compliant, from(0.8, warned), from(1, violation)))...).with(inDecimals(0)),
		value(`time() - `+observed+worst, "Age", 100, inUnit(seconds), inDecimals(0)),
		value(stale+` - `+observed+worst, "Limit", 100, inUnit(seconds), inDecimals(0)),
	).whenEmpty("No data: no exporter reports on these accounts").sorted("Used up")
}

func calls() *Panel {
	const throttled = `sum by (service, operation) (increase(aws_iam_exporter_api_throttles_total{` + ofTarget + `}[1d]))`
	const failed = `sum by (service, operation) (increase(aws_iam_exporter_api_errors_total{` + ofTarget + `}[1d])) - ` + throttled
	const requests = `sum by (service, operation) (increase(aws_iam_exporter_api_requests_total{` + ofTarget + `}[1d]))`
	return table(size{12, 9}, "Calls of the last day and their price",
		"AWS charges nothing for the calls. Each is an event in CloudTrail, and a trail may charge for it: set the price above.",
		label("operation", "Operation", 0),
		label("service", "Service", 70),
		value(requests+` > 0`, "Calls", 75, inUnit(count), inDecimals(0)),
		value(throttled+` > 0`, "Throttled", 80, coloured(steps(warned))...).with(inUnit(count), inDecimals(0), inWords(mapMissing("–", plain))),
		value(failed+` > 0`, "Failed", 70, coloured(steps(violation))...).with(inUnit(count), inDecimals(0), inWords(mapMissing("–", plain))),
		value(`(`+requests+` > 0) * $event_price / 100000`, "Price", 75, inUnit(dollars), inDecimals(2)),
	).whenEmpty("No data: no exporter answers").sorted("Calls")
}

// ofTargets shows the maximum and the median of all exporters, so that a hundred
// of them take two lines. The table below has each.
func ofTargets(title, description, expr, unit string) *Panel {
	return curve(size{6, 8}, title, description).plot(`max(`+expr+`)`, "most").plot(`quantile(0.5, `+expr+`)`, "median").
		tellApart([]string{"most", "median"}, nil).unit(unit)
}

func instances() *Panel {
	const info = `group by (job, instance, version, revision, goversion) (aws_iam_exporter_build_info{` + ofTarget + `})`
	return table(size{24, 6}, "Exporters", "Each exporter that is scraped, its version, what it costs, how often it was started in a day, and when it last saved its facts, if it has a state directory.",
		label("instance", "Instance", 0),
		label("job", "Job", 110),
		label("version", "Version", 85),
		label("revision", "Revision", 90),
		label("goversion", "Go", 90),
		labelsOf(info),
		value(`max by (job, instance) (scrape_duration_seconds{`+ofTarget+`})`, "Scrape", 80, inUnit(seconds), inDecimals(2)),
		value(`max by (job, instance) (scrape_samples_scraped{`+ofTarget+`})`, "Series", 80, inUnit(count)),
		value(`max by (job, instance) (process_resident_memory_bytes{`+ofTarget+`})`, "Memory", 90, inUnit(memory), inDecimals(0)),
		value(`max by (job, instance) (changes(process_start_time_seconds{`+ofTarget+`}[1d]))`, "Restarts", 85, coloured(steps(plain, from(1, warned)))...).with(inUnit(count)),
		value(`time() - min by (job, instance) (aws_iam_account_state_saved_timestamp_seconds{`+ofTarget+`})`, "State saved", 100, inUnit(seconds), inDecimals(0), inWords(mapMissing("not kept", plain))),
	).whenEmpty("No data: no exporter answers")
}

// ruleNames shows the rules that series are named by in words.
func (p *Panel) ruleNames() *Panel {
	var names, words []string
	for _, rule := range policy.Rules() {
		names, words = append(names, string(rule)), append(words, ruleWords(rule))
	}
	return p.tellApart(names, words)
}

func groups() []string { return texts(inventory.Groups()) }

func reasons() []string { return texts(inventory.Reasons()) }

func operations() []string {
	var names []string
	for _, o := range awsapi.Operations() {
		names = append(names, o.Name)
	}
	return names
}

func texts[T ~string](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}
