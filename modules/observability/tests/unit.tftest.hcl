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
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.computed) + length(aws_grafana_workspace.this) + length(output.collectors) + length(output.scrapers) + length(aws_ecs_service.scrapers) + length(aws_cloudwatch_dashboard.this) + length(aws_cloudwatch_log_group.this) + length(aws_prometheus_alert_manager_definition.this) == 0
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
    condition     = output.prometheus.endpoint == "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0a1b2c3d/" && output.prometheus.arn == "arn:aws:aps:eu-west-1:123456789012:workspace/ws-0a1b2c3d"
    error_message = "Where it is, is not asked of it."
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

run "drift_is_judged_as_the_endpoint_says_and_not_where_it_is_switched_off" {
  command = plan
  variables {
    endpoints = {
      batch = { drift = { psi = 0 } }
      fraud = { drift = { psi = 0.25, rows = 5000, window = "7d" } }
    }
  }

  assert {
    condition     = [for rule in one([for group in yamldecode(output.rules.groups).groups : group.rules if group.name == "mlops-drift"]) : "${try(rule.record, rule.alert)} ${rule.labels.endpoint}"] == ["bin:mlops_feature_values:increase7d fraud", "bin:mlops_feature_values:share7d fraud", "feature:mlops_feature_values:psi fraud", "MlopsDrift fraud"]
    error_message = "Drift is recorded of other endpoints, or over another window."
  }

  assert {
    condition     = [for rule in one([for group in yamldecode(output.rules.groups).groups : group.rules if group.name == "mlops-drift"]) : rule.expr if can(rule.alert)] == ["feature:mlops_feature_values:psi{endpoint=\"fraud\"} > 0.25"] && strcontains(output.rules.groups, " >= 5000)")
    error_message = "Drift is alerted on at another threshold, or of fewer rows."
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
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.computed)) :
    alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:page"]) && alarm.ok_actions == alarm.alarm_actions])
    error_message = "An alarm does not say when it begins and when it ends."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["public/latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["public/latency"].threshold == 0.5 && aws_cloudwatch_metric_alarm.computed["public/errors"].threshold == 2
    error_message = "Thresholds are not those that were given."
  }

  assert {
    condition = { for query in aws_cloudwatch_metric_alarm.computed["public/errors"].metric_query : query.id => join("", query.metric[*].metric_name) } == {
    own = "HTTPCode_ELB_5XX_Count", requests = "RequestCount", result = "", targets = "HTTPCode_Target_5XX_Count" }
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

run "services_and_groups_that_lack_what_is_desired_raise_alarms" {
  command = plan
  variables {
    auto_scaling_groups = { gpu = { name = "serving-gpu", largest_minutes = 60 }, fixed = { name = "serving-fixed", largest_minutes = 0, missing_minutes = 0 } }
    services            = { fraud = { cluster = "serving", service = "fraud", missing_minutes = 10 }, batch = { cluster = "serving", service = "batch", missing_minutes = 0 } }
  }

  assert {
    condition     = { for name, alarm in aws_cloudwatch_metric_alarm.computed : name => alarm.evaluation_periods * 5 } == { "fraud/missing" = 10, "gpu/instances" = 15, "gpu/largest" = 60 }
    error_message = "Alarms are others, or fire after another time."
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.computed : name => join(" ", concat(
      [for query in alarm.metric_query : query.expression if query.return_data],
      sort(flatten([for query in alarm.metric_query : [for metric in query.metric : "${query.id}=${metric.metric_name}:${metric.stat}:${join(",", values(metric.dimensions))}"]])),
      )) } == {
      "fraud/missing" = "desired - running desired=DesiredTaskCount:Minimum:serving,fraud running=RunningTaskCount:Maximum:serving,fraud"
      "gpu/instances" = "desired - running desired=GroupDesiredCapacity:Minimum:serving-gpu running=GroupInServiceInstances:Maximum:serving-gpu"
      "gpu/largest"   = "1 + desired - largest desired=GroupDesiredCapacity:Minimum:serving-gpu largest=GroupMaxSize:Maximum:serving-gpu"
    }
    error_message = "Something else is compared."
  }

  assert {
    condition     = toset([for name, alarm in aws_cloudwatch_metric_alarm.this : "${name} ${alarm.dimensions["AutoScalingGroupName"]}" if alarm.namespace == "AWS/EC2"]) == toset(["gpu/status serving-gpu", "fixed/status serving-fixed"])
    error_message = "Instances that fail their checks raise nothing."
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
    condition     = keys(output.grafana_dashboards) == ["cost", "endpoint", "fleet", "rollout"] && alltrue([for body in values(output.grafana_dashboards) : alltrue([for panel in jsondecode(body).panels : length(panel.targets) > 0 && contains(["$${datasource}", "$${cloudwatch}"], panel.datasource.uid)])])
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

run "dashboards_of_others_are_built_as_the_modules_own" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", unit = "s", queries = { one = "up", two = "up offset 1d" } }, { title = "B", queries = { b = "up{path=~\"[(\\\"\", zone='['}" } }] } } }
  }

  assert {
    condition     = [for panel in jsondecode(output.grafana_dashboards.mine).panels : "${panel.title} ${panel.fieldConfig.defaults.unit} ${join(" ", [for target in panel.targets : "${target.refId}:${target.legendFormat}:${target.expr}"])}"] == ["A s A:one:up B:two:up offset 1d", "B short A:b:up{path=~\"[(\\\"\", zone='['}"]
    error_message = "Panels are not those that were given."
  }

  assert {
    condition     = alltrue([for key in ["schemaVersion", "templating", "time", "tags", "refresh"] : jsonencode(jsondecode(output.grafana_dashboards.mine)[key]) == jsonencode(jsondecode(output.grafana_dashboards.fleet)[key])])
    error_message = "It is built otherwise."
  }

  assert {
    condition     = yamldecode(output.kubernetes.dashboards).metadata.labels.grafana_dashboard == "1" && yamldecode(output.kubernetes.dashboards).data["serving-mine.json"] == output.grafana_dashboards.mine && length(yamldecode(output.kubernetes.dashboards).data) == 5
    error_message = "Grafana of a cluster does not get the dashboards."
  }

  assert {
    condition     = yamldecode(output.kubernetes.pod_monitor).spec.podMetricsEndpoints[0].path == "/metrics" && yamldecode(output.kubernetes.pod_monitor).metadata.labels == yamldecode(output.rules.manifest).metadata.labels
    error_message = "Pods are not scraped where the rules are evaluated."
  }
}

