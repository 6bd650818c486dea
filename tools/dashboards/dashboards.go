// Package dashboards writes the Grafana dashboards, so that the three have one
// language of colours, and each query is written once. Its tests write what
// ships, the files in dashboards/ at the top of the repository.
package dashboards

import (
	"fmt"
	"strings"
)

// The dashboards' addresses in Grafana. Never change them: alerts and people link
// to them.
const (
	complianceUID = "aws-iam-compliance"
	usersUID      = "aws-iam-users"
	exporterUID   = "aws-iam-exporter"
)

// All returns the dashboards by the name of their file.
func All() map[string]Dashboard {
	return map[string]Dashboard{
		"compliance.json": compliance(),
		"users.json":      users(),
		"exporter.json":   exporter(),
	}
}

// dashboard is what they have in common.
func dashboard(uid, title, description string, variables []Variable, panels ...*Panel) Dashboard {
	return Dashboard{
		UID: uid, Title: title, Description: description,
		Tags:        []string{"aws-iam"},
		Links:       otherDashboards(uid),
		Templating:  Variables{append([]Variable{dataSource("datasource", "Data source", "")}, variables...)},
		Annotations: Annotations{[]Annotation{}},
		Panels:      place(panels...),
		Time:        TimeRange{"now-6h", "now"},
		Refresh:     "5m",
		Timezone:    "browser", GraphTooltip: 1, SchemaVersion: schemaVersion,
	}
}

func otherDashboards(but string) []DashboardLink {
	links := []DashboardLink{}
	for _, to := range []struct{ uid, title, tooltip string }{
		{complianceUID, "Compliance", "Where the accounts stand, and who must act"},
		{usersUID, "Users and keys", "Findings, users and keys, one by one"},
		{exporterUID, "Exporter", "Whether what is shown can be trusted"},
	} {
		if to.uid != but {
			links = append(links, DashboardLink{Title: to.title, Type: "link", URL: "/d/" + to.uid, Icon: "dashboard", Tooltip: to.tooltip, IncludeVars: true})
		}
	}
	return links
}

// Variables.

func dataSource(name, label, description string) Variable {
	return Variable{Name: name, Label: label, Description: description, Type: "datasource", Query: "prometheus", Refresh: 1, Current: &Choice{"default", "default"}}
}

// targets choose among exporters, and accounts among what they serve.
func targets() []Variable {
	return []Variable{
		jobs(),
		choice("instance", "Instance", ".+", `label_values(up{job=~"$job"}, instance)`),
		choice("account_id", "Account", ".*", `label_values(aws_iam_account_info{`+ofTarget+`}, account_id)`),
	}
}

// jobs are the exporter's own, perhaps two, and not all jobs that there are, so All
// cannot be a pattern. As in the alerts, a job is found by its name even if its
// exporter is down, or knows no account yet.
func jobs() Variable {
	v := choice("job", "Job", "", `query_result(group by (job) (up{job=~"aws[-_]iam.*"}) or group by (job) ({__name__=~"aws_iam_exporter_build_info|aws_iam_account_info"}))`)
	v.Regex = `/job="([^"]+)"/`
	return v
}

func owners() Variable {
	v := choice("user_owner", "Owner", ".*", `label_values(aws_iam_finding_since_timestamp_seconds{`+ofAccount+`}, user_owner)`)
	v.Description = "Owners of users with findings, from the tags that the configuration names"
	return v
}

// oneOf lets the reader pick one of a few, at first the first.
func oneOf(name, label string, choices ...Choice) Variable {
	var texts []string
	var options []any
	for i, c := range choices {
		texts = append(texts, fmt.Sprintf("%s : %s", c.Text, c.Value))
		options = append(options, map[string]any{"selected": i == 0, "text": c.Text, "value": c.Value})
	}
	return Variable{Name: name, Label: label, Type: "custom", Query: strings.Join(texts, ", "), Current: &choices[0], Options: options}
}

// choice lets the reader pick one, some or all values of a label.
func choice(name, label, all, query string) Variable {
	return Variable{
		Name: name, Label: label, Type: "query", Datasource: &live,
		Query: map[string]any{"query": query, "refId": name, "qryType": queryType(query)}, Definition: query,
		Refresh: onTimeChange, Sort: 1, Multi: true, IncludeAll: true, AllValue: all,
		Current: &Choice{[]string{"All"}, []string{"$__all"}},
	}
}

const (
	onTimeChange = 2
	hideVariable = 2
)

// queryType is what Grafana's editor calls the functions.
func queryType(query string) int {
	if strings.HasPrefix(query, "query_result") {
		return 3
	}
	return 1
}
