// What main.go writes: a file's name and its documents. Who asks for a field that
// _config does not have gets an error.
local mixin = import 'mixin.libsonnet';

function(config={})
  local unknown = std.setDiff(std.objectFields(config), std.objectFieldsAll(mixin._config));
  assert unknown == [] :
         'there is no field %s, but %s' % [std.join(', ', unknown), std.join(', ', std.objectFields(mixin._config))];
  local made = mixin { _config+:: config };
  {
    'aws_iam.rules.yaml': [made.prometheusAlerts],
    'aws_iam.recording.rules.yaml': [made.prometheusRules],
  }
  + std.mapWithKey(function(_, dashboard) [dashboard], made.grafanaDashboards)
  + made.kubernetesManifests
