data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Log groups and queries of Container Insights, by the name that ECS writes to.
  insights = var.cluster.container_insights == "disabled" ? {} : { insights = "/aws/ecs/containerinsights/${var.name}/performance" }
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Insights are enhanced unless cluster.container_insights says otherwise; the check knows only enabled
  #checkov:skip=CKV_AWS_224:Sessions are under TLS; a customer's key on top of it is exec.kms_key
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.cluster.container_insights
  }

  dynamic "configuration" {
    for_each = local.exec

    content {
      execute_command_configuration {
        kms_key_id = configuration.value.kms_key == null ? null : configuration.value.kms_key.arn
        logging    = "OVERRIDE"

        log_configuration {
          cloud_watch_encryption_enabled = var.logging.kms_key_arn != null
          cloud_watch_log_group_name     = aws_cloudwatch_log_group.exec[configuration.key].name
        }
      }
    }
  }

  tags = var.tags

  # ECS makes it with the first record, without an end, if it is not there.
  depends_on = [aws_cloudwatch_log_group.insights]
}

resource "aws_cloudwatch_log_group" "insights" {
  for_each = local.insights

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = each.value
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}
