# Dashboards of Grafana as data: a panel is a title, a unit and queries; where it stands follows from its place in the list.

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
      { title = "Answered with 5xx, over objectives' windows", unit = "percentunit", queries = { for window in ["5m", "1h", "6h", "3d"] : window => "endpoint:mlops_request_errors:ratio_rate${window}{endpoint=\"$endpoint\"}" } },
    ]
    fleet = [
      { title = "Requests by endpoint", unit = "reqps", queries = { "{{endpoint}}" = "sum by (endpoint) (rate(mlops_requests_total{traffic=\"live\"}[$__rate_interval]))" } },
      { title = "Answered with 5xx, by endpoint", unit = "percentunit", queries = { "{{endpoint}}" = "sum by (endpoint) (rate(mlops_request_errors_total{traffic=\"live\"}[$__rate_interval])) / sum by (endpoint) (rate(mlops_request_duration_seconds_count{traffic=\"live\"}[$__rate_interval]))" } },
      { title = "99th percentile, by endpoint", unit = "s", queries = { "{{endpoint}}" = "histogram_quantile(0.99, sum by (le, endpoint) (rate(mlops_request_duration_seconds_bucket{traffic=\"live\"}[$__rate_interval])))" } },
      { title = "In flight, by endpoint", unit = "short", queries = { "{{endpoint}}" = "sum by (endpoint) (mlops_requests_in_flight{traffic=\"live\"})" } },
      { title = "Versions in memory", unit = "short", queries = { "{{endpoint}} {{variant}}" = "count by (endpoint, variant) (group by (endpoint, variant, version) (mlops_requests_in_flight{traffic=\"live\"}))" } },
      { title = "Model servers", unit = "short", queries = { "{{endpoint}}" = "count by (endpoint) (group by (endpoint, instance) (mlops_requests_in_flight))" } },
    ]
  }

  _variables = {
    endpoint = [{ name = "endpoint", label = "Endpoint", type = "query", datasource = { type = "prometheus", uid = "$${datasource}" }, query = "label_values(mlops_requests_in_flight, endpoint)", refresh = 2, sort = 1 }]
    fleet    = []
  }

  dashboards = {
    for name, panels in local._panels : name => jsonencode({
      uid           = "${var.name}-${name}"
      title         = "${var.name}: ${name}"
      tags          = ["mlops"]
      schemaVersion = 39
      editable      = false
      refresh       = "30s"
      time          = { from = "now-3h", to = "now" }
      templating    = { list = concat([{ name = "datasource", label = "Prometheus", type = "datasource", query = "prometheus" }], local._variables[name]) }
      panels = [for index, panel in panels : {
        id          = index + 1
        type        = "timeseries"
        title       = panel.title
        datasource  = { type = "prometheus", uid = "$${datasource}" }
        gridPos     = { x = index % 2 * 12, y = floor(index / 2) * 8, w = 12, h = 8 }
        fieldConfig = { defaults = { unit = panel.unit, min = 0 }, overrides = [] }
        options     = { legend = { displayMode = "list", placement = "bottom", showLegend = true }, tooltip = { mode = "multi", sort = "desc" } }
        targets     = [for place, legend in keys(panel.queries) : { refId = substr("ABCDEFGH", place, 1), expr = panel.queries[legend], legendFormat = legend, editorMode = "code", range = true }]
      }]
    })
  }
}
