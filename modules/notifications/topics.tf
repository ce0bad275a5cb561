data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # An object decides, not an ARN: of a key made in the same run that is unknown.
  made_key = { for key in ["topics"] : key => true if var.kms_key == null }

  # Who may publish. EventBridge is allowed without a condition: it is not documented to send aws:SourceAccount to topics, and a condition on a key that is absent refuses.
  publishers = {
    Alarms       = { service = "cloudwatch.amazonaws.com", accounts = [data.aws_caller_identity.current.account_id] }
    Alertmanager = { service = "aps.amazonaws.com", accounts = [data.aws_caller_identity.current.account_id] }
    Events       = { service = "events.amazonaws.com", accounts = [] }
  }

  emails = merge([
    for topic_name, topic in var.topics : { for name, address in topic.emails : "${topic_name}/${name}" => { topic = topic_name, address = address } }
  ]...)
}

resource "aws_kms_key" "topics" {
  for_each = local.made_key

  description             = "Messages of the topics ${var.name}-*"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json

  tags = var.tags
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy gives the account the right to administer the key, or nobody has it
  #checkov:skip=CKV_AWS_111:A key's policy is about the key that it belongs to
  #checkov:skip=CKV_AWS_356:A key's policy is about the key that it belongs to
  statement {
    sid       = "Administration"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  dynamic "statement" {
    for_each = local.publishers
    content {
      sid       = statement.key
      actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = [statement.value.service]
      }

      dynamic "condition" {
        for_each = length(statement.value.accounts) > 0 ? [statement.value.accounts] : []
        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = condition.value
        }
      }
    }
  }
}

resource "aws_sns_topic" "this" {
  for_each = var.topics

  name              = "${var.name}-${each.key}"
  display_name      = each.value.title
  kms_master_key_id = var.kms_key == null ? aws_kms_key.topics["topics"].arn : var.kms_key.arn
  # Signed with SHA-256; 1 is SHA-1.
  signature_version = 2

  tags = var.tags
}

resource "aws_sns_topic_policy" "this" {
  for_each = var.topics

  arn    = aws_sns_topic.this[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

data "aws_iam_policy_document" "topic" {
  for_each = var.topics

  statement {
    sid       = "Owner"
    actions   = ["sns:Publish", "sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  dynamic "statement" {
    for_each = local.publishers
    content {
      sid       = statement.key
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.this[each.key].arn]

      principals {
        type        = "Service"
        identifiers = [statement.value.service]
      }

      dynamic "condition" {
        for_each = length(statement.value.accounts) > 0 ? [statement.value.accounts] : []
        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = condition.value
        }
      }
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_subscription" "emails" {
  for_each = local.emails

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.address
}
