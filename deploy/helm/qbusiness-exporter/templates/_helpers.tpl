{{- define "qbusiness-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "qbusiness-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "qbusiness-exporter.name" . }}
{{- /* The pods of a StatefulSet have a label with its name and a hash, which may have at most 63 characters. */}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "qbusiness-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "qbusiness-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "qbusiness-exporter.labels" -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") }}
{{- $own = merge $own (dict "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/version" .Chart.AppVersion) }}
{{- $own = merge $own (include "qbusiness-exporter.selectorLabels" . | fromYaml) }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{- define "qbusiness-exporter.serviceAccountName" -}}
{{- default (ternary (include "qbusiness-exporter.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "qbusiness-exporter.image" -}}
{{- $of := .Values.image }}
{{- if $of.digest }}{{ $of.repository }}@{{ $of.digest }}{{ else }}{{ $of.repository }}:{{ default .Chart.AppVersion $of.tag }}{{ end }}
{{- end }}

{{- define "qbusiness-exporter.webSecret" -}}
{{- if .Values.webConfig.existingSecret }}
{{- .Values.webConfig.existingSecret }}
{{- else if .Values.webConfig.content }}
{{- include "qbusiness-exporter.fullname" . }}-web
{{- end }}
{{- end }}

{{- define "qbusiness-exporter.tls" -}}
{{- if or .Values.webConfig.tls .Values.webConfig.content.tls_server_config }}yes{{ end }}
{{- end }}

{{- /* A web config may require TLS and client certificates, which the chart cannot know. With one, the probes run the image's healthcheck. */}}
{{- define "qbusiness-exporter.probe" -}}
{{- if include "qbusiness-exporter.webSecret" .root }}
exec:
  command: [healthcheck, {{ .path }}]
{{- else }}
httpGet:
  path: {{ .path }}
  port: metrics
{{- end }}
timeoutSeconds: 5
{{- end }}
