{{- define "tickwire.name" -}}
{{- printf "%s-%s" .root.Release.Name .component | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "tickwire.selector" -}}
app.kubernetes.io/name: tickwire
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tickwire.labels" -}}
{{ include "tickwire.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Everyone who may list pods or ConfigMaps sees what is in them. */}}
{{- define "tickwire.public" -}}
{{- if regexMatch "(PASSWORD|SECRET|TOKEN|KEY_PEM)$" . -}}
{{- fail (printf "%s is a secret: name it in secret.files, not in settings" .) -}}
{{- end -}}
{{- end -}}

{{/* A pod: of = the values of this process, command = what it does, data = the volume of what waits for Kafka. */}}
{{- define "tickwire.pod" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "tickwire.labels" . | nindent 4 }}
    {{- with .producer }}
    tickwire/producer: {{ . }}
    {{- end }}
  annotations:
    checksum/settings: {{ toJson (dict "all" $values.settings "own" .of.settings) | sha256sum }}
    {{- if eq .port.name "metrics" }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "8000"
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false # its variables have the same names as settings
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "tickwire.selector" $ | nindent 10 }}
    {{- end }}
  containers:
    - name: tickwire
      image: "{{ $values.image.repository }}:{{ $values.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args:
        {{- toYaml .command | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "tickwire.name" (dict "root" .root "component" "settings") }}
      env:
        - { name: KAFKA_ENABLED, value: "true" }
        - { name: KAFKA_METRICS_ENABLED, value: "true" }
        - { name: KAFKA_METRICS_HOST, value: 0.0.0.0 }
        - { name: KAFKA_METRICS_PORT, value: "8000" }
        {{- range $name, $value := .of.settings }}
        {{- include "tickwire.public" $name }}
        - name: {{ $name }}
          value: {{ $value | toString | quote }}
        {{- end }}
        {{- range $name, $key := $values.secret.files }}
        - name: {{ $name }}_FILE
          value: /run/secrets/tickwire/{{ $key }}
        {{- end }}
      ports:
        - name: {{ .port.name }}
          containerPort: {{ .port.number }}
      {{- if eq .port.name "metrics" }}
      startupProbe:
        httpGet: { path: /health/live, port: metrics }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /health/live, port: metrics }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /health/ready, port: metrics }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      {{- else }}
      livenessProbe:
        tcpSocket: { port: {{ .port.name }} }
      readinessProbe:
        tcpSocket: { port: {{ .port.name }} }
      {{- end }}
      resources:
        {{- toYaml .of.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        - { name: data, mountPath: /var/lib/tickwire }
        {{- if $values.secret.name }}
        - { name: secret, mountPath: /run/secrets/tickwire, readOnly: true }
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if not .producer }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- with $values.secret.name }}
    - name: secret
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
