output "alarm_arns" {
  description = "ARN of each alarm, by what it watches (NAME/errors, NAME/latency, NAME/cpu, …): for rollouts that stop at an alarm."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn },
    { for name, alarm in aws_cloudwatch_metric_alarm.computed : name => alarm.arn },
  )
}

output "collectors" {
  description = "By server: container, as container_definitions of a task definition take it; policy_json, for the task's role. Known only when the workspace has its rules."
  value = { for name, container in local.collector_containers : name => {
    container   = container
    policy_json = one(values(data.aws_iam_policy_document.collector)[*].json)
  } }

  depends_on = [aws_prometheus_rule_group_namespace.this]
}

output "grafana" {
  description = "workspace_id, endpoint (its address) and role_arn (of what it reads with) of Amazon Managed Grafana; null without it. Known only when the role has its policy and groups have theirs."
  value = one([for key, workspace in aws_grafana_workspace.this : {
    endpoint     = "https://${workspace.endpoint}"
    role_arn     = aws_iam_role.grafana[key].arn
    workspace_id = workspace.id
  }])

  depends_on = [aws_grafana_role_association.this, aws_iam_role_policy.grafana]
}

output "grafana_dashboards" {
  description = "cost, endpoint, fleet, rollout and your own: dashboards of Grafana, as JSON to import or to provision."
  value       = local.dashboards
}

output "kubernetes" {
  description = "For kube-prometheus-stack, each as YAML. dashboards: a ConfigMap that its Grafana loads; pod_monitor: scrapes pods labelled app.kubernetes.io/component=model-server at their port http."
  value = {
    dashboards = yamlencode({
      apiVersion = "v1"
      kind       = "ConfigMap"
      metadata   = { name = "${var.name}-mlops-dashboards", labels = { grafana_dashboard = "1" } }
      data       = { for name, dashboard in local.dashboards : "${var.name}-${name}.json" => dashboard }
    })
    pod_monitor = yamlencode({
      apiVersion = "monitoring.coreos.com/v1"
      kind       = "PodMonitor"
      metadata   = { name = "${var.name}-mlops", labels = { release = "kube-prometheus-stack" } }
      spec = {
        namespaceSelector   = { any = true }
        podMetricsEndpoints = [{ interval = "15s", path = "/metrics", port = "http" }]
        selector            = { matchLabels = { "app.kubernetes.io/component" = "model-server" } }
      }
    })
  }
}

output "log_groups" {
  description = "ARN of each log group that was asked for, by its name."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.arn }
}

output "prometheus" {
  description = "workspace_id; arn; endpoint, for remote write and queries. null without Amazon Managed Prometheus. Known only when the workspace has its rules."
  value = var.prometheus == null ? null : {
    arn          = local.workspace_arn
    endpoint     = local.workspace_endpoint
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

output "scrapers" {
  description = "By scraper: security_group_id, which model servers let in (clients of servers of modules/ecs); service, its name; config, that of its Prometheus, as JSON, for one of your own."
  value = { for key, scraper in local.scrapers : key => {
    config            = jsonencode(local.scraper_configs[key])
    security_group_id = aws_security_group.scrapers[key].id
    service           = aws_ecs_service.scrapers[key].name
  } }
}
