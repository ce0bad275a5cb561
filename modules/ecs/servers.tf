# Two roles and a log group for each model server: what ECS does to start it, and what it may do itself. Who reaches it is in security_groups.tf.

locals {
  _arn = { for service in ["ecs", "logs", "ssm"] : service =>
  "arn:${data.aws_partition.current.partition}:${service}:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}" }

  # Objects decide what there is; their values may be known only after an apply.
  registry = { for key in ["registry"] : key => var.registry if var.registry != null }

  registry_arns = { for key, registry in local.registry : key => {
    bucket  = "arn:${data.aws_partition.current.partition}:s3:::${registry.bucket}"
    objects = "arn:${data.aws_partition.current.partition}:s3:::${registry.bucket}/${registry.prefix == "" ? "" : "${registry.prefix}/"}*"
    # Their ids name the region where it is not the registry's.
    endpoints = format("endpoint#ecs/%s%s/*", coalesce(registry.region, data.aws_region.current.region) == data.aws_region.current.region ? "" : "${data.aws_region.current.region}/", var.name)
    region    = registry.region == null ? data.aws_region.current.region : registry.region
    table = format("arn:%s:dynamodb:%s:%s:table/%s", data.aws_partition.current.partition,
    registry.region == null ? data.aws_region.current.region : registry.region, data.aws_caller_identity.current.account_id, registry.table)
  } }

  # Roles without a statement would be refused: these task roles have a policy.
  task_policies = { for name, server in var.servers : name => server if var.registry != null || var.exec != null }
}

resource "aws_cloudwatch_log_group" "servers" {
  for_each = var.servers

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/ecs/${var.name}/servers/${each.key}"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}

data "aws_iam_policy_document" "tasks_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    # ECS tells no cluster here.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local._arn.ecs}:*"]
    }
  }
}

# What ECS does on behalf of the server before it runs.

resource "aws_iam_role" "execution" {
  for_each = var.servers

  name               = "${var.name}-${each.key}-execution"
  description        = "What ECS does to start ${each.key} in ${var.name}: images, logs, secrets"
  assume_role_policy = data.aws_iam_policy_document.tasks_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "execution" {
  for_each = var.servers

  name   = "start"
  role   = aws_iam_role.execution[each.key].name
  policy = data.aws_iam_policy_document.execution[each.key].json
}

data "aws_iam_policy_document" "execution" {
  for_each = var.servers

  #checkov:skip=CKV_AWS_356:A token for all repositories is the only one that ECR gives
  statement {
    sid     = "WriteLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]

    # The second are those that an mlops_endpoint makes for its servers.
    resources = [
      "${local._arn.logs}:log-group:/ecs/${var.name}/servers/${each.key}:*",
      "${local._arn.logs}:log-group:/mlops/endpoints/${var.name}/*",
    ]
  }

  dynamic "statement" {
    for_each = length(each.value.repository_arns) == 0 ? [] : ["images"]

    content {
      sid       = "PullImages"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = values(each.value.repository_arns)
    }
  }

  dynamic "statement" {
    for_each = length(each.value.repository_arns) == 0 ? [] : ["images"]

    content {
      sid       = "SignInToImages"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.secret_arns) == 0 ? [] : ["secrets"]

    content {
      sid       = "ReadSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = values(each.value.secret_arns)
    }
  }

  dynamic "statement" {
    for_each = length(each.value.parameter_arns) == 0 ? [] : ["parameters"]

    content {
      sid       = "ReadParameters"
      actions   = ["ssm:GetParameters"]
      resources = values(each.value.parameter_arns)
    }
  }

  dynamic "statement" {
    for_each = length(each.value.secret_kms_key_arns) == 0 ? [] : ["keys"]

    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = values(each.value.secret_kms_key_arns)

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [for service in ["secretsmanager", "ssm"] : "${service}.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

# What the server does itself.

resource "aws_iam_role" "task" {
  for_each = var.servers

  name               = "${var.name}-${each.key}-task"
  description        = "What ${each.key} in ${var.name} may do: read its models"
  assume_role_policy = data.aws_iam_policy_document.tasks_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "task" {
  for_each = local.task_policies

  name   = "serve"
  role   = aws_iam_role.task[each.key].name
  policy = data.aws_iam_policy_document.task[each.key].json
}

data "aws_iam_policy_document" "task" {
  for_each = local.task_policies

  #checkov:skip=CKV_AWS_356:Channels of sessions and the list of log groups have no ARN to be confined to
  #checkov:skip=CKV_AWS_111:Channels of sessions have no ARN to be confined to
  dynamic "statement" {
    for_each = local.registry_arns

    content {
      sid       = "ReadRecords"
      actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
      resources = [statement.value.table]

      # The registry's identity, the models of this server, and the endpoints of this cluster.
      condition {
        test     = "ForAllValues:StringLike"
        variable = "dynamodb:LeadingKeys"
        values   = concat(["registry", statement.value.endpoints], [for pattern in each.value.models == null ? ["*"] : each.value.models : "model#${pattern}"])
      }
    }
  }

  dynamic "statement" {
    for_each = local.registry_arns

    content {
      sid       = "ReadArtifacts"
      actions   = ["s3:GetObject"]
      resources = [statement.value.objects]
    }
  }

  # Without it S3 answers that access is denied where an object is missing.
  dynamic "statement" {
    for_each = local.registry_arns

    content {
      sid       = "ListArtifacts"
      actions   = ["s3:ListBucket"]
      resources = [statement.value.bucket]

      dynamic "condition" {
        for_each = var.registry.prefix == "" ? [] : [var.registry.prefix]

        content {
          test     = "StringLike"
          variable = "s3:prefix"
          values   = ["${condition.value}/*"]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = local.registry_arns

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt"]
      resources = [var.registry.kms_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in ["dynamodb", "s3"] : "${service}.${statement.value.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }

  dynamic "statement" {
    for_each = local.exec

    content {
      sid       = "OpenSessions"
      actions   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.exec

    content {
      sid       = "FindLogOfSessions"
      actions   = ["logs:DescribeLogGroups"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.exec

    content {
      sid       = "WriteLogOfSessions"
      actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      resources = ["${local._arn.logs}:log-group:/ecs/${var.name}/exec:*"]
    }
  }

  dynamic "statement" {
    for_each = { for key, exec in local.exec : key => exec.kms_key if exec.kms_key != null }

    content {
      sid       = "DecryptSessions"
      actions   = ["kms:Decrypt"]
      resources = [statement.value.arn]
    }
  }
}
