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

{{- define "qbusiness-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "qbusiness-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "qbusiness-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The labels of the pod for `helm test`, which no selector of the exporter's pods matches. */}}
{{- define "qbusiness-exporter.testLabels" -}}
app.kubernetes.io/name: {{ include "qbusiness-exporter.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "qbusiness-exporter.labels" -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") }}
{{- $own = merge $own (dict "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/version" .Chart.AppVersion) }}
{{- $own = merge $own (include "qbusiness-exporter.selectorLabels" . | fromYaml) }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{- /*
The metadata of an object. Arguments: root, name, suffix of the name, namespace, labels, annotations; all but root are optional. The chart's
own labels cannot be replaced, because selectors use them.
*/}}
{{- define "qbusiness-exporter.metadata" -}}
name: {{ default (include "qbusiness-exporter.fullname" .root) .name }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ default (include "qbusiness-exporter.namespace" .root) .namespace }}
labels: {{- merge (include "qbusiness-exporter.labels" .root | fromYaml) (default dict .labels) | toYaml | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "qbusiness-exporter.serviceAccountName" -}}
{{- default (ternary (include "qbusiness-exporter.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- /* The name of an image. Arguments: root, image, tag: the tag of an image without one. */}}
{{- define "qbusiness-exporter.image" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry }}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default .tag .image.tag }}{{ end }}
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

{{- define "qbusiness-exporter.scheme" -}}
{{- if include "qbusiness-exporter.tls" . }}https{{ else }}http{{ end }}
{{- end }}

{{- /* The prefix of all paths, without a slash at its end: that of --web.route-prefix, else the path of --web.external-url. */}}
{{- define "qbusiness-exporter.prefix" -}}
{{- $path := "" }}
{{- with .Values.externalUrl }}{{ $path = (urlParse .).path }}{{ end }}
{{- with trimAll "/" (default $path .Values.routePrefix) }}/{{ . }}{{ end }}
{{- end }}

{{- /* A web config may require TLS and client certificates, which the chart cannot know. With one, the probes run the image's healthcheck. */}}
{{- define "qbusiness-exporter.probe" -}}
{{- if include "qbusiness-exporter.webSecret" .root }}
exec:
  command: [healthcheck, {{ .path }}]
{{- else }}
httpGet:
  path: {{ include "qbusiness-exporter.prefix" .root }}{{ .path }}
  port: metrics
{{- end }}
{{- with .settings }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Not empty if replicas share their state in PostgreSQL. */}}
{{- define "qbusiness-exporter.shared" -}}
{{- with .Values.state.postgresql.url }}yes{{ end }}
{{- end }}

{{- define "qbusiness-exporter.kind" -}}
{{- if include "qbusiness-exporter.shared" . }}Deployment{{ else }}StatefulSet{{ end }}
{{- end }}

{{- /* The content of config.yaml. */}}
{{- define "qbusiness-exporter.config" -}}
{{- $state := dict }}
{{- with .Values.state.postgresql }}
{{- if .url }}{{ $state = set $state "url" .url }}{{ end }}
{{- if and .url .existingSecret }}{{ $state = set $state "password_file" "/etc/qbusiness-exporter-database/password" }}{{ end }}
{{- if and .url .iamAuth }}{{ $state = set $state "iam_auth" true }}{{ end }}
{{- end }}
{{- $config := deepCopy .Values.config }}
{{- if $state }}{{ $config = mergeOverwrite $config (dict "state" $state) }}{{ end }}
{{- toYaml $config }}
{{- end }}

{{- /* The ports of the hosts in the URL of the database, as a JSON list. */}}
{{/* Whether the rules or dashboards in a folder of files/ are installed: those of the exporter, and of the services in use. */}}
{{- define "qbusiness-exporter.isInstalled" -}}
{{- $services := .root.Values.services | default list }}
{{- if not $services }}
{{- range .root.Values.config.targets }}
{{- $services = append $services (.service | default "qbusiness") }}
{{- end }}
{{- end }}
{{- $isUnknown := and .root.Values.existingConfigMap (not .root.Values.services) }}
{{- $service := base (dir .path) }}
{{- if or $isUnknown (eq $service "exporter") (has $service ($services | default (list "qbusiness"))) }}true{{ end }}
{{- end }}

{{- define "qbusiness-exporter.databasePorts" -}}
{{- $hosts := regexReplaceAll "^[a-z]+://([^/@]*@)?([^/?]*).*$" .Values.state.postgresql.url "${2}" }}
{{- $ports := list }}
{{- range splitList "," $hosts }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" .) }}
{{- $ports = append $ports (int (default "5432" $port)) }}
{{- end }}
{{- uniq $ports | toJson }}
{{- end }}
