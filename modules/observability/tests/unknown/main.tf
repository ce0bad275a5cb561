# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_lb" "this" {
  name = "serving"
}

resource "aws_kms_key" "this" {
  enable_key_rotation = true
}

resource "aws_sns_topic" "page" {
  name = "page"
}

resource "aws_prometheus_workspace" "this" {
  alias = "shared"
}

resource "aws_cloudwatch_log_group" "this" {
  name_prefix       = "/ecs/fraud-"
  retention_in_days = 30
}

resource "aws_autoscaling_group" "this" {
  name_prefix = "gpu-"
  max_size    = 2
  min_size    = 0
}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_ecs_cluster" "this" {
  name = "serving"
}

resource "aws_ecr_repository" "this" {
  name = "prometheus"
}

resource "aws_vpc_endpoint" "this" {
  vpc_id       = aws_vpc.this.id
  service_name = "com.amazonaws.eu-west-1.grafana-workspace"
}

resource "terraform_data" "group" {
  input = "of IAM Identity Center"
}

module "observability" {
  source = "../.."

  name           = "serving"
  endpoints      = { fraud = {} }
  alarms         = { topic_arns = { page = aws_sns_topic.page.arn } }
  alertmanager   = { definition = yamlencode({ alertmanager_config = yamlencode({ route = { receiver = aws_sns_topic.page.arn } }) }) }
  load_balancers = { public = { arn_suffix = aws_lb.this.arn_suffix } }
  log_groups     = { "/ecs/fraud" = {} }
  logging        = { kms_key_arn = aws_kms_key.this.arn }

  prometheus = {
    workspace  = { id = aws_prometheus_workspace.this.id }
    collectors = { fraud = { log_group = aws_cloudwatch_log_group.this.name } }
    scrapers = { cluster = {
      cluster    = aws_ecs_cluster.this
      image      = "${aws_ecr_repository.this.repository_url}@sha256:${sha256("prometheus")}"
      network    = { vpc_id = aws_vpc.this.id, subnet_ids = [aws_subnet.this.id] }
      repository = aws_ecr_repository.this
      targets    = { vpc = aws_vpc.this.cidr_block, peer = aws_subnet.this.cidr_block }
    } }
  }

  auto_scaling_groups = { gpu = { name = aws_autoscaling_group.this.name } }

  grafana = {
    dashboards = { mine = { panels = [{ title = "A", queries = { a = "up{account=\"${aws_kms_key.this.key_id}\"}" } }] } }
    workspace  = { groups = { ADMIN = [terraform_data.group.id] }, reachable_from = { vpc_endpoint_ids = [aws_vpc_endpoint.this.id] } }
  }
}

module "observability_made" {
  source = "../.."

  name       = "serving-own"
  prometheus = { kms_key = { arn = aws_kms_key.this.arn } }
}

output "log_groups" {
  description = "Keys are known before the rest."
  value       = keys(module.observability.log_groups)
}

output "rules" {
  description = "Known before the rest."
  value       = module.observability.rules.groups
}
