# Every mistake that can be seen at plan is refused, by the variable that it is in.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "a_topic_that_is_no_arn_is_refused" {
  command = plan
  variables {
    alarms = { topic_arns = { page = "page" } }
  }
  expect_failures = [var.alarms]
}

run "an_ordered_topic_is_refused" {
  command = plan
  variables {
    alarms = { topic_arns = { page = "arn:aws:sns:eu-west-1:123456789012:page.fifo" } }
  }
  expect_failures = [var.alarms]
}

run "a_sixth_topic_is_refused" {
  command = plan
  variables {
    alarms = { topic_arns = { for name in ["a", "b", "c", "d", "e", "f"] : name => "arn:aws:sns:eu-west-1:123456789012:${name}" } }
  }
  expect_failures = [var.alarms]
}

run "an_alert_manager_without_a_workspace_is_refused" {
  command = plan
  variables {
    prometheus   = null
    alertmanager = { definition = yamlencode({ alertmanager_config = yamlencode({ route = { receiver = "a" } }) }) }
  }
  expect_failures = [var.alertmanager]
}

run "an_alert_manager_of_a_cluster_is_refused" {
  command = plan
  variables {
    alertmanager = { definition = yamlencode({ route = { receiver = "a" } }) }
  }
  expect_failures = [var.alertmanager]
}

run "the_arn_of_an_auto_scaling_group_is_refused" {
  command = plan
  variables {
    auto_scaling_groups = { gpu = { name = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:1:autoScalingGroupName/gpu" } }
  }
  expect_failures = [var.auto_scaling_groups]
}

run "minutes_that_are_no_multiple_of_five_for_a_group_are_refused" {
  command = plan
  variables {
    auto_scaling_groups = { gpu = { name = "gpu", largest_minutes = 7 } }
  }
  expect_failures = [var.auto_scaling_groups]
}

run "an_auto_scaling_group_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    auto_scaling_groups = { GPU = { name = "gpu" } }
  }
  expect_failures = [var.auto_scaling_groups]
}

run "a_name_that_no_endpoint_has_is_refused" {
  command = plan
  variables {
    endpoints = { "Fraud\"" = {} }
  }
  expect_failures = [var.endpoints]
}

run "an_availability_without_a_budget_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { availability_percent = 100 } }
  }
  expect_failures = [var.endpoints]
}

run "an_availability_as_a_fraction_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { availability_percent = 0.999 } }
  }
  expect_failures = [var.endpoints]
}

run "a_latency_between_the_bounds_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { latency = { seconds = 0.3 } } }
  }
  expect_failures = [var.endpoints]
}

run "a_latency_in_milliseconds_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { latency = { seconds = 250 } } }
  }
  expect_failures = [var.endpoints]
}

run "a_latency_without_a_budget_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { latency = { percent = 100, seconds = 1 } } }
  }
  expect_failures = [var.endpoints]
}

run "more_than_everything_refused_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { refused_percent = 100 } }
  }
  expect_failures = [var.endpoints]
}

run "a_saturation_below_nothing_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { in_flight = -1 } }
  }
  expect_failures = [var.endpoints]
}

run "no_traffic_for_less_than_five_minutes_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { no_traffic_seconds = 60 } }
  }
  expect_failures = [var.endpoints]
}

run "a_rollout_of_part_of_a_second_is_refused" {
  command = plan
  variables {
    endpoints = { fraud = { rollout_seconds = 300.5 } }
  }
  expect_failures = [var.endpoints]
}

run "drift_of_less_than_nothing_is_none" {
  command = plan
  variables {
    endpoints = { fraud = { drift = { psi = -0.1 } } }
  }
  expect_failures = [var.endpoints]
}

run "drift_in_percent_could_never_be_told" {
  command = plan
  variables {
    endpoints = { fraud = { drift = { psi = 20 } } }
  }
  expect_failures = [var.endpoints]
}

run "drift_of_few_rows_is_chance" {
  command = plan
  variables {
    endpoints = { fraud = { drift = { rows = 50 } } }
  }
  expect_failures = [var.endpoints]
}

run "drift_has_a_window_of_those_that_are_offered" {
  command = plan
  variables {
    endpoints = { fraud = { drift = { window = "1w" } } }
  }
  expect_failures = [var.endpoints]
}

run "a_dashboard_that_would_replace_one_of_the_module_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { rollout = { panels = [{ title = "A", queries = { a = "up" } }] } } }
  }
  expect_failures = [var.grafana]
}

run "a_dashboard_without_panels_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [] } } }
  }
  expect_failures = [var.grafana]
}

