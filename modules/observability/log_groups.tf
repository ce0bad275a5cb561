resource "aws_cloudwatch_log_group" "this" {
  for_each = var.log_groups

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = each.key
  retention_in_days = each.value.retention_days == null ? var.logging.retention_days : each.value.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}
