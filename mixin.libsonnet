// The alerts, recordings and dashboards as a mixin, for go-jsonnet. All of it is
// read from the files that others take as they are, and what _config says is put
// in place of what stands there. docs/alerting.md shows how to use it.
local shipped = {
  // Which scrape jobs are the exporter's, beside those known by what they serve.
  selector: 'job=~"aws[-_]iam.*"',

  // Where the links of alerts and dashboards begin.
  runbookURL: 'https://github.com/aws-iam-exporter/aws_iam_exporter/blob/main/alerts/runbooks.md',
  grafanaURL: 'http://localhost:3000',
};

{
  local config = self._config,

  _config:: shipped {
    // Other words for the severities, such as {critical: 'page'}, and the severity
    // of single alerts, such as {IAMExporterDown: 'warning'}, which goes first.
    severities: {},
    alertSeverities: {},

    // Labels for every alert, and for every manifest of Kubernetes.
    alertLabels: {},
    manifestLabels: {},
  },

  local changed = std.filter(function(field) config[field] != shipped[field], std.objectFields(shipped)),

  local put(value) =
    if std.isString(value) then
      std.foldl(function(text, field) std.strReplace(text, shipped[field], config[field]), changed, value)
    else if std.isArray(value) then std.map(put, value)
    else if std.isObject(value) then std.mapWithKey(function(_, inner) put(inner), value)
    else value,

  local severity(rule) = std.get(
    config.alertSeverities,
    rule.alert,
    std.get(config.severities, rule.labels.severity, rule.labels.severity),
  ),

  local label(rule) =
    if std.objectHas(rule, 'alert') then rule { labels+: { severity: severity(rule) } + config.alertLabels }
    else rule,

  local groups(text) = [
    group { rules: std.map(label, group.rules) }
    for group in put(std.parseYaml(text)).groups
  ],

  prometheusAlerts+:: { groups+: groups(importstr 'alerts/aws_iam.rules.yaml') },
  prometheusRules+:: { groups+: groups(importstr 'alerts/aws_iam.recording.rules.yaml') },

  grafanaDashboards+:: {
    'aws-iam-compliance.json': put(import 'dashboards/compliance.json'),
    'aws-iam-users.json': put(import 'dashboards/users.json'),
    'aws-iam-exporter.json': put(import 'dashboards/exporter.json'),
  },

  local manifest(object) = object { metadata+: { labels+: config.manifestLabels } },

  kubernetesManifests+:: {
    'aws-iam-prometheusrule.yaml': [
      manifest(std.parseYaml(importstr 'alerts/prometheusrule.yaml')) {
        spec: { groups: $.prometheusAlerts.groups + $.prometheusRules.groups },
      },
    ],
    'aws-iam-podmonitor.yaml': [
      manifest(std.parseYaml(importstr 'deploy/kubernetes/operator/podmonitor.yaml')),
    ],
    'aws-iam-dashboards.yaml': [
      manifest(object) {
        data: { [name]: std.manifestJsonEx($.grafanaDashboards[name], '  ') for name in std.objectFields(object.data) },
      }
      for object in std.parseYaml(importstr 'dashboards/configmaps.yaml')
      if object != null // what comes before the first of them
    ],
  },
}
