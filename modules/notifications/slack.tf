# By AWS Chatbot, which holds the authorization itself.

resource "aws_chatbot_slack_channel_configuration" "this" {
  for_each = var.chatbot

  configuration_name          = "${var.name}-${each.key}"
  slack_team_id               = each.value.workspace_id
  slack_channel_id            = each.value.channel_id
  iam_role_arn                = aws_iam_role.chatbot[each.key].arn
  guardrail_policy_arns       = ["arn:${data.aws_partition.current.partition}:iam::aws:policy/CloudWatchReadOnlyAccess"]
  logging_level               = "ERROR"
  sns_topic_arns              = [for topic in each.value.topics : aws_sns_topic.this[topic].arn]
  user_authorization_required = false

  tags = var.tags

  depends_on = [aws_iam_role_policy_attachment.chatbot]
}

resource "aws_iam_role" "chatbot" {
  for_each = var.chatbot

  name               = "${var.name}-chatbot-${each.key}"
  description        = "What AWS Chatbot may read for ${each.key}: graphs of alarms"
  assume_role_policy = data.aws_iam_policy_document.chatbot_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "chatbot_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["chatbot.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy_attachment" "chatbot" {
  for_each = var.chatbot

  role       = aws_iam_role.chatbot[each.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/CloudWatchReadOnlyAccess"
}

# By a webhook: a function, because SNS signs what it sends, and Slack takes nothing but its own form.

locals {
  webhook_topics = merge([
    for name, webhook in var.webhooks : { for topic in distinct(webhook.topics) : "${name}/${topic}" => { webhook = name, topic = topic } }
  ]...)
}

data "archive_file" "slack" {
  for_each = var.webhooks

  type             = "zip"
  source_file      = "${path.module}/functions/slack.py"
  output_file_mode = "0644"
  output_path      = "${path.root}/.terraform/${var.name}-slack-${each.key}.zip"
}

resource "aws_lambda_function" "slack" {
  for_each = var.webhooks

  #checkov:skip=CKV_AWS_50:A message is one call; its outcome is in the log
  #checkov:skip=CKV_AWS_115:Few messages come at once, and a reservation is taken from the account's others
  #checkov:skip=CKV_AWS_116:What could not be sent goes to the log, by retries of SNS; a queue that nobody reads is no better
  #checkov:skip=CKV_AWS_117:It reaches Slack and Secrets Manager, both on the internet, and nothing in a VPC
  #checkov:skip=CKV_AWS_173:Its environment holds an ARN, and no secret
  #checkov:skip=CKV_AWS_272:The code is this module's own, pinned with it
  function_name    = "${var.name}-slack-${each.key}"
  description      = "Writes messages of ${var.name} to Slack"
  role             = aws_iam_role.slack[each.key].arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "slack.handler"
  filename         = data.archive_file.slack[each.key].output_path
  source_code_hash = data.archive_file.slack[each.key].output_base64sha256
  memory_size      = 128
  timeout          = 20

  environment {
    variables = { SECRET_ARN = each.value.secret_arn }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.slack[each.key].name
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.slack]
}

resource "aws_cloudwatch_log_group" "slack" {
  for_each = var.webhooks

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/aws/lambda/${var.name}-slack-${each.key}"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}

resource "aws_iam_role" "slack" {
  for_each = var.webhooks

  name               = "${var.name}-slack-${each.key}"
  description        = "Lets the function ${var.name}-slack-${each.key} read its one secret"
  assume_role_policy = data.aws_iam_policy_document.slack_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "slack_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "slack" {
  for_each = var.webhooks

  name   = "send"
  role   = aws_iam_role.slack[each.key].name
  policy = data.aws_iam_policy_document.slack[each.key].json
}

data "aws_iam_policy_document" "slack" {
  for_each = var.webhooks

  statement {
    sid       = "ReadTheAddress"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [each.value.secret_arn]
  }

  dynamic "statement" {
    for_each = each.value.kms_key == null ? [] : [each.value.kms_key.arn]
    content {
      sid       = "DecryptTheAddress"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${data.aws_region.current.region}.amazonaws.com"]
      }
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.slack[each.key].arn}:*"]
  }
}

resource "aws_lambda_permission" "slack" {
  for_each = local.webhook_topics

  statement_id  = "topic-${each.value.topic}"
  function_name = aws_lambda_function.slack[each.value.webhook].function_name
  action        = "lambda:InvokeFunction"
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.this[each.value.topic].arn
}

resource "aws_sns_topic_subscription" "slack" {
  for_each = local.webhook_topics

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "lambda"
  endpoint  = aws_lambda_function.slack[each.value.webhook].arn

  depends_on = [aws_lambda_permission.slack]
}