run "cost_shows_what_services_and_groups_reserve_and_what_aws_charges" {
  command = plan
  variables {
    auto_scaling_groups = { gpu = { name = "serving-gpu" } }
    services            = { fraud = { cluster = "serving", service = "fraud" } }
  }

  assert {
    condition = flatten([for panel in jsondecode(output.grafana_dashboards.cost).panels : [for target in panel.targets : "${target.region} ${target.namespace} ${target.metricName} ${join(",", flatten(values(target.dimensions)))}" if panel.datasource.type == "cloudwatch"]]) == [
      "us-east-1 AWS/Billing EstimatedCharges USD",
      "us-east-1 AWS/Billing EstimatedCharges USD,*",
      "default ECS/ContainerInsights CpuReserved serving,fraud",
      "default ECS/ContainerInsights CpuUtilized serving,fraud",
      "default ECS/ContainerInsights MemoryReserved serving,fraud",
      "default ECS/ContainerInsights MemoryUtilized serving,fraud",
      "default AWS/AutoScaling GroupInServiceInstances serving-gpu",
    ]
    error_message = "Other metrics of AWS are asked for."
  }

  assert {
    condition     = [for variable in jsondecode(output.grafana_dashboards.cost).templating.list : "${variable.name} ${variable.query}"] == ["datasource prometheus", "cloudwatch cloudwatch"]
    error_message = "A source of the panels cannot be chosen."
  }
}