run "two_panels_of_one_title_are_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", queries = { a = "up" } }, { title = "A", queries = { a = "up" } }] } } }
  }
  expect_failures = [var.grafana]
}

run "a_panel_that_asks_nothing_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", queries = {} }] } } }
  }
  expect_failures = [var.grafana]
}

run "an_empty_query_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", queries = { a = " " } }] } } }
  }
  expect_failures = [var.grafana]
}

run "a_query_that_closes_no_bracket_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", queries = { a = "sum(rate(mlops_requests_total[5m])" } }] } } }
  }
  expect_failures = [var.grafana]
}

run "a_query_that_opens_no_bracket_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", queries = { a = "rate(mlops_requests_total 5m])" } }] } } }
  }
  expect_failures = [var.grafana]
}

run "a_query_that_closes_no_quote_is_refused" {
  command = plan
  variables {
    grafana = { dashboards = { mine = { panels = [{ title = "A", queries = { a = "mlops_requests_total{endpoint=\"fraud}" } }] } } }
  }
  expect_failures = [var.grafana]
}

run "a_sign_in_that_grafana_does_not_know_is_refused" {
  command = plan
  variables {
    grafana = { workspace = { authentication = ["LDAP"] } }
  }
  expect_failures = [var.grafana]
}

run "a_role_that_grafana_does_not_know_is_refused" {
  command = plan
  variables {
    grafana = { workspace = { groups = { OWNER = ["11111111-2222-3333-4444-555555555555"] } } }
  }
  expect_failures = [var.grafana]
}

run "a_role_without_groups_is_refused" {
  command = plan
  variables {
    grafana = { workspace = { groups = { ADMIN = [] } } }
  }
  expect_failures = [var.grafana]
}

run "groups_of_iam_identity_center_without_it_are_refused" {
  command = plan
  variables {
    grafana = { workspace = { authentication = ["SAML"], groups = { ADMIN = ["11111111-2222-3333-4444-555555555555"] } } }
  }
  expect_failures = [var.grafana]
}

run "a_workspace_that_is_reachable_from_nowhere_is_refused" {
  command = plan
  variables {
    grafana = { workspace = { reachable_from = {} } }
  }
  expect_failures = [var.grafana]
}

run "a_sixth_endpoint_is_refused" {
  command = plan
  variables {
    grafana = { workspace = { reachable_from = { vpc_endpoint_ids = [for number in range(6) : "vpce-${number}"] } } }
  }
  expect_failures = [var.grafana]
}

run "a_version_of_three_parts_is_refused" {
  command = plan
  variables {
    grafana = { workspace = { version = "10.4.1" } }
  }
  expect_failures = [var.grafana]
}

run "the_whole_arn_of_a_load_balancer_is_refused" {
  command = plan
  variables {
    load_balancers = { public = { arn_suffix = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/serving/0a1b2c3d4e5f6071" } }
  }
  expect_failures = [var.load_balancers]
}

run "a_network_load_balancer_is_refused" {
  command = plan
  variables {
    load_balancers = { public = { arn_suffix = "net/serving/0a1b2c3d4e5f6071" } }
  }
  expect_failures = [var.load_balancers]
}

run "a_target_group_by_its_name_is_refused" {
  command = plan
  variables {
    load_balancers = { public = { arn_suffix = "app/serving/0a1b2c3d4e5f6071", target_groups = { fraud = "fraud" } } }
  }
  expect_failures = [var.load_balancers]
}

run "an_error_share_of_everything_is_refused" {
  command = plan
  variables {
    load_balancers = { public = { arn_suffix = "app/serving/0a1b2c3d4e5f6071", error_percent = 100 } }
  }
  expect_failures = [var.load_balancers]
}

run "a_load_balancer_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    load_balancers = { "The public one" = { arn_suffix = "app/serving/0a1b2c3d4e5f6071" } }
  }
  expect_failures = [var.load_balancers]
}

run "a_name_that_no_log_group_has_is_refused" {
  command = plan
  variables {
    log_groups = { "ecs fraud" = {} }
  }
  expect_failures = [var.log_groups]
}

run "a_name_of_a_log_group_that_aws_keeps_is_refused" {
  command = plan
  variables {
    log_groups = { "aws/ecs" = {} }
  }
  expect_failures = [var.log_groups]
}

run "a_retention_that_cloudwatch_does_not_know_for_a_group_is_refused" {
  command = plan
  variables {
    log_groups = { "/ecs/fraud" = { retention_days = 31 } }
  }
  expect_failures = [var.log_groups]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables {
    logging = { retention_days = 100 }
  }
  expect_failures = [var.logging]
}

