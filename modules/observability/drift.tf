# How far what is served has moved from what a version was trained on: the population stability index (PSI) of each feature of each revision, of all servers,
# by what the model server counts of versions that have a reference. docs/guides/drift.md

locals {
  # Thresholds are a convention of credit scoring: below 0.1 little change, 0.1 to 0.25 some, above 0.25 a significant one. E. M. Lewis, An Introduction to
  # Credit Scoring, 1994; N. Siddiqi, Credit Risk Scorecards, 2006. That few rows have a high index by chance, about (bins - 1) * (1/served + 1/reference):
  # B. Yurdakul, J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation, 2020. So rows has a bound as well.
  _drift = { for name, endpoint in var.endpoints : name => endpoint.drift if endpoint.drift.psi > 0 }

  # A share of nothing has no logarithm. One row of ten thousand takes its place, of what is served as of the reference.
  _drift_floor = "0.0001"

  # A window is long, and a feature has a series for each bin: these are asked for less often than the others.
  _drift_interval = "5m"

  _recording_drift = flatten([for name, drift in local._drift : [
    {
      record = "bin:mlops_feature_values:increase${drift.window}"
      expr   = "sum by (endpoint, variant, version, revision, side, feature, bin) (increase(mlops_feature_values_total{endpoint=\"${name}\",traffic=\"live\"}[${drift.window}]))"
      labels = { endpoint = name }
    },
    {
      record = "bin:mlops_feature_values:share${drift.window}"
      expr   = "bin:mlops_feature_values:increase${drift.window}{endpoint=\"${name}\"} / ignoring (bin) group_left () (sum without (bin) (bin:mlops_feature_values:increase${drift.window}{endpoint=\"${name}\"}) >= ${drift.rows})"
      labels = { endpoint = name }
    },
    {
      record = "feature:mlops_feature_values:psi"
      expr = join("", ["sum without (bin) (", join(" * ", [for operation in ["%s - %s", "ln(%s / %s)"] : "(${format(operation,
        "clamp_min(bin:mlops_feature_values:share${drift.window}{endpoint=\"${name}\"}, ${local._drift_floor})",
        "clamp_min(max by (endpoint, variant, version, revision, side, feature, bin) (mlops_feature_reference_ratio{endpoint=\"${name}\"}), ${local._drift_floor})",
      )})"]), ")"])
      labels = { endpoint = name, window = drift.window }
    },
  ]])

  _drift_alerts = [for name, drift in local._drift : {
    alert       = "MlopsDrift"
    expr        = "feature:mlops_feature_values:psi{endpoint=\"${name}\"} > ${format("%.8g", drift.psi)}"
    "for"       = "15m"
    labels      = { endpoint = name, severity = "warning" }
    annotations = { summary = "${name}: {{ $labels.side }} {{ $labels.feature }} of version {{ $labels.version }} ({{ $labels.variant }}) has moved from its reference: the population stability index of ${drift.window} is {{ printf \"%.2f\" $value }}, and ${format("%.8g", drift.psi)} is thought to be harmless. Look at its bins: the clients, the season, or a model to train anew." }
  }]
}
