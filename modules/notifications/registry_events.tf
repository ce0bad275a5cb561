# Events of the registry itself lie in its table: a pipe reads the table's stream, and tells each new one to a topic.

locals {
  # Whose events they are, as decision 9 of the provider lays out the table: events#model#NAME, events#endpoint#ID.
  _subjects = { registry-model-changed = "events#model#", registry-endpoint-changed = "events#endpoint#" }

  registry_events = { for name, event in var.events : name => event if contains(keys(local._subjects), event.kind) }

  registry_patterns = {
    for name, event in local.registry_events : name => jsonencode({
      eventName = ["INSERT"]
      dynamodb = { Keys = { PK = { S = jsondecode(length(event.names) == 0
        ? jsonencode([{ prefix = local._subjects[event.kind] }])
        : jsonencode([for subject in event.names : "${local._subjects[event.kind]}${subject}"])
      ) } } }
    })
  }
}

resource "aws_pipes_pipe" "registry" {
  for_each = local.registry_events

  name          = "${var.name}-${each.key}"
  description   = "${each.value.kind} to the topic ${var.name}-${each.value.topic}"
  desired_state = "RUNNING"
  role_arn      = aws_iam_role.registry[each.key].arn
  source        = var.registry_stream.arn
  target        = aws_sns_topic.this[each.value.topic].arn

  source_parameters {
    dynamodb_stream_parameters {
      batch_size                    = 1
      maximum_record_age_in_seconds = 3600
      maximum_retry_attempts        = 10
      starting_position             = "LATEST"
    }

    filter_criteria {
      filter {
        pattern = local.registry_patterns[each.key]
      }
    }
  }

  # Of the form that AWS Chatbot and functions/slack.py know. The document is a text, which the pipe quotes.
  target_parameters {
    input_template = "{\"version\":\"1.0\",\"source\":\"custom\",\"content\":{\"textType\":\"client-markdown\",\"title\":\"registry: <$.dynamodb.Keys.PK.S>\",\"description\":<$.dynamodb.NewImage.doc.S>}}"
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.registry, aws_sns_topic_policy.this]
}

data "aws_iam_policy_document" "registry_trust" {
  for_each = local.registry_events

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["pipes.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:pipes:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:pipe/${var.name}-${each.key}"]
    }
  }
}

resource "aws_iam_role" "registry" {
  for_each = local.registry_events

  name               = "${var.name}-${each.key}-registry"
  description        = "What the pipe ${var.name}-${each.key} reads of the registry, and where it publishes"
  assume_role_policy = data.aws_iam_policy_document.registry_trust[each.key].json

  tags = var.tags
}

resource "aws_iam_role_policy" "registry" {
  for_each = local.registry_events

  name   = "tell"
  role   = aws_iam_role.registry[each.key].name
  policy = data.aws_iam_policy_document.registry[each.key].json
}

data "aws_iam_policy_document" "registry" {
  for_each = local.registry_events

  statement {
    sid       = "ReadStream"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    resources = [var.registry_stream.arn]
  }

  statement {
    sid       = "DecryptStream"
    actions   = ["kms:Decrypt"]
    resources = [var.registry_stream.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"]
    }
  }

  statement {
    sid       = "Publish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.value.topic].arn]
  }

  statement {
    sid       = "EncryptMessages"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = [var.kms_key == null ? aws_kms_key.topics["topics"].arn : var.kms_key.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"]
    }
  }
}
