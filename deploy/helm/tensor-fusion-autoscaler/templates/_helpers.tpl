{{- define "tfa.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "tfa.webhook.replicas" }}{{ int .Values.webhook.replicas }}{{ end }}
{{- define "tfa.controller.replicas" }}{{ int .Values.controller.replicas }}{{ end }}
{{- /* One process in recommend-only, where no Lease says which of several works. */ -}}
{{- define "tfa.autoscaler.replicas" -}}
{{ if eq .Values.profile "recommend-only" }}1{{ else }}{{ int .Values.autoscaler.replicas }}{{ end }}
{{- end }}

{{- /* What values say of the pods of a process; of: its values, image: those of the image. */ -}}
{{- define "tfa.pod" -}}
{{- with .image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .of.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "tfa.certificate.external" -}}
{{ if or .Values.certificate.external .Values.certificate.issuer.name }}true{{ end }}
{{- end }}

{{- /* Arguments of the autoscaler that profile and values ask for. */ -}}
{{- define "tfa.autoscaler.args" -}}
{{- with .Values.profile }}{{ if ne . "full" }}
- --profile={{ . }}
{{- end }}{{ end }}
{{- if ne .Values.profile "recommend-only" }}
- --page-address=$(POD_IP)
{{- end }}
{{- with .Values.prometheus.url }}
- {{ printf "--prometheus-url=%s" . | quote }}
{{- end }}
{{- with .Values.prometheus.mapping }}
- --prometheus-mapping={{ . }}
{{- end }}
{{- if .Values.prometheus.tokenSecret.name }}
- --prometheus-token-file=/etc/tensor-fusion/prometheus/token
{{- end }}
{{- if .Values.config }}
- --config=/etc/tensor-fusion/files/tfa.yaml
{{- end }}
{{- if .Values.workloads }}
- --workloads=/etc/tensor-fusion/files/workloads.yaml
{{- end }}
{{- if .Values.profiles }}
- --profiles=/etc/tensor-fusion/files/profiles.yaml
{{- end }}
{{- if .Values.externalScaler.tokenSecret.name }}
- --external-scaler-token-file=/etc/tensor-fusion/external-scaler/token
{{- end }}
{{- range .Values.autoscaler.args }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Files of the autoscaler that values contain: name to text. */ -}}
{{- define "tfa.files" -}}
{{- with .Values.config }}
tfa.yaml: |
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.workloads }}
workloads.yaml: |
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.profiles }}
profiles.yaml: |
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tfa.autoscaler.mounts" -}}
{{- if include "tfa.files" . }}
- name: files
  mountPath: /etc/tensor-fusion/files
  readOnly: true
{{- end }}
{{- if .Values.prometheus.tokenSecret.name }}
- name: prometheus
  mountPath: /etc/tensor-fusion/prometheus
  readOnly: true
{{- end }}
{{- if .Values.externalScaler.tokenSecret.name }}
- name: external-scaler
  mountPath: /etc/tensor-fusion/external-scaler
  readOnly: true
{{- end }}
{{- end }}

{{- define "tfa.autoscaler.volumes" -}}
{{- if include "tfa.files" . }}
- name: files
  configMap:
    name: tensor-fusion-autoscaler-files
{{- end }}
{{- with .Values.prometheus.tokenSecret }}{{ if .name }}
- name: prometheus
  {{- include "tfa.secret" . | nindent 2 }}
{{- end }}{{ end }}
{{- with .Values.externalScaler.tokenSecret }}{{ if .name }}
- name: external-scaler
  {{- include "tfa.secret" . | nindent 2 }}
{{- end }}{{ end }}
{{- end }}

{{- /* A volume with the one key of a Secret, under the name token. */ -}}
{{- define "tfa.secret" -}}
secret:
  secretName: {{ .name }}
  items:
    - key: {{ .key }}
      path: token
{{- end }}

{{- /* Annotations of what runs before an uninstall; the argument is its weight. */ -}}
{{- define "tfa.leave.hook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- /* The pool is of a kind that the same release brings, which Helm knows only once that is installed. */ -}}
{{- define "tfa.pool.hook" -}}
helm.sh/hook: post-install,post-upgrade
{{- end }}

{{- /* A pool can be looked up only where its kind is served. */ -}}
{{- define "tfa.pool.exists" -}}
{{- if lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "gpupools.tensor-fusion.ai" -}}
{{ if lookup "tensor-fusion.ai/v1" "GPUPool" "" "default-pool" }}true{{ end }}
{{- end }}
{{- end }}
