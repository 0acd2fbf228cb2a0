{{- /* The sidecar that posts to /-/reload when the folder of the mounted configuration changes. */}}
{{- define "qbusiness-exporter.configReloader" -}}
{{- with .Values.configReloader }}
- name: config-reloader
  image: {{ include "qbusiness-exporter.image" (dict "root" $ "image" .image "tag" "") }}
  imagePullPolicy: {{ .image.pullPolicy }}
  args:
    - --watched-dir=/etc/qbusiness-exporter
    - --reload-url={{ include "qbusiness-exporter.scheme" $ }}://127.0.0.1:10142{{ include "qbusiness-exporter.prefix" $ }}/-/reload
    {{- with .extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  securityContext: {{- toYaml $.Values.securityContext | nindent 4 }}
  resources: {{- toYaml .resources | nindent 4 }}
  volumeMounts:
    - name: config
      mountPath: /etc/qbusiness-exporter
      readOnly: true
{{- end }}
{{- end }}
