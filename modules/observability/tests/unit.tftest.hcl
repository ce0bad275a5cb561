# What is planned and, where only an apply tells, made. What the rules do is in rules_test.py.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "the_least_configuration_is_a_workspace_with_recording_rules_and_a_log" {
  command = apply

  assert {
    condition     = output.prometheus.workspace_id == aws_prometheus_workspace.this["workspace"].id && output.prometheus.endpoint == aws_prometheus_workspace.this["workspace"].prometheus_endpoint
    error_message = "The workspace is not told."
  }

  assert {
    condition     = [for group in yamldecode(aws_prometheus_rule_group_namespace.this["workspace"].data).groups : group.name] == ["mlops-recording"]
    error_message = "Without endpoints there are other rules than those that record."
  }

  assert {
    condition     = aws_prometheus_workspace.this["workspace"].logging_configuration[0].log_group_arn == "${aws_cloudwatch_log_group.prometheus["workspace"].arn}:*" && aws_cloudwatch_log_group.prometheus["workspace"].retention_in_days == 365
    error_message = "Rules that fail are not told of."
  }

  assert {
    condition     = aws_prometheus_workspace_configuration.this["workspace"].retention_period_in_days == 150
    error_message = "Samples are kept for another time."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.errors) + length(aws_cloudwatch_dashboard.this) + length(aws_cloudwatch_log_group.this) + length(aws_prometheus_alert_manager_definition.this) == 0
    error_message = "Something is made that nobody asked for."
  }
}

run "a_workspace_of_others_gets_the_rules_and_nothing_else" {
  command = plan
  variables {
    endpoints  = { fraud = {} }
    prometheus = { workspace = { id = "ws-0a1b2c3d" } }
  }

  assert {
    condition     = aws_prometheus_rule_group_namespace.this["workspace"].workspace_id == "ws-0a1b2c3d" && length(aws_prometheus_workspace.this) + length(aws_prometheus_workspace_configuration.this) + length(aws_cloudwatch_log_group.prometheus) == 0
    error_message = "The workspace is not the one that was given."
  }

  assert {
    condition     = output.prometheus.endpoint == null
    error_message = "An address is made up."
  }
}

run "without_managed_prometheus_rules_are_a_manifest" {
  command = plan
  variables {
    endpoints  = { fraud = {} }
    prometheus = null
  }

  assert {
    condition     = length(aws_prometheus_workspace.this) + length(aws_prometheus_rule_group_namespace.this) == 0 && output.prometheus == null
    error_message = "A workspace is made."
  }

  assert {
    condition     = yamldecode(output.rules.manifest).kind == "PrometheusRule" && yamldecode(output.rules.manifest).metadata.labels.release == "kube-prometheus-stack" && jsonencode(yamldecode(output.rules.manifest).spec) == jsonencode(yamldecode(output.rules.groups))
    error_message = "The manifest does not hold the rules."
  }
}

run "each_objective_burns_over_four_pairs_of_windows" {
  command = plan
  variables { endpoints = { fraud = { availability_percent = 99.95, no_traffic_seconds = 0, refused_percent = 0, rollout_seconds = 0 } } }

  assert {
    condition = [for rule in one([for group in yamldecode(output.rules.groups).groups : group.rules if group.name == "mlops-objectives"]) : "${rule.labels.severity} ${rule.expr}"] == [
      "critical endpoint:mlops_request_errors:ratio_rate1h{endpoint=\"fraud\"} > 0.0072 and endpoint:mlops_request_errors:ratio_rate5m{endpoint=\"fraud\"} > 0.0072",
      "critical endpoint:mlops_request_errors:ratio_rate6h{endpoint=\"fraud\"} > 0.003 and endpoint:mlops_request_errors:ratio_rate30m{endpoint=\"fraud\"} > 0.003",
      "warning endpoint:mlops_request_errors:ratio_rate1d{endpoint=\"fraud\"} > 0.0015 and endpoint:mlops_request_errors:ratio_rate2h{endpoint=\"fraud\"} > 0.0015",
      "warning endpoint:mlops_request_errors:ratio_rate3d{endpoint=\"fraud\"} > 0.0005 and endpoint:mlops_request_errors:ratio_rate6h{endpoint=\"fraud\"} > 0.0005",
    ]
    error_message = "Budgets burn at other rates."
  }

  assert {
    condition     = [for rule in one([for group in yamldecode(output.rules.groups).groups : group.rules if group.name == "mlops-endpoints"]) : rule.alert] == ["MlopsEndpointGone"]
    error_message = "An alert that was switched off is there."
  }
}

run "the_alert_manager_gets_its_definition" {
  command = plan
  variables { alertmanager = { definition = yamlencode({ alertmanager_config = yamlencode({ route = { receiver = "page" } }) }) } }

  assert {
    condition     = aws_prometheus_alert_manager_definition.this["workspace"].definition == var.alertmanager.definition
    error_message = "The definition is another one."
  }
}

