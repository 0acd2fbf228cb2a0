{{- /*
An alert with the values of `prometheusRule` applied, as YAML. Arguments: root, rule. The expressions in files/rules have their default
threshold as THRESHOLD(default). The texts of an alert are templates of Prometheus, and are not rendered by Helm.
*/}}
{{- define "qbusiness-exporter.alert" -}}
{{- $options := .root.Values.prometheusRule }}
{{- $override := default dict (get $options.overrides .rule.alert) }}
{{- $rule := deepCopy .rule }}
{{- $own := dict }}
{{- with $override.severity }}{{ $own = dict "severity" . }}{{ end }}
{{- $labels := merge $own (default dict $override.labels) (deepCopy $options.additionalRuleLabels) $rule.labels }}
{{- $links := include "qbusiness-exporter.alertLinks" . | fromYaml }}
{{- $annotations := merge (default dict $override.annotations) (deepCopy $options.additionalRuleAnnotations) $links $rule.annotations }}
{{- $rule = merge (dict "labels" $labels "annotations" $annotations) $rule }}
{{- range $key, $name := dict "for" "for" "keepFiringFor" "keep_firing_for" }}
{{- with get $override $key }}{{ $rule = set $rule $name . }}{{ end }}
{{- end }}
{{- $placeholder := regexFind "THRESHOLD\\([^)]*\\)" $rule.expr }}
{{- if $placeholder }}
{{- $threshold := dig "threshold" (trimSuffix ")" (trimPrefix "THRESHOLD(" $placeholder)) $override | toString }}
{{- $rule = set $rule "expr" (replace $placeholder $threshold $rule.expr) }}
{{- else if hasKey $override "threshold" }}
{{- fail (printf "prometheusRule.overrides.%s.threshold: this alert has no threshold to set; see docs/alerts.md" .rule.alert) }}
{{- end }}
{{- $rule | toYaml }}
{{- end }}

{{- /* The annotations of an alert that are links: they follow runbookUrl, externalUrl and grafanaUrl. */}}
{{- define "qbusiness-exporter.alertLinks" -}}
{{- $annotations := .rule.annotations }}
{{- $page := default "http://localhost:10142" .root.Values.externalUrl }}
runbook_url: {{ default (printf "%s/runbooks" $page) .root.Values.runbookUrl }}/{{ .rule.alert }}
{{- with $annotations.status_url }}
status_url: {{ replace "http://localhost:10142" $page . | quote }}
{{- end }}
{{- with $annotations.dashboard_url }}
dashboard_url: {{ printf "%s%s" $.root.Values.grafanaUrl . | quote }}
{{- end }}
{{- end }}