run "an_alias_as_the_key_of_logs_is_refused" {
  command = plan
  variables {
    logging = { kms_key_arn = "alias/logs" }
  }
  expect_failures = [var.logging]
}

run "a_name_in_capitals_is_refused" {
  command = plan
  variables {
    name = "Serving"
  }
  expect_failures = [var.name]
}

run "the_alias_of_a_workspace_is_refused" {
  command = plan
  variables {
    prometheus = { workspace = { id = "serving" } }
  }
  expect_failures = [var.prometheus]
}

run "samples_kept_for_four_years_are_refused" {
  command = plan
  variables {
    prometheus = { retention_days = 1460 }
  }
  expect_failures = [var.prometheus]
}

run "an_alias_as_the_key_of_a_workspace_is_refused" {
  command = plan
  variables {
    prometheus = { kms_key = { arn = "alias/prometheus" } }
  }
  expect_failures = [var.prometheus]
}

run "a_collector_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { Fraud = { log_group = "/ecs/fraud" } } }
  }
  expect_failures = [var.prometheus]
}

run "a_collector_of_any_version_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { fraud = { log_group = "/ecs/fraud", image = "public.ecr.aws/aws-observability/aws-otel-collector" } } }
  }
  expect_failures = [var.prometheus]
}

run "a_collector_of_the_latest_version_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { fraud = { log_group = "/ecs/fraud", image = "public.ecr.aws/aws-observability/aws-otel-collector:latest" } } }
  }
  expect_failures = [var.prometheus]
}

run "a_collector_that_scrapes_every_five_minutes_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { fraud = { log_group = "/ecs/fraud", interval_seconds = 300 } } }
  }
  expect_failures = [var.prometheus]
}

run "a_collector_of_a_port_that_is_none_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { fraud = { log_group = "/ecs/fraud", port = 70000 } } }
  }
  expect_failures = [var.prometheus]
}

run "a_collector_without_memory_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { fraud = { log_group = "/ecs/fraud", memory_mib = 64 } } }
  }
  expect_failures = [var.prometheus]
}

run "a_log_group_of_a_collector_by_its_arn_is_refused" {
  command = plan
  variables {
    prometheus = { collectors = { fraud = { log_group = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/fraud" } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_whose_key_is_too_long_for_roles_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster-of-all-teams = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" } } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_of_a_cluster_by_its_name_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" } } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_of_the_latest_version_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" }, image = "quay.io/prometheus/prometheus:latest" } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_of_any_version_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" }, image = "quay.io/prometheus/prometheus" } } }
  }
  expect_failures = [var.prometheus]
}

run "a_repository_of_a_scraper_by_its_url_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" }, repository = { arn = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/prometheus" } } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_that_scrapes_every_five_minutes_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" }, interval_seconds = 300 } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_of_a_port_that_is_none_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" }, port = 70000 } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_of_a_memory_that_fargate_does_not_have_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0/16" }, memory_mib = 768 } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_without_a_subnet_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = [] }, targets = { vpc = "10.20.0.0/16" } } } }
  }
  expect_failures = [var.prometheus]
}

run "a_scraper_without_targets_is_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = {} } } }
  }
  expect_failures = [var.prometheus]
}

run "targets_of_a_scraper_that_are_no_range_are_refused" {
  command = plan
  variables {
    prometheus = { scrapers = { cluster = { cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" }, network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a1b2c3d"] }, targets = { vpc = "10.20.0.0" } } } }
  }
  expect_failures = [var.prometheus]
}

run "a_service_by_its_arn_is_refused" {
  command = plan
  variables {
    services = { fraud = { cluster = "serving", service = "arn:aws:ecs:eu-west-1:123456789012:service/serving/fraud" } }
  }
  expect_failures = [var.services]
}

run "a_service_that_may_use_nothing_is_refused" {
  command = plan
  variables {
    services = { fraud = { cluster = "serving", service = "fraud", cpu_percent = 0 } }
  }
  expect_failures = [var.services]
}

run "part_of_a_task_is_refused" {
  command = plan
  variables {
    services = { fraud = { cluster = "serving", service = "fraud", tasks = 0.5 } }
  }
  expect_failures = [var.services]
}

run "minutes_that_are_no_multiple_of_five_for_a_service_are_refused" {
  command = plan
  variables {
    services = { fraud = { cluster = "serving", service = "fraud", missing_minutes = 1 } }
  }
  expect_failures = [var.services]
}

run "a_service_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    services = { Fraud = { cluster = "serving", service = "fraud" } }
  }
  expect_failures = [var.services]
}

run "a_reserved_key_of_a_tag_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "ml" }
  }
  expect_failures = [var.tags]
}
