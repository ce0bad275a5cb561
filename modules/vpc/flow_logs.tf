locals {
  _flow_logs = { for key in ["vpc"] : key => var.flow_logs if var.flow_logs != null }

  # An object decides, not an ARN: of a bucket made in the same run the ARN is unknown, and so is whether it is null.
  flow_logs_to_group = { for key, logs in local._flow_logs : key => logs if logs.bucket == null }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_flow_log" "this" {
  for_each = local._flow_logs

  vpc_id                   = aws_vpc.this.id
  traffic_type             = each.value.traffic
  max_aggregation_interval = each.value.aggregation_seconds
  log_destination_type     = each.value.bucket == null ? "cloud-watch-logs" : "s3"
  log_destination          = each.value.bucket == null ? aws_cloudwatch_log_group.flow_logs[each.key].arn : each.value.bucket.arn
  iam_role_arn             = each.value.bucket == null ? aws_iam_role.flow_logs[each.key].arn : null

  tags = merge(var.tags, { Name = var.name })

  # Without its permissions the log begins in error.
  depends_on = [aws_iam_role_policy.flow_logs]
}

resource "aws_cloudwatch_log_group" "flow_logs" {
  for_each = local.flow_logs_to_group

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/vpc/${var.name}/flow-logs"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}

resource "aws_iam_role" "flow_logs" {
  for_each = local.flow_logs_to_group

  name               = "${var.name}-flow-logs"
  description        = "Lets the flow logs of the VPC ${var.name} be written to CloudWatch"
  assume_role_policy = data.aws_iam_policy_document.flow_logs_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "flow_logs_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    # The service acts for many accounts; only on behalf of this one may it take the role.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:ec2:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:vpc-flow-log/*"]
    }
  }
}

resource "aws_iam_role_policy" "flow_logs" {
  for_each = local.flow_logs_to_group

  name   = "write"
  role   = aws_iam_role.flow_logs[each.key].name
  policy = data.aws_iam_policy_document.flow_logs_write.json
}

data "aws_iam_policy_document" "flow_logs_write" {
  statement {
    actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = [
      "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:log-group:/vpc/${var.name}/flow-logs:*",
    ]
  }
}
