# Dashboards of Grafana as data. A panel is a title, a unit, and queries by legend: PromQL, or metrics of CloudWatch. Where it stands follows from its
# place in the list; those of var.grafana are built by the same expression.

locals {
  _live = "endpoint=\"$endpoint\",traffic=\"live\""

  _panels = {
    endpoint = [
      { title = "Requests by version", unit = "reqps", queries = { "{{variant}} {{version}}" = "sum by (variant, version) (rate(mlops_requests_total{${local._live}}[$__rate_interval]))" } },
      { title = "Answered with 5xx, by version", unit = "percentunit", queries = { "{{variant}} {{version}}" = "sum by (variant, version) (rate(mlops_request_errors_total{${local._live}}[$__rate_interval])) / sum by (variant, version) (rate(mlops_request_duration_seconds_count{${local._live}}[$__rate_interval]))" } },
      { title = "Latency", unit = "s", queries = { for percent in ["50", "95", "99"] : "p${percent}" => "histogram_quantile(0.${percent}, sum by (le) (rate(mlops_request_duration_seconds_bucket{${local._live}}[$__rate_interval])))" } },
      { title = "99th percentile, by version", unit = "s", queries = { "{{variant}} {{version}}" = "histogram_quantile(0.99, sum by (le, variant, version) (rate(mlops_request_duration_seconds_bucket{${local._live}}[$__rate_interval])))" } },
      { title = "In flight, by revision", unit = "short", queries = { "{{revision}}" = "sum by (revision) (mlops_requests_in_flight{${local._live}})" } },
      { title = "Refused with 4xx", unit = "percentunit", queries = { "{{variant}}" = "sum by (variant) (rate(mlops_requests_refused_total{${local._live}}[$__rate_interval])) / sum by (variant) (rate(mlops_requests_total{${local._live}}[$__rate_interval]))" } },
      { title = "Share of traffic, by version", unit = "percentunit", queries = { "{{variant}} {{version}}" = "sum by (endpoint, variant, version) (rate(mlops_requests_total{${local._live}}[$__rate_interval])) / on (endpoint) group_left sum by (endpoint) (rate(mlops_requests_total{${local._live}}[$__rate_interval]))" } },
      { title = "Copied to shadows", unit = "reqps", queries = { "{{variant}} {{version}}" = "sum by (variant, version) (rate(mlops_requests_total{endpoint=\"$endpoint\",traffic=\"shadow\"}[$__rate_interval]))" } },
      { title = "Population stability index, the ten furthest from their reference", unit = "none", queries = { "{{variant}} {{version}} {{side}} {{feature}}" = "topk(10, feature:mlops_feature_values:psi{endpoint=\"$endpoint\"})" } },
      { title = "Values that no bin of the reference has, the ten most", unit = "percentunit", queries = { "{{variant}} {{version}} {{side}} {{feature}}" = "topk(10, sum by (variant, version, side, feature) (rate(mlops_feature_values_total{${local._live},bin=~\"[(](infinite|missing|other)[)]\"}[$__rate_interval])) / sum by (variant, version, side, feature) (rate(mlops_feature_values_total{${local._live}}[$__rate_interval])))" } },
      { title = "Answered with 5xx, over objectives' windows", unit = "percentunit", queries = { for window in ["5m", "1h", "6h", "3d"] : window => "endpoint:mlops_request_errors:ratio_rate${window}{endpoint=\"$endpoint\"}" } },
    ]

    # The candidate and the baseline of a rollout are two versions of one variant.
    rollout = [
      { title = "Share of the variant's traffic, by version", unit = "percentunit", queries = { "{{variant}} {{version}}" = "sum by (variant, version) (rate(mlops_requests_total{${local._live}}[$__rate_interval])) / on (variant) group_left sum by (variant) (rate(mlops_requests_total{${local._live}}[$__rate_interval]))" } },
      { title = "Servers that hold the version", unit = "short", queries = { "{{variant}} {{version}}" = "count by (variant, version) (group by (variant, version, instance) (mlops_requests_in_flight{${local._live}}))" } },
      { title = "Answered with 5xx, by version", unit = "percentunit", queries = { "{{variant}} {{version}}" = "sum by (variant, version) (rate(mlops_request_errors_total{${local._live}}[$__rate_interval])) / sum by (variant, version) (rate(mlops_request_duration_seconds_count{${local._live}}[$__rate_interval]))" } },
      { title = "Refused with 4xx, by version", unit = "percentunit", queries = { "{{variant}} {{version}}" = "sum by (variant, version) (rate(mlops_requests_refused_total{${local._live}}[$__rate_interval])) / sum by (variant, version) (rate(mlops_requests_total{${local._live}}[$__rate_interval]))" } },
      { title = "99th percentile, by version", unit = "s", queries = { "{{variant}} {{version}}" = "histogram_quantile(0.99, sum by (le, variant, version) (rate(mlops_request_duration_seconds_bucket{${local._live}}[$__rate_interval])))" } },
      { title = "Mean latency of a version, as a multiple of its variant's", unit = "none", queries = { "{{variant}} {{version}}" = "(sum by (variant, version) (rate(mlops_request_duration_seconds_sum{${local._live}}[$__rate_interval])) / sum by (variant, version) (rate(mlops_request_duration_seconds_count{${local._live}}[$__rate_interval]))) / on (variant) group_left () (sum by (variant) (rate(mlops_request_duration_seconds_sum{${local._live}}[$__rate_interval])) / sum by (variant) (rate(mlops_request_duration_seconds_count{${local._live}}[$__rate_interval])))" } },
      { title = "In flight, by revision", unit = "short", queries = { "{{variant}} {{version}} {{revision}}" = "sum by (variant, version, revision) (mlops_requests_in_flight{${local._live}})" } },
      { title = "Versions of a variant side by side", unit = "short", queries = { "{{variant}}" = "count by (variant) (group by (variant, version) (mlops_requests_in_flight{${local._live}}))" } },
      # Empty while nothing is rolled out: the alert counts from the moment that a second version is there.
      { title = "Side by side since", unit = "s", queries = { "{{variant}}" = "time() - max by (variant) (ALERTS_FOR_STATE{alertname=\"MlopsRolloutUnfinished\",endpoint=\"$endpoint\"})" } },
    ]

    fleet = [
      { title = "Requests by endpoint", unit = "reqps", queries = { "{{endpoint}}" = "sum by (endpoint) (rate(mlops_requests_total{traffic=\"live\"}[$__rate_interval]))" } },
      { title = "Answered with 5xx, by endpoint", unit = "percentunit", queries = { "{{endpoint}}" = "sum by (endpoint) (rate(mlops_request_errors_total{traffic=\"live\"}[$__rate_interval])) / sum by (endpoint) (rate(mlops_request_duration_seconds_count{traffic=\"live\"}[$__rate_interval]))" } },
      { title = "99th percentile, by endpoint", unit = "s", queries = { "{{endpoint}}" = "histogram_quantile(0.99, sum by (le, endpoint) (rate(mlops_request_duration_seconds_bucket{traffic=\"live\"}[$__rate_interval])))" } },
      { title = "In flight, by endpoint", unit = "short", queries = { "{{endpoint}}" = "sum by (endpoint) (mlops_requests_in_flight{traffic=\"live\"})" } },
      { title = "Versions in memory", unit = "short", queries = { "{{endpoint}} {{variant}}" = "count by (endpoint, variant) (group by (endpoint, variant, version) (mlops_requests_in_flight{traffic=\"live\"}))" } },
      { title = "Population stability index of the feature furthest from its reference", unit = "none", queries = { "{{endpoint}}" = "max by (endpoint) (feature:mlops_feature_values:psi)" } },
      { title = "Model servers", unit = "short", queries = { "{{endpoint}}" = "count by (endpoint) (group by (endpoint, instance) (mlops_requests_in_flight))" } },
    ]

    # What is paid for is servers, so three panels say what a request costs of them; money comes from the bill alone, which knows no endpoints.
    cost = concat(
      [
        { title = "Seconds of servers for a thousand requests", unit = "s", queries = { "{{endpoint}}" = "1000 * count by (endpoint) (group by (endpoint, instance) (mlops_requests_in_flight)) / (sum by (endpoint) (rate(mlops_requests_total{traffic=\"live\"}[$__rate_interval])) > 0)" } },
        { title = "Requests under way in a server, on average", unit = "none", queries = { "{{endpoint}}" = "sum by (endpoint) (rate(mlops_request_duration_seconds_sum{traffic=\"live\"}[$__rate_interval])) / count by (endpoint) (group by (endpoint, instance) (mlops_requests_in_flight))" } },
        { title = "Share of the work that was done for shadows", unit = "percentunit", queries = { "{{endpoint}}" = "sum by (endpoint) (rate(mlops_request_duration_seconds_sum{traffic=\"shadow\"}[$__rate_interval])) / (sum by (endpoint) (rate(mlops_request_duration_seconds_sum[$__rate_interval])) > 0)" } },
        # Charges stand in one region; * is each of the services.
        { title = "Charges of the month so far", unit = "currencyUSD", metrics = { all = { namespace = "AWS/Billing", metric = "EstimatedCharges", statistic = "Maximum", region = "us-east-1", dimensions = { Currency = ["USD"] } } } },
        { title = "Charges of the month so far, by service of AWS", unit = "currencyUSD", metrics = { "$${PROP('Dim.ServiceName')}" = { namespace = "AWS/Billing", metric = "EstimatedCharges", statistic = "Maximum", region = "us-east-1", dimensions = { Currency = ["USD"], ServiceName = ["*"] } } } },
      ],
      flatten([for name, service in var.services : [for resource, unit in { Cpu = "CPU, 1024 is one", Memory = "memory, MiB" } : {
        title                                                                   = "${name}: ${unit}"
        unit                                                                    = "short"
        metrics                                                                 = { for kind in ["Reserved", "Utilized"] : lower(kind) => { namespace = "ECS/ContainerInsights", metric = "${resource}${kind}", statistic = "Average", region = "default", dimensions = { ClusterName = [service.cluster], ServiceName = [service.service] } } }
      }]]),
      [for name, group in var.auto_scaling_groups : {
        title   = "${name}: instances in service"
        unit    = "short"
        metrics = { instances = { namespace = "AWS/AutoScaling", metric = "GroupInServiceInstances", statistic = "Average", region = "default", dimensions = { AutoScalingGroupName = [group.name] } } }
      }],
    )
  }

  _all_panels = merge(
    { for name, panels in local._panels : name => [for panel in panels : merge({ metrics = {}, queries = {} }, panel)] },
    { for name, dashboard in var.grafana.dashboards : name => [for panel in dashboard.panels : merge({ metrics = {} }, panel)] },
  )

  _prometheus = { type = "prometheus", uid = "$${datasource}" }
  _cloudwatch = { type = "cloudwatch", uid = "$${cloudwatch}" }

  _endpoint_variable = { name = "endpoint", label = "Endpoint", type = "query", datasource = local._prometheus, query = "label_values(mlops_requests_in_flight, endpoint)", refresh = 2, sort = 1 }

  _variables = {
    cost     = [{ name = "cloudwatch", label = "CloudWatch", type = "datasource", query = "cloudwatch" }]
    endpoint = [local._endpoint_variable]
    rollout  = [local._endpoint_variable]
  }

  dashboards = {
    for name, panels in local._all_panels : name => jsonencode({
      uid           = "${var.name}-${name}"
      title         = "${var.name}: ${name}"
      tags          = ["mlops"]
      schemaVersion = 39
      editable      = false
      refresh       = "30s"
      time          = { from = name == "cost" ? "now-30d" : "now-3h", to = "now" }
      annotations   = { list = [] }
      templating    = { list = concat([{ name = "datasource", label = "Prometheus", type = "datasource", query = "prometheus" }], lookup(local._variables, name, [])) }
      panels = [for index, panel in panels : {
        id          = index + 1
        type        = "timeseries"
        title       = panel.title
        datasource  = length(panel.metrics) == 0 ? local._prometheus : local._cloudwatch
        gridPos     = { x = index % 2 * 12, y = floor(index / 2) * 8, w = 12, h = 8 }
        fieldConfig = { defaults = { unit = panel.unit, min = 0 }, overrides = [] }
        options     = { legend = { calcs = [], displayMode = "list", placement = "bottom", showLegend = true }, tooltip = { mode = "multi", sort = "desc" } }
        targets = concat(
          [for place, legend in keys(panel.queries) : {
            refId        = substr(local._letters, place, 1)
            expr         = panel.queries[legend]
            legendFormat = legend
            editorMode   = "code"
            range        = true
          }],
          [for place, legend in keys(panel.metrics) : {
            refId            = substr(local._letters, place, 1)
            id               = ""
            queryMode        = "Metrics"
            metricQueryType  = 0
            metricEditorMode = 0
            region           = panel.metrics[legend].region
            namespace        = panel.metrics[legend].namespace
            metricName       = panel.metrics[legend].metric
            dimensions       = panel.metrics[legend].dimensions
            matchExact       = true
            statistic        = panel.metrics[legend].statistic
            label            = legend
          }],
        )
      }]
    })
  }

  _letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}