run "load_balancers_have_alarms_on_shares_latency_connections_and_targets" {
  command = apply
  variables {
    alarms         = { topic_arns = { page = "arn:aws:sns:eu-west-1:123456789012:page" } }
    load_balancers = { public = { arn_suffix = "app/serving/0a1b2c3d4e5f6071", error_percent = 2, latency_seconds = 0.5, target_groups = { fraud = "targetgroup/fraud/1a1b2c3d4e5f6071" } } }
  }

  assert {
    condition     = toset(keys(output.alarm_arns)) == toset(["public/errors", "public/latency", "public/rejected", "public/fraud/unhealthy"]) && alltrue([for arn in values(output.alarm_arns) : startswith(arn, "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:serving/public/")])
    error_message = "Alarms are not those of the load balancer."
  }

  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.errors)) :
    alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:page"]) && alarm.ok_actions == alarm.alarm_actions])
    error_message = "An alarm does not say when it begins and when it ends."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["public/latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["public/latency"].threshold == 0.5 && aws_cloudwatch_metric_alarm.errors["public"].threshold == 2
    error_message = "Thresholds are not those that were given."
  }

  assert {
    condition = { for query in aws_cloudwatch_metric_alarm.errors["public"].metric_query : query.id => join("", query.metric[*].metric_name) } == {
    own = "HTTPCode_ELB_5XX_Count", requests = "RequestCount", share = "", targets = "HTTPCode_Target_5XX_Count" }
    error_message = "The share is one of other metrics."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["public/fraud/unhealthy"].dimensions == tomap({ LoadBalancer = "app/serving/0a1b2c3d4e5f6071", TargetGroup = "targetgroup/fraud/1a1b2c3d4e5f6071" })
    error_message = "The target group is not watched."
  }
}

run "services_have_alarms_and_missing_tasks_raise_theirs" {
  command = plan
  variables {
    services = { fraud = { cluster = "serving", service = "fraud", tasks = 2 }, batch = { cluster = "serving", service = "batch", cpu_percent = 95 } }
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["batch/cpu", "batch/memory", "fraud/cpu", "fraud/memory", "fraud/tasks"])
    error_message = "Alarms are not those of the services."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["fraud/tasks"].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.this["fraud/tasks"].threshold == 2 && aws_cloudwatch_metric_alarm.this["fraud/tasks"].treat_missing_data == "breaching"
    error_message = "A service without tasks would raise nothing."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["batch/cpu"].threshold == 95 && aws_cloudwatch_metric_alarm.this["batch/cpu"].dimensions == tomap({ ClusterName = "serving", ServiceName = "batch" })
    error_message = "The CPU is watched elsewhere, or against another threshold."
  }
}

run "the_dashboard_of_cloudwatch_has_graphs_that_do_not_overlap" {
  command = plan
  variables {
    load_balancers = { public = { arn_suffix = "app/serving/0a1b2c3d4e5f6071" } }
    services       = { fraud = { cluster = "serving", service = "fraud" } }
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this["serving"].dashboard_body).widgets : "${widget.x},${widget.y}"] == ["0,0", "8,0", "16,0", "0,6", "8,6", "16,6"]
    error_message = "Graphs are not three in a row."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this["serving"].dashboard_body).widgets : widget.properties.region == "eu-west-1" && length(widget.properties.metrics) > 0])
    error_message = "A graph has no metric, or none of this region."
  }
}

run "log_groups_end_their_records" {
  command = plan
  variables {
    logging    = { retention_days = 90, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
    log_groups = { "/ecs/fraud" = {}, "/ecs/batch" = { retention_days = 7 } }
  }

  assert {
    condition     = { for name, group in aws_cloudwatch_log_group.this : name => group.retention_in_days } == { "/ecs/batch" = 7, "/ecs/fraud" = 90 } && alltrue([for group in aws_cloudwatch_log_group.this : group.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"])
    error_message = "Records are kept for another time, or are not encrypted."
  }
}

run "dashboards_of_grafana_have_panels_with_queries_that_do_not_overlap" {
  command = plan

  assert {
    condition     = keys(output.grafana_dashboards) == ["endpoint", "fleet"] && alltrue([for body in values(output.grafana_dashboards) : alltrue([for panel in jsondecode(body).panels : length(panel.targets) > 0 && panel.datasource.uid == "$${datasource}"])])
    error_message = "A panel asks nothing, or a data source of its own."
  }

  assert {
    condition     = alltrue([for body in values(output.grafana_dashboards) : length(distinct([for panel in jsondecode(body).panels : "${panel.gridPos.x},${panel.gridPos.y}"])) == length(jsondecode(body).panels) && length(distinct(jsondecode(body).panels[*].id)) == length(jsondecode(body).panels)])
    error_message = "Panels lie on one another."
  }

  assert {
    condition     = [for variable in jsondecode(output.grafana_dashboards.endpoint).templating.list : variable.name] == ["datasource", "endpoint"] && jsondecode(output.grafana_dashboards.fleet).uid == "serving-fleet"
    error_message = "An endpoint cannot be chosen."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.log_groups == ["/ecs/fraud"] && length(yamldecode(output.rules).groups) == 3
    error_message = "What is known is lost."
  }
}
