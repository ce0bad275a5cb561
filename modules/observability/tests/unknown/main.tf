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

module "observability" {
  source = "../.."

  name           = "serving"
  endpoints      = { fraud = {} }
  alarms         = { topic_arns = { page = aws_sns_topic.page.arn } }
  alertmanager   = { definition = yamlencode({ alertmanager_config = yamlencode({ route = { receiver = aws_sns_topic.page.arn } }) }) }
  load_balancers = { public = { arn_suffix = aws_lb.this.arn_suffix } }
  log_groups     = { "/ecs/fraud" = {} }
  logging        = { kms_key_arn = aws_kms_key.this.arn }
  prometheus     = { workspace = { id = aws_prometheus_workspace.this.id } }
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
