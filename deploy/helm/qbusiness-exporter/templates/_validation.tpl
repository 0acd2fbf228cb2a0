{{- /* Fails with a reason for values that are valid each, but that cannot work: the schema cannot express these. */}}
{{- define "qbusiness-exporter.validate" -}}
{{- $values := .Values }}
{{- range $kind := list "serviceMonitor" "podMonitor" }}
{{- $monitor := get $values $kind }}
{{- if not (regexMatch "^([0-9]+ms|[0-9]{1,2}s|1m|1m0s)$" $monitor.interval) }}
{{- fail (printf "%s.interval is %s: use at most 1m, because alerts look back a few minutes and would miss samples" $kind $monitor.interval) }}
{{- end }}
{{- if gt (include "qbusiness-exporter.milliseconds" $monitor.scrapeTimeout | int) (include "qbusiness-exporter.milliseconds" $monitor.interval | int) }}
{{- fail (printf "%s.scrapeTimeout is %s, longer than the interval of %s: the Prometheus operator would ignore the object" $kind $monitor.scrapeTimeout $monitor.interval) }}
{{- end }}
{{- if and $monitor.enabled $monitor.basicAuth (not (and $monitor.basicAuth.username $monitor.basicAuth.password)) }}
{{- fail (printf "%s.basicAuth needs username and password, each as {name, key} of a Secret" $kind) }}
{{- end }}
{{- end }}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled are both true: Prometheus would scrape each pod twice; use one" }}
{{- end }}
{{- if hasKey $values.prometheusRule.additionalRuleLabels "severity" }}
{{- fail "prometheusRule.additionalRuleLabels has severity: every alert would have the same one; use prometheusRule.overrides.NAME.severity" }}
{{- end }}
{{- if and $values.persistence.existingClaim (gt (int $values.replicaCount) 1) }}
{{- fail (printf "persistence.existingClaim with replicaCount %d: two exporters cannot share a state file; remove existingClaim" (int $values.replicaCount)) }}
{{- end }}
{{- if and $values.persistence.existingClaim (not $values.persistence.enabled) }}
{{- fail "persistence.existingClaim with persistence.enabled false: remove one of them" }}
{{- end }}
{{- if and $values.podDisruptionBudget.minAvailable (ne ($values.podDisruptionBudget.maxUnavailable | toString) "1") }}
{{- fail "podDisruptionBudget has minAvailable and maxUnavailable: Kubernetes accepts one of them" }}
{{- end }}
{{- if and $values.configReloader.enabled $values.webConfig.content.basic_auth_users }}
{{- fail "configReloader.enabled with webConfig.content.basic_auth_users: the sidecar sends no password, so each reload would be refused" }}
{{- end }}
{{- if and $values.configReloader.enabled (not $values.existingConfigMap) }}
{{- fail "configReloader.enabled without existingConfigMap: a change of `config` restarts the pods already" }}
{{- end }}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) }}
{{- fail "ingress.enabled without ingress.hosts: add a host, such as {host: qbusiness.example.com}" }}
{{- end }}
{{- include "qbusiness-exporter.validateState" . }}
{{- include "qbusiness-exporter.validateDatabase" . }}
{{- end }}

{{- /* A duration in milliseconds. Longer units than minutes are longer than any valid interval of scrapes. */}}
{{- define "qbusiness-exporter.milliseconds" -}}
{{- $total := 0 }}
{{- range regexFindAll "[0-9]+(ms|[smhdwy])" . -1 }}
{{- $unit := regexFind "[a-z]+" . }}
{{- $factor := get (dict "ms" 1 "s" 1000 "m" 60000) $unit | default 3600000 }}
{{- $total = add $total (mul (trimSuffix $unit . | int) $factor) }}
{{- end }}
{{- $total }}
{{- end }}

{{- /* A state path that no volume covers is on the root file system of the container, which is read-only and is lost with the pod. */}}
{{- define "qbusiness-exporter.validateState" -}}
{{- $path := dig "state" "path" "" .Values.config | toString }}
{{- $folders := list "/var/lib/qbusiness-exporter" }}
{{- range .Values.extraVolumeMounts }}{{ $folders = append $folders .mountPath }}{{ end }}
{{- $covered := not (isAbs $path) }}
{{- range $folders }}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .)) $path }}{{ $covered = true }}{{ end }}
{{- end }}
{{- if not $covered }}
{{- fail (printf "config.state.path %s is not on a volume: use a relative path, which is below /var/lib/qbusiness-exporter, or add a mount to extraVolumeMounts" $path) }}
{{- end }}
{{- end }}

{{- define "qbusiness-exporter.validateDatabase" -}}
{{- $values := .Values }}
{{- $database := $values.state.postgresql }}
{{- if and $database.url $values.existingConfigMap }}
{{- fail "state.postgresql.url with existingConfigMap: the chart cannot add the URL to that configuration; use `config`" }}
{{- end }}
{{- if and $database.url (dig "state" dict $values.config) }}
{{- fail "state.postgresql.url with config.state: there is one state; remove config.state" }}
{{- end }}
{{- if and (not $database.url) (dig "state" "url" "" $values.config) }}
{{- fail "config.state.url: use state.postgresql.url, so that the chart allows the traffic to the database and installs a Deployment" }}
{{- end }}
{{- if and $database.url $values.persistence.existingClaim }}
{{- fail "state.postgresql.url with persistence.existingClaim: the state is in the database; remove existingClaim" }}
{{- end }}
{{- if and $database.url (regexMatch "^[a-z]+://[^/@]*:[^/@]*@|[?&]password=" $database.url) }}
{{- fail "state.postgresql.url has a password, which anyone could read in the ConfigMap: use existingSecret" }}
{{- end }}
{{- if and (not $database.url) (or $database.existingSecret $database.iamAuth) }}
{{- fail "state.postgresql has a secret or iamAuth, but no url: the state would be in a file" }}
{{- end }}
{{- $wrong := ternary "OnDelete" "Recreate" (not (empty $database.url)) }}
{{- if eq $values.updateStrategy.type $wrong }}
{{- fail (printf "updateStrategy.type %s: a %s does not have it; use RollingUpdate" $wrong (include "qbusiness-exporter.kind" .)) }}
{{- end }}
{{- end }}
