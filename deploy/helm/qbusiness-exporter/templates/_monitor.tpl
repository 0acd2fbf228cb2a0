{{- /* The settings of a ServiceMonitor or PodMonitor that concern the scrape job. */}}
{{- define "qbusiness-exporter.scrapeJob" -}}
{{- $monitor := . }}
{{- range $key := list "jobLabel" "targetLabels" "podTargetLabels" "sampleLimit" "targetLimit" "labelLimit" "labelNameLengthLimit"
  "labelValueLengthLimit" "bodySizeLimit" "scrapeProtocols" "scrapeClass" "attachMetadata" }}
{{- with get $monitor $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The endpoint of a ServiceMonitor or PodMonitor. Arguments: root, monitor. */}}
{{- define "qbusiness-exporter.scrapeEndpoint" -}}
port: metrics
path: {{ include "qbusiness-exporter.prefix" .root }}/metrics
interval: {{ .monitor.interval }}
scrapeTimeout: {{ .monitor.scrapeTimeout }}
{{- if include "qbusiness-exporter.tls" .root }}
scheme: https
{{- end }}
{{- $monitor := .monitor }}
{{- range $key := list "honorLabels" "honorTimestamps" "followRedirects" "enableHttp2" }}
{{- if kindIs "bool" (get $monitor $key) }}
{{ $key }}: {{ get $monitor $key }}
{{- end }}
{{- end }}
{{- range $key := list "params" "proxyUrl" "tlsConfig" "basicAuth" "oauth2" "authorization" "relabelings" "metricRelabelings" }}
{{- with get $monitor $key }}
{{ $key }}: {{- if kindIs "string" . }} {{ . }}{{ else }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
