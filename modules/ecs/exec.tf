# Sessions in running tasks (ECS Exec), and the record of what was typed and answered.

locals {
  exec = { for key in ["exec"] : key => var.exec if var.exec != null }
}

resource "aws_cloudwatch_log_group" "exec" {
  for_each = local.exec

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/ecs/${var.name}/exec"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}
