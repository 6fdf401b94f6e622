{{- define "pushpipe.name" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "pushpipe.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pushpipe.labels" -}}
{{ include "pushpipe.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* push.conf: what the values say, and on top of it what the pod dictates. */ -}}
{{- define "pushpipe.config" -}}
{{- $run := dict "drain" (printf "%ds" (int .Values.drainSeconds)) }}
{{- if .Values.lanes }}{{ $_ := set $run "lanes" .Values.lanes }}{{ end }}
{{- $ours := dict
      "counters" "/run/push/counters.sock"
      "stats" (dict "listen" (printf "0.0.0.0:%d" (int .Values.metricsPort)))
      "run" $run }}
{{- mergeOverwrite (deepCopy .Values.config) $ours | toPrettyJson }}
{{- end }}
