output "alarm_arns" {
  description = "ARN of each alarm, by what it watches (NAME/errors, NAME/latency, NAME/cpu, …): for rollouts that stop at an alarm."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn },
    { for name, alarm in aws_cloudwatch_metric_alarm.errors : "${name}/errors" => alarm.arn },
  )
}

output "grafana_dashboards" {
  description = "endpoint and fleet: dashboards of Grafana, as JSON to import or to provision."
  value       = local.dashboards
}

output "log_groups" {
  description = "ARN of each log group that was asked for, by its name."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.arn }
}

output "prometheus" {
  description = "workspace_id; endpoint, for remote write and queries, null for a workspace of others. null without Amazon Managed Prometheus. Known only when the workspace has its rules."
  value = var.prometheus == null ? null : {
    endpoint     = one([for workspace in aws_prometheus_workspace.this : workspace.prometheus_endpoint])
    workspace_id = local.workspace_id
  }

  depends_on = [aws_prometheus_rule_group_namespace.this]
}

output "rules" {
  description = "groups: the rules as a file of Prometheus (YAML); manifest: the same as a PrometheusRule for kube-prometheus-stack (YAML)."
  value = {
    groups = local.rules
    manifest = yamlencode({
      apiVersion = "monitoring.coreos.com/v1"
      kind       = "PrometheusRule"
      metadata   = { name = "${var.name}-mlops", labels = { release = "kube-prometheus-stack" } }
      spec       = yamldecode(local.rules)
    })
  }
}
