// Alerts, recording rules and dashboards of qbusiness-exporter. README.md describes `_config`.
local generated = import 'rules.json';

local dashboards = import 'dashboards.libsonnet';
local services = generated.services;

{
  _config+:: {
    selector: '',
    thresholds: generated.thresholds,
    severities: {},
    durations: {},
    disabled: [],
    alertLabels: {},
    alertAnnotations: {},
    externalUrl: 'http://localhost:10142',
    runbookUrl: self.externalUrl + '/runbooks',
    grafanaUrl: '',
    dashboardTags: [],
    services: services,
  },

  local config = self._config,
  local values = config.thresholds + {
    selector: if config.selector == '' then '' else config.selector + ', ',
    externalUrl: config.externalUrl,
    runbookUrl: config.runbookUrl,
    grafanaUrl: config.grafanaUrl,
  },
  local names = std.set([
    rule.alert
    for file in std.objectFields(generated.files)
    for group in generated.files[file]
    for rule in group.rules
    if std.objectHas(rule, 'alert')
  ]),
  local unknown = std.setDiff(
    std.set(config.disabled + std.objectFields(config.severities) + std.objectFields(config.durations)), names
  ) + std.setDiff(std.objectFields(config.thresholds), std.objectFields(generated.thresholds)),

  local recording(rule) = rule { expr: rule.expr % values },
  local alert(rule) = recording(rule) {
    [if std.objectHas(config.durations, rule.alert) then 'for']: config.durations[rule.alert],
    labels+: {
      [if std.objectHas(config.severities, rule.alert) then 'severity']: config.severities[rule.alert],
    } + config.alertLabels,
    annotations: { [name]: rule.annotations[name] % values for name in std.objectFields(rule.annotations) } + config.alertAnnotations,
  },
  local isInstalled(service) = service == 'exporter' || std.member(config.services, service),
  local groups(isWanted, change) = [
    group { rules: rules }
    for file in std.objectFields(generated.files)
    if isInstalled(generated.folders[file])
    for group in generated.files[file]
    for rules in [[change(rule) for rule in group.rules if isWanted(rule)]]
    if rules != []
  ],

  local unknownServices = std.setDiff(std.set(config.services), std.set(services)),
  assert unknownServices == [] : 'unknown services in _config: ' + std.join(', ', unknownServices),
  assert unknown == [] : 'unknown alerts in _config: ' + std.join(', ', unknown),

  prometheusRules+:: {
    groups+: groups(function(rule) std.objectHas(rule, 'record'), recording),
  },
  prometheusAlerts+:: {
    groups+: groups(
      function(rule) std.objectHas(rule, 'alert') && !std.member(config.disabled, rule.alert), alert
    ),
  },
  grafanaDashboards+:: {
    [dashboard.uid + '.json']: dashboard { tags+: config.dashboardTags }
    for service in std.objectFields(dashboards)
    if isInstalled(service)
    for dashboard in dashboards[service]
  },
}