run "a_collector_scrapes_its_server_into_the_workspace_and_may_do_nothing_else" {
  command = apply
  variables {
    prometheus = { collectors = { fraud = { log_group = "/ecs/serving/servers/fraud", port = 9000, interval_seconds = 5 }, batch = { log_group = "/ecs/serving/servers/batch", memory_mib = 512, image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/otel@sha256:${sha256("otel")}" } } }
  }

  assert {
    condition = { for name, collector in output.collectors : name => jsondecode(collector.container.environment[0].value).receivers.prometheus.config } == {
      batch = { global = { scrape_interval = "15s", scrape_timeout = "10s" }, scrape_configs = [{ job_name = "models", metrics_path = "/metrics", static_configs = [{ targets = ["127.0.0.1:8080"] }] }] }
      fraud = { global = { scrape_interval = "5s", scrape_timeout = "5s" }, scrape_configs = [{ job_name = "models", metrics_path = "/metrics", static_configs = [{ targets = ["127.0.0.1:9000"] }] }] }
    }
    error_message = "Something else is scraped."
  }

  assert {
    condition = jsondecode(output.collectors.fraud.container.environment[0].value).exporters.prometheusremotewrite == {
      add_metric_suffixes = false, auth = { authenticator = "sigv4auth" }, endpoint = "${trimsuffix(aws_prometheus_workspace.this["workspace"].prometheus_endpoint, "/")}/api/v1/remote_write"
    }
    error_message = "Samples go elsewhere, unsigned, or under other names."
  }

  # What a pipeline names has to be there, and what is there has to be used.
  assert {
    condition = alltrue([for config in [for collector in values(output.collectors) : jsondecode(collector.container.environment[0].value)] : alltrue([
      toset(config.service.extensions) == toset(keys(config.extensions)),
      toset(config.service.pipelines.metrics.receivers) == toset(keys(config.receivers)),
      toset(config.service.pipelines.metrics.processors) == toset(keys(config.processors)),
      toset(config.service.pipelines.metrics.exporters) == toset(keys(config.exporters)),
      config.service.pipelines.metrics.processors[0] == "memory_limiter",
      index(config.service.pipelines.metrics.processors, "resourcedetection") < index(config.service.pipelines.metrics.processors, "resource/instance"),
    ])])
    error_message = "The collector would not start, or would take all tasks for one."
  }

  assert {
    condition     = output.collectors.batch.container.memory == 512 && endswith(output.collectors.batch.container.image, sha256("otel")) && !output.collectors.fraud.container.essential && output.collectors.fraud.container.logConfiguration.options.awslogs-group == "/ecs/serving/servers/fraud"
    error_message = "The container is another one."
  }

  assert {
    condition     = jsonencode(jsondecode(output.collectors.fraud.policy_json).Statement) == jsonencode([{ Action = "aps:RemoteWrite", Effect = "Allow", Resource = aws_prometheus_workspace.this["workspace"].arn, Sid = "WriteSamples" }])
    error_message = "The collector may do something else."
  }
}

run "a_scraper_finds_the_tasks_of_endpoints_and_writes_what_they_tell_to_the_workspace" {
  command = apply
  variables {
    prometheus = { scrapers = {
      cluster = {
        cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }
        network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }
        targets = { vpc = "10.20.0.0/16", peer = "10.21.0.0/16" }
      }
      gpu = {
        cluster          = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/gpu" }
        image            = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/prometheus@sha256:${sha256("prometheus")}"
        interval_seconds = 60
        memory_mib       = 1024
        network          = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }
        port             = 9000
        repository       = { arn = "arn:aws:ecr:eu-west-1:123456789012:repository/prometheus" }
        targets          = { vpc = "10.20.0.0/16" }
      }
    } }
  }

  assert {
    condition = jsondecode(output.scrapers.gpu.config) == {
      global = { scrape_interval = "60s", scrape_timeout = "10s" }
      scrape_configs = [{
        aws_sd_configs = [{ clusters = ["arn:aws:ecs:eu-west-1:123456789012:cluster/gpu"], port = 9000, refresh_interval = "60s", region = "eu-west-1", role = "ecs" }]
        job_name       = "models"
        metrics_path   = "/metrics"
        relabel_configs = [
          { action = "keep", regex = ".+", source_labels = ["__meta_ecs_tag_service_mlops_endpoint_id"] },
          { action = "keep", regex = "RUNNING", source_labels = ["__meta_ecs_last_status"] },
          { action = "replace", source_labels = ["__meta_ecs_task_arn"], target_label = "instance" },
        ]
      }]
      remote_write = [{ sigv4 = { region = "eu-west-1" }, url = "${trimsuffix(aws_prometheus_workspace.this["workspace"].prometheus_endpoint, "/")}/api/v1/remote_write" }]
    }
    error_message = "Something else is scraped, or goes elsewhere."
  }

  assert {
    condition     = alltrue([for key in ["cluster", "gpu"] : jsondecode(aws_ecs_task_definition.scrapers[key].container_definitions)[0].environment == [{ name = "PROMETHEUS_CONFIG", value = output.scrapers[key].config }]])
    error_message = "The task runs with another configuration than the one that is told."
  }

  assert {
    condition     = aws_ecs_service.scrapers["gpu"].desired_count == 1 && aws_ecs_service.scrapers["gpu"].deployment_maximum_percent == 100 && aws_ecs_service.scrapers["gpu"].cluster == "arn:aws:ecs:eu-west-1:123456789012:cluster/gpu" && !coalesce(aws_ecs_service.scrapers["gpu"].network_configuration[0].assign_public_ip, false)
    error_message = "There could be two at once, or it can be reached."
  }

  assert {
    condition     = { for key, rule in aws_vpc_security_group_egress_rule.scrapers_targets : key => "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}" } == { "cluster/peer" = "10.21.0.0/16 8080-8080", "cluster/vpc" = "10.20.0.0/16 8080-8080", "gpu/vpc" = "10.20.0.0/16 9000-9000" }
    error_message = "It reaches something else."
  }

  assert {
    condition     = aws_ecs_task_definition.scrapers["gpu"].memory == "1024" && output.scrapers.gpu.service == "serving-gpu-scraper" && output.scrapers.gpu.security_group_id == aws_security_group.scrapers["gpu"].id
    error_message = "The task is another one."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.scraper_execution["cluster"].policy).Statement : statement.Sid] == ["WriteLogs"] && [for statement in jsondecode(aws_iam_role_policy.scraper_execution["gpu"].policy).Statement : statement.Sid] == ["WriteLogs", "PullImages", "SignInToImages"]
    error_message = "Images are pulled from where nobody said."
  }
}

