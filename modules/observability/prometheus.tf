locals {
  # Objects decide, not values that only an apply knows.
  managed        = { for key, prometheus in { workspace = var.prometheus } : key => prometheus if prometheus != null }
  made_workspace = { for key, prometheus in local.managed : key => prometheus if prometheus.workspace == null }
  workspace_id   = one([for key, prometheus in local.managed : prometheus.workspace == null ? aws_prometheus_workspace.this[key].id : prometheus.workspace.id])
  workspace_arn  = one(concat([for workspace in aws_prometheus_workspace.this : workspace.arn], [for workspace in data.aws_prometheus_workspace.given : workspace.arn]))

  workspace_endpoint = one(concat([for workspace in aws_prometheus_workspace.this : workspace.prometheus_endpoint], [for workspace in data.aws_prometheus_workspace.given : workspace.prometheus_endpoint]))
}

data "aws_prometheus_workspace" "given" {
  for_each = { for key, prometheus in local.managed : key => prometheus.workspace if prometheus.workspace != null }

  workspace_id = each.value.id
}

resource "aws_prometheus_workspace" "this" {
  for_each = local.made_workspace

  alias       = var.name
  kms_key_arn = one(each.value.kms_key[*].arn)

  logging_configuration {
    log_group_arn = "${aws_cloudwatch_log_group.prometheus[each.key].arn}:*"
  }

  tags = var.tags
}

resource "aws_prometheus_workspace_configuration" "this" {
  for_each = local.made_workspace

  workspace_id             = aws_prometheus_workspace.this[each.key].id
  retention_period_in_days = each.value.retention_days
}

# Rules that cannot be evaluated, and alerts that cannot be sent, are told here and nowhere else.
resource "aws_cloudwatch_log_group" "prometheus" {
  for_each = local.made_workspace

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/aws/vendedlogs/prometheus/${var.name}"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}

resource "aws_prometheus_rule_group_namespace" "this" {
  for_each = local.managed

  name         = "${var.name}-mlops"
  workspace_id = local.workspace_id
  data         = local.rules

  tags = var.tags
}

resource "aws_prometheus_alert_manager_definition" "this" {
  for_each = { for key, prometheus in local.managed : key => var.alertmanager if var.alertmanager != null }

  workspace_id = local.workspace_id
  definition   = each.value.definition
}
