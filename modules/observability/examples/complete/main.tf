# Objectives that differ, alarms of the load balancer and of ECS, alerts that go to topics.

provider "aws" {
  region = "eu-west-1"
}

module "notifications" {
  source = "../../../notifications"

  name         = "serving-prod"
  topics       = { page = { emails = { oncall = "oncall@example.com" } }, ticket = { emails = { team = "ml@example.com" } } }
  alertmanager = { topic = "ticket", routes = [{ matchers = ["severity=\"critical\""], topic = "page" }] }
}

module "observability" {
  source = "../.."

  name = "serving-prod"

  endpoints = {
    fraud   = { availability_percent = 99.95, latency = { seconds = 0.05, percent = 99 }, in_flight = 32, no_traffic_seconds = 600 }
    ranking = { latency = { seconds = 1, percent = 95 }, refused_percent = 20, rollout_seconds = 86400 }
    batch   = { availability_percent = 99, no_traffic_seconds = 0 }
  }

  alertmanager = module.notifications.alertmanager
  alarms       = { topic_arns = { page = module.notifications.topics.page } }

  load_balancers = { public = { arn_suffix = "app/serving-prod/0a1b2c3d4e5f6071", target_groups = { fraud = "targetgroup/fraud/1a1b2c3d4e5f6071" } } }
  services       = { fraud = { cluster = "serving-prod", service = "fraud", tasks = 2 } }

  prometheus = {
    collectors = { fraud = { log_group = "/ecs/serving-prod/servers/fraud" } }
    scrapers = { cluster = {
      cluster = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving-prod" }
      network = { vpc_id = "vpc-0a1b2c3d4e5f60718", subnet_ids = ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"] }
      targets = { vpc = "10.20.0.0/16" }
    } }
  }

  auto_scaling_groups = { gpu = { name = "serving-prod-gpu", largest_minutes = 60 } }

  grafana = {
    workspace = { groups = { VIEWER = ["11111111-2222-3333-4444-555555555555"], ADMIN = ["66666666-7777-8888-9999-000000000000"] } }
    dashboards = { fraud = { panels = [
      { title = "Requests", unit = "reqps", queries = { live = "sum(rate(mlops_requests_total{endpoint=\"fraud\",traffic=\"live\"}[$__rate_interval]))" } },
    ] } }
  }
  log_groups = { "/ecs/fraud" = {}, "/ecs/batch" = { retention_days = 30 } }

  tags = { environment = "prod" }
}

output "dashboards" {
  description = "For Grafana."
  value       = module.observability.grafana_dashboards
}

output "rules" {
  description = "What is recorded and alerted on."
  value       = module.observability.rules
}

output "scrapers" {
  description = "For servers that are scraped from outside of their tasks."
  value       = module.observability.scrapers
}

output "collectors" {
  description = "For task definitions."
  value       = module.observability.collectors
}