run "managed_grafana_reads_the_workspace_and_metrics_and_nothing_else" {
  command = apply
  variables {
    grafana = { workspace = { groups = { ADMIN = ["11111111-2222-3333-4444-555555555555"], VIEWER = ["66666666-7777-8888-9999-000000000000"] }, reachable_from = { vpc_endpoint_ids = ["vpce-0a1b2c3d4e5f60718"] } } }
  }

  assert {
    condition     = output.grafana.workspace_id == aws_grafana_workspace.this["workspace"].id && output.grafana.endpoint == "https://${aws_grafana_workspace.this["workspace"].endpoint}" && output.grafana.role_arn == aws_grafana_workspace.this["workspace"].role_arn
    error_message = "Where it is, is not told."
  }

  assert {
    condition     = aws_grafana_workspace.this["workspace"].permission_type == "CUSTOMER_MANAGED" && aws_grafana_workspace.this["workspace"].account_access_type == "CURRENT_ACCOUNT" && aws_grafana_workspace.this["workspace"].network_access_control[0].vpce_ids == toset(["vpce-0a1b2c3d4e5f60718"]) && length(aws_grafana_workspace.this["workspace"].network_access_control[0].prefix_list_ids) == 0
    error_message = "It is reached otherwise, or its permissions are made elsewhere."
  }

  assert {
    condition     = { for role, association in aws_grafana_role_association.this : role => one(association.group_ids) } == { ADMIN = "11111111-2222-3333-4444-555555555555", VIEWER = "66666666-7777-8888-9999-000000000000" }
    error_message = "Groups have other roles."
  }

  assert {
    condition = { for statement in jsondecode(data.aws_iam_policy_document.grafana["workspace"].json).Statement : statement.Sid => statement.Resource } == {
      ReadMetrics = "*", ReadSamples = aws_prometheus_workspace.this["workspace"].arn
    } && alltrue([for action in flatten([for statement in jsondecode(data.aws_iam_policy_document.grafana["workspace"].json).Statement : statement.Action]) : can(regex(":(Describe|Get|List|Query)", action))])
    error_message = "It may do more than read."
  }

  assert {
    condition     = jsondecode(aws_iam_role.grafana["workspace"].assume_role_policy).Statement[0].Principal.Service == "grafana.amazonaws.com" && jsondecode(aws_iam_role.grafana["workspace"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Another service, or Grafana of another account, may take the role."
  }
}

run "managed_grafana_beside_prometheus_of_a_cluster_reads_metrics_alone" {
  command = plan
  variables {
    grafana    = { workspace = { authentication = ["SAML"] } }
    prometheus = null
  }

  assert {
    condition     = [for statement in jsondecode(data.aws_iam_policy_document.grafana["workspace"].json).Statement : statement.Sid] == ["ReadMetrics"] && length(aws_grafana_role_association.this) == 0 && length(aws_grafana_workspace.this["workspace"].network_access_control) == 0
    error_message = "It reads a workspace that there is not."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.log_groups == ["/ecs/fraud"] && length(yamldecode(output.rules).groups) == 4
    error_message = "What is known is lost."
  }
}
