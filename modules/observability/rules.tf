# Rules of Prometheus over what the model server tells at /metrics. Shadow traffic has no clients, so it is left out.

locals {
  _windows = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]

  # How fast the budget of 30 days burns, over a long window, and still over a short one: the first two are gone in 2 and 5 days, and wake somebody up.
  _burns = [
    { factor = 14.4, long = "1h", short = "5m", severity = "critical" },
    { factor = 6, long = "6h", short = "30m", severity = "critical" },
    { factor = 3, long = "1d", short = "2h", severity = "warning" },
    { factor = 1, long = "3d", short = "6h", severity = "warning" },
  ]

  _latency = { for name, endpoint in var.endpoints : name => endpoint.latency if endpoint.latency != null }

  # The server says le="1", and Prometheus 3 stores le="1.0".
  _bounds = { for name, latency in local._latency : name => floor(latency.seconds) == latency.seconds ? "${latency.seconds}(\\\\.0)?" : replace(tostring(latency.seconds), ".", "\\\\.") }

  _recording_requests = [
    for window in local._windows : {
      record = "endpoint:mlops_requests:rate${window}"
      expr   = "sum by (endpoint) (rate(mlops_requests_total{traffic=\"live\"}[${window}]))"
    }
  ]

  # The histogram counts what was not refused: the client's mistakes are no failures, and no successes either.
  _recording_errors = [
    for window in local._windows : {
      record = "endpoint:mlops_request_errors:ratio_rate${window}"
      expr   = "sum by (endpoint) (rate(mlops_request_errors_total{traffic=\"live\"}[${window}])) / sum by (endpoint) (rate(mlops_request_duration_seconds_count{traffic=\"live\"}[${window}]))"
    }
  ]

  _recording_slow = flatten([
    for name, latency in local._latency : [
      for window in local._windows : {
        record = "endpoint:mlops_request_slow:ratio_rate${window}"
        expr   = "1 - sum by (endpoint) (rate(mlops_request_duration_seconds_bucket{endpoint=\"${name}\",traffic=\"live\",le=~\"${local._bounds[name]}\"}[${window}])) / sum by (endpoint) (rate(mlops_request_duration_seconds_count{endpoint=\"${name}\",traffic=\"live\"}[${window}]))"
        labels = { endpoint = name }
      }
    ]
  ])

  _burn_alerts = flatten([
    for objective in concat(
      [for name, endpoint in var.endpoints : { endpoint = name, alert = "MlopsAvailabilityBurn", ratio = "mlops_request_errors", percent = endpoint.availability_percent, what = "answered with 5xx" }],
      [for name, latency in local._latency : { endpoint = name, alert = "MlopsLatencyBurn", ratio = "mlops_request_slow", percent = latency.percent, what = "slower than ${latency.seconds} s" }],
      ) : [for burn in local._burns : {
        alert = objective.alert
        expr = join(" and ", [for window in [burn.long, burn.short] :
        "endpoint:${objective.ratio}:ratio_rate${window}{endpoint=\"${objective.endpoint}\"} > ${format("%.8g", burn.factor * (100 - objective.percent) / 100)}"])
        labels      = { endpoint = objective.endpoint, severity = burn.severity, window = burn.long }
        annotations = { summary = "${objective.endpoint}: {{ $value | humanizePercentage }} of the requests of ${burn.long} were ${objective.what}; the objective allows ${format("%.4g", 100 - objective.percent)}%, and this burns it ${burn.factor} times as fast." }
    }]
  ])

  _endpoint_alerts = flatten([for name, endpoint in var.endpoints : [for rule in [
    {
      alert       = "MlopsEndpointGone"
      expr        = "absent(mlops_requests_in_flight{endpoint=\"${name}\"})"
      "for"       = "5m"
      labels      = { severity = "critical" }
      annotations = { summary = "${name}: no model server tells of the endpoint. It is not running, or not scraped." }
    },
    endpoint.no_traffic_seconds == 0 ? null : {
      alert       = "MlopsNoTraffic"
      expr        = "endpoint:mlops_requests:rate5m{endpoint=\"${name}\"} == 0"
      "for"       = "${endpoint.no_traffic_seconds}s"
      labels      = { severity = "warning" }
      annotations = { summary = "${name}: no request has come for ${endpoint.no_traffic_seconds} s. Look at what sends them: load balancer, names, clients." }
    },
    endpoint.in_flight == 0 ? null : {
      alert       = "MlopsSaturated"
      expr        = "max by (endpoint) (sum by (endpoint, instance) (avg_over_time(mlops_requests_in_flight{endpoint=\"${name}\",traffic=\"live\"}[5m]))) > ${endpoint.in_flight}"
      "for"       = "5m"
      labels      = { severity = "warning" }
      annotations = { summary = "${name}: a server holds {{ $value | humanize }} requests at once; ${endpoint.in_flight} are thought to be enough. Add servers, or limits." }
    },
    endpoint.refused_percent == 0 ? null : {
      alert       = "MlopsRefusals"
      expr        = "sum by (endpoint) (rate(mlops_requests_refused_total{endpoint=\"${name}\",traffic=\"live\"}[5m])) / sum by (endpoint) (rate(mlops_requests_total{endpoint=\"${name}\",traffic=\"live\"}[5m])) > ${format("%.8g", endpoint.refused_percent / 100)}"
      "for"       = "10m"
      labels      = { severity = "warning" }
      annotations = { summary = "${name}: {{ $value | humanizePercentage }} of the requests are refused with 4xx. A client sends what the model does not take, or the queue is full (429): the server's log says which." }
    },
    # A rollout ends with one version of the variant in memory.
    endpoint.rollout_seconds == 0 ? null : {
      alert       = "MlopsRolloutUnfinished"
      expr        = "count by (endpoint, variant) (group by (endpoint, variant, version) (mlops_requests_in_flight{endpoint=\"${name}\",traffic=\"live\"})) > 1"
      "for"       = "${endpoint.rollout_seconds}s"
      labels      = { severity = "warning" }
      annotations = { summary = "${name}: {{ $value }} versions of the variant {{ $labels.variant }} have been side by side for more than ${endpoint.rollout_seconds} s. mlops endpoint status says what the rollout waits for." }
    },
  ] : merge(rule, { labels = merge(rule.labels, { endpoint = name }) }) if rule != null]])

  rules = yamlencode({
    groups = [for group in [
      { name = "mlops-recording", interval = "30s", rules = concat(local._recording_requests, local._recording_errors, local._recording_slow) },
      { name = "mlops-objectives", interval = "30s", rules = local._burn_alerts },
      { name = "mlops-endpoints", interval = "30s", rules = local._endpoint_alerts },
      { name = "mlops-drift", interval = local._drift_interval, rules = concat(local._recording_drift, local._drift_alerts) },
    ] : group if length(group.rules) > 0]
  })
}
